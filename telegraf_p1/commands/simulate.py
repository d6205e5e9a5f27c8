"""`telegraf-p1 simulate TARGET`: simulates meters, to test a set-up."""

import argparse
import signal
from typing import Any, Final

from telegraf_p1 import durations
from telegraf_p1.commands import DOCS, OK, TIMES
from telegraf_p1.log import Log

_FORM: Final = "nl-5.0"


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "simulate",
        help="simulate meters, to test a set-up without one",
        usage="%(prog)s [options] TARGET",
        description="Simulate one or more meters, to test a set-up without a real one. Ctrl-C stops it.",
        epilog="Examples:\n\n"
        "  telegraf-p1 simulate --count 1 --form be -\n"
        "  telegraf-p1 simulate pty:/tmp/ttyP1\n\n"
        "While the second one runs, /tmp/ttyP1 is a serial port for telegraf-p1 run. "
        f"{TIMES}",
    )
    parser.add_argument_group("Target").add_argument(
        "target",
        metavar="TARGET",
        help="where the telegrams go\n"
        "-: stdout\n"
        "pty:NAME: a serial port, such as pty:/tmp/ttyP1\n"
        "tcp-listen://127.0.0.1:2000: a TCP bridge\n"
        "http-listen://127.0.0.1:8080: a device that sends its last telegram on request\n"
        "mqtt://127.0.0.1/p1/{n}/raw: topics of an MQTT broker\n"
        "p0:pty:NAME: an optical port, for a source such as p0:///tmp/ttyP0",
    )
    meters = parser.add_argument_group("Meters")
    meters.add_argument(
        "--meters",
        type=int,
        default=1,
        metavar="N",
        help="number of meters; {n} in TARGET stands for the number of each (default: 1)",
    )
    meters.add_argument(
        "--interval", default="1s", metavar="TIME", help="time from one telegram of a meter to the next (default: 1s)"
    )
    meters.add_argument(
        "--count", type=int, default=0, metavar="N", help="telegrams per meter; 0 is no limit (default: 0)"
    )
    meters.add_argument(
        "--form",
        default=_FORM,
        # Written out here, since loading the countries would take as long as the rest of `telegraf-p1 --help`.
        help="national form of the telegrams: nl-5.0, nl-4.2, nl-2.2, heat, be, lu, se, fi, lt, hu, at, de, ch, il "
        f"(default: {_FORM}); their countries: {DOCS}/meters/",
    )
    meters.add_argument(
        "--seed", type=int, default=1, metavar="N", help="number from which meters are generated (default: 1)"
    )
    meters.add_argument(
        "--encrypt", action="store_true", help="encrypt the telegrams, with the key in P1_DECRYPTION_KEY (default: off)"
    )
    parser.set_defaults(main=main, fail=parser.error)


def main(chosen: argparse.Namespace) -> int:
    """Let the meters send, to the end or until Ctrl-C."""
    from telegraf_p1.simulator.targets import Plan, simulate

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the link to a pty is removed
    try:
        interval = durations.seconds(chosen.interval)
    except ValueError as error:
        chosen.fail(f"--interval {error}")
    plan = Plan(chosen.form, max(1, chosen.meters), interval, chosen.count, chosen.seed, chosen.encrypt)
    try:
        simulate(chosen.target, plan, Log().info)
    except ValueError as error:
        chosen.fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        chosen.fail(f"{chosen.target}: {error.strerror or error}")
    return OK
