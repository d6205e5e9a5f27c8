"""The lines that telegrams of several countries share.

Their layouts follow the documents that `obis/table.py` names, and telegrams of real meters.
"""

from collections.abc import Callable, Iterator
from typing import Final

from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst

PHASES: Final = (("2", "3"), ("4", "5"), ("6", "7"))  # first digits: of powers, and of voltages and currents


def kilo(milli: int, width: int) -> str:
    """Write a number of thousandths with three decimals."""
    return f"{milli / 1000:0{width}.3f}"


def in_hex(text: str) -> str:
    """Write a text in hex, as many meters do."""
    return text.encode("ascii").hex().upper()


def registers(house: House, width: int = 10) -> Iterator[str]:
    """Energy per tariff: 1.8.1 and so on."""
    for direction, counters in (("1", house.import_ws), ("2", house.export_ws)):
        for number, watt_seconds in enumerate(counters, 1):
            yield f"1-0:{direction}.8.{number}({kilo(watt_seconds // 3600, width)}*kWh)"


def powers(house: House) -> Iterator[str]:
    """Import and export, sum of the phases."""
    yield f"1-0:1.7.0({kilo(max(0, house.net_w()), 6)}*kW)"
    yield f"1-0:2.7.0({kilo(max(0, -house.net_w()), 6)}*kW)"


def phases(house: House, count: int, current: Callable[[int, int], str]) -> Iterator[str]:
    """Voltages, currents and powers of the first phases; `current` writes the A for W and tenths of a V."""
    chosen = PHASES[:count]
    for (_, code), dv in zip(chosen, house.voltage_dv, strict=False):
        yield f"1-0:{code}2.7.0({dv / 10:05.1f}*V)"
    for (_, code), watt, dv in zip(chosen, house.power_w, house.voltage_dv, strict=False):
        yield f"1-0:{code}1.7.0({current(abs(watt), dv)}*A)"
    for sign, last in ((1, "1"), (-1, "2")):
        for (code, _), watt in zip(chosen, house.power_w, strict=False):
            yield f"1-0:{code}{last}.7.0({kilo(max(0, sign * watt), 6)}*kW)"


def reactive(house: House) -> Iterator[str]:
    """Some reactive energy and power, in proportion to the active ones, always in the same direction."""
    yield f"1-0:3.8.0({kilo(house.import_ws[0] // 36000, 10)}*kvarh)"
    yield f"1-0:4.8.0({kilo(house.import_ws[1] // 18000, 10)}*kvarh)"
    yield f"1-0:3.7.0({kilo(0, 6)}*kvar)"
    yield f"1-0:4.7.0({kilo(abs(house.net_w()) // 9, 6)}*kvar)"


def totals(house: House, width: int, unit: str = "kWh") -> Iterator[str]:
    """Energy of all tariffs."""
    for direction, counters in (("1", house.import_ws), ("2", house.export_ws)):
        watt_hours = sum(counters) // 3600
        value = kilo(watt_hours, width) if unit == "kWh" else f"{watt_hours:0{width}}"
        yield f"1-0:{direction}.8.0({value}*{unit})"


def nordic(house: House, identification: str, time: str) -> Iterator[str]:
    """Sweden and Finland: 27 objects, no identifier (Swedish HAN recommendation, RJ12)."""
    yield from (identification, "", f"0-0:1.0.0({time})")
    yield from totals(house, 12)
    yield from (line.replace("kvar", "kVAr") for line in reactive(house))
    yield f"1-0:1.7.0({kilo(max(0, house.net_w()), 8)}*kW)"
    yield f"1-0:2.7.0({kilo(max(0, -house.net_w()), 8)}*kW)"
    yield from phases(house, 3, lambda watt, dv: f"{watt * 10 / dv:05.1f}")


def mbus(channel: int, kind: int, id_code: str, meter_id: str, reading: str) -> Iterator[str]:
    """A meter on an M-Bus channel: its type, identifier and reading."""
    yield f"0-{channel}:24.1.0({kind:03d})"
    yield f"0-{channel}:{id_code}({in_hex(meter_id)})"
    yield f"0-{channel}:{reading}"


def mbus_reading(code: str, now: int, period_s: int, litres: Callable[[int], int]) -> str:
    """The reading of an M-Bus meter that is read once per period; `litres` returns what it shows at a time."""
    time = now // period_s * period_s
    return f"{code}({tst(time)})({kilo(litres(time), 9)}*m3)"
