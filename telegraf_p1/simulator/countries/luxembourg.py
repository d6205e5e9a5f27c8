"""Luxembourg: Smarty, mostly encrypted."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import (
    in_hex,
    kilo,
    mbus,
    mbus_reading,
    phases,
    powers,
    reactive,
    totals,
)
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _lu(house: House) -> Iterator[str]:
    yield from ("/TST5\\SIM_LU", "", "1-3:0.2.8(42)", f"0-0:1.0.0({tst(house.now)})")
    yield f"0-0:42.0.0({in_hex(f'TST{house.serial}')})"
    yield from totals(house, 10)
    yield from reactive(house)
    yield from powers(house)
    yield from ("0-0:17.0.0(027.6*kVA)", f"1-0:9.7.0({kilo(abs(house.net_w()), 6)}*kVA)", "1-1:31.4.0(040*A)(-040*A)")
    yield from ("0-0:96.3.10(1)", "0-1:96.3.10(0)", "0-2:96.3.10(0)", "0-0:96.7.21(00002)", "0-0:96.13.0()")
    yield from phases(house, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    gas = mbus_reading("24.2.1", house.now, 3600, house.gas_l)
    yield from mbus(1, 3, "96.1.0", f"GTST{house.serial}", gas)


COUNTRY = Country(
    "Luxembourg",
    "lu",
    (
        Meters(
            "Smarty",
            "real, document",
            Form("lu", _lu),
            "10 s",
            encrypted="mostly: `P1_DECRYPTION_KEY`",
            note="the key is 32 hex digits; the simulated meter encrypts with `&encrypted=yes`",
        ),
    ),
    ask="for the decryption key of the P1 port",
    notes=("The meter sends totals and no tariffs.",),
)
