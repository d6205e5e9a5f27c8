"""The options that `run` and `decode` have in common: how telegrams are read and named."""

import argparse
import os
from typing import TYPE_CHECKING

from telegraf_p1.timestamp import DEFAULT_ZONE, Zone
from telegraf_p1.url import UsageError

if TYPE_CHECKING:
    from telegraf_p1.interpreter import Settings
    from telegraf_p1.outputs.mapping import Mapping


def add(parser: argparse.ArgumentParser) -> None:
    """Add them to a command."""
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
    parser.add_argument(
        "--plain", action="store_true", help="believe telegrams that are not sealed, too, though there is a key"
    )
    parser.add_argument(
        "--meter-tag",
        choices=("id", "hash", "none"),
        default="id",
        help="identifiers of meters and connections in records: as they are (default), as hashes with the key in "
        "P1_HASH_KEY, or left out",
    )
    parser.add_argument("--definitions", metavar="FILE", help="TOML with other names, tags, measurements and topics")
    parser.add_argument("--measurement", default="p1", metavar="NAME", help="(default: %(default)s)")


def understood(options: argparse.Namespace, *, is_fast: bool) -> "tuple[Settings, Mapping]":
    """Give what they say; raise UsageError for what cannot be.

    `is_fast`: nobody asks for more than lines, so that telegrams of a known shape may become those at once.
    """
    from telegraf_p1 import decrypt, identifiers, lineproto
    from telegraf_p1.interpreter import Settings
    from telegraf_p1.outputs.mapping import Mapping
    from telegraf_p1.shapes import Shapes

    try:
        measurement = lineproto.check_measurement(options.measurement)
        if options.definitions:
            from telegraf_p1.outputs import definitions_file

            mapping = definitions_file.load(options.definitions, measurement)
        else:
            mapping = Mapping(measurement)
        keys = decrypt.keys(os.environ)
        zone = Zone(options.timezone)
        change = identifiers.change(options.meter_tag, os.environ)
    except ValueError as error:
        raise UsageError(str(error)) from None
    # What these change only the plain way knows.
    is_fast &= options.crc in ("auto", "require") and options.time == "telegram" and options.meter_tag == "id"
    shapes = Shapes(zone, measurement) if is_fast and not keys and not options.definitions else None
    settings = Settings(options.crc, zone, options.time == "host", keys, options.plain, mapping.rows, change, shapes)
    return settings, mapping
