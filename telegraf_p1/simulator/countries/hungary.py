"""Hungary: E.ON, Sanxing, Holley."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import in_hex, kilo, phases, powers, registers, totals
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _hu(house: House) -> Iterator[str]:
    yield from ("/TST5SIM-HU", "", f"0-0:1.0.0({tst(house.now)})", f"0-0:42.0.0({in_hex(f'TST{house.serial}')})")
    yield from (f"0-0:96.1.0({house.serial})", f"0-0:96.14.0(000{house.tariff})", "0-0:96.50.68(ON)")
    yield "0-0:17.0.0(99.999*kW)"
    yield from totals(house, 10)
    yield from registers(house)
    for quadrant in "5678":
        yield f"1-0:{quadrant}.8.0({kilo(house.gas_l(house.now) // int(quadrant), 10)}*kvarh)"
        yield f"1-0:{quadrant}.7.0(00.000*kvar)"
    yield from phases(house, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    yield from powers(house)
    yield from ("1-0:13.7.0(0.991)", "1-0:14.7.0(50.00*Hz)", "1-0:31.4.0(200.00*A)")
    yield from ("0-0:98.1.0(230701000000S)(000040.777*kWh)(000008.950*kWh)(000031.827*kWh)", "0-0:96.13.0()")


COUNTRY = Country(
    "Hungary",
    "hu",
    (
        Meters("E.ON, Sanxing", "real", Form("hu", _hu), "10 s"),
        Meters("Holley", "made", crc="CRC-16/X-25", options="--crc x25"),
    ),
    notes=("The readings at the end of last month have their own fields.",),
)
