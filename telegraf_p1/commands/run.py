"""`telegraf-p1 run SOURCE`: reads a meter forever; Telegraf starts it."""

import argparse
import time
from typing import TYPE_CHECKING, Any, Final

from telegraf_p1.commands import DOCS, NO_TELEGRAM, OK, SECRETS, TIMES, options
from telegraf_p1.log import Log
from telegraf_p1.url import UsageError

if TYPE_CHECKING:
    from telegraf_p1.interpreter import Settings
    from telegraf_p1.outputs import Output
    from telegraf_p1.outputs.mapping import Mapping
    from telegraf_p1.sources.connection import Connection


_AGAIN_S: Final = 1.0


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "run",
        help="read a meter and write records, for Telegraf's inputs.execd",
        usage="%(prog)s [options] SOURCE",
        description="Read a meter and write each telegram to stdout, as a record in InfluxDB line protocol. Telegraf's "
        "inputs.execd starts this command. It reconnects when the connection is lost. It exits when stdin closes, "
        "which is how Telegraf stops it; in a terminal Ctrl-C stops it.",
        epilog="Examples:\n\n"
        "  telegraf-p1 run sim:\n"
        "  telegraf-p1 run '/dev/ttyUSB0?baudrate=115200' --every 10s\n\n"
        f"{TIMES} {SECRETS}",
    )
    source = parser.add_argument_group("Source")
    source.add_argument("source", metavar="SOURCE", help=options.SOURCE)
    pace = parser.add_argument_group("Record interval").add_mutually_exclusive_group()
    pace.add_argument(
        "--every",
        metavar="TIME",
        default="",
        help="write only the first telegram in each TIME of the meter's clock, such as 10s, and drop the others "
        "(default: write every telegram); with http:// and p0: the time from one request to the next (default: 1s "
        "with http://, 15m with p0:)",
    )
    pace.add_argument(
        "--emit",
        metavar="WHEN",
        choices=("telegram", "signal"),
        default="telegram",
        help="when to write a record (default: telegram); not together with --every\n"
        "telegram: when a telegram is complete\n"
        'signal: when Telegraf asks, by its setting signal = "STDIN" or "SIGUSR1"; writes the newest telegram of each '
        "meter and drops the others",
    )
    additional = options.add(parser)
    additional.add_argument(
        "--stats",
        metavar="TIME",
        default="",
        help="every TIME, such as 60s (1s or more), also write a measurement NAME_stats: telegrams accepted and "
        "rejected, bytes, reconnects, age of the last telegram (default: off)",
    )
    additional.add_argument(
        "--publish",
        metavar="URL",
        help="also publish each value on an MQTT topic of its own below that of the URL, such as "
        f"mqtt://user@host/home/{{meter}} (default: off): {DOCS}/publish/",
    )
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Read until Telegraf stops it; CONTRIBUTING.md, "Ending", has the ways in which it may end."""
    from telegraf_p1 import execd, pipe

    execd.keep_signals()
    from telegraf_p1.reconnect import Reconnecting, opened_now
    from telegraf_p1.sources import advice, asks, open_source

    # Errors are reported before anything is opened. Default options are right; they are checked later, with the rest.
    understood = options.Understood(chosen) if chosen.publish or options.may_be_wrong(chosen) else None
    stats_every_s = options.seconds("--stats", chosen.stats, 1)
    every_s, history_s = options.seconds("--every", chosen.every, 0.1), options.history(chosen)
    log = Log()
    if not pipe.is_open():
        return OK
    stdout = pipe.Pipe(log)
    watcher = execd.StopWatcher(stdout.drain)
    connection: Connection | None = None
    try:
        source = open_source(chosen.source, **({"every": chosen.every} if chosen.every and asks(chosen.source) else {}))
        publishers = [_publisher(chosen.publish, understood.mapping, log)] if understood and chosen.publish else []
        watcher.watch()
        source = opened_now(source)
        # All that follows takes a while on a small computer. What the meter sends meanwhile waits in the port.
        understood, settings = _loaded(chosen, understood, log)
        from telegraf_p1 import loop
        from telegraf_p1.interpreter import Interpreter
        from telegraf_p1.outputs.stdout import lines

        interpreter = Interpreter(settings, log, chosen.source, advice(chosen.source))
        if stats_every_s:
            from telegraf_p1.outputs import statistics

            statistics.start(interpreter, chosen.source, understood.mapping.measurement, stats_every_s, stdout.write)
        connection = Reconnecting(source, log, chosen.source, lambda: interpreter.accepted)
        written = [lines(stdout.write, understood.mapping)]
        if history_s:
            from telegraf_p1.outputs.history import History

            written.append(History(history_s, stdout.write, understood.mapping).output)
        outputs = _paced(chosen, every_s, [*written, *publishers], connection)
        loop.run(connection, interpreter, outputs, stdout.flush)
        if not interpreter.accepted and not interpreter.rejected:
            log.error(f"{chosen.source}: {NO_TELEGRAM}")
        execd.wait_for_stop()
    except execd.Stop:
        watcher.note_stopping()
    except UsageError:
        watcher.note_stopping()
        raise
    stdout.drain()
    if connection:
        connection.leave()
    return OK


def _loaded(
    chosen: argparse.Namespace, understood: options.Understood | None, log: Log
) -> "tuple[options.Understood, Settings]":
    """Load what reads telegrams, and return its settings; try again if files cannot be opened for that."""
    while True:
        try:
            from telegraf_p1 import loop  # noqa: F401
            from telegraf_p1.outputs import stdout  # noqa: F401

            understood = understood or options.Understood(chosen)
            return understood, understood.settings(is_fast=not chosen.publish)
        except OSError as error:
            log.error_for("load", f"a part of the program cannot be loaded: {error.strerror}; retrying")
            time.sleep(_AGAIN_S)


def _publisher(text: str, mapping: "Mapping", log: Log) -> "Output":
    """Return the output that publishes to MQTT; it connects in the background."""
    from telegraf_p1.outputs.mqtt import Publisher

    publisher = Publisher(text, mapping, log)
    publisher.start()
    return publisher.publish


def _paced(
    chosen: argparse.Namespace, every_s: float, outputs: "list[Output]", connection: "Connection"
) -> "list[Output]":
    """Put the pacing, which drops some records, before the outputs if an option asks for it."""
    from telegraf_p1.sources import asks

    # A source that asks every 10 s has one telegram every 10 s. By the meter's clock, some of those would be dropped.
    if chosen.emit != "signal" and (not every_s or asks(chosen.source)):
        return outputs
    from telegraf_p1.outputs import pacing

    pace = (
        pacing.Every(every_s, outputs, chosen.measurement, connection.want)
        if every_s
        else pacing.AtSignals(outputs, chosen.measurement, connection.want)
    )
    pace.start()
    return [pace.output]
