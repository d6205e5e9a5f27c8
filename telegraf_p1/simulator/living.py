"""What people use in a house: a day, from 4:00 to 4:00 on the next, as steps of power and flow.

    W
    7400                                                                   ┌────────┐
         fridge, router: always                oven ┌┐   dishwasher        │  car   │
    2000 kettle ┌┐        (work, school)         ┌┐ ││  ┌┐   ┌┐           │        │
     100 ───────┘└──────────────────────────────┘└─┘└──┘└───┘└────────────┘        └──
         4:00   7:00          12:00            18:00           22:00   23:00       4:00

The same serial number, date and weather give the same day.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from operator import add
from random import Random
from typing import Final

from telegraf_p1.simulator.day import GAS, L1, L2, L3, WATER, Day, Use
from telegraf_p1.simulator.weather import Weather

BEGIN_H: Final = 4  # the hour at which a day begins, since nobody is awake

# Programmes: minutes and W, one step after the other.
_KETTLE: Final = ((3, 2000),)
_HOB: Final = ((6, 1900), (16, 700))
_OVEN: Final = ((10, 2300), *((3, 0), (2, 2300)) * 6)
_DISHWASHER: Final = ((14, 1900), (40, 60), (12, 1900), (25, 20))
_WASHING_MACHINE: Final = ((16, 2000), (55, 160), (8, 450))
_DRYER: Final = ((95, 650),)
# By hour from 4:00 on: the share of the day's heat, where 10 is the mean.
_HEAT_AT_WORK: Final = (4, 5, 18, 18, 10, 7, 7, 7, 7, 7, 7, 7, 10, 15, 15, 14, 14, 14, 9, 5, 4, 4, 4, 4)
_HEAT_AT_HOME: Final = (4, 4, 5, 17, 18, 14, 11, 11, 11, 10, 10, 10, 11, 14, 14, 14, 13, 13, 10, 5, 4, 4, 4, 4)
_LOSS_W_PER_K: Final = 170  # of the house
_GAS_J_PER_ML: Final = 33  # less what is lost through the chimney
_BURNER_W: Final = 8000  # of heat
_HEAT_PUMP_W: Final = 6000  # of heat
_SHOWER_S: Final = 420


@dataclass(frozen=True)
class Equipment:
    """The equipment of a house: peak powers in W, 0 for none; it is heated with gas, or with a heat pump."""

    solar_w: int = 3900
    car_w: int = 7400
    car_phases: int = 1
    has_heat_pump: bool = False


def day_of(serial: int, day: int, weather: Weather, equipment: Equipment) -> Day:
    """Plan a day of the house with this serial number; days are counted from 1970 on."""
    random = Random(f"{serial} {day}")  # noqa: S311  not used for secrets
    is_away = _is_away(serial, day)
    is_free = (day + 3) % 7 > 4  # Saturday and Sunday; 1970 began on a Thursday
    uses = [*_heating(random, weather, equipment, is_free=is_free, is_away=is_away)]
    if not is_away:
        uses += [*_morning(random, equipment, is_free=is_free), *_daytime(random, is_free=is_free)]
        uses += [*_evening(random, weather), *_car(random, equipment)]
    return Day(uses)


def _is_away(serial: int, day: int) -> bool:
    """Whether the people are on holiday: two weeks in July or August, and some days in winter."""
    in_year = int(day % 365.25)
    return 0 <= in_year - 187 - serial * 7 % 35 < 15 or 0 <= in_year - 44 - serial * 3 % 12 < 6


def _at(hour: float) -> int:
    """Return the second of the day for a local hour; hours after midnight are above 24."""
    return round((hour - BEGIN_H) * 3600)


def _run(programme: Iterable[tuple[int, int]], hour: float, phase: int) -> Iterator[Use]:
    minutes, watts = zip(*programme, strict=True)
    starts = accumulate(minutes[:-1], add, initial=0)
    for start, minute, watt in zip(starts, minutes, watts, strict=True):
        yield Use(_at(hour) + start * 60, minute * 60, phase, watt)


def _morning(random: Random, equipment: Equipment, *, is_free: bool) -> Iterator[Use]:
    up = random.gauss(8.3, 0.5) if is_free else random.gauss(6.8, 0.2)
    yield Use(_at(up), 5400, L1, 140)
    yield from _run(_KETTLE, up + 0.2 + random.random() / 4, L1)
    if random.random() < (0.7 if is_free else 0.4):
        yield from _run(((9, 1300),), up + 0.3 + random.random() / 3, L2)
    for number in range(random.choice((2, 3, 3))):
        start = _at(up + 0.05 + number * 0.25 + random.random() / 9)
        yield Use(start, _SHOWER_S, WATER, 125)
        if equipment.has_heat_pump:  # it refills its tank at noon
            yield Use(_at(12.5) + number * 1500, 1500, L3, 1600)
        else:
            yield Use(start, _SHOWER_S, GAS, 430)


def _daytime(random: Random, *, is_free: bool) -> Iterator[Use]:
    is_home = is_free or random.random() < 0.4
    for _ in range(16 if is_home else 10):
        yield Use(_at(random.choice((7.3, 8, 12.5, 16.5, 18, 19.5, 22.5)) + random.random()), 90, WATER, 110)
    if is_home:
        yield Use(_at(9), 8 * 3600, L2, 110)
        for hour in (10.3, 13, 15.2):
            yield from _run(_KETTLE, hour + random.random(), L1)
    if is_home and random.random() < 0.5:
        yield from _run(_HOB, 12.3 + random.random() / 2, L1)
    if random.random() < (0.75 if is_free else 0.4):
        start = 9.5 + 3 * random.random() if is_free else 18.8 + random.random()
        yield from _run(_WASHING_MACHINE, start, L3)
        yield Use(_at(start), 600, WATER, 80)
        if random.random() < 0.6:
            yield from _run(_DRYER, start + 1.5, L3)


def _evening(random: Random, weather: Weather) -> Iterator[Use]:
    dinner = random.gauss(17.9, 0.3)
    yield from _run(_HOB, dinner, L1)
    if random.random() < 0.6:
        yield from _run(_HOB, dinner + 0.05, L3)
    if random.random() < 0.4:
        yield from _run(_OVEN, dinner - 0.2, L2)
    bed = random.gauss(23, 0.3)
    dark = min(bed - 1, max(16.2, 13.3 + weather.daylight_h()))
    yield Use(_at(dark), _at(bed) - _at(dark), L2, 220)
    yield Use(_at(19.3), _at(bed - 0.3) - _at(19.3), L1, 150)
    if random.random() < 0.7:
        yield from _run(_DISHWASHER, dinner + 1.3 + random.random(), L2)
        yield Use(_at(dinner + 1.3), 120, WATER, 90)


def _car(random: Random, equipment: Equipment) -> Iterator[Use]:
    """Charge the car at the low tariff, on three nights a week."""
    if equipment.car_w and random.random() < 0.43:
        joules = random.gauss(16.0, 4.5) * 3.6e6
        seconds = min(_at(28) - _at(23.2), max(1800, round(joules / equipment.car_w)))
        for phase in range(equipment.car_phases):
            yield Use(_at(23.1), seconds, phase, equipment.car_w // equipment.car_phases)


def _heating(random: Random, weather: Weather, equipment: Equipment, *, is_free: bool, is_away: bool) -> Iterator[Use]:
    """Heat the house hour by hour, longer if it is colder."""
    mean_w = max(0.0, (11 if is_away else 17.2) - weather.celsius) * _LOSS_W_PER_K
    for hour, share in enumerate(_HEAT_AT_HOME if is_free or is_away else _HEAT_AT_WORK):
        wanted_w = mean_w * share / 10
        full_w = max(wanted_w, _HEAT_PUMP_W if equipment.has_heat_pump else _BURNER_W)
        seconds = round(3600 * wanted_w / full_w)
        start = hour * 3600 + random.randrange(3601 - seconds)
        if seconds < 60:
            continue
        if equipment.has_heat_pump:
            yield Use(start, seconds, L3, round(full_w / (3.3 + 0.08 * weather.celsius)))
        else:
            yield Use(start, seconds, GAS, round(full_w / _GAS_J_PER_ML))
