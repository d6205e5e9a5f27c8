"""A meter for demonstrations and tests: telegrams that a real one could have sent.

A house with three phases and solar panels. The counters grow by what the powers say, the same
seed and times give the same bytes, and the CRC is right.
"""

import math
from random import Random
from typing import Final

from telegraf_p1.crc import checksum
from telegraf_p1.forms import FORMS, WITHOUT_CRC

_DAY_S: Final = 86400
_FLOW_W: Final = 80  # one standard deviation of the load of a phase
_GAS_SECONDS_A_LITRE: Final = 20


class Meter:
    """One meter. `form` is one of FORMS; everything else follows from `seed` and the times."""

    def __init__(self, form: str = "nl-5.0", seed: int = 1) -> None:
        self._random = Random(f"{form} {seed}")  # noqa: S311  no secret is made of it
        self._lines = FORMS[form]
        self._has_crc = form not in WITHOUT_CRC
        self.serial = 1_000_000_000 + seed
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

    def telegram(self, now: int) -> bytes:
        """Live until `now` (UTC, s since 1970; not before the time of the last call), then speak."""
        self._live(max(0, now - self.now) if self.now else 0, now)
        body = "\r\n".join(self._lines(self)).encode("ascii") + b"\r\n!"
        return b"%b%04X\r\n" % (body, checksum(body)) if self._has_crc else body + b"\r\n"

    def net_w(self) -> int:
        """Give the sum of the phases in W: above zero is import."""
        return sum(self.power_w)

    def gas_l(self, time: int) -> int:
        """Give what the gas meter showed at a time, in litres: an M-Bus meter is read now and then."""
        return self._gas_l + (time - self._start) // _GAS_SECONDS_A_LITRE

    def _live(self, seconds: int, now: int) -> None:
        net_ws = self.net_w() * seconds
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
