"""Finds the first record in each period, for each meter; meters are distinguished by their tags."""

from hashlib import sha256
from typing import Final

from telegraf_p1 import lineproto
from telegraf_p1.record import Record

MOST_METERS: Final = 10_000
_LONGEST_KEPT: Final = 256  # bytes; a topic may have 64 KB
_BACKSLASH: Final = ord("\\")


def meter(record: Record, measurement: str) -> bytes:
    """Return what distinguishes meters: the beginning of a record's line, up to the end of its tags."""
    line = record.line
    if not line:
        return lineproto.before_fields(measurement, *record.tags, *record.tags.values())[:-1].encode()
    end = line.find(b" ")
    while line[end - 1] == _BACKSLASH:  # a space in a tag follows one, and no tag ends with one
        end = line.find(b" ", end + 1)
    return line[:end]


class Firsts:
    """Tells whether a record is the first of its period; a period of 900 s begins at 12:00, 12:15 … UTC."""

    def __init__(self, seconds: float, measurement: str) -> None:
        self.period_ns = round(seconds * 1_000_000_000)
        self._measurement = measurement
        self._seen: dict[bytes, int] = {}  # meter → the period of its last record

    def is_first(self, record: Record) -> bool:
        """Whether the meter's last record was of another period, earlier or later: clocks may step back."""
        whose, period = meter(record, self._measurement), (record.time_ns or 0) // self.period_ns
        if len(whose) > _LONGEST_KEPT:
            whose = sha256(whose).digest()
        if self._seen.get(whose) == period:
            return False
        self._seen[whose] = period
        if len(self._seen) > MOST_METERS:
            self._seen.pop(next(iter(self._seen)))
        return True
