"""Lithuania: ESO."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import in_hex, phases, powers, reactive, registers, totals
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _lt(house: House) -> Iterator[str]:
    yield from ("/TST5\\SIM_LT", "", f"0-0:1.0.0({tst(house.now, standard=2)})")
    yield from totals(house, 10)
    yield from registers(house)
    yield from reactive(house)
    yield from powers(house)
    yield from phases(house, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    yield from ("1-0:14.7.0(50.0*Hz)", f"1-0:13.7.0({'-' if house.net_w() < 0 else ''}0.993)", "0-0:96.7.21(00039)")
    yield from (f"0-0:96.13.0({in_hex('Standard_3ph')})", f"0-0:96.1.1({in_hex(f'TST{house.serial}')})")


COUNTRY = Country(
    "Lithuania",
    "lt",
    (Meters("ESO", "real, document", Form("lt", _lt)),),
    "Europe/Vilnius",
    "to activate the P1 port",
    ("There are three profiles (standard, extended, maximum), with 16 to 96 values.",),
)
