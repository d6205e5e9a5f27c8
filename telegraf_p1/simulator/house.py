"""A house with three phases, solar panels, gas and water: what a simulated meter measures.

Electricity counters grow with the powers, gas and water counters with what was used meanwhile. The same random numbers
and times give the same house. `living.py` has what people use, `weather.py` what the sun does.
"""

import math
from datetime import UTC, datetime
from random import Random
from typing import Final

from telegraf_p1.simulator.day import Day
from telegraf_p1.simulator.demand import Demand
from telegraf_p1.simulator.living import BEGIN_H, Equipment, day_of
from telegraf_p1.simulator.weather import weather
from telegraf_p1.timestamp import is_summer

_DAY_S: Final = 86400
_ALWAYS_W: Final = (78, 46, 42)  # router, ventilation, standby
_FRIDGE_W: Final = 85
_FRIDGE_S, _FRIDGE_RUNS_S = 2700, 1000
_ONE_PHASE_W: Final = 5000  # stronger panels feed into three phases
_PHASES_DV: Final = (0, -14, 9)  # how the street's phases differ
_DV_PER_W: Final = 0.008  # voltage drop in the cable to the house
_DINNER_S, _COOKING_S = 18.5 * 3600, 4 * 3600  # when the street has dinner (local time), and cooks before and after
_DEFAULT: Final = Equipment()


class House:
    """What a meter measures: counters in W s, powers in W, voltages in tenths of a V, gas and water in litres.

    `serial` is the meter's serial number, `now` the simulated time (UTC, s since 1970), `solar_w` the power of the
    panels. The people live by Dutch local time, with this `equipment`.
    """

    def __init__(self, random: Random, serial: int, equipment: Equipment = _DEFAULT) -> None:
        self._random = random
        self.serial = serial
        self.equipment = equipment
        self.now = 0
        self.tariff = 1
        self.import_ws = [self._random.randrange(2_000, 9_000) * 3_600_000 for _ in range(2)]
        self.export_ws = [self._random.randrange(0, 4_000) * 3_600_000 for _ in range(2)]
        self.power_w = [0, 0, 0]
        self.solar_w = 0
        self.voltage_dv = [2300, 2300, 2300]
        self.demand = Demand()
        self._gas_ml = self._random.randrange(500_000, 4_000_000) * 1000  # at the start of the day
        self._water_ml = self._random.randrange(50_000, 900_000) * 1000
        self._day, self._day_number, self._begin = Day([]), 0, 0
        self._weather = weather(0)
        self._hour, self._month = 0, 0
        self._offset_s = 0

    def net_w(self) -> int:
        """Return the sum of the phases in W: above zero is import."""
        return sum(self.power_w)

    def gas_l(self, time: int) -> int:
        """Return the gas reading in litres at a time in the current hour: M-Bus meters are read only now and then."""
        return (self._gas_ml + self._day.used_ml(max(0, time - self._begin))[0]) // 1000

    def water_l(self, time: int) -> int:
        """Return the water reading in litres at a time in the current hour."""
        return (self._water_ml + self._day.used_ml(max(0, time - self._begin))[1]) // 1000

    def live(self, now: int) -> None:
        """Simulate until `now` (UTC, s since 1970; not before the time of the last call)."""
        if self.now and now > self.now:
            net_w, seconds = self.net_w(), now - self.now
            (self.import_ws if net_w > 0 else self.export_ws)[self.tariff - 1] += abs(net_w) * seconds
            self.demand.count(self.now, seconds, max(0, net_w))
        if now // 3600 != self._hour:
            self._begin_hour(now)
        self.now = now
        self._measure(now)

    def _measure(self, now: int) -> None:
        """Set the powers and voltages of this second, with some random noise."""
        sun, gauss = self._weather.sun(now), self._random.gauss
        self.solar_w = made_w = round(sun * self.equipment.solar_w)
        fridge_w = _FRIDGE_W if (now + self.serial * 577) % _FRIDGE_S < _FRIDGE_RUNS_S else 0
        solar_w = (0, made_w, 0) if self.equipment.solar_w <= _ONE_PHASE_W else (made_w // 3,) * 3
        used_w = self._day.watts(now - self._begin)
        self.power_w = [
            round((always + used) * gauss(1, 0.015) + gauss(0, 3)) - made
            for always, used, made in zip(_ALWAYS_W, used_w, solar_w, strict=True)
        ]
        self.power_w[2] += fridge_w
        street_dv = 2316 + 45 * sun - self._neighbours_dv(now)
        self.voltage_dv = [
            round(gauss(street_dv + phase, 3) - watt * _DV_PER_W)
            for phase, watt in zip(_PHASES_DV, self.power_w, strict=True)
        ]

    def _neighbours_dv(self, now: int) -> float:
        """Return by how much neighbours lower the voltage: they cook at the same time, and use the rest at any time."""
        evening = 1 - (((now + self._offset_s) % _DAY_S - _DINNER_S) / _COOKING_S) ** 2
        others = 5 * math.sin(now / 830) * math.sin(now / 4700) + 5 * math.sin(now / 2900) * math.sin(now / 11000)
        return 24 * max(0.0, evening) + others

    def _begin_hour(self, now: int) -> None:
        """Set the tariff, the weather, the day and the month for this hour."""
        self._hour = now // 3600
        self._offset_s = _offset_s(now)
        local = now + self._offset_s
        hour, is_weekend = local % _DAY_S // 3600, (local // _DAY_S + 3) % 7 > 4  # 1970 began on a Thursday
        self.tariff = 2 if 7 <= hour < 23 and not is_weekend else 1
        self._weather = weather(now // _DAY_S)
        number = (local - BEGIN_H * 3600) // _DAY_S
        for day in range(self._day_number + 1 if self._day_number else number, number + 1):
            self._begin_day(day)
        date = datetime.fromtimestamp(local, UTC)
        month = date.year * 12 + date.month - 1
        if not self._month:
            self.demand.begin(now, (_begin_of(month - 2), _begin_of(month - 1), _begin_of(month)))
        elif month != self._month:
            self.demand.begin_month(_begin_of(month))
        self._month = month

    def _begin_day(self, day: int) -> None:
        begin = day * _DAY_S + BEGIN_H * 3600
        begin -= _offset_s(begin)
        gas_ml, water_ml = self._day.used_ml(begin - self._begin)
        self._gas_ml += gas_ml
        self._water_ml += water_ml
        self._day = day_of(self.serial, day, weather(day), self.equipment)
        self._day_number, self._begin = day, begin


def _offset_s(now: int) -> int:
    """Return by how much local time is ahead of UTC, in s."""
    return 7200 if is_summer(datetime.fromtimestamp(now, UTC)) else 3600


def _begin_of(month: int) -> int:
    """Return the start of a month (UTC, s since 1970); months are counted from the year 0 on."""
    begin = int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp())
    return begin - _offset_s(begin)
