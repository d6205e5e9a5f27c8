"""The table for people: `telegraf-p1 fields`, and the page docs/fields.md."""

import csv
from pathlib import Path
from typing import Final

from telegraf_p1.obis.kinds import Field, Row
from telegraf_p1.obis.table import ROWS

# OBIS reference → what ESPHome and dsmr_parser call it; several names are parted by `|`.
_PEERS: Final = Path(__file__).with_name("other_names.csv")


def _fields() -> list[tuple[Field, Row]]:
    return [(field, row) for row in ROWS for field in row.fields]


def plain() -> str:
    """Give all fields, one a line: name, type, unit, OBIS reference, where it is sent."""
    rows = [("field", "type", "unit", "reference", "sent by")]
    rows += [(field.name, field.type, field.unit, row.reference, row.sent_by) for field, row in _fields()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


_HEAD: Final = """\
# Fields

All fields that a [record](records.md) can have. A record has those that your meter sends. The same list is printed by
`telegraf-p1 fields`.

- `{medium}` is `gas`, `water`, `heat`, `cooling`, `hot_water` or `sub` (a second electricity meter). If the meter does
  not send the type, it is `mbus_1` with the number of the M-Bus channel. A second meter of one kind has its channel
  in the name: `water_2_m3`.
- `{unit}` is `m3`, `gj` or `kwh`; `{n}` is a number.
- Times (`…_timestamp`) are Unix time in seconds.
- *Sent by* names [countries](meters.md) by their two letters, and versions or makers of their meters.
- The last two columns are the names in ESPHome and dsmr_parser.

This page is written by `make docs`.

| field | type | unit | OBIS reference | meaning | sent by | ESPHome | dsmr_parser |
|---|---|---|---|---|---|---|---|
"""


def markdown() -> str:
    """Give docs/fields.md: the same with the meaning, and the names that peers use."""
    with _PEERS.open(newline="") as file:
        peers = {row["reference"]: (row["esphome"], row["dsmr_parser"]) for row in csv.DictReader(file)}
    lines = []
    for field, row in _fields():
        names = (f"`{field.name}`", field.type, field.unit, f"`{row.reference}`")
        others = (_code(name) for name in peers.get(row.reference, ("", "")))
        lines.append(f"| {' | '.join((*names, row.meaning.replace('|', chr(92) + '|'), row.sent_by, *others))} |\n")
    return _HEAD + "".join(lines)


def _code(names: str) -> str:
    return " ".join(f"`{name}`" for name in names.split("|") if name)
