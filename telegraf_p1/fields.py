"""The table of `definitions` for people: `telegraf-p1 fields`."""

import re

from telegraf_p1 import definitions as d

_STRINGS = {d.TEXT, d.PLAIN, d.METER, d.METER_PLAIN, d.IDENTIFICATION, d.MBUS_ID, d.MBUS_EAN}
_INTEGERS = {d.INTEGER, d.STATE, d.TARIFF, d.RELAY, d.MBUS_VALVE}
_INTEGER_ENDINGS = ("_timestamp", "_count", "_months", "_duration_s")


def type_of(field: str, kind: str) -> str:
    """Give the type a field always has: tag, string, integer or float."""
    if field == "meter":
        return "tag"
    if kind in _STRINGS:
        return "string"
    return "integer" if kind in _INTEGERS or field.endswith(_INTEGER_ENDINGS) else "float"


def unit_of(field: str, row: d.Row) -> str:
    """Give the unit of one of the fields of a row; times are UTC in s since 1970."""
    if field.endswith("_timestamp"):
        return "s"
    if field.endswith(("_count", "_months")):
        return ""
    if row.kind == d.LIMITER:
        return {"kw": "kW", "a": "A", "kva": "kVA"}[field.rpartition("_")[2]]
    return row.unit


_PARTS = {
    "{medium}": r"(?:gas|water|heat|cooling|hot_water|sub|mbus_\d+)(?:_\d+)?",
    "{unit}": "(?:m3|gj|kwh)",
    "{n}": r"\d+",
}


def type_of_value(name: str) -> str | None:
    """Give the type of a value by its name, such as gas_m3 or relay_1_state; None for what is none."""
    for field, row in _rows():
        pattern = field
        for part, expression in _PARTS.items():
            pattern = pattern.replace(part, expression)
        if re.fullmatch(pattern, name):
            return type_of(field, row.kind)
    return None


def _rows() -> list[tuple[str, d.Row]]:
    return [(field, row) for row in d.ROWS if row.field for field in row.field.split(" | ")]


def table() -> str:
    """Give all fields, one a line: name, type, unit, OBIS reference, where it is sent."""
    rows = [("field", "type", "unit", "reference", "sent by")]
    rows += [(field, type_of(field, row.kind), unit_of(field, row), row.reference, row.where) for field, row in _rows()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


_HEAD = """\
# Fields

Written by `telegraf-p1 fields --markdown` from the table in `telegraf_p1/definitions.py`; a test keeps both equal.

`{medium}` is `gas`, `water`, `heat`, `cooling`, `hot_water`, `sub` (a second electricity meter) or, when the meter does
not say, `mbus_1` with the number of its channel; `{unit}` is `m3`, `gj` or `kwh`. A second meter of one kind has its
channel behind the medium: `water_2_m3`. Times are Unix time in s. The last two columns say what ESPHome and dsmr_parser
call the same.

| field | type | unit | OBIS reference | meaning | sent by | ESPHome | dsmr_parser |
|---|---|---|---|---|---|---|---|
"""


def markdown() -> str:
    """Give docs/fields.md: the same with the meaning, and the names that peers use."""
    lines = []
    for field, row in _rows():
        names = (f"`{field}`", type_of(field, row.kind), unit_of(field, row), f"`{row.reference}`")
        cells = (*names, row.meaning.replace("|", "\\|"), row.where, _code(row.esphome), _code(row.dsmr_parser))
        lines.append(f"| {' | '.join(cells)} |\n")
    return _HEAD + "".join(lines)


def _code(names: str) -> str:
    return " ".join(f"`{name}`" for name in names.split("|") if name)
