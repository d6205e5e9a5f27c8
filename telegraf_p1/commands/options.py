"""The options that commands have in common: how telegrams are read and named."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from telegraf_p1 import durations, keys
from telegraf_p1.commands import DOCS
from telegraf_p1.sources import EXAMPLES
from telegraf_p1.url import UsageError

if TYPE_CHECKING:
    from telegraf_p1.interpreter import Settings

_MEASUREMENT: Final = "p1"
_AS_THEY_ARE: Final = "id"
_SHORTEST_HISTORY_S: Final = 60

SOURCE: Final = (
    f"where the telegrams come from: {', '.join(EXAMPLES)}\n"
    f"options of a source follow a ?, as in '/dev/ttyUSB0?baudrate=9600&format=7E1': {DOCS}/sources/"
)


def add_trust(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """Add to a command which telegrams are believed; give the group, for more about them."""
    telegrams = parser.add_argument_group("Telegrams")
    telegrams.add_argument(
        "--crc",
        metavar="RULE",
        choices=("auto", "require", "x25", "off"),
        default="auto",
        help="which telegrams to accept by their CRC (default: auto)\n"
        "auto: the CRC must match; meters that never send one (DSMR 2.2, 3.0) are accepted without one\n"
        "require: a telegram without a CRC is rejected\n"
        "x25: the CRC is a CRC-16/X-25, as some Hungarian meters send it; a warning says when you need this\n"
        "off: check only the structure, for devices that remove the CRC and meters that send no ! or always !0000",
    )
    telegrams.add_argument(
        "--plain",
        action="store_true",
        help="with P1_DECRYPTION_KEY set, also accept telegrams that are not encrypted (default: reject them), for a "
        "source where only some meters encrypt",
    )
    return telegrams


def add(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """Add these, and how telegrams are named; give the group of what is written beside records."""
    add_trust(parser).add_argument(
        "--timezone",
        metavar="ZONE",
        help="time zone of the meter's clock (default: Europe/Amsterdam); needed in Finland, Iceland, "
        "Lithuania and Israel, and for timestamps without the letter S or W",
    )
    records = parser.add_argument_group("Records")
    records.add_argument(
        "--measurement", default=_MEASUREMENT, metavar="NAME", help=f"name of the measurement (default: {_MEASUREMENT})"
    )
    records.add_argument(
        "--time",
        metavar="CLOCK",
        choices=("telegram", "host"),
        default="telegram",
        help="timestamp of a record (default: telegram)\n"
        "telegram: that of the telegram, by the meter's clock\n"
        "host: the time of this computer, for meters whose clock is wrong",
    )
    records.add_argument(
        "--meter-tag",
        metavar="HOW",
        choices=("id", "hash", "none"),
        default=_AS_THEY_ARE,
        help="identifiers of meters and connections in records (default: id)\n"
        "id: as the meter sends them\n"
        "hash: a hash of each, with the key in P1_HASH_KEY\n"
        "none: left out",
    )
    records.add_argument(
        "--definitions",
        metavar="FILE",
        help=f"TOML file with names, tags, measurements and OBIS references of your own: {DOCS}/publish/",
    )
    additional = parser.add_argument_group("Additional output")
    additional.add_argument(
        "--history",
        metavar="TIME",
        default="",
        help="also write a second measurement NAME_history: the counters of the first telegram in each TIME of the "
        f"meter's clock, such as 15m (1m or more), for graphs over years (default: off): {DOCS}/databases/",
    )
    return additional


def seconds(option: str, text: str, least: float) -> float:
    """Give the time that an option names, in s; 0 without it. Raise UsageError for what is none, or under `least`."""
    try:
        return durations.seconds(text, least) if text else 0.0
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def history(chosen: argparse.Namespace) -> float:
    """Give the period of the history in s; 0 without one. Raise UsageError for what is none."""
    return seconds("--history", chosen.history, _SHORTEST_HISTORY_S)


def may_be_wrong(chosen: argparse.Namespace) -> bool:
    """Whether anything is set that only `Understood` can find wrong, in these options or in the environment."""
    return (
        chosen.timezone is not None
        or chosen.definitions is not None
        or chosen.meter_tag != _AS_THEY_ARE
        or chosen.measurement != _MEASUREMENT
        or not {keys.KEY, keys.AUTHENTICATION_KEY}.isdisjoint(os.environ)
    )


# What `Understood` asks for, where telegrams are believed and not named.
UNNAMED: Final = {
    "timezone": None,
    "time": "telegram",
    "meter_tag": _AS_THEY_ARE,
    "definitions": None,
    "measurement": _MEASUREMENT,
}


class Understood:
    """What they say, checked; raise UsageError for what cannot be. What reads telegrams is not loaded for that."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        from telegraf_p1 import identifiers, lineproto
        from telegraf_p1.outputs.mapping import Mapping
        from telegraf_p1.timestamp import Zone

        self._chosen = chosen
        try:
            measurement = lineproto.check_measurement(chosen.measurement)
            if chosen.definitions:
                from telegraf_p1.outputs import definitions_file

                self.mapping = definitions_file.load(chosen.definitions, measurement)
            else:
                self.mapping = Mapping(measurement)
            self.keys = keys.read(os.environ)
            self._zone = Zone() if chosen.timezone is None else Zone(chosen.timezone)
            self._identifiers = identifiers.change(chosen.meter_tag, os.environ)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def settings(self, *, is_fast: bool) -> "Settings":
        """Give what the interpreter has to know, and load it.

        `is_fast`: nobody asks for more than lines, so that telegrams of a known shape may become those at once.
        """
        from telegraf_p1.interpreter import Settings
        from telegraf_p1.shapes import Shapes

        chosen = self._chosen
        # What these change only the plain way knows.
        is_fast &= chosen.crc in ("auto", "require") and chosen.time == "telegram" and chosen.meter_tag == _AS_THEY_ARE
        is_fast &= not self.keys and not chosen.definitions
        shapes = Shapes(self._zone, chosen.measurement) if is_fast else None
        is_host_time = chosen.time == "host"
        return Settings(
            chosen.crc, self._zone, is_host_time, self.keys, chosen.plain, self.mapping.rows, self._identifiers, shapes
        )
