"""The options that several commands share: which telegrams are accepted, and how their values are named."""

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
    """Add the options that decide which telegrams are accepted; return their group, so that more can be added."""
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
    """Add all shared options; return the group of additional outputs, so that more can be added."""
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
    """Return the time of an option in s, 0 for an empty text. Raise UsageError if it is invalid or below `least`."""
    try:
        return durations.seconds(text, least) if text else 0.0
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def history(chosen: argparse.Namespace) -> float:
    """Return the period of `--history` in s, 0 without it. Raise UsageError if it is invalid."""
    return seconds("--history", chosen.history, _SHORTEST_HISTORY_S)


def may_be_wrong(chosen: argparse.Namespace) -> bool:
    """Whether an option or an environment variable is set that only `Understood` can check."""
    return (
        chosen.timezone is not None
        or chosen.definitions is not None
        or chosen.meter_tag != _AS_THEY_ARE
        or chosen.measurement != _MEASUREMENT
        or not {keys.KEY, keys.AUTHENTICATION_KEY}.isdisjoint(os.environ)
    )


# The options that `Understood` needs, for commands that only accept telegrams and name no values.
UNNAMED: Final = {
    "timezone": None,
    "time": "telegram",
    "meter_tag": _AS_THEY_ARE,
    "definitions": None,
    "measurement": _MEASUREMENT,
}


class Understood:
    """The shared options, checked; raise UsageError if they are invalid. Does not load what reads telegrams."""

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
        """Load the interpreter, and return its settings.

        `is_fast`: only lines are needed, so telegrams of a known shape may be turned into lines directly.
        """
        from telegraf_p1.interpreter import Settings
        from telegraf_p1.shapes import Shapes

        chosen = self._chosen
        # The fast way does not support these options.
        is_fast &= chosen.crc in ("auto", "require") and chosen.time == "telegram" and chosen.meter_tag == _AS_THEY_ARE
        is_fast &= not self.keys and not chosen.definitions
        shapes = Shapes(self._zone, chosen.measurement) if is_fast else None
        is_host_time = chosen.time == "host"
        return Settings(
            chosen.crc, self._zone, is_host_time, self.keys, chosen.plain, self.mapping.rows, self._identifiers, shapes
        )
