r"""The fast way: turns a telegram of a known shape into a line directly.

All telegrams of one model of meter differ only in the digits of readings and in some texts. What they have in common,
their shape, is learnt from one that was read the plain way (`telegram.py`, `decode.py`, `lineproto.py`):

    telegram   /ISK5\2M550T-1012 … 1-0:1.8.1(000123.456*kWh) … 0-0:96.1.1(4530303437) … !1A2B
    pattern    /(a text)         … 1-0:1.8.1(0*(d.ddd)*kWh)  … 0-0:96.1.1((a text))   … !(a CRC)
    template   p1,meter=…        … energy_import_t1_kwh=%b

A reading goes into the template as it was sent, without leading zeros. Texts are read by the functions of the plain
way, and the results are cached. Everything else has to stay as it was. What does not match is read the plain way, which
makes the same line: this file and `shape_learner.py` can be deleted without changing a record.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from telegraf_p1 import timestamp
from telegraf_p1.crc import checksum
from telegraf_p1.framer import LIMIT
from telegraf_p1.record import Record
from telegraf_p1.values import Unreadable

_MOST_SHAPES: Final = 32
_MOST_TEXTS: Final = 32_768  # that are cached, of 2 KB at most: those of 10,000 meters
_MOST_TIMES: Final = 512  # of readings, each of which is sent for some minutes and never again
_MOST_DAYS: Final = 512
# Telegrams that are read the plain way before a shape is learnt; the number doubles each time. Learning takes as long
# as reading some thirty telegrams.
_FIRST_PRICE, _HIGHEST_PRICE = 16, 1024

# The parts of a time in s: 13, 31, 20W. Daylight saving time (S) is an hour ahead.
_HOURS: Final = {b"%02d" % hour: hour * 3600 for hour in range(24)}
_MINUTES: Final = {b"%02d" % minute: minute * 60 for minute in range(60)}
_SECONDS: Final = {b"%02d%b" % (s, x): s - 3600 * (x == b"S") for s in range(60) for x in (b"S", b"W")}
_LINE_END: Final = b"\r\n"
_NS: Final = 1_000_000_000

Part = Callable[[bytes], bytes]  # the bytes of a text → its part of the line; raises Unreadable or KeyError


class Unfit(Unreadable):
    """The telegram cannot be read the fast way."""


class Shape(NamedTuple):
    """What telegrams of one shape have in common.

    `groups` are those of the pattern: the CRC, the time, the name of the meter, and each value of the line. `head`
    makes the beginning of a line from the name. `texts` are the places of texts among the values, each with the
    function that makes a part of the line from it. `times` are the places of the times of readings.
    """

    pattern: re.Pattern[bytes]
    groups: tuple[int, ...]
    head: Part
    texts: tuple[tuple[int, Part], ...]
    times: tuple[int, ...]
    template: bytes


class Shapes:
    """The shapes that were learnt, for records with this measurement from meters in this time zone."""

    def __init__(self, zone: timestamp.Zone, measurement: str) -> None:
        self.zone, self.measurement = zone, measurement
        self._shapes: list[Shape] = []
        self._part = lru_cache(_MOST_TEXTS)(lambda part, text: part(text))
        self._earlier = lru_cache(_MOST_TIMES)(self.epoch)
        self._midnight = lru_cache(_MOST_DAYS)(self._read_midnight)
        self._plain, self._price = 0, _FIRST_PRICE

    def records(self, data: bytes, tags: bytes) -> tuple[list[Record], int]:
        """Return the records of the telegrams at the start of `data`, and where the last one ends; see `record`."""
        found: list[Record] = []
        place = len(_LINE_END) * data.startswith(_LINE_END)
        while place < len(data) and (known := self.record(data, place, tags)):
            record, place = known
            found.append(record)
            place += len(_LINE_END) * data.startswith(_LINE_END, place)
        return found, place

    def record(self, data: bytes, place: int, tags: bytes) -> tuple[Record, int] | None:
        """Return the record of the telegram at a place of `data`, and where it ends; None if it has no known shape.

        `tags` are additional tags of its line: `,topic=a`.
        """
        part = self._part
        for number, shape in enumerate(self._shapes):
            match = shape.pattern.match(data, place)
            if match is None:
                continue
            if number:
                self._shapes.insert(0, self._shapes.pop(number))  # the next telegram is likely to have it, too
            crc, time, name, *found = match.group(*shape.groups)
            end = match.end()
            if end - place > LIMIT or b"%04X" % checksum(data[place : end - len(crc)]) != crc:
                return None
            try:
                for at, text in shape.texts:
                    found[at] = part(text, found[at])
                for at in shape.times:
                    found[at] = self._earlier(found[at])
                seconds = self.epoch(time)
                line = shape.template % (part(shape.head, name), tags, *found, seconds)
            except (KeyError, Unreadable):
                return None
            return Record({}, {}, seconds * _NS, [], line), end
        return None

    def is_due(self) -> bool:
        """Whether a shape should be learnt from the telegram that is now read the plain way: less and less often."""
        self._plain += 1
        if self._plain < self._price:
            return False
        self._plain, self._price = 0, min(2 * self._price, _HIGHEST_PRICE)
        return True

    def add(self, shape: Shape, frame: bytes, line: str) -> None:
        """Use a shape from now on, if it makes this line of the telegram from which it was learnt."""
        self._shapes.insert(0, shape)
        made = self.record(frame, 0, b"")
        if made is None or made[0].line != f"{line}\n".encode():
            self._shapes.remove(shape)
        del self._shapes[_MOST_SHAPES:]

    def epoch(self, time: bytes) -> int:
        """Return a time as UTC in s since 1970; raise Unfit or KeyError."""
        return self._midnight(time[:6]) + _HOURS[time[6:8]] + _MINUTES[time[8:10]] + _SECONDS[time[10:]]

    def _read_midnight(self, day: bytes) -> int:
        seconds = timestamp.epoch(day.decode() + "000000W", self.zone)
        if seconds is None:
            raise Unfit
        return seconds
