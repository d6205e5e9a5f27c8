"""Prints the table: `telegraf-p1 fields`, and the page docs/fields.md."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from telegraf_p1.obis.kinds import Field, Row
from telegraf_p1.obis.table import ROWS

# OBIS reference → its names in ESPHome and dsmr_parser; several names are separated by `|`.
_PEERS: Final = Path(__file__).with_name("other_names.csv")


def _fields() -> list[tuple[Field, Row]]:
    return [(field, row) for row in ROWS for field in row.fields]


def _meaning(field: Field, row: Row) -> str:
    text = row.meaning if isinstance(row.meaning, str) else row.meaning[row.fields.index(field)]
    return text.replace("|", "\\|")


def plain() -> str:
    """Return all fields, one per line: name, type, unit, OBIS reference, where it is sent."""
    rows = [("field", "type", "unit", "reference", "sent by")]
    rows += [(field.name, field.type, field.unit, row.reference, row.sent_by) for field, row in _fields()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


_HEAD: Final = """\
# Fields

These are all fields that a [record](records.md) can have. A record has those that your meter sends.
`telegraf-p1 fields` prints the same list.

- `{medium}` is `gas`, `water`, `heat`, `cooling`, `hot_water` or `sub` (a second electricity meter). If the meter does
  not send the type, it is `mbus_1` with the number of the M-Bus channel. A second meter of the same kind has its
  channel in the name: `water_2_m3`. A [replaced meter](records.md#names) has no field.
- `{unit}` is `m3`, `gj` or `kwh`; `{n}` is a number.
- Times (`…_timestamp`) are Unix time in seconds.
- Dutch meters send currents in whole amperes, often 0. The power of each phase is more precise: `power_import_l1_kw`.
- Currents have no sign: export raises `current_l1_a`, too. `power_export_l1_kw` tells the direction. Only the Swedish
  specification allows a sign, and no telegram with one was seen.
- The *OBIS reference* is the code under which the meter sends the value.
- *Sent by* has the code of each [country](meters.md), such as NL and BE, with versions or makers of meters. P0 is an
  [optical port](optical.md), LT(max) the maximum profile in Lithuania.
- *Not seen*: a document or another program has this reference, but no telegram with it was seen here.

This page is written by `make docs`.
"""
_COLUMNS: Final = "| field | type | unit | OBIS reference | meaning | sent by |\n|---|---|---|---|---|---|\n"
_OTHERS: Final = """
## Names in ESPHome and dsmr_parser

| field | OBIS reference | ESPHome | dsmr_parser |
|---|---|---|---|
"""
# The heading for each group of the pattern below, which assigns a field to it by the beginning of its name.
_SECTIONS: Final = {
    "energy": "Energy",
    "demand": "Demand and peaks",
    "power": "Power",
    "line": "Voltage, current and frequency",
    "mbus": "Gas, water, heat and other M-Bus meters",
    "switch": "Tariff, switches and limits",
    "failure": "Power failures, sags and swells",
    "message": "Messages of the grid company",
    "meter": "The meter itself",
}
_SECTION: Final = re.compile(
    r"(?P<energy>(?:reactive_)?energy_)"
    r"|(?P<demand>(?:reactive_|apparent_)?power_[a-z]+_(?:last_)?(?:quarter|month|year|average|cumulative)_)"
    r"|(?P<power>(?:reactive_|apparent_)?power_(?:import|export|abs|net|q\d)_)"
    r"|(?P<line>(?:voltage|current)_(?:l\d|max|average|sum|n)_|frequency_|power_factor|phase_angle_)"
    r"|(?P<mbus>(?:{medium}|gas|water|heat|cooling)_)"
    r"|(?P<switch>tariff|(?:breaker|relay|limiter|fuse|current_limit)_)"
    r"|(?P<failure>(?:long_)?power_failure|voltage_(?:sag|swell))"
    r"|(?P<message>message)"
    r"|(?P<meter>)"
)


def markdown() -> str:
    """Return docs/fields.md: the same with the meaning, and the names in ESPHome and dsmr_parser."""
    sections: dict[str, list[str]] = {name: [] for name in _SECTIONS}
    for field, row in _fields():
        found = _SECTION.match(field.name)
        cells = (f"`{field.name}`", field.type, field.unit, f"`{row.reference}`", _meaning(field, row), row.sent_by)
        sections[(found and found.lastgroup) or "meter"].append(_line(cells))
    parts = [f"\n## {_SECTIONS[name]}\n\n{_COLUMNS}{''.join(lines)}" for name, lines in sections.items()]
    return _HEAD + "".join(parts) + _OTHERS + "".join(_names())


def _names() -> Iterator[str]:
    with _PEERS.open(newline="") as file:
        peers = {row["reference"]: (row["esphome"], row["dsmr_parser"]) for row in csv.DictReader(file)}
    for field, row in _fields():
        if row.reference in peers:
            yield _line((f"`{field.name}`", f"`{row.reference}`", *map(_code, peers[row.reference])))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _code(names: str) -> str:
    return " ".join(f"`{name}`" for name in names.split("|") if name)
