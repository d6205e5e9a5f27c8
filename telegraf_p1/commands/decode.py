"""`telegraf-p1 decode [FILE …]`: telegrams in files to lines."""

import argparse
from typing import Any

from telegraf_p1.commands import NO_TELEGRAM, OK, REJECTED, options
from telegraf_p1.log import Log


def add(commands: Any) -> None:
    """Say what it takes."""
    parser = commands.add_parser("decode", help="telegrams in files to lines; exit 1 when one was rejected")
    parser.add_argument("files", metavar="FILE", nargs="*", default=["-"], help="- is stdin")
    parser.add_argument("--json", action="store_true", help="one JSON object per telegram")
    options.add(parser)
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Write the records of all files; one that cannot be read ends it."""
    from telegraf_p1 import lineproto, loop
    from telegraf_p1.interpreter import Interpreter
    from telegraf_p1.outputs.lines import lines
    from telegraf_p1.sources.file import Recording

    settings, mapping = options.understood(chosen)
    log = Log()
    output = lines(print, mapping, lineproto.as_json if chosen.json else lineproto.line)
    accepted = rejected = 0
    for name in chosen.files:
        interpreter = Interpreter(settings, log, name)
        recording = Recording(0 if name == "-" else name)
        loop.run(recording, interpreter, [output])
        recording.close()
        accepted += interpreter.accepted
        rejected += interpreter.rejected
    if not accepted and not rejected:
        log.error(NO_TELEGRAM)
        return REJECTED
    if rejected:
        log.info(f"telegrams: {accepted} accepted, {rejected} rejected")
    return REJECTED if rejected else OK
