"""The table of `definitions` for people: `telegraf-p1 fields`."""

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


def table() -> str:
    """Give all fields, one a line: name, type, unit, OBIS reference, where it is sent."""
    rows = [("field", "type", "unit", "reference", "sent by")]
    rows += [
        (field, type_of(field, row.kind), unit_of(field, row), row.reference, row.where)
        for row in d.ROWS
        if row.field
        for field in row.field.split(" | ")
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
