"""How curves are made of what telegrams say."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from math import isnan
from typing import Any, Final

from tests.dashboards.household import Log

Numbers = dict[Any, float]

REDUCERS: Final[dict[str, Callable[[list[list[float]]], float]]] = {
    "sum": lambda parts: sum(sum(values) / len(values) for values in parts),
    "mean": lambda parts: sum(sum(values) / len(values) for values in parts) / len(parts),
    "min": lambda parts: min(map(min, parts)),
    "max": lambda parts: max(map(max, parts)),
    "count": lambda parts: sum(map(len, parts)),
    "last": lambda parts: parts[-1][-1],
}


def windows(columns: list[tuple[Log, str, int]], edges: list[tuple[float, float]], how: str) -> Numbers:
    """Give for each window one number of all columns.

    A window is [key, end), or (end, key] when its end is before its key.
    """
    found: Numbers = {}
    for key, other in edges:
        start, end = (key, other) if other > key else (other + 0.001, key + 0.001)
        parts = [
            [sign * v for v in values] for log, field, sign in columns if (values := _values(log, field, start, end))
        ]
        if parts:
            found[key] = REDUCERS[how](parts)
    return found


def _values(log: Log, field: str, start: float, end: float) -> list[float]:
    """Give the values with start <= time < end."""
    column = log.columns.get(field)
    if not column:
        return []
    found = column[bisect_left(log.times, start) : bisect_left(log.times, end)]
    return [value for value in found if not isnan(value)]


def newest_values(log: Log, field: str, now: float, within: float) -> Iterator[tuple[int, float]]:
    """Give the place of the newest telegram of some seconds that has a field, and its value."""
    column = log.columns.get(field, ())
    for place in range(bisect_right(log.times, now) - 1, bisect_left(log.times, now - within) - 1, -1):
        if place < len(column) and not isnan(column[place]):
            yield place, column[place]
            return
