"""`telegraf-p1 run SOURCE`: what Telegraf starts; it reads a meter for ever."""

import argparse
import time
from typing import TYPE_CHECKING, Any, Final

from telegraf_p1 import durations
from telegraf_p1.commands import NO_TELEGRAM, OK, options
from telegraf_p1.log import Log
from telegraf_p1.sources import EXAMPLES
from telegraf_p1.url import UsageError

if TYPE_CHECKING:
    from telegraf_p1.interpreter import Settings
    from telegraf_p1.outputs import Output
    from telegraf_p1.outputs.mapping import Mapping
    from telegraf_p1.pipe import Pipe


_AGAIN_S: Final = 1.0


def add(commands: Any) -> None:
    """Say what it takes."""
    parser = commands.add_parser(
        "run",
        help="what Telegraf starts: read a meter for ever",
        epilog="Options of a source follow a ?, as in '/dev/ttyUSB0?baudrate=9600&format=7E1'; the README lists them. "
        "It ends with its stdin, as Telegraf wants it.",
    )
    parser.add_argument("source", metavar="SOURCE", help=", ".join(EXAMPLES))
    parser.add_argument("--every", metavar="TIME", help="with http: from one question to the next (default: 1s)")
    parser.add_argument("--stats", metavar="TIME", help="write what was counted as a second measurement, each 60s")
    parser.add_argument("--publish", metavar="URL", help="each value on a topic too: mqtt://host/root")
    options.add(parser)
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Read until Telegraf ends it; see CONTRIBUTING.md, "Ending", for the ways in which it may end."""
    from telegraf_p1 import execd, pipe
    from telegraf_p1.reconnect import Reconnecting, opened_now
    from telegraf_p1.sources import advice, open_source

    understood = options.Understood(chosen)
    stats_every_s = _stats_every_s(chosen)
    log = Log()
    if not pipe.is_open():
        return OK
    stdout = pipe.Pipe(log)
    lifeline = execd.Lifeline(stdout.drain)
    try:
        source = open_source(chosen.source, **({"every": chosen.every} if chosen.every else {}))
        outputs = _outputs(chosen, understood.mapping, stdout, log)
        lifeline.watch()
        source = opened_now(source)
        # All that follows takes a while on a small computer. What the meter says meanwhile waits in its port.
        settings = _settings(understood, log, is_fast=not chosen.publish)
        from telegraf_p1 import loop
        from telegraf_p1.interpreter import Interpreter

        interpreter = Interpreter(settings, log, chosen.source, advice(chosen.source))
        if stats_every_s:
            from telegraf_p1.outputs import statistics

            statistics.start(interpreter, chosen.source, understood.mapping.measurement, stats_every_s, stdout.write)
        connection = Reconnecting(source, log, chosen.source, lambda: interpreter.accepted)
        loop.run(connection, interpreter, outputs, stdout.flush)
        if not interpreter.accepted and not interpreter.rejected:
            log.error(f"{chosen.source}: {NO_TELEGRAM}")
        execd.wait_for_stop()
    except execd.Stop:
        lifeline.leaving()
    except UsageError:
        lifeline.leaving()
        raise
    stdout.drain()
    return OK


def _settings(understood: options.Understood, log: Log, *, is_fast: bool) -> "Settings":
    """Load what reads telegrams, and give its settings; too few descriptors to load it are waited for."""
    while True:
        try:
            from telegraf_p1 import loop  # noqa: F401

            return understood.settings(is_fast=is_fast)
        except OSError as error:
            log.error_for("load", f"a part of the program cannot be loaded: {error.strerror}; trying again")
            time.sleep(_AGAIN_S)


def _outputs(chosen: argparse.Namespace, mapping: "Mapping", stdout: "Pipe", log: Log) -> "list[Output]":
    """Give where each record goes, in this order: Telegraf first."""
    from telegraf_p1.outputs.stdout import lines

    outputs = [lines(stdout.write, mapping)]
    if chosen.publish:
        from telegraf_p1.outputs.mqtt import Publisher

        publisher = Publisher(chosen.publish, mapping, log)
        publisher.start()
        outputs.append(publisher.publish)
    return outputs


def _stats_every_s(chosen: argparse.Namespace) -> float:
    try:
        return durations.seconds(chosen.stats, least=1) if chosen.stats else 0.0
    except ValueError as error:
        raise UsageError(str(error)) from None
