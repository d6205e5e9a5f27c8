"""The recipes in docs/devices and docs/coming-from: the program takes what they say, and knows their names."""

import csv
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from telegraf_p1.obis.lookup import DEFAULT
from telegraf_p1.outputs.definitions_file import load
from tests.helpers import pages, recipes
from tests.helpers.recipes import FOLDERS, PAGES, PROGRAM, inputs, mapping, names
from tests.helpers.telegrams import PACKAGE, ROOT

DEVICES, COMING_FROM = (sorted(folder.glob("*.md")) for folder in FOLDERS)
RECIPES = [page for page in DEVICES if page.name != "index.md"]
INDEX = FOLDERS[0] / "index.md"
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
ESPHOME = PACKAGE / "obis" / "other_names.csv"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT / "docs").with_suffix(""))


def ids(page: Path) -> str:
    return name_of(page)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_each_block_for_telegraf_has_what_the_readme_says(page: Path) -> None:
    blocks = pages.texts(f"{name_of(page)}.md", "toml")
    for told in (one for toml in blocks for one in inputs(toml)):
        rest = {key: value for key, value in told.items() if key != "command"}
        assert rest == {"signal": "none", "restart_delay": "10s", "data_format": "influx"}
        assert told["command"][:2] == [PROGRAM, "run"]
    assert blocks or page.name == "dsmr2mqtt.md"


@pytest.mark.parametrize("page", RECIPES, ids=ids)
def test_each_recipe_has_its_sections(page: Path) -> None:
    found = HEADING.findall(page.read_text())
    assert found[0] in ("What you need", "Which build")
    wanted = ["What you need", "Check it", "If it does not work", "Limits", "Sources"]
    assert [heading for heading in found if heading in wanted] == wanted


@pytest.mark.parametrize("page", COMING_FROM, ids=ids)
def test_each_page_of_another_project_has_its_sections(page: Path) -> None:
    wanted = ["Names", "Run both", "Copy the history", "Sources"]
    assert [heading for heading in HEADING.findall(page.read_text()) if heading in wanted] == wanted


@pytest.mark.parametrize("page", RECIPES, ids=ids)
def test_the_table_of_devices_leads_to_each_recipe(page: Path) -> None:
    assert re.search(rf"^\|.*\]\({page.name}(#[\w-]+)?\) \|$", INDEX.read_text(), re.MULTILINE)


def test_each_block_with_a_name_is_run_by_a_test() -> None:
    tests = "".join(
        (ROOT / "tests" / "integration" / name).read_text() for name in ("test_devices.py", "test_coming_from.py")
    )
    for page in PAGES:
        for name in names(name_of(page)):
            assert re.search(rf'"{name_of(page)}",\s+"{name}"', tests), f"{name_of(page)}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_each_block_for_telegraf_has_a_name(page: Path) -> None:
    # That of other TCP bridges differs from the one of ser2net in nothing but its address.
    unnamed = len(pages.texts(f"{name_of(page)}.md", "toml")) - sum(
        "[[inputs.execd]]" in recipes.block(name_of(page), name) for name in names(name_of(page))
    )
    assert unnamed == (1 if page == INDEX else 0)


@pytest.mark.parametrize("page", COMING_FROM, ids=ids)
def test_each_field_of_ours_that_a_page_names_is_in_the_table(page: Path) -> None:
    (table,) = (table for table in recipes.tables(name_of(page)) if table[0][0] == "field in `p1`")
    found = [field for row in table[1:] for field in re.findall(r"`(\w+)`", row[0])]
    assert len(found) > 15
    assert [field for field in found if not DEFAULT.field(field)] == []
    # What the commands write, in line protocol or by a table of names.
    written = set(re.findall(r"(?:AS |'|value: \"|, ')([a-z]\w+_(?:kwh|kw|v|a|m3|timestamp))\b", page.read_text()))
    assert len(written) > 4
    assert [field for field in written if not DEFAULT.field(field)] == []


def test_the_names_of_esphome_are_those_of_its_table() -> None:
    with ESPHOME.open() as file:
        by_reference = {row["reference"]: row["esphome"].split("|") for row in csv.DictReader(file)}
    known = {name: reference for reference, all_names in by_reference.items() for name in all_names if name}
    found = mapping("coming-from/home-assistant", 2)
    assert len(found) > 20
    for name, field in found.items():
        assert name in known, name
        row = DEFAULT.row(known[name])
        assert row, name
        ours = {one.name.replace("{medium}", "gas").replace("{unit}", "m3") for one in row.fields}
        assert field in ours, (name, field)


def test_the_names_of_the_dsmr_integration_are_those_of_dsmr_parser() -> None:
    """Home Assistant's keys are dsmr_parser's names in small letters, but for a few."""
    with ESPHOME.open() as file:
        known = {
            name.lower(): row["reference"] for row in csv.DictReader(file) for name in row["dsmr_parser"].split("|")
        }
    renamed = {"belgium_5min_gas_meter_reading": "mbus_meter_reading"}
    for name, field in mapping("coming-from/home-assistant", 1).items():
        if name in ("low", "normal"):
            continue
        row = DEFAULT.row(known[renamed.get(name, name)])
        assert row, name
        ours = {one.name.replace("{medium}", "gas").replace("{unit}", "m3") for one in row.fields}
        assert field in ours, (name, field)


def rows_of(file: str) -> list[dict[str, str]]:
    path = ROOT / "examples" / file
    assert load(str(path), "p1")
    settings = tomllib.loads(path.read_text())
    return [{"measurement": settings["measurement"], **row} for row in settings["row"]]


def our_field(row: dict[str, str]) -> str:
    """Give the name in the table of what a row of a definitions file is about."""
    if "value" in row:
        return row["value"]
    known = DEFAULT.row(row["reference"])
    assert known
    return known.fields[0].name


def test_the_columns_of_dsmr_reader_are_those_of_its_definitions_file_and_of_the_query() -> None:
    page = "coming-from/dsmr-reader"
    exported = mapping(page, 2)
    assert {f"{row['measurement']}.{row['field']}": our_field(row) for row in rows_of("dsmr-reader.toml")} == exported
    assert dict(re.findall(r'key: "([\w.]+)", value: "(\w+)"', recipes.text(page))) == exported
    columns = {name: field for name, field in mapping(page, 1).items() if "/" not in name and name != "timestamp"}
    in_sql = {
        name: field
        for field, name in re.findall(r"'(\w+)=' \|\| (?:extract\(epoch FROM )?(\w+)", recipes.block(page, "readings"))
    }
    assert in_sql == columns


def test_the_columns_and_topics_of_metertrekker_are_those_of_its_definitions_file() -> None:
    page = "coming-from/metertrekker"
    in_file = {row.get("field") or row["tag"]: row for row in rows_of("metertrekker.toml")}
    for name, field in mapping(page, 1).items():
        assert our_field(in_file[name]) == field
    topics = {row["topic"]: our_field(row) for row in in_file.values() if "topic" in row}
    assert mapping(page, 2) == topics


@pytest.mark.parametrize("project", ["metertrekker", "dsmr2mqtt"])
def test_both_queries_of_a_page_copy_what_its_table_says(project: str) -> None:
    page = f"coming-from/{project}"
    in_table = mapping(page, 1)
    in_influxql = re.findall(r"(\w+)(?: / 1000)? AS (\w+)", recipes.block(page, "copy-1"))
    in_flux = re.findall(r'key: "(\w+)", value: "(\w+)"', recipes.block(page, "copy-2"))
    assert sorted(in_influxql) == sorted(in_flux)
    assert len(in_flux) > 15
    assert [(name, field) for name, field in in_flux if in_table[name] != field] == []


def test_the_sensors_for_home_assistant_have_the_unit_of_their_field() -> None:
    sensors = yaml.safe_load(recipes.block("coming-from/home-assistant", "sensors"))["mqtt"]["sensor"]
    assert len({sensor["unique_id"] for sensor in sensors}) == len(sensors) == 7
    for sensor in sensors:
        field = DEFAULT.field(sensor["state_topic"].rpartition("/")[2])
        assert field
        assert sensor["unit_of_measurement"] == field.unit.replace("m3", "m³")
