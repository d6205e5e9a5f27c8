"""Definitions files: other names, tags, measurements and topics; and what is wrong with a wrong one."""

from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.decode import Memory, decode
from telegraf_p1.framer import Framer
from telegraf_p1.outputs.definitions_file import load
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.helpers.mosquitto import blocks
from tests.helpers.telegrams import RECEIVED_NS, ROOT, START

METERTREKKER = ROOT / "examples" / "metertrekker.toml"


def lines(mapping: Mapping, data: bytes) -> list[str]:
    framer = Framer()
    return [
        lineproto.line(part, measurement)
        for frame in framer.feed(data) + framer.flush()
        for measurement, part in mapping.records(
            decode(parse(frame.data), RECEIVED_NS, Memory(Zone()), rows=mapping.rows)
        )
    ]


def topics(mapping: Mapping, data: bytes) -> dict[str, str]:
    (frame,) = Framer().feed(data)
    return dict(mapping.topics(decode(parse(frame.data), RECEIVED_NS, Memory(Zone()), rows=mapping.rows)))


def written(folder: Path, text: str) -> Mapping:
    path = folder / "my.toml"
    path.write_text(text)
    return load(str(path), "p1")


def test_metertrekker_has_its_columns_and_topics_back() -> None:
    mapping = load(str(METERTREKKER), "p1")
    golden = (ROOT / "tests" / "golden" / "nl-5.0-three-phases.telegram").read_bytes()
    electricity, gas = lines(mapping, golden)
    assert electricity.startswith("electricity,meter_sn=E0047000012345615 delivered_low=57.460,delivered_high=12")
    assert ",tariff=2,P_total=0.519,P_total_redelivery=0.000,failures=4,long_failures=2,message=" in electricity
    assert ",P_L2=0.100,P_L2_redelivery=0.000,V_L2=231.5,I_L2=0,L2_sags=6,L2_swells=2," in electricity
    assert gas == "gas,gas_meter_sn=G0039000012345617 gas_reading=4.380 1709247300000000000"
    found = topics(mapping, golden)
    assert found["/energy/mains/reading/delivered/low"] == "57.460"
    assert found["/energy/gas/reading"] == "4.380"
    assert found["/energy/mains/report/voltage_sags/L3"] == "7"
    assert len(found) == 29


def test_gas_is_written_when_its_own_time_has_moved_on() -> None:
    mapping = load(str(METERTREKKER), "p1")
    meter = Meter()
    found = [line for now in range(START, START + 900, 60) for line in lines(mapping, meter.telegram(now))]
    assert [line.partition(",")[0] for line in found].count("electricity") == 15
    assert [line.partition(",")[0] for line in found].count("gas") == 4  # the meter reads it each 5 minutes


def test_without_a_file_each_value_has_its_name_as_topic() -> None:
    mapping = Mapping("meters")
    telegram = Meter().telegram(START)
    (line,) = lines(mapping, telegram)
    assert line.startswith("meters,meter=")
    assert topics(mapping, telegram)["power_export_kw"]


def test_a_row_may_add_a_reference_change_a_unit_or_make_a_tag(tmp_path: Path) -> None:
    mapping = written(
        tmp_path,
        """
        [[row]]
        reference = "1-0:1.7.0"
        field = "power_w"
        unit = "W"
        [[row]]
        reference = "0-0:96.14.0"
        tag = "tariff"
        [[row]]
        reference = "0-7:99.99.1"
        field = "mine"
        type = "float"
        unit = "kWh"
        [[row]]
        value = "gas_m3"
        field = "gas"
        topic = "house/gas"
        """,
    )
    telegram = b"/TST5\r\n1-0:1.7.0(00.519*kW)\r\n0-0:96.14.0(0002)\r\n0-7:99.99.1(1500*Wh)\r\n"
    telegram += b"0-1:24.1.0(003)\r\n0-1:24.2.1(231114220000W)(00001.000*m3)\r\n1-0:2.7.0(00.001*kW)\r\n!\r\n"
    (line,) = lines(mapping, telegram)
    assert line.startswith("p1,tariff=2 ")
    for field in ("power_w=519", "mine=1.500", "gas=1.000", "power_export_kw=0.001"):
        assert f"{field}," in line.replace(" ", ",")
    assert topics(mapping, telegram)["house/gas"] == "1.000"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("row = 1", 1, "none of: measurement"),
        ("x = 1", 1, "'x' is none of"),
        ("only = 1", 1, "only (true)"),
        ("[[row]\nx", 1, "Expected"),
        ('[[row]]\nreference = "1-0:1.8.1"', 1, "either a field or a tag"),
        ('\n[[row]]\nfield = "a"', 2, "either a reference"),
        ('[[row]]\nfield = "a"\nreference = "1.8.1"', 3, "no OBIS reference"),
        ('[[row]]\nfield = "a"\nreference = "1-0:99.8.1"', 3, "needs a type"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.8.1"\ntype = "text"', 4, "one of: float, integer, string"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.8.1"\nunit = "horses"', 4, "not known"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.8.1"\ntopic = "x/+"', 4, "+ and #"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.6.0"', 3, "several values"),
        ('[[row]]\nfield = "a"\nvalue = "gas_m4"', 3, "no value of the table"),
        ('[[row]]\nfield = "a"\nvalue = "gas_m3"\nunit = "l"', 4, "has its unit already"),
        ('[[row]]\nfield = "time"\nvalue = "gas_m3"', 2, "'time'"),
        ('[[row]]\nfield = ""\nvalue = "gas_m3"', 2, "''"),
        ('[[row]]\nfield = "a"\nvalue = 3', 3, "text in quotes"),
        ('[[row]]\nfield = "a"\ncolor = "red"\nvalue = "gas_m3"', 3, "'color' is none of"),
        ('[[row]]\nfield = "a"\nvalue = "gas_m3"\n[[row]]\nfield = "b"\nvalue = "gas_m3"', 6, "has a place already"),
        ('[[row]]\nfield = "a"\nvalue = "gas_m3"\n[[row]]\nfield = "a"\nvalue = "tariff"', 5, "two types"),
        ('[time]\ngas = "gas_m3"', 2, "_timestamp"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_reason(tmp_path: Path, text: str, line: int, reason: str) -> None:
    with pytest.raises(ValueError, match=r"my\.toml") as caught:
        written(tmp_path, text)
    message = str(caught.value)
    assert reason in message
    assert f"line {line}" in message


def test_the_example_of_the_documentation_is_a_definitions_file(tmp_path: Path) -> None:
    (example,) = (block for block in blocks("toml") if "[[row]]" in block)
    assert lines(written(tmp_path, example), Meter().telegram(START))[0].startswith("electricity power_w=")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"no\.toml: No such file"):
        load("/no/no.toml", "p1")
