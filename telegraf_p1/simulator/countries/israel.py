"""Israel."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import in_hex, powers, registers
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _il(house: House) -> Iterator[str]:
    time = tst(house.now, standard=2)
    yield from ("/TST5SIM-IL", "", "1-3:0.2.8(50)", f"0-0:1.0.0({time})", f"0-0:96.1.1({in_hex(f'TST{house.serial}')})")
    yield from (line.replace(".8.", ".8.1") for line in registers(house))
    yield f"0-0:96.14.1({house.tariff:02d})"
    yield from powers(house)
    yield f"1-0:99.1.0(1)(0-0:96.10.7)(1-0:1.29.0)(1-0:2.29.0)({time})(00)(000000.205*kWh)(000000.000*kWh)"
    yield "0-0:96.13.0(plain text!)"


COUNTRY = Country("Israel", "il", (Meters("P1", "made", Form("il", _il)),), "Asia/Jerusalem")
