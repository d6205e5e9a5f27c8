"""Households for the proof of the dashboards: what their meters send, and what the numbers should be.

The log reads the telegrams' text by itself and shares nothing with the program's decoder.
"""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from math import nan, pi, sin
from typing import Final
from zoneinfo import ZoneInfo

from telegraf_p1.simulator.meter import Meter
from tests.helpers.telegrams import with_crc

ZONE: Final = ZoneInfo("Europe/Amsterdam")


def local(text: str) -> int:
    """Give the Unix time of a local date and time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp())


@dataclass(frozen=True)
class Span:
    """Twenty days around a change of the clock; on one day the meter is replaced, in one night nobody reads it."""

    start: int
    end: int
    swap: tuple[int, int]
    outage: tuple[int, int]


SPANS: Final = (
    Span(
        local("2025-10-16 00:00"),
        local("2025-11-04 14:30"),
        (local("2025-10-24 10:20"), local("2025-10-24 10:50")),
        (local("2025-10-30 20:00"), local("2025-10-31 03:10")),
    ),
    Span(
        local("2026-03-19 00:00"),
        local("2026-04-07 14:30"),
        (local("2026-03-27 10:20"), local("2026-03-27 10:50")),
        (local("2026-04-02 20:00"), local("2026-04-03 03:10")),
    ),
)

# The first seconds of months, at which a meter still tells the peak of the month before.
MONTHS: Final = {local("2025-11-01 00:00"), local("2026-04-01 00:00")}

# 1-0:1.8.1(000123.456*kWh), 0-1:24.2.1(251016135000S)(03524.768*m3): the reference and its last number
_OBJECT: Final = re.compile(rb"^(\d-\d:\d+\.\d+\.\d+)\((?:\d+[SW]\)\()?(-?\d+\.?\d*)", re.MULTILINE)

_PEAK: Final = re.compile(rb"^1-0:1\.6\.0\(.*$", re.MULTILINE)

_FIELDS: Final = {
    **{f"1-0:{d}.8.{n}": f"energy_{w}_t{n}_kwh" for d, w in (("1", "import"), ("2", "export")) for n in range(1, 5)},
    "1-0:1.8.0": "energy_import_kwh",
    "1-0:2.8.0": "energy_export_kwh",
    "1-0:1.7.0": "power_import_kw",
    "1-0:2.7.0": "power_export_kw",
    **{f"1-0:{code}1.7.0": f"power_import_l{n}_kw" for n, code in enumerate("246", 1)},
    **{f"1-0:{code}2.7.0": f"power_export_l{n}_kw" for n, code in enumerate("246", 1)},
    **{f"1-0:{code}2.7.0": f"voltage_l{n}_v" for n, code in enumerate("357", 1)},
    **{f"1-0:{code}1.7.0": f"current_l{n}_a" for n, code in enumerate("357", 1)},
    "1-0:1.4.0": "power_import_quarter_kw",
    "1-0:1.6.0": "power_import_month_peak_kw",
    "0-0:96.7.21": "power_failures",
    "0-0:96.7.9": "long_power_failures",
    **{f"1-0:{code}2.32.0": f"voltage_sags_l{n}" for n, code in enumerate("357", 1)},
    **{f"1-0:{code}2.36.0": f"voltage_swells_l{n}" for n, code in enumerate("357", 1)},
}
_MBUS: Final = {3: "gas_m3", 4: "heat_gj", 6: "hot_water_m3", 7: "water_m3", 10: "cooling_gj"}


def solar_w(time: int) -> int:
    """Give what an inverter produces in W; it is silent when that is nothing."""
    hour = time % 86400 / 3600
    return max(0, round(2700 * sin((hour - 6) / 11 * pi) + time // 300 % 7)) if 6 < hour < 17 else 0


def price(time: int) -> float:
    """Give the price of a kWh in an hour, which is below zero at noon."""
    return round(0.2 - 0.25 * sin(time % 86400 / 86400 * pi) + time // 3600 % 5 / 100, 4)


@dataclass(repr=False, eq=False)  # each log is itself alone, so it can be a key
class Log:
    """What the telegrams of one meter said, in columns."""

    times: "array[int]" = field(default_factory=lambda: array("q"))
    columns: "dict[str, array[float]]" = field(default_factory=dict)
    last: bytes = b""
    _by_reference: "dict[bytes, array[float] | None]" = field(default_factory=dict)

    def add(self, now: int, telegram: bytes) -> None:
        objects = _OBJECT.findall(telegram)
        for reference, value in objects:
            if reference not in self._by_reference:
                self._by_reference[reference] = self._begin(reference, dict(objects))
            column = self._by_reference[reference]
            if column is not None:
                if len(column) < len(self.times):
                    column.extend([nan] * (len(self.times) - len(column)))
                column.append(float(value))
        self.times.append(now)
        self.last = telegram

    def _begin(self, reference: bytes, objects: dict[bytes, bytes]) -> "array[float] | None":
        """Begin the column of a reference; there is none for what no panel shows."""
        name = _FIELDS.get(reference.decode())
        if reference.endswith((b":24.2.1", b":24.2.3")):
            name = _MBUS[int(objects[reference[:3] + b":24.1.0"])]
        return self.columns.setdefault(name, array("d")) if name else None


def others() -> Iterator[str]:
    """Give the lines that other plugins of Telegraf write: of a solar inverter, and of prices."""
    for span in SPANS:
        for time in range(span.start, span.end + 1, 300):
            if solar_w(time):
                yield f"inverter power_w={solar_w(time)}i {time}000000000"
            if time % 3600 == 0:
                yield f"prices eur_kwh={price(time)} {time}000000000"


@lru_cache(1)
def solar_log() -> Log:
    """Give what the inverter tells, as its field is called by the panels' variables, in kW."""
    log = Log()
    log.columns["solar_kw"] = array("d")
    for span in SPANS:
        for time in range(span.start, span.end + 1, 300):
            if solar_w(time):
                log.times.append(time)
                log.columns["solar_kw"].append(solar_w(time) / 1000)
    return log


@dataclass
class Household:
    """A database of its own: the meters that were there, one after the other."""

    name: str
    form: str
    interval: int
    more: tuple[str, ...] = ()  # lines of meters that no simulated one has
    less: tuple[bytes, ...] = ()  # what the lines begin with that this one does not send
    damaged: int = 0
    history: bool = False  # the plugin writes p1_history beside p1
    late: int = 0  # seconds after the full minute at which its telegrams come
    others: bool = False  # it has solar panels and dynamic prices, which other plugins tell
    identified: bool = True  # else there is one meter, in the first span: nobody could tell two apart
    logs: list[Log] = field(default_factory=list)

    def telegrams(self) -> Iterator[bytes]:
        """Send everything that is ever sent, and remember it; the damaged ones are not remembered."""
        for span in SPANS if self.identified else SPANS[:1]:
            for start, end in ((span.start, span.swap[0]), (span.swap[1], span.end)):
                if self.identified or not self.logs:
                    self.logs.append(Log())
                    meter = Meter(self.form, len(self.logs))
                    meter.demand.peak_w = 0
                for number, now in enumerate(range(start + self.late, end + 1, self.interval)):
                    telegram = self._with_more(meter.telegram(now), now)
                    if now in MONTHS:
                        telegram = _with_peak_of(telegram, self.logs[-1].last)
                    if span.outage[0] < now < span.outage[1]:
                        continue
                    if self.damaged and number % 10_000 == 9_999:
                        self.damaged -= 1
                        yield telegram.replace(b"(0", b"(1", 1)
                        continue
                    self.logs[-1].add(now, telegram)
                    yield telegram

    def _with_more(self, telegram: bytes, now: int) -> bytes:
        if not self.more:
            return telegram
        lines = "\r\n".join(self.more).format(kwh=now / 36000 % 1e6, m3=now / 72000 % 1e5)
        sent = b"".join(line for line in telegram.splitlines(keepends=True) if not line.startswith((*self.less, b"!")))
        body = sent + lines.encode() + b"\r\n!"
        return with_crc(body) + b"\r\n"


def _with_peak_of(telegram: bytes, before: bytes) -> bytes:
    peak = _PEAK.search(before)
    if not peak:
        return telegram
    return with_crc(_PEAK.sub(lambda _: peak[0], telegram).rpartition(b"!")[0] + b"!") + b"\r\n"


def households() -> list[Household]:
    """Give one of each kind.

    Tariffs and gas; capacity tariff, four tariffs of export, and water; no tariffs; four tariffs but for export, and
    totals; heat.
    """
    more = (
        "1-0:1.8.3({kwh:010.3f}*kWh)",
        "1-0:1.8.4({kwh:010.3f}*kWh)",
        *("0-1:24.1.0(006)", "0-1:96.1.0(54455354303031)", "0-1:24.2.1(251016135000S)({m3:09.3f}*m3)"),
    )
    export = ("1-0:2.8.3({kwh:010.3f}*kWh)", "1-0:2.8.4({kwh:010.3f}*kWh)")
    cooling = ("0-2:24.1.0(010)", "0-2:96.1.0(54455354303032)", "0-2:24.2.1(251016135000S)({m3:09.3f}*GJ)")
    return [
        Household("netherlands", "nl-5.0", 10, damaged=25, history=True, others=True),
        Household("belgium", "be", 60, export, history=True),
        Household("sweden", "se", 300, late=11, identified=False),
        Household("lithuania", "lt", 300, more, (b"1-0:2.8.1", b"1-0:2.8.2")),
        Household("warmth", "heat", 300, cooling, history=True, late=4),
    ]
