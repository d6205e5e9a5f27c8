"""Readings of counters, and the differences between them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from math import isnan
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from tests.dashboards.household import Log

QUARTER_S: Final = 900
HOUR_S: Final = 3600
WEEK_S: Final = 7 * 86400
# An hour of gas begins and ends a quarter later than that of the clock, since its readings come late.
_MBUS_DELAY_S: Final = 900


class Readings(NamedTuple):
    """Of a counter: when (s), and what it showed then."""

    times: list[int]
    values: list[float]

    def first(self, start: float, end: float) -> float | None:
        """Give the first one with start <= time <= end."""
        place = bisect_left(self.times, start)
        return self.values[place] if place < len(self.times) and self.times[place] <= end else None

    def newest(self, end: float, within: float) -> float | None:
        """Give the newest one of the seconds before `end`."""
        place = bisect_right(self.times, end) - 1
        return self.values[place] if place >= 0 and self.times[place] > end - within else None


def delay(field: str) -> int:
    return 0 if field.startswith("energy") else _MBUS_DELAY_S


# By the log itself, not by its id(): another log may get the address of one that is gone.
_remembered: WeakKeyDictionary[Log, dict[tuple[str, bool], Readings]] = WeakKeyDictionary()


def all_readings(log: Log, field: str) -> Readings:
    remembered, key = _remembered.setdefault(log, {}), (field, False)
    if key not in remembered:
        pairs = [
            (time, value)
            for time, value in zip(log.times, log.columns.get(field, ()), strict=False)
            if not isnan(value)
        ]
        remembered[key] = Readings([time for time, _ in pairs], [value for _, value in pairs])
    return remembered[key]


def first_readings(log: Log, field: str) -> Readings:
    """Give the first reading of each quarter of an hour."""
    remembered, key = _remembered.setdefault(log, {}), (field, True)
    if key not in remembered:
        first: dict[int, tuple[int, float]] = {}
        for time, value in zip(*all_readings(log, field), strict=True):
            first.setdefault(time // QUARTER_S, (time, value))
        remembered[key] = Readings([time for time, _ in first.values()], [value for _, value in first.values()])
    return remembered[key]


def _in_range(readings: Readings, start: float, end: float, piece_s: int) -> list[tuple[int, float]]:
    """Give the pieces of time of a range, each with its first reading there."""
    first: dict[int, float] = {}
    places = range(bisect_left(readings.times, start), bisect_right(readings.times, end))
    for place in places:
        first.setdefault(readings.times[place] // piece_s * piece_s, readings.values[place])
    return [*first.items()]


def growth(readings: Readings, start: float, end: float, piece_s: int = QUARTER_S) -> Iterator[tuple[int, float]]:
    """Give the pieces of a range with what the counter has grown by since the one before."""
    found = _in_range(readings, start, end, piece_s)
    for (_, before), (piece, value) in pairwise(found):
        if value > before:
            yield piece, value - before


def powers_of_quarters(readings: Readings, start: float, end: float) -> Iterator[tuple[int, float]]:
    """Give the mean power from quarter to quarter, in a gap from the one before it."""
    found = _in_range(readings, start, end, QUARTER_S)
    for (earlier, before), (quarter, value) in pairwise(found):
        if value >= before:
            yield quarter, (value - before) * HOUR_S / (quarter - earlier)


def powers_of_whole_quarters(readings: Readings, start: float, end: float) -> Iterator[tuple[int, float]]:
    """Give the mean power of each quarter that begins in the range and has a reading at both ends."""
    for quarter in range(int(start // QUARTER_S + 1) * QUARTER_S, int(end) + 1, QUARTER_S):
        before, after = (readings.first(begin, begin + 899) for begin in (quarter, quarter + QUARTER_S))
        if before is not None and after is not None:
            yield quarter, (after - before) * HOUR_S / QUARTER_S


def at(readings: Readings, time: float) -> float | None:
    """Give the first reading of the quarter that begins at a time, or the newest before it."""
    first = readings.first(time, time + QUARTER_S - 1)
    return readings.newest(time, WEEK_S) if first is None else first
