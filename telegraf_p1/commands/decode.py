"""`telegraf-p1 decode [FILE …]`: converts telegrams in files to lines."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from telegraf_p1.commands import NO_TELEGRAM, OK, REJECTED, TIMES, options
from telegraf_p1.commands.progress import Progress
from telegraf_p1.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telegraf_p1.framer import Frame
    from telegraf_p1.keys import Keys
    from telegraf_p1.sources.file import Recording


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "decode",
        help="convert telegrams in files to line protocol or JSON",
        usage="%(prog)s [options] [FILE ...]",
        description="Convert the telegrams in files to records in InfluxDB line protocol, or to JSON. The exit status "
        "is 1 if a telegram was rejected or none was found. If the output goes to a file, the terminal shows the "
        "progress.",
        epilog="Examples:\n\n"
        "  telegraf-p1 simulate --count 3 - | telegraf-p1 decode\n"
        "  telegraf-p1 simulate --count 1 - | telegraf-p1 decode --json\n\n"
        f"{TIMES}",
    )
    parser.add_argument_group("Input").add_argument(
        "files", metavar="FILE", nargs="*", default=["-"], help="a recording; - is stdin (default: -)"
    )
    result = parser.add_argument_group("Output").add_mutually_exclusive_group()
    result.add_argument("--json", action="store_true", help="write one JSON object per telegram")
    result.add_argument(
        "--scrub",
        action="store_true",
        help="write the telegrams themselves, with identifiers and messages replaced and a correct CRC, to show them "
        "to others; not with --json",
    )
    options.add(parser)
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Write the records of all files; stop at a file that cannot be read."""
    from telegraf_p1 import lineproto, loop
    from telegraf_p1.interpreter import Interpreter
    from telegraf_p1.outputs.stdout import lines
    from telegraf_p1.sources.file import Recording

    understood, history_s = options.Understood(chosen), options.history(chosen)
    log, progress = Log(), Progress()
    if chosen.scrub:
        return _scrub(chosen.files, understood.keys, log, progress)
    settings = understood.settings(is_fast=not chosen.json)
    write = sys.stdout.buffer.writelines if sys.stdout else len
    as_text = lineproto.as_json if chosen.json else lineproto.line
    outputs = [lines(write, understood.mapping, as_text)]
    if history_s:
        from telegraf_p1.outputs.history import History

        outputs.append(History(history_s, write, understood.mapping, as_text).output)
    accepted = rejected = 0
    for name in chosen.files:
        interpreter = Interpreter(settings, log, name)
        recording = Recording(0 if name == "-" else name, progress.bytes)
        loop.run(recording, interpreter, [*outputs, progress.telegrams])
        recording.close()
        accepted += interpreter.accepted
        rejected += interpreter.rejected
    progress.end()
    if not accepted and not rejected:
        log.error(NO_TELEGRAM)
        return REJECTED
    if rejected:
        log.info(f"telegrams: {accepted} accepted, {rejected} rejected")
    return REJECTED if rejected else OK


def _scrub(files: list[str], keys: "Keys | None", log: Log, progress: Progress) -> int:
    """Write all telegrams to stdout, damaged ones too, without what identifies a meter."""
    from telegraf_p1.decrypt import decrypt_frame
    from telegraf_p1.scrub import Scrubber
    from telegraf_p1.sources.file import Recording
    from telegraf_p1.telegram import TelegramError, is_begun

    scrubber = Scrubber()
    found = rejected = 0
    for name in files:
        for frame in _frames(Recording(0 if name == "-" else name, progress.bytes)):
            try:
                plain = frame._replace(data=decrypt_frame(frame, keys).data)
            except TelegramError as error:
                rejected += 1
                log.warning_for(error.cause, f"{name}: {error}")
                continue
            if is_begun(plain.data):
                found += 1
                progress.telegrams([plain])
                if sys.stdout:
                    sys.stdout.buffer.write(scrubber.scrub(plain) + (b"\r\n" if frame.whole else b""))
    progress.end()
    if not found and not rejected:
        log.error(NO_TELEGRAM)
    return OK if found and not rejected else REJECTED


def _frames(recording: "Recording") -> "Iterator[Frame]":
    """Yield the frames of a recording, and close it."""
    from telegraf_p1.framer import Framer

    framer = Framer()
    for data in recording.pieces():
        yield from framer.feed(data)
    yield from framer.flush()
    recording.close()
