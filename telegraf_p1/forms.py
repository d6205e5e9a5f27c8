"""The telegrams of the simulated meter: one function per national form, one yield per line.

Layouts: as in `definitions.py`, after the documents named there and field telegrams.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from telegraf_p1.timestamp import tst

if TYPE_CHECKING:
    from telegraf_p1.simulator import Meter

_PHASES: Final = (("2", "3"), ("4", "5"), ("6", "7"))  # the first digits of powers, and of voltages and currents


def _kilo(milli: int, width: int) -> str:
    return f"{milli / 1000:0{width}.3f}"


def _hex(text: str) -> str:
    return text.encode("ascii").hex().upper()


def _registers(meter: "Meter", width: int = 10) -> Iterator[str]:
    for direction, counters in (("1", meter.import_ws), ("2", meter.export_ws)):
        for number, watt_seconds in enumerate(counters, 1):
            yield f"1-0:{direction}.8.{number}({_kilo(watt_seconds // 3600, width)}*kWh)"


def _powers(meter: "Meter") -> Iterator[str]:
    yield f"1-0:1.7.0({_kilo(max(0, meter.net_w()), 6)}*kW)"
    yield f"1-0:2.7.0({_kilo(max(0, -meter.net_w()), 6)}*kW)"


def _phases(meter: "Meter", count: int, current: Callable[[int, int], str]) -> Iterator[str]:
    phases = _PHASES[:count]
    for (_, code), dv in zip(phases, meter.voltage_dv, strict=False):
        yield f"1-0:{code}2.7.0({dv / 10:05.1f}*V)"
    for (_, code), watt, dv in zip(phases, meter.power_w, meter.voltage_dv, strict=False):
        yield f"1-0:{code}1.7.0({current(abs(watt), dv)}*A)"
    for sign, last in ((1, "1"), (-1, "2")):
        for (code, _), watt in zip(phases, meter.power_w, strict=False):
            yield f"1-0:{code}{last}.7.0({_kilo(max(0, sign * watt), 6)}*kW)"


def _reactive(meter: "Meter") -> Iterator[str]:
    """Half a degree of phase for each W: some reactive power, steady in its direction."""
    yield f"1-0:3.8.0({_kilo(meter.import_ws[0] // 36000, 10)}*kvarh)"
    yield f"1-0:4.8.0({_kilo(meter.import_ws[1] // 18000, 10)}*kvarh)"
    yield f"1-0:3.7.0({_kilo(0, 6)}*kvar)"
    yield f"1-0:4.7.0({_kilo(abs(meter.net_w()) // 9, 6)}*kvar)"


def _totals(meter: "Meter", width: int, unit: str = "kWh") -> Iterator[str]:
    for direction, counters in (("1", meter.import_ws), ("2", meter.export_ws)):
        watt_hours = sum(counters) // 3600
        value = _kilo(watt_hours, width) if unit == "kWh" else f"{watt_hours:0{width}}"
        yield f"1-0:{direction}.8.0({value}*{unit})"


def _nordic(meter: "Meter", identification: str, time: str) -> Iterator[str]:
    """Sweden and Finland: 27 objects, no identifier (Swedish HAN recommendation, RJ12)."""
    yield from (identification, "", f"0-0:1.0.0({time})")
    yield from _totals(meter, 12)
    yield from (line.replace("kvar", "kVAr") for line in _reactive(meter))
    yield f"1-0:1.7.0({_kilo(max(0, meter.net_w()), 8)}*kW)"
    yield f"1-0:2.7.0({_kilo(max(0, -meter.net_w()), 8)}*kW)"
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 / dv:05.1f}")


def _mbus(channel: int, kind: int, id_code: str, meter_id: str, reading: str) -> Iterator[str]:
    yield f"0-{channel}:24.1.0({kind:03d})"
    yield f"0-{channel}:{id_code}({_hex(meter_id)})"
    yield f"0-{channel}:{reading}"


def _reading(code: str, meter: "Meter", period_s: int, times: int = 1) -> str:
    """The reading of an M-Bus meter that is read every period, and uses so many times less than the gas meter."""
    time = meter.now // period_s * period_s
    return f"{code}({tst(time)})({_kilo(meter.gas_l(time) // times, 9)}*m3)"


def _nl_head(meter: "Meter", version: int) -> Iterator[str]:
    yield f"1-3:0.2.8({version})"
    yield f"0-0:1.0.0({tst(meter.now)})"
    yield f"0-0:96.1.1({_hex(f'E00470{meter.serial}1')})"
    yield from _registers(meter)
    yield f"0-0:96.14.0({meter.tariff:04d})"
    yield from _powers(meter)
    yield from ("0-0:96.7.21(00004)", "0-0:96.7.9(00002)")
    yield "1-0:99.97.0(2)(0-0:96.7.19)(190403133533S)(0000006201*s)(180823085930S)(0000003169*s)"


def _nl_5_0(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5\\2SIM-5000", "")
    yield from _nl_head(meter, 50)
    for phase in ("32", "52", "72"):
        yield f"1-0:{phase}.32.0(00001)"
        yield f"1-0:{phase}.36.0(00000)"
    yield "0-0:96.13.0()"
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    gas = _reading("24.2.1", meter, 300)
    yield from _mbus(1, 3, "96.1.0", f"G00390{meter.serial}1", gas)


def _nl_4_2(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5SIM-4200", "")
    yield from _nl_head(meter, 42)
    yield from ("1-0:32.32.0(00000)", "1-0:32.36.0(00000)", "0-0:96.13.1()", "0-0:96.13.0()")
    yield f"1-0:31.7.0({abs(meter.net_w()) // 230:03d}*A)"
    yield f"1-0:21.7.0({_kilo(max(0, meter.net_w()), 6)}*kW)"
    yield f"1-0:22.7.0({_kilo(max(0, -meter.net_w()), 6)}*kW)"
    gas = _reading("24.2.1", meter, 3600)
    yield from _mbus(1, 3, "96.1.0", f"G00280{meter.serial}1", gas)


def _nl_2_2(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5SIM-2200", "")
    yield f"0-0:96.1.1({_hex(f'E00010{meter.serial}1')})"
    yield from _registers(meter, 9)
    yield f"0-0:96.14.0({meter.tariff:04d})"
    yield f"1-0:1.7.0({max(0, meter.net_w()) / 1000:07.2f}*kW)"
    yield f"1-0:2.7.0({max(0, -meter.net_w()) / 1000:07.2f}*kW)"
    yield from ("0-0:17.0.0(0999.00*kW)", "0-0:96.3.10(1)", "0-0:96.13.1()", "0-0:96.13.0()")
    yield "0-1:24.1.0(3)"
    yield f"0-1:96.1.0({_hex(f'G00020{meter.serial}1')})"
    yield f"0-1:24.3.0({tst(meter.now // 3600 * 3600)[:12]})(00)(60)(1)(0-1:24.2.1)(m3)"
    yield f"({_kilo(meter.gas_l(meter.now), 9)})"
    yield "0-1:24.4.0(1)"


def _be(meter: "Meter") -> Iterator[str]:
    yield from ("/FLU5\\TST_SIM", "")
    yield "0-0:96.1.4(50217)"
    yield f"0-0:96.1.1({_hex(f'1TST{meter.serial}')})"
    yield f"0-0:1.0.0({tst(meter.now)})"
    yield from _registers(meter)
    yield f"0-0:96.14.0({3 - meter.tariff:04d})"  # Belgium: 1 is the day
    yield f"1-0:1.4.0({_kilo(meter.quarter_ws // 900, 6)}*kW)"
    yield f"1-0:1.6.0({tst(meter.peak_time)})({_kilo(meter.peak_w, 6)}*kW)"
    yield (
        "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230601000000S)(230522091500S)(04.329*kW)"
        "(230701000000S)(230619183000S)(05.102*kW)"
    )
    yield from _powers(meter)
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 / dv:06.2f}")
    yield from ("0-0:96.3.10(1)", "0-0:17.0.0(999.9*kW)", "1-0:31.4.0(999*A)", "0-0:96.13.0()")
    gas = _reading("24.2.3", meter, 300)
    yield from _mbus(1, 3, "96.1.1", f"7TST{meter.serial}", gas)
    water = _reading("24.2.1", meter, 300, times=9)
    yield from _mbus(2, 7, "96.1.1", f"8TST{meter.serial}", water)


def _lu(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5\\SIM_LU", "", "1-3:0.2.8(42)", f"0-0:1.0.0({tst(meter.now)})")
    yield f"0-0:42.0.0({_hex(f'TST{meter.serial}')})"
    yield from _totals(meter, 10)
    yield from _reactive(meter)
    yield from _powers(meter)
    yield from ("0-0:17.0.0(027.6*kVA)", f"1-0:9.7.0({_kilo(abs(meter.net_w()), 6)}*kVA)", "1-1:31.4.0(040*A)(-040*A)")
    yield from ("0-0:96.3.10(1)", "0-1:96.3.10(0)", "0-2:96.3.10(0)", "0-0:96.7.21(00002)", "0-0:96.13.0()")
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    gas = _reading("24.2.1", meter, 3600)
    yield from _mbus(1, 3, "96.1.0", f"GTST{meter.serial}", gas)


def _se(meter: "Meter") -> Iterator[str]:
    time = datetime.fromtimestamp(meter.now, UTC) + timedelta(hours=1)  # normal time all year
    yield from _nordic(meter, "/TST5SIM-SE", f"{time:%y%m%d%H%M%S}W")


def _fi(meter: "Meter") -> Iterator[str]:
    yield from _nordic(meter, "/TST9 SIM-FI", tst(meter.now, standard=2))


def _lt(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5\\SIM_LT", "", f"0-0:1.0.0({tst(meter.now, standard=2)})")
    yield from _totals(meter, 10)
    yield from _registers(meter)
    yield from _reactive(meter)
    yield from _powers(meter)
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    yield from ("1-0:14.7.0(50.0*Hz)", f"1-0:13.7.0({'-' if meter.net_w() < 0 else ''}0.993)", "0-0:96.7.21(00039)")
    yield from (f"0-0:96.13.0({_hex('Standard_3ph')})", f"0-0:96.1.1({_hex(f'TST{meter.serial}')})")


def _hu(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5SIM-HU", "", f"0-0:1.0.0({tst(meter.now)})", f"0-0:42.0.0({_hex(f'TST{meter.serial}')})")
    yield from (f"0-0:96.1.0({meter.serial})", f"0-0:96.14.0(000{meter.tariff})", "0-0:96.50.68(ON)")
    yield "0-0:17.0.0(99.999*kW)"
    yield from _totals(meter, 10)
    yield from _registers(meter)
    for quadrant in "5678":
        yield f"1-0:{quadrant}.8.0({_kilo(meter.gas_l(meter.now) // int(quadrant), 10)}*kvarh)"
        yield f"1-0:{quadrant}.7.0(00.000*kvar)"
    yield from _phases(meter, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    yield from _powers(meter)
    yield from ("1-0:13.7.0(0.991)", "1-0:14.7.0(50.00*Hz)", "1-0:31.4.0(200.00*A)")
    yield from ("0-0:98.1.0(230701000000S)(000040.777*kWh)(000008.950*kWh)(000031.827*kWh)", "0-0:96.13.0()")


def _at(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5\\SIM_AT", "", "1-3:0.2.8(50)", f"0-0:1.0.0({tst(meter.now)})")
    yield from _totals(meter, 9, "Wh")
    for direction, counters in (("1", meter.import_ws), ("2", meter.export_ws)):
        for number, watt_seconds in enumerate(counters, 1):
            yield f"1-0:{direction}.8.{number}({watt_seconds // 3600:09}*Wh)"
    yield f"1-0:1.7.0({max(0, meter.net_w()):09}*W)"
    yield f"1-0:2.7.0({max(0, -meter.net_w()):09}*W)"
    yield f"1-0:4.7.0({abs(meter.net_w()) // 9:09}*var)"


def _ch(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5SIM-CH", "", "0-0:96.1.4(50213)", f"0-0:0.0.0({meter.serial:011})")
    yield from (f"0-0:96.1.2({_hex(' ' * 16)})", f"0-0:1.0.0({tst(meter.now)})")
    yield from (line.replace("1-0:", "1-1:") for line in (*_registers(meter), *_powers(meter)))
    yield f"0-0:96.14.0({meter.tariff:04d})"
    yield f"1-1:1.6.0({tst(meter.peak_time)})({_kilo(meter.peak_w, 6)}*kW)"
    yield from ("0-0:98.1.0(12)", "0-0:96.3.10(1)", "0-0:96.7.21(00003)", "0-0:96.13.0()")
    for (_, code), dv in zip(_PHASES, meter.voltage_dv, strict=True):
        yield f"1-0:{code}2.7.0({dv / 10:05.1f}*V)"


def _il(meter: "Meter") -> Iterator[str]:
    time = tst(meter.now, standard=2)
    yield from ("/TST5SIM-IL", "", "1-3:0.2.8(50)", f"0-0:1.0.0({time})", f"0-0:96.1.1({_hex(f'TST{meter.serial}')})")
    yield from (line.replace(".8.", ".8.1") for line in _registers(meter))
    yield f"0-0:96.14.1({meter.tariff:02d})"
    yield from _powers(meter)
    yield f"1-0:99.1.0(1)(0-0:96.10.7)(1-0:1.29.0)(1-0:2.29.0)({time})(00)(000000.205*kWh)(000000.000*kWh)"
    yield "0-0:96.13.0(plain text!)"


def _de(meter: "Meter") -> Iterator[str]:
    yield from ("/TST5SIM-Q3D V3.04", "", f"1-0:0.0.0*255({meter.serial:013})")
    for direction, counters in (("1", meter.import_ws), ("2", meter.export_ws)):
        yield f"1-0:{direction}.8.0*255({sum(counters) / 3.6e6:016.7f}*kWh)"
    for (code, _), watt in zip(_PHASES, meter.power_w, strict=True):
        yield f"1-0:{code}1.7.0*255({watt:09.2f}*W)"
    yield f"1-0:1.7.0*255({meter.net_w():09.2f}*W)"
    yield from ("1-0:96.5.5*255(80)", f"0-0:96.1.255*255(1TST{meter.serial})")


def _heat(meter: "Meter") -> Iterator[str]:
    time = tst(meter.now)
    yield from (
        "/NWA-SIM",
        "",
        "1-3:0.2.8(50)",
        f"0-0:1.0.0({time})",
        f"0-0:96.1.1(ADC3{meter.serial})",
        "0-0:96.13.0()",
    )
    yield from ("0-1:24.1.0(004)", f"0-1:96.1.0(6218{meter.serial:012})")
    yield f"0-1:24.2.1({time})({meter.gas_l(meter.now) / 30_000:.3f}*GJ)"


# Form → the lines of its telegram.
FORMS: Final[dict[str, Callable[["Meter"], Iterator[str]]]] = {
    "nl-5.0": _nl_5_0,
    "nl-4.2": _nl_4_2,
    "nl-2.2": _nl_2_2,
    "be": _be,
    "lu": _lu,
    "se": _se,
    "fi": _fi,
    "lt": _lt,
    "hu": _hu,
    "at": _at,
    "ch": _ch,
    "il": _il,
    "de": _de,
    "heat": _heat,
}
WITHOUT_CRC: Final = ("nl-2.2", "de")
