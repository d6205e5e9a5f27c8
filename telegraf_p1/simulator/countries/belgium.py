"""Belgium: e-MUCS, in Flanders and Wallonia."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import in_hex, kilo, mbus, mbus_reading, phases, powers, registers
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _be(house: House) -> Iterator[str]:
    yield from ("/FLU5\\TST_SIM", "")
    yield "0-0:96.1.4(50217)"
    yield f"0-0:96.1.1({in_hex(f'1TST{house.serial}')})"
    yield f"0-0:1.0.0({tst(house.now)})"
    yield from registers(house)
    yield f"0-0:96.14.0({3 - house.tariff:04d})"  # Belgium: 1 is the day
    yield f"1-0:1.4.0({kilo(house.quarter_ws // 900, 6)}*kW)"
    yield f"1-0:1.6.0({tst(house.peak_time)})({kilo(house.peak_w, 6)}*kW)"
    months = _month(house.now, 1, "22091500", "04.329") + _month(house.now, 0, "19183000", "05.102")
    yield f"0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0){months}"
    yield from powers(house)
    yield from phases(house, 3, lambda watt, dv: f"{watt * 10 / dv:06.2f}")
    yield from ("0-0:96.3.10(1)", "0-0:17.0.0(999.9*kW)", "1-0:31.4.0(999*A)", "0-0:96.13.0()")
    gas = mbus_reading("24.2.3", house, 300)
    yield from mbus(1, 3, "96.1.1", f"7TST{house.serial}", gas)
    water = mbus_reading("24.2.1", house, 300, times=9)
    yield from mbus(2, 7, "96.1.1", f"8TST{house.serial}", water)


def _month(now: int, ago: int, day_and_time: str, peak: str) -> str:
    """Give the entry of a month, the last one or so many before it: its end, and its peak with its time."""
    text = tst(now)
    end = (2000 + int(text[:2])) * 12 + int(text[2:4]) - 1 - ago
    ends, peaks = (f"{month // 12 % 100:02d}{month % 12 + 1:02d}" for month in (end, end - 1))
    letters = ["S" if "04" <= month[2:] <= "10" else "W" for month in (ends, peaks)]
    return f"({ends}01000000{letters[0]})({peaks}{day_and_time}{letters[1]})({peak}*kW)"


COUNTRY = Country(
    "Belgium",
    "be",
    (
        Meters("e-MUCS 1.3 to 2.1 (Flanders, Wallonia)", "real, document", Form("be", _be), "tariff 1 is the day"),
        Meters("Iskra IE (Wallonia)", "real", note="time without S or W"),
    ),
)
