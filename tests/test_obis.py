"""The table keeps its promises: one reference, one row; one field, one type, one unit; one kind, one reader."""

import re

import pytest

from telegraf_p1 import decode
from telegraf_p1.obis import kinds
from telegraf_p1.obis.kinds import Field, Row
from telegraf_p1.obis.listing import plain
from telegraf_p1.obis.lookup import DEFAULT, Table
from telegraf_p1.obis.table import ROWS

FIELDS = [(field, row) for row in ROWS for field in row.fields]
UNIT_OF_ENDING = {
    "kwh": "kWh", "kvarh": "kvarh", "kw": "kW", "kvar": "kvar", "kva": "kVA",
    "v": "V", "a": "A", "hz": "Hz", "m3": "m3", "gj": "GJ", "s": "s", "m3h": "m3/h", "degc": "degC", "deg": "deg",
}  # fmt: skip
POWER = Field("power_kw", "float", "kW")


def test_a_reference_in_two_rows_fails_with_both_named() -> None:
    first, second = Row("1-0:1.7.0", kinds.NUMBER, (POWER,), "NL"), Row("1-0:1.7.0", kinds.TEXT, (), "BE")
    with pytest.raises(ValueError, match=r"two rows have the reference 1-0:1\.7\.0: .*'NL'.* and .*'BE'"):
        Table([first, second])


@pytest.mark.parametrize("other", [POWER._replace(type="integer"), POWER._replace(unit="W")])
def test_a_field_with_two_types_or_units_fails_with_both_rows_named(other: Field) -> None:
    first, second = Row("1-0:1.7.0", kinds.NUMBER, (POWER,)), Row("1-0:2.7.0", kinds.NUMBER, (other,))
    with pytest.raises(ValueError, match=r"'power_kw' has two types .*1-0:1\.7\.0.*1-0:2\.7\.0"):
        Table([first, second])


def test_references_are_spelled_one_way() -> None:
    for row in ROWS:
        assert row.reference == "/" or re.fullmatch(r"\d-(\d|n):\d+\.\d+\.\d+", row.reference)


def test_every_kind_has_its_reader_and_every_row_its_kind() -> None:
    assert decode.READERS.keys() == kinds.GIVES.keys()
    assert {row.kind for row in ROWS} == kinds.GIVES.keys()


@pytest.mark.parametrize(
    "row",
    [
        Row("1-0:1.7.0", kinds.NUMBER, (POWER._replace(type="integer"),)),
        Row("0-0:96.7.21", kinds.COUNTER, (Field("power_failures", "float"),)),
        Row("1-0:1.6.0", kinds.PEAK, (POWER, Field("peak_timestamp", "float", "s"))),
        Row("1-1:0.0.5", kinds.IGNORED, (POWER,)),
    ],
)
def test_a_row_whose_kind_gives_another_type_fails(row: Row) -> None:
    with pytest.raises(ValueError, match=f"gives .*{row.reference}"):
        Table([row])


def test_a_field_that_another_ones_pattern_covers_has_its_type() -> None:
    for field, row in FIELDS:
        if "{" not in field.name:
            others = [other for other, _ in FIELDS if "{" in other.name and Table([_alone(other)]).field(field.name)]
            assert all(other.type == field.type for other in others), (field, row, others)


def _alone(field: Field) -> Row:
    kind = next(kind for kind, types in kinds.GIVES.items() if types[:1] == (field.type,))
    return Row("0-n:0.0.0", kind, (field,))


def test_the_name_of_a_field_ends_in_its_unit() -> None:
    for field, _ in FIELDS:
        if field.type == "float" and field.unit:
            assert UNIT_OF_ENDING[field.name.rpartition("_")[2]] == field.unit, field


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("gas_m3", "{medium}_{unit}"),
        ("water_2_m3", "{medium}_{unit}"),
        ("mbus_3_timestamp", "{medium}_timestamp"),
        ("relay_4_state", "relay_{n}_state"),
        ("tariff", "tariff"),
        ("tariffs", None),
        ("oil_m3", None),
    ],
)
def test_a_value_has_the_field_of_its_name(value: str, name: str | None) -> None:
    field = DEFAULT.field(value)
    assert (field.name if field else None) == name or (field and field.name == value)


def test_the_table_for_people_names_every_field() -> None:
    assert {field.name for field, _ in FIELDS} == {line.split()[0] for line in plain().splitlines()[1:]}
