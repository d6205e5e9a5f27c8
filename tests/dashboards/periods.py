"""How hours become days and months, as people read them."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.dashboards.household import ZONE

Numbers = dict[Any, float]
Expected = dict[str, Numbers]


def day_label(time: float) -> str:
    """Write a day as people read it: Th 16."""
    at = datetime.fromtimestamp(time, ZONE)
    return f"{at:%a}"[:2] + f" {at.day}"


def month_name(time: float) -> str:
    return f"{datetime.fromtimestamp(time, ZONE):%b}"


def month_label(time: float) -> str:
    return f"{datetime.fromtimestamp(time, ZONE):%b %Y}"


def periods(hours: Numbers, label: Callable[[float], str]) -> Numbers:
    """Add hours up to days or months."""
    found: Numbers = defaultdict(float)
    for hour, value in hours.items():
        found[label(hour)] += value
    return found


def cells(hours: Numbers, row: Callable[[float], str], column: str) -> Expected:
    """Add hours up to a table: columns, rows, value."""
    found: Expected = {}
    for hour, value in hours.items():
        name = f"{datetime.fromtimestamp(hour, ZONE):{column}}"
        found.setdefault(name, defaultdict(float))[row(hour)] += value
    return found


def add(*numbers: Numbers) -> Numbers:
    found: Numbers = defaultdict(float)
    for one in numbers:
        for key, value in one.items():
            found[key] += value
    return found


def times(numbers: Numbers, factor: float) -> Numbers:
    return {key: value * factor for key, value in numbers.items()}
