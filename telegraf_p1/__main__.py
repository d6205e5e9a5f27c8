"""The command line: `telegraf-p1 run|decode|fields`, also as `python -m telegraf_p1`."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from telegraf_p1 import __version__, lineproto
from telegraf_p1.log import Log
from telegraf_p1.timestamp import DEFAULT_ZONE, Zone

if TYPE_CHECKING:
    from telegraf_p1 import run
    from telegraf_p1.layout import Layout

_NO_TELEGRAM = "no telegram found: it begins with / at the start of a line and ends with ! and its CRC"
_OK, _REJECTED, _BUG, _USAGE, _INTERRUPTED = 0, 1, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line that Telegraf logs as an error, and exit with 2."""
        Log().error(f"{message}; see `{self.prog} --help`")
        sys.exit(_USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="telegraf-p1", description="P1 telegrams of smart meters to InfluxDB line protocol.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser(
        "run",
        help="what Telegraf starts: read a meter for ever",
        epilog="Options of a source follow a ?, as in '/dev/ttyUSB0?baudrate=9600&format=7E1'; the README lists them. "
        "It ends with its stdin, as Telegraf wants it.",
    )
    run.add_argument(
        "source",
        metavar="SOURCE",
        help="/dev/ttyUSB0, tcp://host:port, rfc2217://host:port, mqtt://host/topic, http://host/path, file:NAME, sim:",
    )
    run.add_argument("--every", metavar="S", help="with http: seconds from one question to the next (default: 1)")
    run.add_argument("--stats", metavar="TIME", help="write what was counted as a second measurement, each 60s")
    run.add_argument("--publish", metavar="URL", help="each value on a topic too: mqtt://host/root")
    _decoding_options(run)

    decode = commands.add_parser("decode", help="telegrams in files to lines; exit 1 when one was rejected")
    decode.add_argument("files", metavar="FILE", nargs="*", default=["-"], help="- is stdin")
    decode.add_argument("--json", action="store_true", help="one JSON object per telegram")
    _decoding_options(decode)

    simulate = commands.add_parser("simulate", help="simulated meters, to try a set-up with")
    simulate.add_argument(
        "target",
        metavar="TARGET",
        help="- (stdout), pty:/tmp/ttyP1, tcp-listen://127.0.0.1:2000, http-listen://127.0.0.1:8080, "
        "mqtt://127.0.0.1/p1/{n}/raw",
    )
    simulate.add_argument("--meters", type=int, default=1, metavar="N", help="how many, `{n}` in TARGET is its number")
    simulate.add_argument("--interval", default="1s", metavar="TIME", help="between two telegrams of a meter (1s)")
    simulate.add_argument("--count", type=int, default=0, metavar="N", help="telegrams of each meter (0: no end)")
    simulate.add_argument("--form", default="nl-5.0", help="the national form (nl-5.0)")
    simulate.add_argument("--seed", type=int, default=1, metavar="N", help="other meters (1)")

    fields = commands.add_parser("fields", help="the fields of a record: type, unit, OBIS reference")
    fields.add_argument("--markdown", action="store_true", help="as docs/fields.md, with the names that others use")
    return parser


def _decoding_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--crc",
        choices=("auto", "require", "x25", "off"),
        default="auto",
        help="auto: a CRC must fit, old meters need none (default); require: no CRC, no record; "
        "x25: CRC-16/X-25 of some Hungarian meters; off: the structure alone, even without a `!`",
    )
    parser.add_argument(
        "--timezone", default=DEFAULT_ZONE, metavar="ZONE", help="of the meter's clock (default: %(default)s)"
    )
    parser.add_argument(
        "--time",
        choices=("telegram", "host"),
        default="telegram",
        help="the record's time: the meter's clock (default), or this computer's",
    )
    parser.add_argument("--definitions", metavar="FILE", help="TOML with other names, tags, measurements and topics")
    parser.add_argument("--measurement", default="p1", metavar="NAME", help="(default: %(default)s)")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; give its exit code: 0, 1 (decode: one was rejected), 2 (wrong option)."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "fields":
        from telegraf_p1 import fields

        print(fields.markdown() if options.markdown else fields.table(), end="")
        return _OK
    if options.command == "simulate":
        return _simulate(options, parser)
    from telegraf_p1 import decrypt, run
    from telegraf_p1.layout import Layout

    try:
        measurement = lineproto.check_measurement(options.measurement)
        if options.definitions:
            from telegraf_p1 import definitions_file

            layout = definitions_file.load(options.definitions, measurement)
        else:
            layout = Layout(measurement)
        keys = decrypt.keys(os.environ)
        if options.command == "run" and options.stats:
            from telegraf_p1.durations import seconds

            options.stats = seconds(options.stats, least=1)
        settings = run.Settings(options.crc, Zone(options.timezone), options.time == "host", keys, layout.rows)
    except ValueError as error:
        Log().error(str(error))
        return _USAGE
    return (_decode if options.command == "decode" else _run)(options, settings, layout)


def _simulate(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from telegraf_p1.durations import seconds
    from telegraf_p1.simulate import Plan, simulate

    try:
        interval = seconds(options.interval)
    except ValueError as error:
        parser.error(f"--interval {error}")
    plan = Plan(options.form, max(1, options.meters), interval, options.count, options.seed)
    try:
        simulate(options.target, plan, Log().info)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        parser.error(f"{options.target}: {error.strerror or error}")
    return _OK


def _run(options: argparse.Namespace, settings: "run.Settings", layout: "Layout") -> int:
    from telegraf_p1 import process, run, sources

    log = Log()
    lifeline = process.Lifeline()
    reader = run.Reader(settings, log, options.source)
    write = run.write_to(process.write_line, layout)
    if not process.stdout_is_open():
        return _OK
    try:
        source = sources.open_source(options.source, **({"every": options.every} if options.every else {}))
        if options.publish:
            from telegraf_p1.publish import Publisher

            publisher = Publisher(options.publish, layout, log)
            write = run.both(write, publisher.publish)
            publisher.start()
        lifeline.watch()
        if options.stats:
            from telegraf_p1 import stats

            stats.start(reader, options.source, layout.measurement, options.stats, process.write_line)
        run.run(source, reader, log, options.source, write)
        if not reader.accepted and not reader.rejected:
            log.error(f"{options.source}: {_NO_TELEGRAM}")
        process.wait_for_stop()
    except process.Stop:
        lifeline.leaving()
    except sources.UsageError as error:
        lifeline.leaving()
        log.error(str(error))
        return _USAGE
    process.drain()
    return _OK


def _decode(options: argparse.Namespace, settings: "run.Settings", layout: "Layout") -> int:
    from telegraf_p1 import run, sources
    from telegraf_p1.sources.file import read

    log = Log()
    write = run.write_to(print, layout, lineproto.as_json if options.json else lineproto.line)
    accepted = rejected = 0
    for name in options.files:
        reader = run.Reader(settings, log, name)
        try:
            run.run(read(0 if name == "-" else name), reader, log, name, write)
        except sources.UsageError as error:
            log.error(str(error))
            return _USAGE
        accepted += reader.accepted
        rejected += reader.rejected
    if not accepted and not rejected:
        log.error(_NO_TELEGRAM)
        return _REJECTED
    if rejected:
        log.info(f"telegrams: {accepted} accepted, {rejected} rejected")
    return _REJECTED if rejected else _OK


def console(arguments: list[str] | None = None) -> int:
    """Run main as a program: a closed stdout (`| head`) and Ctrl-C are no reason to complain."""
    try:
        code = main(arguments)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for the flush at exit
        return _OK
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:  # a source's own is tried again, so this is stdout
        Log().error(f"cannot write to stdout: {error.strerror}")
        os._exit(_REJECTED)  # what is left in the buffer would fail again
    except Exception as error:  # noqa: BLE001  a bug: Telegraf would log a traceback as thirty errors
        import traceback

        *_, (frame, line) = traceback.walk_tb(error.__traceback__)
        place = f"{os.path.basename(frame.f_code.co_filename)}:{line}"  # noqa: PTH119  pathlib takes 5 ms
        Log().error(f"this is a bug, please report it: {type(error).__name__} at {place}: {error}")
        return _BUG
    return code


if __name__ == "__main__":
    sys.exit(console())
