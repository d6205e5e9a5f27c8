"""Reads a definitions file: TOML with rows that add to the table, rename, or send elsewhere.

See docs/mqtt.md and examples/metertrekker.toml.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Final, NoReturn

from telegraf_p1 import lineproto, values
from telegraf_p1.obis import kinds
from telegraf_p1.obis.kinds import Field, Row, Type
from telegraf_p1.obis.lookup import DEFAULT, Table
from telegraf_p1.obis.table import ROWS
from telegraf_p1.outputs.mapping import Mapping, Place

# What a row may have as its type: how its value is read.
_KINDS: Final[dict[Type, str]] = {"float": kinds.NUMBER, "integer": kinds.COUNTER, "string": kinds.TEXT}
_TYPES: Final[dict[str, Type]] = {type_: type_ for type_ in _KINDS}
_ROW_KEYS: Final = ("reference", "value", "field", "tag", "type", "unit", "measurement", "topic")
_FILE_KEYS: Final = ("measurement", "only", "row", "time")
_REFERENCE: Final = re.compile(r"\d{1,3}-(\d{1,3}|n):\d{1,3}\.\d{1,3}\.\d{1,3}(\*\d{1,3})?")


def load(path: str, measurement: str) -> Mapping:
    """Read a file; `measurement` is that of rows which name none.

    Raise ValueError with file, line and reason for what cannot be.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # tomllib names the line
        raise ValueError(f"{path}: {error}") from None
    return _File(path, text, measurement).mapping(content)


class _File:
    """What has been understood of a file so far."""

    def __init__(self, path: str, text: str, measurement: str) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._measurement = measurement
        self._places: dict[str, Place] = {}
        self._rows: list[Row] = []
        self._types: dict[tuple[str, str], Type] = {}  # of measurement and name

    def mapping(self, content: dict[str, Any]) -> Mapping:
        for key, value in content.items():
            wanted = {"measurement": str, "only": bool, "row": list, "time": dict}
            if key not in _FILE_KEYS or not isinstance(value, wanted[key]):
                self._refuse(key, f"{key!r} is none of: measurement (text), only (true), [time], [[row]]")
        self._measurement = self._name("measurement", content.get("measurement", self._measurement))
        for number, row in enumerate(content.get("row", ())):
            self._row(number, row)
        times = content.get("time", {})
        for measurement, value in times.items():
            if not str(value).endswith("_timestamp") or not DEFAULT.field(str(value)):
                self._refuse(measurement, f"{value!r} is no value that ends in _timestamp: see `telegraf-p1 fields`")
        overridden = {row.reference for row in self._rows}
        rows = Table([*self._rows, *(row for row in ROWS if row.reference not in overridden)])
        return Mapping(self._measurement, self._places, times, only=content.get("only", False), rows=rows)

    def _row(self, number: int, row: object) -> None:
        if not isinstance(row, dict):
            self._refuse("row", "a row is written as [[row]] and keys below it")
        self._check_keys(row, number)
        name = self._name("field" if "field" in row else "tag", row.get("field") or row.get("tag", ""), number)
        measurement = self._name("measurement", row.get("measurement", self._measurement), number)
        value, type_ = self._by_reference(row, name, number) if "reference" in row else self._by_value(row, number)
        if "tag" in row:
            type_ = kinds.TAG
        if self._types.setdefault((measurement, name), type_) != type_:
            self._refuse("field", f"{name!r} has two types, and a database takes one", number)
        if value in self._places:
            self._refuse("value", f"{value!r} has a place already, in a row above", number)
        self._places[value] = Place(measurement, name, "tag" in row, row.get("topic"))

    def _check_keys(self, row: dict[str, Any], number: int) -> None:
        for key, value in row.items():
            if key not in _ROW_KEYS:
                self._refuse(key, f"{key!r} is none of: {', '.join(_ROW_KEYS)}", number)
            if not isinstance(value, str):
                self._refuse(key, f"{key} has to be a text in quotes", number)
        if ("reference" in row) == ("value" in row):
            self._refuse("", "a row needs either a reference (1-0:1.8.1) or a value (gas_m3)", number)
        if ("field" in row) == ("tag" in row):
            self._refuse("", "a row needs either a field or a tag", number)
        if set(row.get("topic", "")) & set("+#\0"):
            self._refuse("topic", "+ and # cannot stand in a topic that is written to", number)

    def _by_reference(self, row: dict[str, str], name: str, number: int) -> tuple[str, Type]:
        reference = row["reference"]
        if not _REFERENCE.fullmatch(reference):
            self._refuse("reference", f"{reference!r} is no OBIS reference such as 1-0:1.8.1", number)
        if any(above.reference == reference for above in self._rows):
            self._refuse("reference", f"{reference!r} has a place already, in a row above", number)
        known = DEFAULT.row(reference)
        own = known.fields[0] if known and known.fields else Field("", "float")
        if known and (len(known.fields) > 1 or "{" in own.name):
            names = ", ".join(field.name for field in known.fields)
            self._refuse("reference", f"{reference} gives several values, name one of them: value = {names}", number)
        if not known and "type" not in row:
            self._refuse("reference", f"{reference} is not in the table, so it needs a type", number)
        if row.get("type", "float") not in _TYPES:
            self._refuse("type", f"type {row['type']!r} has to be one of: {', '.join(_TYPES)}", number)
        unit = row.get("unit", own.unit)
        if unit and values.base_unit(unit) is None:
            self._refuse("unit", f"unit {unit!r} is not known", number)
        type_ = _TYPES[row["type"]] if "type" in row else own.type
        kind = _KINDS[type_] if "type" in row or not known else known.kind
        if type_ == "tag":  # the identifier: here a value as any other
            type_, kind = "string", {kinds.METER: kinds.TEXT, kinds.METER_PLAIN: kinds.PLAIN}[kind]
        # Named as in the file, so that a value with the same name from elsewhere stays what it is.
        value = f"{reference} {name}"
        self._rows.append(Row(reference, kind, (Field(value, type_, unit),)))
        return value, type_

    def _by_value(self, row: dict[str, str], number: int) -> tuple[str, Type]:
        value = row["value"]
        field = Field("topic", "tag") if value == "topic" else DEFAULT.field(value)
        if field is None:
            self._refuse("value", f"{value!r} is no value of the table: see `telegraf-p1 fields`", number)
        for key in ("type", "unit"):
            if key in row:
                self._refuse(key, f"{value!r} has its {key} already; a reference may have another", number)
        return value, field.type

    def _name(self, key: str, name: object, number: int | None = None) -> str:
        try:
            if name == "time":
                raise ValueError("'time' is a word of the database's own")  # noqa: TRY301
            return lineproto.check_measurement(str(name))
        except ValueError:
            self._refuse(key, f"{name!r} cannot be the name of a {key}: use letters, digits and underscores", number)

    def _refuse(self, key: str, reason: str, number: int | None = None) -> NoReturn:
        raise ValueError(f"{self._path}, line {self._line(key, number)}: {reason}")

    def _line(self, key: str, number: int | None) -> int:
        """Find the line of a key: in the row with this number, or in the whole file."""
        starts = [n for n, line in enumerate(self._lines, 1) if line.strip().startswith("[[row]]")]
        first = starts[number] if number is not None and number < len(starts) else 1
        for n, line in enumerate(self._lines[first - 1 :], first):
            if key and re.match(rf"\s*\[*\"?{re.escape(key)}\"?\s*[=\].]", line):
                return n
        return first
