"""Which record is the first of a period, of each meter; the meters are told apart by their tags."""

from hashlib import sha256
from typing import Final

from telegraf_p1 import lineproto
from telegraf_p1.record import Record

MOST_METERS: Final = 10_000
_LONGEST_KEPT: Final = 256  # bytes; a topic may have 64 KB
_BACKSLASH: Final = ord("\\")


def meter(record: Record, measurement: str) -> bytes:
    """Give what tells the meters apart: the beginning of a record's line, as far as its tags go."""
    line = record.line
    if not line:
        return lineproto.before_fields(measurement, *record.tags, *record.tags.values())[:-1].encode()
    end = line.find(b" ")
    while line[end - 1] == _BACKSLASH:  # a blank in a tag stands behind one, and no tag ends with one
        end = line.find(b" ", end + 1)
    return line[:end]


class Firsts:
    """Says of each record whether it is the first of its period; a period of 900 s begins at 12:00, 12:15 … UTC."""

    def __init__(self, seconds: float, measurement: str) -> None:
        self.period_ns = round(seconds * 1_000_000_000)
        self._measurement = measurement
        self._seen: dict[bytes, int] = {}  # the period of a meter's last record

    def is_first(self, record: Record) -> bool:
        """Whether the meter's last record was of another period; an earlier one is another, too: clocks step back."""
        whose, period = meter(record, self._measurement), (record.time_ns or 0) // self.period_ns
        if len(whose) > _LONGEST_KEPT:
            whose = sha256(whose).digest()
        if self._seen.get(whose) == period:
            return False
        self._seen[whose] = period
        if len(self._seen) > MOST_METERS:
            self._seen.pop(next(iter(self._seen)))
        return True
