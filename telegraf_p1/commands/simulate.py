"""`telegraf-p1 simulate TARGET`: simulated meters, to try a set-up with."""

import argparse
from typing import Any

from telegraf_p1 import durations
from telegraf_p1.commands import OK
from telegraf_p1.log import Log


def add(commands: Any) -> None:
    """Say what it takes."""
    parser = commands.add_parser("simulate", help="simulated meters, to try a set-up with")
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="- (stdout), pty:/tmp/ttyP1, tcp-listen://127.0.0.1:2000, http-listen://127.0.0.1:8080, "
        "mqtt://127.0.0.1/p1/{n}/raw, p0:pty:/tmp/ttyP0 (an optical port: answers p0:///tmp/ttyP0)",
    )
    parser.add_argument("--meters", type=int, default=1, metavar="N", help="how many, `{n}` in TARGET is its number")
    parser.add_argument("--interval", default="1s", metavar="TIME", help="between two telegrams of a meter (1s)")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="telegrams of each meter (0: no end)")
    parser.add_argument("--form", default="nl-5.0", help="the national form (nl-5.0)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="other meters (1)")
    parser.add_argument(
        "--encrypt", action="store_true", help="encrypt the telegrams with the key in P1_DECRYPTION_KEY"
    )
    parser.set_defaults(main=main, fail=parser.error)


def main(chosen: argparse.Namespace) -> int:
    """Let the meters speak, to the end or until Ctrl-C."""
    from telegraf_p1.simulator.targets import Plan, simulate

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
