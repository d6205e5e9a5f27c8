"""The options that commands have in common: how telegrams are read and named."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from telegraf_p1 import durations, keys
from telegraf_p1.url import UsageError

if TYPE_CHECKING:
    from telegraf_p1.interpreter import Settings

_MEASUREMENT: Final = "p1"
_AS_THEY_ARE: Final = "id"
_SHORTEST_HISTORY_S: Final = 60


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add to a command which telegrams are believed."""
    parser.add_argument(
        "--crc",
        choices=("auto", "require", "x25", "off"),
        default="auto",
        help="auto: a CRC must fit, old meters need none (default); require: no CRC, no record; "
        "x25: CRC-16/X-25 of some Hungarian meters; off: the structure alone, even without a `!`",
    )
    parser.add_argument(
        "--plain", action="store_true", help="believe telegrams that are not sealed, too, though there is a key"
    )


def add(parser: argparse.ArgumentParser) -> None:
    """Add these, and how telegrams are named."""
    add_trust(parser)
    parser.add_argument("--timezone", metavar="ZONE", help="of the meter's clock (default: Europe/Amsterdam)")
    parser.add_argument(
        "--time",
        choices=("telegram", "host"),
        default="telegram",
        help="the record's time: the meter's clock (default), or this computer's",
    )
    parser.add_argument(
        "--meter-tag",
        choices=("id", "hash", "none"),
        default=_AS_THEY_ARE,
        help="identifiers of meters and connections in records: as they are (default), as hashes with the key in "
        "P1_HASH_KEY, or left out",
    )
    parser.add_argument(
        "--history",
        metavar="TIME",
        default="",
        help="of the first telegram of each 15m of a meter's clock, write the counters as a second measurement, "
        "NAME_history, for graphs of years",
    )
    parser.add_argument("--definitions", metavar="FILE", help="TOML with other names, tags, measurements and topics")
    parser.add_argument("--measurement", default=_MEASUREMENT, metavar="NAME", help="(default: %(default)s)")


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
