"""`telegraf-p1 fields`: the fields of a record."""

import argparse
from typing import Any

from telegraf_p1.commands import DOCS, OK


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "fields",
        help="list the fields of a record",
        usage="%(prog)s [options]",
        description="List the fields of a record with type, unit, OBIS reference and the meters that send them.",
        epilog=f"Example:\n\n  telegraf-p1 fields | grep voltage\n\nThe same list: {DOCS}/fields/",
    )
    parser.add_argument_group("Output").add_argument(
        "--markdown",
        action="store_true",
        help="print a Markdown table, with the names that other programs use",
    )
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Print the list."""
    from telegraf_p1.obis import listing

    print(listing.markdown() if chosen.markdown else listing.plain(), end="")
    return OK
