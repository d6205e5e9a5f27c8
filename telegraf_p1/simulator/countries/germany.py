"""Germany: EasyMeter and eBZ."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import PHASES
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House


def _de(house: House) -> Iterator[str]:
    yield from ("/TST5SIM-Q3D V3.04", "", f"1-0:0.0.0*255({house.serial:013})")
    for direction, counters in (("1", house.import_ws), ("2", house.export_ws)):
        yield f"1-0:{direction}.8.0*255({sum(counters) / 3.6e6:016.7f}*kWh)"
    for (code, _), watt in zip(PHASES, house.power_w, strict=True):
        yield f"1-0:{code}1.7.0*255({watt:09.2f}*W)"
    yield f"1-0:1.7.0*255({house.net_w():09.2f}*W)"
    yield from ("1-0:96.5.5*255(80)", f"0-0:96.1.255*255(1TST{house.serial})")


COUNTRY = Country(
    "Germany",
    "de",
    (
        Meters(
            "EasyMeter Q3D, eBZ, Logarex",
            "real",
            Form("de", _de, has_crc=False, has_time=False),
            "1 s",
            "9600 7E1 or 8N1",
            "no",
            note="no timestamp: records have the time of this computer",
        ),
    ),
    notes=(
        "Some meters send net power. The plugin writes it to the fields for import and export.",
        "Meters that send SML are not supported. For optical ports with IEC 62056-21, see [P0](optical.md).",
    ),
)
