"""The numbers that the panels have to show, computed from the telegrams of a household."""

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime, timedelta
from functools import cached_property
from math import ceil, floor
from typing import Final

from tests.dashboards.curves import newest_values, windows
from tests.dashboards.household import SPANS, ZONE, Household, Log, price, solar_log
from tests.dashboards.periods import Expected, Numbers, add, month_label, times
from tests.dashboards.readings import (
    HOUR_S,
    QUARTER_S,
    WEEK_S,
    Readings,
    all_readings,
    at,
    delay,
    first_readings,
    growth,
    powers_of_quarters,
    powers_of_whole_quarters,
)

PRICES: Final = {
    "t1": 0.31,
    "t2": 0.37,
    "t3": 0.11,
    "t4": 0.13,
    "all": 0.31,
    "export": 0.07,
    "gas": 1.45,
    "water": 0.98,
    "hot_water": 8.5,
    "heat": 37,
    "cooling": 41,
}
GAS_KWH: Final = 10.1
LEAST_PEAK_KW: Final = 2.5

# What a household may use beside electricity: the name, the medium, its fields, and what they are multiplied with.
MEDIA: Final = {
    "Gas, m³": ("gas", {"gas_m3": 1.0}),
    "Gas, kWh": ("gas", {"gas_m3": GAS_KWH}),
    "Water": ("water", {"water_m3": 1.0}),
    "Hot water": ("hot_water", {"hot_water_m3": 1.0}),
    "Heat": ("heat", {"heat_gj": 1.0}),
    "Cooling": ("cooling", {"cooling_gj": 1.0}),
}


@dataclass
class Oracle:
    """Knows the right answers at a time (s).

    PromQL gives whole hours, and of what is not over the newest reading; InfluxQL what lies between the first readings
    of the quarters of an hour in the range.
    """

    household: Household
    now: float
    prometheus: bool
    since: float | None = None  # of all panels, when the range is two dates
    gas_unit: str = "m3"
    history: bool | None = None  # whether p1_history is asked; else as the household has it
    _grown: dict[tuple[str, float, float, int], Numbers] = dataclass_field(default_factory=dict)

    @cached_property
    def _local(self) -> datetime:
        return datetime.fromtimestamp(self.now, ZONE)

    def _midnight(self, at: datetime) -> float:
        begin = at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        return begin if self.since is None else self.since

    def days_ago(self, days: int) -> float:
        return self._midnight(self._local - timedelta(days=days))

    def months_ago(self, months: int) -> float:
        return self._midnight(self._month_before(months).replace(day=1))

    def last_year(self) -> float:
        return self._midnight(self._local.replace(year=self._local.year - 1, month=1, day=1))

    def a_day_earlier(self) -> float:
        return (self._local - timedelta(days=1)).timestamp()

    def a_month_earlier(self) -> float:
        return self._month_before(1).timestamp()

    def _month_before(self, months: int) -> datetime:
        """Give this time of this day in a month before, or of its last day."""
        month = self._local.year * 12 + self._local.month - 1 - months
        day = min(self._local.day, monthrange(month // 12, month % 12 + 1)[1])
        return self._local.replace(year=month // 12, month=month % 12 + 1, day=day)

    def registers(self, direction: str) -> dict[str, str]:
        """The fields that count, by tariff: those of the tariffs, or the total of a meter without."""
        there = self.fields()
        fields = {tariff: f"energy_{direction}_{tariff}_kwh" for tariff in ("t1", "t2", "t3", "t4")}
        total = {"all": f"energy_{direction}_kwh"}
        return {t: f for t, f in fields.items() if f in there} or {t: f for t, f in total.items() if f in there}

    def fields(self) -> set[str]:
        return {field for log in self.household.logs for field in log.columns}

    def _others(self) -> dict[str, tuple[str, dict[str, float]]]:
        hidden = "Gas, kWh" if self.gas_unit == "m3" else "Gas, m³"
        return {name: what for name, what in MEDIA.items() if name != hidden}

    def _sources(self, field: str) -> Iterator[Readings]:
        """Give the readings that days, months and years are asked of, meter by meter."""
        history = self.household.history if self.history is None else self.history
        for log in self.household.logs:
            if field in log.columns:
                yield first_readings(log, field) if history else all_readings(log, field)

    # What counters have grown by.

    def used(self, grown: Callable[[str], float]) -> Numbers:
        """Give what was used of everything, and what it cost, with what one field has grown by."""
        costs = [grown(field) * PRICES[tariff] for tariff, field in self.registers("import").items()]
        costs += [-grown(field) * PRICES["export"] for field in self.registers("export").values()]
        costs += [
            grown(field) * PRICES[medium]
            for name, (medium, fields) in MEDIA.items()
            for field in fields
            if name != "Gas, kWh"
        ]
        return {
            "Import": sum(grown(field) for field in self.registers("import").values()),
            "Export": sum(grown(field) for field in self.registers("export").values()),
            **{
                name: sum(grown(field) * factor for field, factor in fields.items())
                for name, (_, fields) in self._others().items()
            },
            "Cost": sum(costs),
        }

    def up_to_now(self, field: str, start: float, end: float) -> float:
        """Give what a counter grew by from the last reading before `start` to the last one."""
        found = 0.0
        for log in self.household.logs:
            readings, begin = all_readings(log, field), start + delay(field)
            newest = readings.newest(end, end - start)
            if self.prometheus:
                before = readings.newest(begin, WEEK_S)
                before = readings.first(start + 1, end) if before is None else before
            else:  # the last reading of the first five minutes with one, which end at `begin` or later
                place = bisect_left(readings.times, begin - 299)
                five = ceil(readings.times[place] / 300) * 300 if place < len(readings.times) else 0
                before = readings.newest(min(five, end), 300)
            if newest is not None and before is not None:
                found += max(0, newest - before)
        return found

    def in_pieces(self, field: str, start: float, end: float, piece_s: int = QUARTER_S) -> float:
        """Give what a counter grew by in the whole quarters of a range, or longer pieces."""
        if not self.prometheus:
            return sum(
                grown for one in self._sources(field) for _, grown in growth(one, start + delay(field), end, piece_s)
            )
        found = 0.0
        for one in self._sources(field):
            before, newest = at(one, start + delay(field)), one.newest(end, end - start)
            before = one.first(start + 1, end) if before is None else before
            if before is not None and newest is not None:
                found += max(0, newest - before)
        return found

    def hours(self, field: str, start: float, end: float, step: int = HOUR_S) -> Numbers:
        """Give what a counter grew by in each hour of a range, by the hour's begin."""
        key = (field, start, end, step)
        if key not in self._grown:
            self._grown[key] = defaultdict(float)
            for one in self._sources(field):
                for hour, grown in self._hours(one, delay(field), start, end, step):
                    self._grown[key][hour] += grown
        return self._grown[key]

    def _hours(
        self, readings: Readings, late: int, start: float, end: float, step: int
    ) -> Iterator[tuple[float, float]]:
        if not self.prometheus:
            for quarter, grown in growth(readings, start + late, end):
                yield (quarter - QUARTER_S - late) // HOUR_S * HOUR_S, grown
            return
        first, last = (floor(edge / step) * step for edge in (start, end))
        begin = max(first, (readings.times[0] - late) // step * step - step)
        for hour in range(begin, min(last, readings.times[-1]) + 1, step):
            before, after = at(readings, hour + late), at(readings, hour + late + step)
            before = readings.first(hour + late + 1, hour + late + step) if before is None else before
            if before is not None and after is not None and after > before:
                yield hour, after - before

    def _power_of_quarters(self, direction: str, start: float, end: float) -> Numbers:
        """Give the mean power of each quarter of a range, from its first reading to that of the next one."""
        found: Numbers = defaultdict(float)
        powers = powers_of_whole_quarters if self.prometheus else powers_of_quarters
        for field in self.registers(direction).values():
            for one in self._sources(field):
                for quarter, power in powers(one, start, end):
                    found[quarter] += power
        return found

    def extremes(self, start: float, end: float) -> Numbers:
        """Give standby, and the highest quarter.

        Standby is the power that a twentieth of the quarters with a use and without export are below.
        """
        powers, exported = (self._power_of_quarters(way, start, end) for way in ("import", "export"))
        found = {"15-minute peak": max(powers.values())} if powers else {}
        used = sorted(power for quarter, power in powers.items() if power > 0 and not exported.get(quarter))
        if not used:
            return found
        # Between the two nearest in PromQL, the nearest one in InfluxQL.
        place = 0.05 * (len(used) - 1)
        low, high = used[floor(place)], used[ceil(place)]
        between = low + (high - low) * (place - floor(place))
        nearest = used[max(0, floor(len(used) * 0.05 + 0.5) - 1)]
        return found | {"Standby": between if self.prometheus else nearest}

    # What panels draw of it.

    def lines(self, how: str, medium: str, start: float, end: float, step: int = HOUR_S) -> Expected:
        """Give the hours of each series of a panel: what is used ("tariffs", "whole", "sum") or its "cost".

        With a medium only what measures it is there.
        """

        def hourly(field: str, factor: float = 1) -> Numbers:
            return times(self.hours(field, start, end, step), factor)

        def of_medium(one: str) -> bool:
            return not medium or medium == one

        def fields(some: Iterable[str]) -> Numbers:
            return add(*map(hourly, some)) if of_medium("energy") else {}

        imports = {t: fields([field]) for t, field in self.registers("import").items()}
        exported = fields(self.registers("export").values())
        if how == "cost":
            found = {tariff_name(t): times(one, PRICES[t]) for t, one in imports.items()}
            costs = {n: (m, dict.fromkeys(fields, PRICES[m])) for n, (m, fields) in MEDIA.items() if n != "Gas, kWh"}
            others = {name.replace(", m³", ""): what for name, what in costs.items()}
        else:
            found = {tariff_name(t): one for t, one in imports.items()} if how == "tariffs" else {}
            others = self._others()
        if how in ("whole", "sum"):
            found["Import"] = add(*imports.values())
        found["Export"] = times(exported, -PRICES["export"] if how == "cost" else -1)
        for name, (one, factors) in others.items():
            found[name] = add(*(hourly(f, factor) for f, factor in factors.items())) if of_medium(one) else {}
        if how == "sum":
            return {"Used": add(*(one for name, one in found.items() if name != "Export"))}
        return {name: one for name, one in found.items() if one}

    def curve(self, fields: list[tuple[str, int]], edges: list[tuple[float, float]], how: str) -> Numbers:
        """Give for each window the sum over fields and meters of their means, or the extreme of all."""
        return windows([(log, field, sign) for field, sign in fields for log in self.household.logs], edges, how)

    # What meters tell.

    def last(self, field: str, within: float) -> Numbers:
        """Give the newest value in the last seconds."""
        newest = [
            (log.times[place], value)
            for log in self.household.logs
            for place, value in newest_values(log, field, self.now, within)
        ]
        if not newest:
            return {}
        # Of several meters PromQL gives the highest one, InfluxQL the last.
        return {"": max(value for _, value in newest) if self.prometheus else max(newest)[1]}

    def now_sum(self, fields: list[tuple[str, int]]) -> float | None:
        """Give the sum of the newest values of all meters in the last five minutes."""
        newest = [
            sign * value
            for field, sign in fields
            for log in self.household.logs
            for _, value in newest_values(log, field, self.now, 300)
        ]
        return sum(newest) if newest else None

    def last_time(self) -> float:
        return max(log.times[bisect_right(log.times, self.now) - 1] for log in self.household.logs if self._seen(log))

    def _seen(self, log: Log) -> bool:
        return log.times[0] <= self.now

    def peaks(self, start: float, least: float = 0) -> Numbers:
        """Give the highest peak of each month, and no less than `least`.

        What the meter says in the first quarter of a month belongs to the one before: it may be that one's peak.
        """
        found: Numbers = {}
        for one in self._sources("power_import_month_peak_kw"):
            for time, value in zip(one.times, one.values, strict=True):
                hour = (time - QUARTER_S) // HOUR_S * HOUR_S
                if start <= hour and (time <= self.now or (self.prometheus and hour <= self.now)):
                    month = month_label(hour)
                    found[month] = max(value, least, found.get(month, 0))
        return found

    def mean_of_month_peaks(self) -> float:
        """Give the mean of what the last telegram says of the months before, in whole W."""
        found = re.search(rb"^0-0:98\.1\.0\(.*", self.household.logs[-1].last, re.MULTILINE)
        assert found
        peaks = [float(peak) for peak in re.findall(rb"\(([\d.]+)\*kW\)", found[0])]
        return round(sum(peaks) / len(peaks), 3)

    # The sun, and prices by the hour.

    def produced(self, edges: list[tuple[float, float]]) -> Numbers:
        return windows([(solar_log(), "solar_kw", 1)], edges, "sum") if self.household.others else {}

    def produced_energy(self, start: float, end: float, step: int = 0) -> Numbers:
        """Give the energy of the sun, each quarter's mean power for a quarter of an hour, in each step or in all."""
        if self.prometheus:  # a quarter has its last second, and not its first; it is in the range with its end
            if step:
                start, end = start // step * step, end // step * step + step
            ends = [n * 900.0 for n in range(int(start // QUARTER_S) + 1, int(end // QUARTER_S) + 1)]
            edges = [(last, last - QUARTER_S) for last in ends]
            begins = {last: last - QUARTER_S for last in ends}
        else:
            some = range(int(start // QUARTER_S), int(end // QUARTER_S) + 1)
            edges = [(max(start, n * 900.0), min(end + 1, n * 900.0 + 900)) for n in some]
            begins = {key: key for key, _ in edges}
        found: Numbers = defaultdict(float)
        for key, value in self.produced(edges).items():
            found[begins[key] // step * step if step else ""] += value / 4
        return found

    def own_shares(self, start: float, end: float) -> Expected:
        sun = self.produced_energy(start, end).get("")
        if sun is None:
            return {}
        export, imported = (
            sum(self.in_pieces(field, start, end) for field in self.registers(way).values())
            for way in ("export", "import")
        )
        own = sun - export
        return {"Self-consumption": {"": own / sun}, "Self-sufficiency": {"": own / (own + imported)}}

    def prices(self, start: float, end: float) -> Numbers:
        """Give the price of each hour that begins in a range."""
        hours = range(ceil(start / HOUR_S) * HOUR_S, int(end) + 1, HOUR_S) if self.household.others else []
        return {hour: price(hour) for hour in hours if any(span.start <= hour <= span.end for span in SPANS)}

    def priced(self, direction: str, start: float, end: float) -> Numbers:
        """Give what each hour costs at its price."""
        sign = 1 if direction == "import" else -1
        if not self.household.others:
            return {}
        grown = add(*(self.hours(field, start, end) for field in self.registers(direction).values()))
        first = start // HOUR_S * HOUR_S if self.prometheus else start  # the price stands at the begin of its hour
        return {hour: sign * kwh * price(int(hour)) for hour, kwh in grown.items() if hour >= first}


def tariff_name(tariff: str) -> str:
    return "All" if tariff == "all" else tariff.upper()


def identifier(telegram: bytes) -> str:
    """Give the equipment identifier, which is hex-coded text or plain."""
    found = re.search(rb"^0-0:96\.1\.1\((\w+)\)", telegram, re.MULTILINE)
    if not found:
        return ""
    text = found[1].decode()
    decoded = bytes.fromhex(text) if len(text) % 2 == 0 else b"\xff"
    return decoded.decode() if decoded.isascii() and decoded.decode().isprintable() else text
