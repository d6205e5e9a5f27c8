"""`telegraf-p1 check [SOURCE]`: which meter speaks where, or why none does, and the configuration for it."""

import argparse
import json
import threading
from typing import TYPE_CHECKING, Any, Final

from telegraf_p1.commands import OK
from telegraf_p1.sources import EXAMPLES

if TYPE_CHECKING:
    from telegraf_p1.check.listen import Listener

_NOT_FOUND: Final = 1


def add(commands: Any) -> None:
    """Say what it takes."""
    parser = commands.add_parser(
        "check",
        help="find the meter, say what is wrong if there is none, and write the configuration; exit 1 without a meter",
        epilog="It only listens. A port that Telegraf reads already has to be free: stop Telegraf first.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        help=f"where to look: {', '.join(EXAMPLES)}; '/dev/ttyUSB*' for several ports (default: all serial ports)",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="one JSON object in place of the text")
    shown.add_argument("--watch", action="store_true", help="show the meter that was found live, until Ctrl-C")
    parser.add_argument("--show-ids", action="store_true", help="show identifiers, of which else the end is shown")
    parser.add_argument("--write", metavar="FILE", help="write the configuration; tried with Telegraf if it is here")
    parser.add_argument("--force", action="store_true", help="with --write: replace a file that somebody else wrote")
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Look, show what was found, and write what was asked for."""
    from telegraf_p1.check import block, report, screen

    if chosen.write:
        block.check_file(chosen.write, is_forced=chosen.force)
    listeners = _listeners(chosen.source)
    screen.listen(listeners)
    if chosen.source and len(listeners) == 1 and (error := listeners[0].usage_error):
        raise error
    everything = [report.looked(listener, are_masked=not chosen.show_ids) for listener in listeners]
    out = screen.console()
    if not chosen.json:
        screen.show(everything, chosen.source, out, with_block=not chosen.write)
    found = [one for one in everything if one.meters]
    tried = None
    if chosen.write and found:
        block.write(chosen.write, "\n".join(one.block for one in found))
        tried = block.try_it(chosen.write, max(one.meters[0].interval_s or 0 for one in found))
        if not chosen.json:
            screen.show_file(chosen.write, tried, out)
    if chosen.json:
        print(json.dumps(report.as_json(everything, chosen.write if found else None, tried), ensure_ascii=False))
    if chosen.watch and found:
        from telegraf_p1.check import watch

        listener = listeners[everything.index(found[0])]
        watch.follow(listener, found[0].meters[0].zone, are_masked=not chosen.show_ids)
    return OK if found else _NOT_FOUND


def _listeners(source: str | None) -> "list[Listener]":
    """Give who listens where the user asked to; what else can be looked at has its place here."""
    from telegraf_p1.check import ports
    from telegraf_p1.check.listen import Listener

    is_found = threading.Event()
    if source is None:
        sources = ports.all_ports()
    elif ports.is_pattern(source):
        sources = ports.matching(source)
    else:
        sources = [source]
    return [Listener(one, is_found) for one in sources]
