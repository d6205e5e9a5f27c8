"""Databases for pictures: what houses have measured in the last 14 months, written within seconds.

A point each quarter of an hour, each 10 s for the last two days, and in the Dutch house each second of the last hour.
`fill` takes about 15 s a house; it writes to several databases at once, and houses may be filled at the same time.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Final

from telegraf_p1 import lineproto
from telegraf_p1.decode import Memory, decode
from telegraf_p1.framer import Framer
from telegraf_p1.record import Record
from telegraf_p1.simulator.living import Equipment
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.simulator.weather import weather
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.dashboards.household import local
from tests.helpers.databases import send

NOW: Final = local("2026-04-12 18:25")  # a Sunday with sun, when dinner is made
_BEGIN: Final = local("2025-02-01 00:00")
_PRICES_DAYS: Final = 40
_DAY_S, _QUARTER_S = 86400, 900
_SUN_S: Final = 300  # of an inverter, and of a house that nobody looks at
_STATS_S: Final = 60
_KEPT: Final = ("_kwh", "_m3", "_gj", "_month_peak_kw", "_month_peak_timestamp", "_year_peak_average_kw")
_BATCH: Final = 5000


@dataclass(frozen=True)
class Home:
    """A house, and whether it has what other programs write: an inverter, and prices by the hour."""

    name: str
    form: str
    seed: int
    equipment: Equipment
    has_more: bool = False


HOMES: Final = (
    Home("netherlands", "nl-5.0", 8, Equipment(car_w=11_000, car_phases=3), has_more=True),
    Home("belgium", "be", 11, Equipment(solar_w=4600, car_w=0)),
    Home("germany", "de", 3, Equipment(solar_w=8400, car_w=11_000, car_phases=3, has_heat_pump=True)),
    Home("warmth", "heat", 4, Equipment(solar_w=0, car_w=0)),
)


@dataclass
class Database:
    """Where lines go; `texts` says whether it takes texts, which VictoriaMetrics does not."""

    write_url: str
    token: str = ""
    texts: bool = True
    _lines: list[str] = field(default_factory=list)

    def add(self, measurement: str, record: Record) -> None:
        fields = {name: value for name, value in record.fields.items() if self.texts or not isinstance(value, str)}
        self._lines.append(lineproto.line(record._replace(fields=fields), measurement))
        if len(self._lines) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            send(self.write_url, "\n".join(self._lines).encode(), self.token)
        self._lines.clear()


def influxdb(url: str, home: Home) -> Database:
    """Make a database with the home's name in an InfluxDB 1."""
    send(f"{url}/query?q=CREATE+DATABASE+{home.name}", b"")
    return Database(f"{url}/write?db={home.name}")


def influxdb2(url: str, token: str, home: Home) -> Database:
    """Take a bucket with the home's name, which is there."""
    return Database(f"{url}/api/v2/write?org=home&bucket={home.name}", token)


def victoria_metrics(url: str, home: Home) -> Database:
    """Take the label `db` for the home's name."""
    return Database(f"{url}/write?db={home.name}", texts=False)


def fill(home: Home, databases: Sequence[Database]) -> None:
    """Write all that a house has ever measured."""
    for measurement, record in _everything(home):
        for database in databases:
            database.add(measurement, record)
    for database in databases:
        database.flush()


def _everything(home: Home) -> Iterator[tuple[str, Record]]:
    yield from _measured(home)
    yield from _health()
    if home.has_more:
        yield from _prices()


def _times(home: Home) -> Iterable[int]:
    yield from range(_BEGIN, NOW - 2 * _DAY_S, _SUN_S)
    fine = NOW - 3600 if home.has_more else NOW
    yield from range(NOW - 2 * _DAY_S, fine, 10)
    yield from range(fine, NOW + 1)


def _measured(home: Home) -> Iterator[tuple[str, Record]]:
    """Give the records, the first ones of each quarter once more as history, and what an inverter says."""
    meter, memory = Meter(home.form, home.seed, home.equipment), Memory(Zone())
    quarter, sun_ws, last = 0, 4_812 * 3_600_000, _BEGIN
    for now in _times(home):
        sun_ws += meter.solar_w * (now - last)
        last = now
        meter.live(now)
        if home.has_more and now % (_SUN_S if now > NOW - _PRICES_DAYS * _DAY_S else _QUARTER_S) == 0:
            power, energy = Decimal(meter.solar_w), Decimal(sun_ws // 3600) / 1000
            yield "inverter", Record({"name": "roof"}, {"power_w": power, "energy_kwh": energy}, now * 10**9, [])
        if now < NOW - 2 * _DAY_S and now % _QUARTER_S:
            continue
        (frame,) = (framer := Framer()).feed(meter.telegram(now)) or framer.flush()
        record = decode(parse(frame.data), now * 10**9, memory)
        yield "p1", record
        if now // _QUARTER_S != quarter:
            quarter = now // _QUARTER_S
            counters = {name: value for name, value in record.fields.items() if name.endswith(_KEPT)}
            yield "p1_history", record._replace(fields=counters)


def _health() -> Iterator[tuple[str, Record]]:
    """Give two days of the plugin's health: a few damaged telegrams, and one cable that was pulled."""
    random, rejected = Random(1), 3  # noqa: S311
    for minute, now in enumerate(range(NOW - 2 * _DAY_S, NOW + 1, _STATS_S)):
        rejected += random.random() < 0.004
        accepted = 6 * minute + 6
        fields: dict[str, Decimal | int | str] = {
            "accepted": accepted,
            "rejected": rejected,
            "rejected_crc": rejected,
            "bytes": accepted * 912,
            "reconnects": int(minute > 1900),
            "age_s": Decimal(random.randrange(10, 900)) / 1000,
        }
        yield "p1_stats", Record({"source": "/dev/ttyUSB0"}, fields, now * 10**9, [])


def _prices() -> Iterator[tuple[str, Record]]:
    """Give the market's prices by the hour up to tomorrow's midnight: low when the sun shines, below zero at times."""
    for hour in range((NOW // _DAY_S - _PRICES_DAYS) * 24 - 2, (NOW // _DAY_S + 2) * 24 - 2):
        now = hour * 3600
        day, clock = Random(f"price {now // _DAY_S}").gauss(0, 0.012), (hour + 2) % 24  # noqa: S311
        peaks = 0.075 * math.exp(-((clock - 19.5) ** 2) / 7) + 0.04 * math.exp(-((clock - 8) ** 2) / 5)
        price = 0.088 + day + peaks - 0.19 * weather(now // _DAY_S).sun(now + 1800)
        yield "prices", Record({}, {"eur_kwh": Decimal(f"{price:.5f}")}, now * 10**9, [])
