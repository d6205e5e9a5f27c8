"""Reads a definitions file: TOML with rows that add values to the table, rename them, or send them elsewhere.

See docs/publish.md and examples/metertrekker.toml.
"""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from telegraf_p1 import lineproto, telegram, values
from telegraf_p1.obis import kinds
from telegraf_p1.obis.kinds import Field, Row, Type
from telegraf_p1.obis.lookup import DEFAULT, Table
from telegraf_p1.obis.table import ROWS
from telegraf_p1.outputs.mapping import LONGEST_TOPIC, Mapping, Place

_MOST_BYTES: Final = 1024 * 1024
_MOST_DOTS: Final = 100  # in a key: tomllib's time grows with their square, and no valid key has more than one
# The types that a row may have, and how its value is read.
_KINDS: Final[dict[Type, str]] = {"float": kinds.NUMBER, "integer": kinds.COUNTER, "string": kinds.TEXT}
_TYPES: Final[dict[str, Type]] = {type_: type_ for type_ in _KINDS}
_ROW_KEYS: Final = ("reference", "value", "field", "tag", "type", "unit", "measurement", "topic")
_FILE_KEYS: Final = ("measurement", "only", "row", "time")
# Other values depend on these kinds, and a row of the user's would replace them.
_NEEDED: Final = {
    kinds.TIME: "the time of the record",
    kinds.TIME_OF_DAY: "the time of the record",
    kinds.DATE: "the time of the record",
    kinds.MBUS_TYPE: "what an M-Bus meter measures",
}
_ANOTHER_NAME: Final = "choose another name, or add a row for that value too"
_METER: Final = "meter"  # comes from one of several references: a row may use one, and another row the tag itself
# Examples for the words in a field's name, for messages.
_EXAMPLES: Final = {"{medium}": "gas", "{unit}": "m3", "{n}": "1"}


def load(path: str, measurement: str) -> Mapping:
    """Read a file; `measurement` is that of rows without one of their own.

    Raise ValueError with file, line and reason if the file is not valid.
    """
    try:
        text = _text(path)
        content = tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # tomllib names the line
        raise ValueError(f"{path}: {error}") from None
    except RecursionError:
        raise ValueError(f"{path}: brackets are nested too deeply") from None
    return _File(path, text, measurement).mapping(content)


def _text(path: str) -> str:
    """Return the text of a file; raise ValueError if it cannot be a definitions file, and OSError."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise ValueError("a definitions file must be a regular file")
    # Some of the kernel's files look regular, but reading them blocks.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        data = file.read(_MOST_BYTES + 1) or b""
    if len(data) > _MOST_BYTES:
        raise ValueError(f"a definitions file can have at most {_MOST_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: save the file as UTF-8") from None
    for number, line_text in enumerate(text.split("\n"), 1):
        if not line_text.lstrip().startswith("#") and line_text.partition("=")[0].count(".") > _MOST_DOTS:
            raise ValueError(f"line {number}: a key can have at most {_MOST_DOTS} dots")
    return text


class _Read(NamedTuple):
    """A valid row; `about` is the name of its value in the table, "" if it is not in the table."""

    number: int
    about: str
    unit: str
    place: Place


class _File:
    """What was read of a file so far."""

    def __init__(self, path: str, text: str, measurement: str) -> None:
        self._path = path
        self._lines = text.split("\n")
        self._measurement = measurement
        self._places: dict[str, Place] = {}
        self._rows: dict[str, Row] = {}  # by reference
        self._read: list[_Read] = []
        self._names: set[tuple[str, str]] = set()  # measurement and name
        self._topics: set[str] = set()
        self._by_value: dict[str, bool] = {}  # value of the table → whether its row names it, or its reference

    def mapping(self, content: dict[str, Any]) -> Mapping:
        for key, value in content.items():
            wanted = {"measurement": str, "only": bool, "row": list, "time": dict}
            if key not in _FILE_KEYS or not isinstance(value, wanted[key]):
                self._refuse(key, f"{key!r} is not one of: measurement (text), only (true), [time], [[row]]")
        self._measurement = self._name("measurement", content.get("measurement", self._measurement))
        for number, row in enumerate(content.get("row", ())):
            self._row(number, row)
        only = content.get("only", False)
        if not only:
            self._check_against_table()
        elif all(row.place.is_tag for row in self._read):
            self._refuse("only", "with only = true, values without a row are left out, and no row gives a field")
        times = content.get("time", {})
        self._check_times(times)
        rows = Table([*self._rows.values(), *(row for row in ROWS if row.reference not in self._rows)])
        return Mapping(self._measurement, self._places, times, only=only, rows=rows)

    def _row(self, number: int, row: object) -> None:
        if not isinstance(row, dict):
            self._refuse("row", "write a row as [[row]] with its keys below it")
        self._check_keys(row, number)
        key = "field" if "field" in row else "tag"
        name = self._name(key, row[key], number)
        measurement = self._name("measurement", row.get("measurement", self._measurement), number)
        is_by_value = "value" in row
        value, field = self._by_value_of(row, number) if is_by_value else self._by_reference(row, name, number)
        about = (
            value
            if is_by_value
            else field.name or self._as_in_table(name, "tag" if key == "tag" else field.type, field.unit)
        )
        if value in self._places:
            self._refuse("value", f"{value!r} already has a row above", number)
        if (measurement, name) in self._names:
            self._refuse(key, f"{name!r} is already the name of a row above: one of the two would be lost", number)
        if self._by_value.setdefault(about, is_by_value) != is_by_value and about not in ("", _METER):
            self._refuse(
                "value" if is_by_value else "reference",
                f"a row above already uses {about!r}, by its {'reference' if is_by_value else 'name'}: "
                "identify both by their references",
                number,
            )
        self._names.add((measurement, name))
        self._places[value] = Place(measurement, name, key == "tag", self._topic(row, number))
        self._read.append(_Read(number, about, field.unit, self._places[value]))

    def _check_against_table(self) -> None:
        """Refuse a name or topic of another value of the table, unless a row gives that value another one."""
        for number, about, unit, place in self._read:
            key = "tag" if place.is_tag else "field"
            if place.measurement == self._measurement and place.name != about and self._is_taken(place.name):
                self._refuse(key, f"{place.name!r} is the name of another value: {_ANOTHER_NAME}", number)
            topic = (place.topic or "").removeprefix("/")
            if topic != about and self._is_taken(topic):
                self._refuse("topic", f"{topic!r} is the topic of another value: {_ANOTHER_NAME}", number)
            known = (
                DEFAULT.field(place.name) if place.name == about and place.measurement == self._measurement else None
            )
            if known and known.unit not in ("", unit):
                self._refuse("unit", f"{place.name!r} has the unit {known.unit}: {_ANOTHER_NAME}", number)

    def _as_in_table(self, name: str, type_: Type, unit: str) -> str:
        """Return the name if a reference is one more for the value of the table with this name, else an empty text."""
        known = DEFAULT.field(name)
        return name if known and known.type == type_ and known.unit in ("", unit) else ""

    def _is_taken(self, name: str) -> bool:
        return name not in self._by_value and (name == "topic" or DEFAULT.field(name) is not None)

    def _check_times(self, times: dict[str, object]) -> None:
        measurements = {self._measurement, *(place.measurement for place in self._places.values())}
        for measurement, value in times.items():
            if not str(value).endswith("_timestamp") or not DEFAULT.field(str(value)):
                self._refuse(measurement, f"{value!r} is not a value that ends in _timestamp: see `telegraf-p1 fields`")
            if measurement not in measurements:
                self._refuse(measurement, f"no row uses the measurement {measurement!r}")

    def _check_keys(self, row: dict[str, Any], number: int) -> None:
        for key, value in row.items():
            if key not in _ROW_KEYS:
                self._refuse(key, f"{key!r} is not one of: {', '.join(_ROW_KEYS)}", number)
            if not isinstance(value, str):
                self._refuse(key, f"{key} must be a text in quotes", number)
        if ("reference" in row) == ("value" in row):
            self._refuse("", "a row needs either a reference (1-0:1.8.1) or a value (gas_m3)", number)
        if ("field" in row) == ("tag" in row):
            self._refuse("", "a row needs either a field or a tag", number)

    def _topic(self, row: dict[str, str], number: int) -> str | None:
        topic = row.get("topic")
        if topic is None:
            return None
        if not topic or not topic.isprintable() or set(topic) & set("+#"):
            self._refuse(
                "topic",
                "a topic needs at least one character, and cannot contain +, # or unprintable characters",
                number,
            )
        if len(topic.encode()) > LONGEST_TOPIC:
            self._refuse("topic", f"a topic can have at most {LONGEST_TOPIC} bytes", number)
        if topic.removeprefix("/") in self._topics:
            self._refuse("topic", f"{topic!r} is already the topic of a row above", number)
        self._topics.add(topic.removeprefix("/"))
        return topic

    def _by_reference(self, row: dict[str, str], name: str, number: int) -> tuple[str, Field]:
        """Add the row to the table; return the name of its value, and its field with the name in the table."""
        reference = self._reference(row["reference"], number)
        if reference in self._rows:
            self._refuse("reference", f"{reference} already has a row above", number)
        known = self._known(reference, number)
        own = known.fields[0] if known and known.fields else Field("", "float")
        if not own.name and "type" not in row:
            self._refuse("reference", f"{reference} has no value in the table, so the row needs a type", number)
        if row.get("type", "float") not in _TYPES:
            self._refuse("type", f"type {row['type']!r} must be one of: {', '.join(_TYPES)}", number)
        unit = row.get("unit", own.unit)
        base = values.base_unit(unit) if unit else ""
        if base is None or (own.unit and base != values.base_unit(own.unit)):
            self._refuse("unit", f"unit {unit!r} is unknown, or does not fit {reference}", number)
        type_ = _TYPES[row["type"]] if "type" in row else own.type
        kind = _KINDS[type_] if "type" in row or not known else known.kind
        if type_ == "tag":  # the identifier is an ordinary value here
            type_, kind = "string", {kinds.METER: kinds.TEXT, kinds.METER_PLAIN: kinds.PLAIN}[kind]
        # With the reference in its name, so that a value of the table with the same name stays what it is.
        value = f"{reference} {name}"
        self._rows[reference] = Row(reference, kind, (Field(value, type_, unit),))
        return value, Field(own.name, type_, unit)

    def _reference(self, spelled: str, number: int) -> str:
        """Return a reference in the spelling that `telegram.py` uses, without `*255`."""
        is_any_channel = spelled.startswith("0-n:")
        reference = telegram.reference(spelled.replace("0-n:", "0-1:", 1)) if spelled.isascii() else None
        if reference is None:
            self._refuse("reference", f"{spelled!r} is not an OBIS reference such as 1-0:1.8.1", number)
        return reference.replace("0-1:", "0-n:", 1) if is_any_channel else reference

    def _known(self, reference: str, number: int) -> Row | None:
        """Return the row of the table that a row of the file replaces, or None; refuse if it cannot be replaced."""
        entry = DEFAULT.lookup(reference)
        known = entry.row if entry else DEFAULT.row(reference)
        if known is None:
            return None
        if known.kind in _NEEDED:
            self._refuse("reference", f"{reference} is needed for {_NEEDED[known.kind]}, and cannot have a row", number)
        if len(known.fields) > 1 or any("{" in field.name for field in known.fields):
            names = ", ".join(map(_example, known.fields))
            self._refuse("reference", f"{reference} cannot be used by its reference: write value = {names}", number)
        return known

    def _by_value_of(self, row: dict[str, str], number: int) -> tuple[str, Field]:
        """Return the value that a row names, and its field."""
        value = row["value"]
        field = Field("topic", "tag") if value == "topic" else DEFAULT.field(value)
        if field is None:
            self._refuse("value", f"{value!r} is not a value of the table: see `telegraf-p1 fields`", number)
        for key in ("type", "unit"):
            if key in row:
                self._refuse(key, f"{value!r} already has a {key}; only a reference can have another", number)
        return value, field

    def _name(self, key: str, name: object, number: int | None = None) -> str:
        try:
            if name == "time":
                raise ValueError  # noqa: TRY301  reserved by the database
            return lineproto.check_measurement(str(name))
        except ValueError:
            self._refuse(
                key, f"{name!r} is not a valid {key} name: use letters, digits and underscores (and not 'time')", number
            )

    def _refuse(self, key: str, reason: str, number: int | None = None) -> NoReturn:
        raise ValueError(f"{self._path}, line {self._line(key, number)}: {reason}")

    def _line(self, key: str, number: int | None) -> int:
        """Find the line of a key: in the row with this number, or in the whole file."""
        starts = [n for n, line in enumerate(self._lines, 1) if re.match(r"\s*\[\[\s*\"?row\"?\s*\]\]", line)]
        first = starts[number] if number is not None and number < len(starts) else 1
        for n, line in enumerate(self._lines[first - 1 :], first):
            if key and re.match(rf"\s*\[*\"?{re.escape(key)}\"?\s*[=\].]", line):
                return n
        return first


def _example(field: Field) -> str:
    """Return an example of a field's name: `gas_m3` for `{medium}_{unit}`."""
    name = field.name
    for word, example in _EXAMPLES.items():
        name = name.replace(word, example)
    return name
