"""The numbers that the panels have to show, computed from the telegrams of a household."""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import isnan
from typing import Any, Final

from tests.dashboards.household import ZONE, Household, Log

Numbers = dict[Any, float]
Expected = dict[str, Numbers]

PRICES: Final = {"t1": 0.31, "t2": 0.37, "t3": 0.11, "t4": 0.13, "all": 0.31, "export": 0.07, "gas": 1.45}
GAS_KWH: Final = 10.1
_MBUS_DELAY_S: Final = 600
_DAY: Final = "%Y-%m-%d"
_MONTH: Final = "%Y-%m"


@dataclass
class Oracle:
    """Knows the right answers at a time (s) that ends five minutes.

    PromQL gives whole hours, InfluxQL what of them is in the range.
    """

    household: Household
    now: float
    prometheus: bool
    since: float | None = None
    _hours: dict[tuple[str, float], Numbers] = dataclass_field(default_factory=dict)

    @cached_property
    def midnight(self) -> float:
        at = datetime.fromtimestamp(self.now, ZONE)
        return at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def registers(self, direction: str) -> dict[str, str]:
        """The fields that count, by tariff: those of the tariffs, or the total of a meter without."""
        there = {field for log in self.household.logs for field in log.columns}
        fields = {tariff: f"energy_{direction}_{tariff}_kwh" for tariff in ("t1", "t2", "t3", "t4")}
        total = {"all": f"energy_{direction}_kwh"}
        return {t: f for t, f in fields.items() if f in there} or {t: f for t, f in total.items() if f in there}

    def today(self, field: str) -> float:
        """Give what a counter grew by since midnight, or `since`."""
        start = (self.since or self.midnight) + _delay(field)
        return sum(
            grown
            for log in self.household.logs
            for piece, grown in _growth(log, field).items()
            if start <= piece < self.now
        )

    def energy_today(self, direction: str, prices: dict[str, float] | None = None) -> float:
        return sum(self.today(f) * (prices[t] if prices else 1) for t, f in self.registers(direction).items())

    def hours(self, field: str, start: float) -> Numbers:
        """Give what a counter grew by in each hour from start on, by the hour's begin."""
        key = (field, start)
        if key not in self._hours:
            self._hours[key] = self._grown_by_hour(field, start)
        return self._hours[key]

    def _grown_by_hour(self, field: str, start: float) -> Numbers:
        found: Numbers = defaultdict(float)
        for log in self.household.logs:
            # InfluxQL subtracts the last telegrams of pieces: a meter's first piece has none before.
            first = None if self.prometheus else _piece(log.times[0])
            for piece, grown in _growth(log, field).items():
                hour = (piece - _delay(field)) // 3600 * 3600
                whole = start // 3600 * 3600 <= hour <= self.now
                inside = start + _delay(field) <= piece + 1 and piece < self.now
                if piece != first and (whole if self.prometheus else inside):
                    found[hour] += grown
        return found

    def periods(self, field: str, start: float, pattern: str, factor: float = 1) -> Numbers:
        """Give what a counter grew by on each day, or in each month."""
        found: Numbers = defaultdict(float)
        for hour, grown in self.hours(field, start).items():
            found[f"{datetime.fromtimestamp(hour, ZONE):{pattern}}"] += grown * factor
        return found

    def bars(self, title: str, start: float) -> Expected:
        """Give the bars of a panel of days or months."""
        what, _, pattern = title.partition(" per ")
        pattern = _MONTH if pattern.startswith("month") else _DAY
        sold = [self.periods(field, start, pattern) for field in self.registers("export").values()]
        bought = {t: self.periods(field, start, pattern) for t, field in self.registers("import").items()}
        if what == "Electricity":
            return {tariff_name(t): one for t, one in bought.items()}
        if what.startswith("Import"):
            net = add(*bought.values(), *(times(one, -1) for one in sold))
            return {"Import": add(*bought.values()), "Export": add(*sold), "Net": net}
        if what == "Cost":
            costs = {tariff_name(t): times(one, PRICES[t]) for t, one in bought.items()}
            gas = self.periods("gas_m3", start, pattern, PRICES["gas"])
            return costs | {"Gas": gas, "Export": times(add(*sold), -PRICES["export"])}
        factor = GAS_KWH if title.endswith("kWh") else 1
        return {name: self.periods(field, start, pattern, factor) for name, field in MEDIA[what].items()}

    def windows(self, fields: list[tuple[str, int]], edges: list[tuple[float, float]], how: str) -> Numbers:
        """Give for each window the sum over fields and meters of their means, or the extreme of all.

        A window is [key, end), or (end, key] when its end is before its key.
        """
        found: Numbers = {}
        for key, other in edges:
            start, end = (key, other) if other > key else (other + 0.001, key + 0.001)
            parts = [
                [sign * v for v in values]
                for field, sign in fields
                for log in self.household.logs
                if (values := _values(log, field, start, end))
            ]
            if parts:
                found[key] = REDUCERS[how](parts)
        return found

    def last(self, field: str, within: float) -> Numbers:
        """Give the newest value in the last seconds."""
        for log in reversed(self.household.logs):
            if values := _values(log, field, self.now - within, self.now + 0.001):
                return {"": values[-1]}
        return {}

    def now_sum(self, fields: list[tuple[str, int]]) -> Numbers:
        """Give the sum of the newest values of all meters in the last five minutes."""
        newest = [
            sign * values[-1]
            for field, sign in fields
            for log in self.household.logs
            if (values := _values(log, field, self.now - 300, self.now + 0.001))
        ]
        return {"": sum(newest)} if newest else {}

    def last_time(self) -> float:
        return max(log.times[bisect_right(log.times, self.now) - 1] for log in self.household.logs if self._seen(log))

    def _seen(self, log: Log) -> bool:
        return log.times[0] <= self.now

    def readings(self, start: float, fields: set[str]) -> Expected:
        """Give the table of newest values: meter, field, value."""
        found: Expected = {}
        for log in self.household.logs:
            for field in fields & log.columns.keys():
                values = _values(log, field, start, self.now + 0.001)
                if values:
                    found.setdefault(identifier(log.last), {})[field] = values[-1]
        return found

    def month_peak_time(self) -> float:
        """Give the end of the quarter with the highest demand, in Unix time."""
        found = re.search(rb"^1-0:1\.6\.0\((\d{12})([SW])\)", self.household.logs[-1].last, re.MULTILINE)
        assert found
        at = datetime.strptime(found[1].decode(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
        return (at - timedelta(hours=2 if found[2] == b"S" else 1)).timestamp()

    def mean_of_month_peaks(self) -> float:
        """Give the mean of what the last telegram says of the months before, in whole W."""
        found = re.search(rb"^0-0:98\.1\.0\(.*", self.household.logs[-1].last, re.MULTILINE)
        assert found
        peaks = [float(peak) for peak in re.findall(rb"\(([\d.]+)\*kW\)", found[0])]
        return round(sum(peaks) / len(peaks), 3)


MEDIA: Final = {
    "Gas": {"Gas": "gas_m3"},
    "Water": {"Water": "water_m3", "Hot water": "hot_water_m3"},
    "Heat": {"Heat": "heat_gj", "Cooling": "cooling_gj"},
}
REDUCERS: Final[dict[str, Callable[[list[list[float]]], float]]] = {
    "sum": lambda parts: sum(sum(values) / len(values) for values in parts),
    "mean": lambda parts: sum(map(sum, parts)) / sum(map(len, parts)),
    "min": lambda parts: min(map(min, parts)),
    "max": lambda parts: max(map(max, parts)),
    "last": lambda parts: parts[-1][-1],
    "count": lambda parts: sum(map(len, parts)),
}


def add(*numbers: Numbers) -> Numbers:
    found: Numbers = defaultdict(float)
    for one in numbers:
        for key, value in one.items():
            found[key] += value
    return found


def times(numbers: Numbers, factor: float) -> Numbers:
    return {key: value * factor for key, value in numbers.items()}


def tariff_name(tariff: str) -> str:
    return "All" if tariff == "all" else tariff.upper()


def _delay(field: str) -> int:
    return 0 if field.startswith("energy") else _MBUS_DELAY_S


def _piece(time: int) -> int:
    """Give the begin of the five minutes that a time is in; they end with their last second, and include it."""
    return (time - 1) // 300 * 300


_grown: dict[tuple[int, str, int], dict[int, float]] = {}


def _growth(log: Log, field: str) -> dict[int, float]:
    """Give what a counter grew by in each five minutes, from telegram to telegram."""
    column = log.columns.get(field, ())
    key = (id(log), field, len(column))
    if key not in _grown:
        found = _grown[key] = {}
        for before, value, time in zip(column, column[1:], log.times[1:], strict=False):
            if value > before:
                piece = _piece(time)
                found[piece] = found.get(piece, 0) + value - before
    return _grown[key]


def _values(log: Log, field: str, start: float, end: float) -> list[float]:
    """Give the values with start <= time < end."""
    column = log.columns.get(field)
    if not column:
        return []
    found = column[bisect_left(log.times, start) : bisect_left(log.times, end)]
    return [value for value in found if not isnan(value)]


def identifier(telegram: bytes) -> str:
    """Give the equipment identifier, which is hex-coded text or plain."""
    found = re.search(rb"^0-0:96\.1\.1\((\w+)\)", telegram, re.MULTILINE)
    if not found:
        return ""
    text = found[1].decode()
    decoded = bytes.fromhex(text) if len(text) % 2 == 0 else b"\xff"
    return decoded.decode() if decoded.isascii() and decoded.decode().isprintable() else text
