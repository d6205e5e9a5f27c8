"""The Netherlands: DSMR 2.2 to 5.0, and heat meters."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import in_hex, kilo, mbus, mbus_reading, phases, powers, registers
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _nl_head(house: House, version: int) -> Iterator[str]:
    yield f"1-3:0.2.8({version})"
    yield f"0-0:1.0.0({tst(house.now)})"
    yield f"0-0:96.1.1({in_hex(f'E00470{house.serial}1')})"
    yield from registers(house)
    yield f"0-0:96.14.0({house.tariff:04d})"
    yield from powers(house)
    yield from ("0-0:96.7.21(00004)", "0-0:96.7.9(00002)")
    yield "1-0:99.97.0(2)(0-0:96.7.19)(190403133533S)(0000006201*s)(180823085930S)(0000003169*s)"


def _nl_5_0(house: House) -> Iterator[str]:
    yield from ("/TST5\\2SIM-5000", "")
    yield from _nl_head(house, 50)
    for phase in ("32", "52", "72"):
        yield f"1-0:{phase}.32.0(00001)"
        yield f"1-0:{phase}.36.0(00000)"
    yield "0-0:96.13.0()"
    yield from phases(house, 3, lambda watt, dv: f"{watt * 10 // dv:03d}")
    gas = mbus_reading("24.2.1", house.now, 300, house.gas_l)
    yield from mbus(1, 3, "96.1.0", f"G00390{house.serial}1", gas)


def _nl_4_2(house: House) -> Iterator[str]:
    yield from ("/TST5SIM-4200", "")
    yield from _nl_head(house, 42)
    yield from ("1-0:32.32.0(00000)", "1-0:32.36.0(00000)", "0-0:96.13.1()", "0-0:96.13.0()")
    yield f"1-0:31.7.0({abs(house.net_w()) // 230:03d}*A)"
    yield f"1-0:21.7.0({kilo(max(0, house.net_w()), 6)}*kW)"
    yield f"1-0:22.7.0({kilo(max(0, -house.net_w()), 6)}*kW)"
    gas = mbus_reading("24.2.1", house.now, 3600, house.gas_l)
    yield from mbus(1, 3, "96.1.0", f"G00280{house.serial}1", gas)


def _nl_2_2(house: House) -> Iterator[str]:
    yield from ("/TST5SIM-2200", "")
    yield f"0-0:96.1.1({in_hex(f'E00010{house.serial}1')})"
    yield from registers(house, 9)
    yield f"0-0:96.14.0({house.tariff:04d})"
    yield f"1-0:1.7.0({max(0, house.net_w()) / 1000:07.2f}*kW)"
    yield f"1-0:2.7.0({max(0, -house.net_w()) / 1000:07.2f}*kW)"
    yield from ("0-0:17.0.0(0999.00*kW)", "0-0:96.3.10(1)", "0-0:96.13.1()", "0-0:96.13.0()")
    yield "0-1:24.1.0(3)"
    yield f"0-1:96.1.0({in_hex(f'G00020{house.serial}1')})"
    yield f"0-1:24.3.0({tst(house.now // 3600 * 3600)[:12]})(00)(60)(1)(0-1:24.2.1)(m3)"
    yield f"({kilo(house.gas_l(house.now), 9)})"
    yield "0-1:24.4.0(1)"


def _heat(house: House) -> Iterator[str]:
    time = tst(house.now)
    yield from (
        "/NWA-SIM",
        "",
        "1-3:0.2.8(50)",
        f"0-0:1.0.0({time})",
        f"0-0:96.1.1(ADC3{house.serial})",
        "0-0:96.13.0()",
    )
    yield from ("0-1:24.1.0(004)", f"0-1:96.1.0(6218{house.serial:012})")
    yield f"0-1:24.2.1({time})({house.gas_l(house.now) / 30_000:.3f}*GJ)"


COUNTRY = Country(
    "Netherlands",
    "nl",
    (
        Meters("DSMR 5.0, ESMR 5", "real, document", Form("nl-5.0", _nl_5_0), "1 s"),
        Meters("DSMR 4.0, 4.2", "real, document", Form("nl-4.2", _nl_4_2), "10 s"),
        Meters(
            "DSMR 2.2, 3.0",
            "real, document",
            Form("nl-2.2", _nl_2_2, has_crc=False, has_time=False),
            "10 s",
            "9600 7E1",
            "no",
            note="no timestamp: records have the time of this computer",
        ),
        Meters(
            "Warmtelink (district heating) and other heat meters",
            "real",
            Form("heat", _heat),
            note="heat only, no electricity",
        ),
    ),
    notes=(
        "Tariff 1 is the low tariff (night, weekend).",
        "DSMR meters usually send the energy of each tariff, but no total: add both tariffs.",
        "The gas reading is updated every 5 minutes (DSMR 5) or every hour (DSMR 4).",
        "A replaced gas meter can leave an old reading. The plugin uses the [new meter's](records.md#names).",
    ),
)
