"""`telegraf-p1 fields`: the fields of a record."""

import argparse
from typing import Any

from telegraf_p1.commands import OK


def add(commands: Any) -> None:
    """Say what it takes."""
    parser = commands.add_parser("fields", help="the fields of a record: type, unit, OBIS reference")
    parser.add_argument("--markdown", action="store_true", help="as docs/fields.md, with the names that others use")
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Print them."""
    from telegraf_p1.obis import listing

    print(listing.markdown() if chosen.markdown else listing.plain(), end="")
    return OK
