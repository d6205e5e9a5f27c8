"""A house with three phases, solar panels and a gas meter: what a simulated meter measures.

The counters grow by what the powers say, and the same random numbers and times give the same house.
"""

import math
from random import Random
from typing import Final

_DAY_S: Final = 86400
_FLOW_W: Final = 80  # one standard deviation of the load of a phase
_GAS_SECONDS_A_LITRE: Final = 20


class House:
    """What there is to be read: counters in W s, powers in W, voltages in tenths of a V, litres of gas.

    `serial` is the number on the meter, `now` the time until which it has lived (UTC, s since 1970).
    """

    def __init__(self, random: Random, serial: int) -> None:
        self._random = random
        self.serial = serial
        self.now = 0
        self.tariff = 1
        self.import_ws = [self._random.randrange(2_000, 9_000) * 3_600_000 for _ in range(2)]
        self.export_ws = [self._random.randrange(0, 4_000) * 3_600_000 for _ in range(2)]
        self.power_w = [0, 0, 0]
        self.voltage_dv = [2300, 2300, 2300]
        self._gas_l = self._random.randrange(500_000, 4_000_000)
        self._start = 0
        self.quarter_ws = 0
        self.peak_w = 1_500
        self.peak_time = 0

    def net_w(self) -> int:
        """Give the sum of the phases in W: above zero is import."""
        return sum(self.power_w)

    def gas_l(self, time: int) -> int:
        """Give what the gas meter showed at a time, in litres: an M-Bus meter is read now and then."""
        return self._gas_l + (time - self._start) // _GAS_SECONDS_A_LITRE

    def live(self, now: int) -> None:
        """Live until `now` (UTC, s since 1970; not before the time of the last call)."""
        net_ws = self.net_w() * (max(0, now - self.now) if self.now else 0)
        (self.import_ws if net_ws > 0 else self.export_ws)[self.tariff - 1] += abs(net_ws)
        self.quarter_ws += max(0, net_ws)
        if now // 900 != self.now // 900:
            if self.quarter_ws // 900 > self.peak_w:
                self.peak_w, self.peak_time = self.quarter_ws // 900, now // 900 * 900
            self.quarter_ws = 0
        self._start = self._start or now
        self.now = now
        self.peak_time = self.peak_time or now // 900 * 900
        hour = now % _DAY_S / 3600
        self.tariff = 2 if 6 <= hour < 22 else 1
        sun_w = max(0.0, math.sin((hour - 5) / 14 * math.pi)) * 1100 if 5 <= hour <= 19 else 0.0
        base_w = 250 + 200 * math.exp(-((hour - 18) ** 2) / 8)
        self.power_w = [round(self._random.gauss(base_w - sun_w, _FLOW_W)) for _ in range(3)]
        self.voltage_dv = [round(self._random.gauss(2310, 12)) for _ in range(3)]
