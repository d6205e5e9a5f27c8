"""Austria: Graz and Burgenland, encrypted."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import totals
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _at(house: House) -> Iterator[str]:
    yield from ("/TST5\\SIM_AT", "", "1-3:0.2.8(50)", f"0-0:1.0.0({tst(house.now)})")
    yield from totals(house, 9, "Wh")
    for direction, counters in (("1", house.import_ws), ("2", house.export_ws)):
        for number, watt_seconds in enumerate(counters, 1):
            yield f"1-0:{direction}.8.{number}({watt_seconds // 3600:09}*Wh)"
    yield f"1-0:1.7.0({max(0, house.net_w()):09}*W)"
    yield f"1-0:2.7.0({max(0, -house.net_w()):09}*W)"
    yield f"1-0:4.7.0({abs(house.net_w()) // 9:09}*var)"


COUNTRY = Country(
    "Austria",
    "at",
    (
        Meters(
            "Sagemcom T210-D, L+G E360",
            "real",
            Form("at", _at, has_identifier=False),
            encrypted="`P1_DECRYPTION_KEY`, `P1_AUTHENTICATION_KEY`",
            note="the simulated meter encrypts with `&encrypted=yes`",
        ),
    ),
    ask="to activate the port, and for both keys: GUEK (decryption) and GAK (authentication)",
    notes=(
        "Meters in Graz (Energienetze Steiermark) and Burgenland are supported. Most others send M-Bus or HDLC.",
        "The meter sends Wh and W. Fields are in kWh and kW, as for all meters.",
    ),
)
