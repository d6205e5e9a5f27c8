"""The table keeps its promises: one field, one type, one unit."""

import csv
import re
from collections import defaultdict

import pytest
from support import HERE, SHARED

from telegraf_p1 import definitions as d
from telegraf_p1.fields import markdown, table, type_of, unit_of

FIELDS = [(field, row) for row in d.ROWS if row.field for field in row.field.split(" | ")]
UNIT_OF_ENDING = {
    "kwh": "kWh", "kvarh": "kvarh", "kw": "kW", "kvar": "kvar", "kva": "kVA",
    "v": "V", "a": "A", "hz": "Hz", "m3": "m3", "gj": "GJ",
}  # fmt: skip


def test_references_are_unique_and_spelled_one_way() -> None:
    references = [row.reference for row in d.ROWS]
    assert len(set(references)) == len(references)
    for reference in references:
        assert reference == "/" or re.fullmatch(r"\d-(\d|n):\d+\.\d+\.\d+", reference)


def test_a_field_has_one_type_and_one_unit() -> None:
    seen = defaultdict(set)
    for field, row in FIELDS:
        seen[field].add((type_of(field, row.kind), unit_of(field, row)))
    assert [field for field, kinds in seen.items() if len(kinds) > 1] == []


def test_the_name_of_a_field_ends_in_its_unit() -> None:
    for field, row in FIELDS:
        ending = field.rpartition("_")[2]
        if type_of(field, row.kind) == "float" and row.unit and ending not in ("timestamp", "months"):
            assert UNIT_OF_ENDING[ending] == unit_of(field, row), field


def test_the_table_for_people_names_every_field() -> None:
    assert {field for field, _ in FIELDS} == {line.split()[0] for line in table().splitlines()[1:]}


def test_the_page_for_people_is_up_to_date() -> None:
    page = HERE.parent / "docs" / "fields.md"
    assert page.read_text() == markdown(), "run: .venv/bin/telegraf-p1 fields --markdown > docs/fields.md"


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")
def test_the_table_has_every_row_of_the_reference() -> None:
    with (SHARED.parent / "reference" / "obis.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ours = {row.reference: row for row in d.ROWS}
    assert len(rows) == len(ours)
    for row in rows:
        mine = ours["/" if row["obis"].startswith("/") else row["obis"]]
        if "(" not in row["field"]:
            assert mine.field == row["field"], row["obis"]
            types = {type_of(field, mine.kind) for field in mine.field.split(" | ")} - {"integer"}
            # The reference names one type for objects that give several fields.
            if " | " not in mine.field:
                assert types <= {"tag" if row["role"] == "tag" else row["influx_type"]}, row["obis"]
