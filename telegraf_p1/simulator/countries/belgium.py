"""Belgium: e-MUCS, in Flanders and Wallonia."""

from collections.abc import Iterator
from functools import lru_cache

from telegraf_p1.simulator.countries.common_lines import in_hex, kilo, mbus, mbus_reading, phases, powers, registers
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.demand import Peak
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _be(house: House) -> Iterator[str]:
    yield from ("/FLU5\\TST_SIM", "")
    yield "0-0:96.1.4(50217)"
    yield f"0-0:96.1.1({in_hex(f'1TST{house.serial}')})"
    yield f"0-0:1.0.0({tst(house.now)})"
    yield from registers(house)
    yield f"0-0:96.14.0({3 - house.tariff:04d})"  # in Belgium, tariff 1 is the day tariff
    yield f"1-0:1.4.0({kilo(house.demand.quarter_ws // 900, 6)}*kW)"
    yield f"1-0:1.6.0({tst(house.demand.peak_time)})({kilo(house.demand.peak_w, 6)}*kW)"
    months = [_month(peak) for peak in house.demand.months]
    yield f"0-0:98.1.0({len(months)})(1-0:1.6.0)(1-0:1.6.0){''.join(months)}"
    yield from powers(house)
    yield from phases(house, 3, lambda watt, dv: f"{watt * 10 / dv:06.2f}")
    yield from ("0-0:96.3.10(1)", "0-0:17.0.0(999.9*kW)", "1-0:31.4.0(999*A)", "0-0:96.13.0()")
    gas = mbus_reading("24.2.3", house.now, 300, house.gas_l)
    yield from mbus(1, 3, "96.1.1", f"7TST{house.serial}", gas)
    water = mbus_reading("24.2.1", house.now, 300, house.water_l)
    yield from mbus(2, 7, "96.1.1", f"8TST{house.serial}", water)


@lru_cache(256)
def _month(peak: Peak) -> str:
    """Return the entry of a past month: its end, and its peak with the time of the peak."""
    return f"({tst(peak.month_end)})({tst(peak.time)})({kilo(peak.watt, 6)}*kW)"


COUNTRY = Country(
    "Belgium",
    "be",
    (
        Meters("e-MUCS 1.3 to 2.1 (Flanders, Wallonia)", "real, document", Form("be", _be), "1 s"),
        Meters(
            "Iskra IE (Wallonia)",
            "real",
            note="`--crc off` if the CRC is wrong; timestamps do not tell summer time: one hour a year is ambiguous",
        ),
    ),
    ask="to activate the P1 port (user port): Fluvius in Flanders, ORES or RESA in Wallonia, Sibelga in Brussels",
    notes=(
        "Tariff 1 is the day tariff, 2 the night tariff: the opposite of the Netherlands.",
        "The [settings](dashboards.md#settings) of the dashboards have the names of the tariffs.",
        "e-MUCS 1.7 and later: quarter-hour demand and monthly peaks (capacity tariff), by the meter's own clock.",
        "Gas and water meters give `gas_m3` and `water_m3`. `telegraf-p1 check` shows those in the telegram.",
        "If your digital water meter is missing there, the telegram has no line `0-n:24.2.1` for it.",
        "Then ask your water company or grid company whether it is linked to the electricity meter.",
    ),
)
