"""Definitions files: other names, tags, measurements and topics; and what is wrong with a wrong one."""

import os
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
from tests.helpers import pages
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
        ("row = 1", 1, "not one of: measurement"),
        ("x = 1", 1, "'x' is not one of"),
        ("only = 1", 1, "only (true)"),
        ("[[row]\nx", 1, "Expected"),
        ('[[row]]\nreference = "1-0:1.8.1"', 1, "either a field or a tag"),
        ('\n[[row]]\nfield = "a"', 2, "either a reference"),
        ('[[row]]\nfield = "a"\nreference = "1.8.1"', 3, "not an OBIS reference"),
        ('[[row]]\nfield = "a"\nreference = "1-0:99.8.1"', 3, "needs a type"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.8.1"\ntype = "text"', 4, "one of: float, integer, string"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.8.1"\nunit = "horses"', 4, "is unknown"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.8.1"\ntopic = "x/+"', 4, "cannot contain +, #"),
        ('[[row]]\nfield = "a"\nreference = "1-0:1.6.0"', 3, "write value = power_import_month_peak_kw, power"),
        ('[[row]]\nfield = "a"\nvalue = "gas_m4"', 3, "not a value of the table"),
        ('[[row]]\nfield = "a"\nvalue = "gas_m3"\nunit = "l"', 4, "already has a unit"),
        ('[[row]]\nfield = "time"\nvalue = "gas_m3"', 2, "'time'"),
        ('[[row]]\nfield = ""\nvalue = "gas_m3"', 2, "''"),
        ('[[row]]\nfield = "a"\nvalue = 3', 3, "text in quotes"),
        ('[[row]]\nfield = "a"\ncolor = "red"\nvalue = "gas_m3"', 3, "'color' is not one of"),
        ('[[row]]\nfield = "a"\nvalue = "gas_m3"\n[[row]]\nfield = "b"\nvalue = "gas_m3"', 6, "already has a row"),
        (
            '[[row]]\nfield = "a"\nvalue = "gas_m3"\n[[row]]\nfield = "a"\nvalue = "tariff"',
            5,
            "one of the two would be lost",
        ),
        ('[time]\ngas = "gas_m3"', 2, "_timestamp"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_reason(tmp_path: Path, text: str, line: int, reason: str) -> None:
    with pytest.raises(ValueError, match=r"my\.toml") as caught:
        written(tmp_path, text)
    message = str(caught.value)
    assert reason in message
    assert f"line {line}" in message


def row(about: str, name: str, *more: str) -> str:
    """Give a row: what it is about, a value or a reference, and its field's name."""
    key = "reference" if ":" in about else "value"
    return "\n".join(("[[row]]", f'{key} = "{about}"', f'field = "{name}"', *more, ""))


POWER, ADDED = "1-0:1.7.0", 'type = "float"'
AWAY = row("gas_m3", "gas")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        # a second row for one reference or value
        (row(POWER, "a") + row(POWER, "b"), 5, "1-0:1.7.0 already has a row"),
        (row(POWER, "a") + row(f"{POWER}*255", "b"), 5, "1-0:1.7.0 already has a row"),
        (row(POWER, "a") + row(POWER.replace("7.0", "7:0"), "b"), 5, "1-0:1.7.0 already has a row"),
        (row(POWER, "a") + row("power_import_kw", "b"), 5, "already uses 'power_import_kw', by its reference"),
        (row("power_import_kw", "b") + row(POWER, "a"), 5, "already uses 'power_import_kw', by its name"),
        # a name or a topic that another value has
        (row(POWER, "gas_m3"), 3, "'gas_m3' is the name of another value"),
        (row(POWER, "message"), 3, "'message' is the name of another value"),
        (row(POWER, "water_2_m3"), 3, "'water_2_m3' is the name of another value"),
        (row("gas_m3", "meter"), 3, "'meter' is the name of another value"),
        (row("gas_m3", "topic"), 3, "'topic' is the name of another value"),
        (row(POWER, "gas_m3").replace("field", "tag"), 3, "'gas_m3' is the name of another value"),
        (row("0-7:99.99.1", "power_import_kw", ADDED), 3, "'power_import_kw' is the name of another value"),
        (row(POWER, "gas_m3") + row("gas_m3", "gas_m3"), 6, "already the name of a row above"),
        (row(POWER, "a") + row("1-0:2.7.0", "a"), 6, "already the name of a row above"),
        (row(POWER, "a", 'topic = "/gas_m3"'), 4, "'gas_m3' is the topic of another value"),
        (row(POWER, "a", 'topic = "x/y"') + row("1-0:2.7.0", "b", 'topic = "/x/y"'), 8, "topic of a row above"),
        (row(POWER, "power_import_kw", 'unit = "W"'), 4, "'power_import_kw' has the unit kW"),
        # what other values need
        *((row(time, "a", 'type = "string"'), 2, "the time of the record") for time in ("0-0:1.0.0", "0-0:1.1.0")),
        *((row(f"{a}-0:0.9.{e}", "a", ADDED), 2, "the time of the record") for a in (0, 1) for e in (1, 2)),
        (row("0-1:24.1.0", "a", 'type = "integer"'), 2, "what an M-Bus meter measures"),
        (row("0-1:96.1.0", "a", 'type = "string"'), 2, "value = gas_meter_id"),
        (row("0-2:24.2.1", "a", ADDED), 2, "value = gas_m3, gas_timestamp"),
        # what would never come
        (row("999-0:1.7.0", "a", ADDED), 2, "not an OBIS reference"),
        (row("1-n:1.7.0", "a", ADDED), 2, "not an OBIS reference"),
        (row("\u0661-0:1.7.0", "a", ADDED), 2, "not an OBIS reference"),
        (row("0-0:96.7.19", "a"), 2, "needs a type"),
        (row(POWER, "a", 'unit = "V"'), 4, "does not fit 1-0:1.7.0"),
        ("only = true", 1, "no row gives a field"),
        (f"only = true\n{AWAY.replace('field', 'tag')}", 1, "no row gives a field"),
        (f'{AWAY}[time]\ngas = "gas_timestamp"', 5, "no row uses the measurement 'gas'"),
        # topics that no broker takes
        *((row(POWER, "a", f'topic = "{topic}"'), 4, "a topic ") for topic in ("", "a\\nb", "\\u0000", "\uffff", "#")),
        (row(POWER, "a", f'topic = "{"€" * 21_846}"'), 4, "65535 bytes"),
        # where the line is
        (
            f'# \u2028\n[[ "row" ]]\nvalue = "tariff"\nfield = "a"\n{row("nothing", "b")}',
            6,
            "'nothing' is not a value",
        ),
    ],
)
def test_a_row_that_would_change_what_another_value_means_is_refused(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    with pytest.raises(ValueError, match=rf"my\.toml, line {line}: ") as caught:
        written(tmp_path, text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (row(POWER, "power_import_kw", 'topic = "power_import_kw"'), "power_import_kw=0.519"),
        (row(f"{POWER}*255", "power_w", 'unit = "W"'), "power_w=519"),
        (
            row(POWER, "power_export_kw") + row("1-0:2.7.0", "power_import_kw"),
            "power_export_kw=0.519 power_import_kw=0.001",
        ),
        (
            row("power_import_kw", "power_export_kw") + row("power_export_kw", "power_import_kw"),
            "power_export_kw=0.519",
        ),
        (row(POWER, "gas_m3") + AWAY, "gas_m3=0.519 gas=1.000"),
        (row(POWER, "gas_m3") + row("gas_m3", "gas_m3", 'measurement = "g"'), "gas_m3=0.519"),
        (f"only = true\n{row(POWER, 'gas_m3')}", "gas_m3=0.519"),
        (row("0-7:99.99.1", "energy_import_kwh", ADDED, 'unit = "kWh"'), "energy_import_kwh=1.500"),
        (row("0-0:96.1.1", "model") + row("meter", "serial"), 'model="AB1" serial="12345678"'),
        (f"\ufeff{row(POWER, 'a')}", "a=0.519"),
    ],
)
def test_a_name_of_the_table_is_free_when_its_value_has_another(tmp_path: Path, text: str, fields: str) -> None:
    telegram = b"/TST5\r\n\r\n0-0:1.0.0(231114221320W)\r\n1-0:1.7.0(00.519*kW)\r\n1-0:2.7.0(00.001*kW)\r\n"
    telegram += b"0-7:99.99.1(1500*Wh)\r\n0-0:96.1.1(AB1)\r\n0-0:96.1.0(12345678)\r\n1-0:1.8.0(9.000*kWh)\r\n"
    telegram += b"0-1:24.1.0(003)\r\n0-1:24.2.1(231114220000W)(00001.000*m3)\r\n!\r\n"
    line, *_ = lines(written(tmp_path, text), telegram)
    found = line.rpartition(" ")[0].partition(" ")[2].split(",")
    assert set(fields.split()) <= set(found)
    names = [field.partition("=")[0] for field in found]
    assert len(names) == len(set(names))
    assert line.endswith(" 1699996400000000000")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"row = " + b"[" * 5000 + b"]" * 5000, "brackets"),
        (b"row = " + b"[{a=" * 5000 + b"1" + b"}]" * 5000, "brackets"),
        (b"a." * 100_000 + b"b = 1", "line 1: a key can have at most 100 dots"),
        (b"#" * 1024 * 1024 + b"\n", "at most 1 MiB"),
        (b"\n# \xfc", "line 2: save the file as UTF-8"),
        ("only = true".encode("utf-16"), "line 1: save the file as UTF-8"),
        (b"measurement = " + b"9" * 5000, "digits"),
    ],
)
def test_a_file_that_is_no_definitions_file_is_refused(tmp_path: Path, text: bytes, reason: str) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"my\.toml: ") as caught:
        load(str(path), "p1")
    assert reason in str(caught.value)


@pytest.mark.parametrize("kind", ["device", "directory", "fifo", "memory"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    path = {"device": "/dev/zero", "directory": str(tmp_path), "memory": "/proc/self/mem"}.get(
        kind, f"{tmp_path}/{kind}"
    )
    with pytest.raises(ValueError, match="Input/output error" if kind == "memory" else "must be a regular file"):
        load(path, "p1")


def test_the_example_of_the_documentation_is_a_definitions_file(tmp_path: Path) -> None:
    example = pages.block("publish.md", "toml", holding="[[row]]")
    assert lines(written(tmp_path, example), Meter().telegram(START))[0].startswith("electricity power_w=")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"no\.toml: No such file"):
        load("/no/no.toml", "p1")
