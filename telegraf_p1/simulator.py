"""A meter for demonstrations and tests: telegrams that a real one could have sent.

A house with three phases and solar panels. The counters grow by what the powers say, the same
seed and times give the same bytes, and the CRC is right.
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from telegraf_p1.crc import checksum

_DAY_S: Final = 86400
_FLOW_W: Final = 80  # one standard deviation of the load of a phase
_GAS_LITRES_AN_HOUR: Final = 180


class Meter:
    """One meter. `form` is one of FORMS; everything else follows from `seed` and the times."""

    def __init__(self, form: str = "nl-5.0", seed: int = 1) -> None:
        self._random = Random(f"{form} {seed}")  # noqa: S311  no secret is made of it
        self._lines = FORMS[form]
        self.serial = 1_000_000_000 + seed
        self.now = 0
        self.tariff = 1
        self.import_ws = [self._random.randrange(2_000, 9_000) * 3_600_000 for _ in range(2)]
        self.export_ws = [self._random.randrange(0, 4_000) * 3_600_000 for _ in range(2)]
        self.power_w = [0, 0, 0]
        self.voltage_dv = [2300, 2300, 2300]
        self.gas_l = self._random.randrange(500_000, 4_000_000)
        self.quarter_ws = 0
        self.peak_w = 1_500
        self.peak_time = 0

    def telegram(self, now: int) -> bytes:
        """Live until `now` (UTC, s since 1970; not before the time of the last call), then speak."""
        self._live(max(0, now - self.now) if self.now else 0, now)
        body = "\r\n".join(self._lines(self)).encode("ascii") + b"\r\n!"
        if self._lines is _nl_2_2:
            return body + b"\r\n"
        return b"%b%04X\r\n" % (body, checksum(body))

    def net_w(self) -> int:
        """Give the sum of the phases in W: above zero is import."""
        return sum(self.power_w)

    def _live(self, seconds: int, now: int) -> None:
        net_ws = self.net_w() * seconds
        (self.import_ws if net_ws > 0 else self.export_ws)[self.tariff - 1] += abs(net_ws)
        if now // 900 != self.now // 900:
            if self.quarter_ws // 900 > self.peak_w:
                self.peak_w, self.peak_time = self.quarter_ws // 900, now // 900 * 900
            self.quarter_ws = 0
        self.quarter_ws += max(0, net_ws)
        self.gas_l += round(_GAS_LITRES_AN_HOUR * seconds / 3600)
        self.now = now
        self.peak_time = self.peak_time or now // 900 * 900
        hour = now % _DAY_S / 3600
        self.tariff = 2 if 6 <= hour < 22 else 1
        sun_w = max(0.0, math.sin((hour - 5) / 14 * math.pi)) * 1100 if 5 <= hour <= 19 else 0.0
        base_w = 250 + 200 * math.exp(-((hour - 18) ** 2) / 8)
        self.power_w = [round(self._random.gauss(base_w - sun_w, _FLOW_W)) for _ in range(3)]
        self.voltage_dv = [round(self._random.gauss(2310, 12)) for _ in range(3)]


def _tst(epoch: int) -> str:
    """Write UTC seconds as the meter's local time: `191023120000S`."""
    utc = datetime.fromtimestamp(epoch, UTC)
    summer = _last_sunday(utc.year, 3) <= utc < _last_sunday(utc.year, 10)
    return f"{utc + timedelta(hours=2 if summer else 1):%y%m%d%H%M%S}{'S' if summer else 'W'}"


def _last_sunday(year: int, month: int) -> datetime:
    """When the clocks change in the EU: 01:00 UTC of a month of 31 days (directive 2000/84/EC)."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)


def _kilo(milli: int, width: int) -> str:
    return f"{milli / 1000:0{width}.3f}"


def _hex(text: str) -> str:
    return text.encode("ascii").hex().upper()


def _registers(meter: Meter, width: int = 10) -> Iterator[str]:
    for direction, counters in (("1", meter.import_ws), ("2", meter.export_ws)):
        for number, watt_seconds in enumerate(counters, 1):
            yield f"1-0:{direction}.8.{number}({_kilo(watt_seconds // 3600, width)}*kWh)"


def _powers(meter: Meter) -> Iterator[str]:
    yield f"1-0:1.7.0({_kilo(max(0, meter.net_w()), 6)}*kW)"
    yield f"1-0:2.7.0({_kilo(max(0, -meter.net_w()), 6)}*kW)"


def _phases(meter: Meter, count: int, current: Callable[[int, int], str]) -> Iterator[str]:
    codes = ("2", "4", "6")[:count]
    for code, dv in zip(codes, meter.voltage_dv, strict=False):
        yield f"1-0:{int(code) + 1}2.7.0({dv / 10:05.1f}*V)"
    for code, watt, dv in zip(codes, meter.power_w, meter.voltage_dv, strict=False):
        yield f"1-0:{int(code) + 1}1.7.0({current(abs(watt), dv)}*A)"
    for sign, last in ((1, "1"), (-1, "2")):
        for code, watt in zip(codes, meter.power_w, strict=False):
            yield f"1-0:{code}{last}.7.0({_kilo(max(0, sign * watt), 6)}*kW)"


def _mbus(channel: int, kind: int, id_code: str, meter_id: str, reading: str) -> Iterator[str]:
    yield f"0-{channel}:24.1.0({kind:03d})"
    yield f"0-{channel}:{id_code}({_hex(meter_id)})"
    yield f"0-{channel}:{reading}"


def _nl_head(meter: Meter, version: int) -> Iterator[str]:
    yield f"1-3:0.2.8({version})"
    yield f"0-0:1.0.0({_tst(meter.now)})"
    yield f"0-0:96.1.1({_hex(f'E00470{meter.serial}1')})"
    yield from _registers(meter)
    yield f"0-0:96.14.0({meter.tariff:04d})"
    yield from _powers(meter)
    yield from ("0-0:96.7.21(00004)", "0-0:96.7.9(00002)")
    yield "1-0:99.97.0(2)(0-0:96.7.19)(190403133533S)(0000006201*s)(180823085930S)(0000003169*s)"


def _nl_5_0(meter: Meter) -> Iterator[str]:
    yield from ("/TST5\\2SIM-5000", "")
    yield from _nl_head(meter, 50)
    for phase in ("32", "52", "72"):
        yield f"1-0:{phase}.32.0(00001)"
        yield f"1-0:{phase}.36.0(00000)"
    yield "0-0:96.13.0()"
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    gas = f"24.2.1({_tst(meter.now // 300 * 300)})({_kilo(meter.gas_l, 9)}*m3)"
    yield from _mbus(1, 3, "96.1.0", f"G00390{meter.serial}1", gas)


def _nl_4_2(meter: Meter) -> Iterator[str]:
    yield from ("/TST5SIM-4200", "")
    yield from _nl_head(meter, 42)
    yield from ("1-0:32.32.0(00000)", "1-0:32.36.0(00000)", "0-0:96.13.1()", "0-0:96.13.0()")
    yield f"1-0:31.7.0({abs(meter.net_w()) // 230:03d}*A)"
    yield f"1-0:21.7.0({_kilo(max(0, meter.net_w()), 6)}*kW)"
    yield f"1-0:22.7.0({_kilo(max(0, -meter.net_w()), 6)}*kW)"
    gas = f"24.2.1({_tst(meter.now // 3600 * 3600)})({_kilo(meter.gas_l, 9)}*m3)"
    yield from _mbus(1, 3, "96.1.0", f"G00280{meter.serial}1", gas)


def _nl_2_2(meter: Meter) -> Iterator[str]:
    yield from ("/TST5SIM-2200", "")
    yield f"0-0:96.1.1({_hex(f'E00010{meter.serial}1')})"
    yield from _registers(meter, 9)
    yield f"0-0:96.14.0({meter.tariff:04d})"
    yield f"1-0:1.7.0({max(0, meter.net_w()) / 1000:07.2f}*kW)"
    yield f"1-0:2.7.0({max(0, -meter.net_w()) / 1000:07.2f}*kW)"
    yield from ("0-0:17.0.0(0999.00*kW)", "0-0:96.3.10(1)", "0-0:96.13.1()", "0-0:96.13.0()")
    yield "0-1:24.1.0(3)"
    yield f"0-1:96.1.0({_hex(f'G00020{meter.serial}1')})"
    yield f"0-1:24.3.0({_tst(meter.now // 3600 * 3600)[:12]})(00)(60)(1)(0-1:24.2.1)(m3)"
    yield f"({_kilo(meter.gas_l, 9)})"
    yield "0-1:24.4.0(1)"


def _be(meter: Meter) -> Iterator[str]:
    yield from ("/FLU5\\TST_SIM", "")
    yield "0-0:96.1.4(50217)"
    yield f"0-0:96.1.1({_hex(f'1TST{meter.serial}')})"
    yield f"0-0:1.0.0({_tst(meter.now)})"
    yield from _registers(meter)
    yield f"0-0:96.14.0({3 - meter.tariff:04d})"  # Belgium: 1 is the day
    yield f"1-0:1.4.0({_kilo(meter.quarter_ws // max(1, meter.now % 900), 6)}*kW)"
    yield f"1-0:1.6.0({_tst(meter.peak_time)})({_kilo(meter.peak_w, 6)}*kW)"
    yield (
        "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230601000000S)(230522091500S)(04.329*kW)"
        "(230701000000S)(230619183000S)(05.102*kW)"
    )
    yield from _powers(meter)
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 / dv:06.2f}")
    yield from ("0-0:96.3.10(1)", "0-0:17.0.0(999.9*kW)", "1-0:31.4.0(999*A)", "0-0:96.13.0()")
    gas = f"24.2.3({_tst(meter.now // 300 * 300)})({_kilo(meter.gas_l, 9)}*m3)"
    yield from _mbus(1, 3, "96.1.1", f"7TST{meter.serial}", gas)
    water = f"24.2.1({_tst(meter.now // 300 * 300)})({_kilo(meter.gas_l // 9, 9)}*m3)"
    yield from _mbus(2, 7, "96.1.1", f"8TST{meter.serial}", water)


# Form → the lines of its telegram.
FORMS: Final[dict[str, Callable[[Meter], Iterator[str]]]] = {
    "nl-5.0": _nl_5_0,
    "nl-4.2": _nl_4_2,
    "nl-2.2": _nl_2_2,
    "be": _be,
}
