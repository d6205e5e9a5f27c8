"""Finds the row of an OBIS reference, M-Bus channels included, and the field of a value."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from telegraf_p1.obis.kinds import COUNTED_IN, GIVES, PEAKS, Field, Row
from telegraf_p1.obis.table import ROWS
from telegraf_p1.values import base_unit

_CHANNEL: Final = re.compile(r"0-([1-9]\d{0,2}):(.+)")
_REMEMBERED: Final = 1024
_ORDERS: Final = 64
_UNIT: Final = "{unit}"  # the unit of an M-Bus meter's reading
# What replaces the words in the name of a field: `water_2_m3`, `mbus_3_timestamp`, `relay_1_state`.
_WORDS: Final = {
    "{medium}": r"(?:gas|water|heat|cooling|hot_water|sub|mbus_\d+)(?:_\d+)?",
    _UNIT: "(?:m3|gj|kwh)",
    "{n}": r"\d+",
}


class Entry(NamedTuple):
    """A row and its place in the table.

    The place decides which of two references with the same field is used, and the order of the fields. `channel` is the
    M-Bus channel, 0 for none.
    """

    place: int
    channel: int
    row: Row


class Table:
    """Rows by their references.

    Raise ValueError with both rows if two have the same reference, or if a field would have two types or two units. A
    database accepts one type, and a graph one unit. Raise it with the row if its kind gives values of another type.
    """

    def __init__(self, rows: Iterable[Row] = ROWS) -> None:
        self._places: dict[str, tuple[int, Row]] = {}
        self._fields: dict[str, tuple[Field, Row]] = {}
        for place, row in enumerate(rows):
            self._add(place, row)
        # Returns the entry of a reference, None for an unknown one.
        self.lookup: Callable[[str], Entry | None] = lru_cache(_REMEMBERED)(self._search)
        # Returns the known references in the order of the table. It is cached: most telegrams have the same ones.
        self.in_order: Callable[[tuple[str, ...]], list[tuple[str, Entry]]] = lru_cache(_ORDERS)(self._in_order)

    def _add(self, place: int, row: Row) -> None:
        _, other = self._places.setdefault(row.reference, (place, row))
        if other is not row:
            raise ValueError(f"two rows have the reference {row.reference}: {other} and {row}")
        for field in row.fields:
            known, other = self._fields.setdefault(field.name, (field, row))
            if known != field:
                raise ValueError(f"{field.name!r} has two types or two units, in {other} and in {row}")
        types = GIVES[row.kind]
        if any(field.type != (types[number:] or types[-1:] or ("",))[0] for number, field in enumerate(row.fields)):
            raise ValueError(f"the kind of a row gives {types or 'no field'}: {row}")

    def _search(self, reference: str) -> Entry | None:
        if reference in self._places:
            return Entry(self._places[reference][0], 0, self._places[reference][1])
        match = _CHANNEL.fullmatch(reference)
        if match is None or f"0-n:{match[2]}" not in self._places:
            return None
        place, row = self._places[f"0-n:{match[2]}"]
        return Entry(place, int(match[1]), row)

    def _in_order(self, references: tuple[str, ...]) -> list[tuple[str, Entry]]:
        known = [(reference, entry) for reference in references if (entry := self.lookup(reference))]
        return sorted(known, key=lambda one: one[1][:2])  # by place and channel, which no two share

    def row(self, reference: str) -> Row | None:
        """Return the row with exactly this reference, such as `0-n:24.1.0`."""
        return self._places[reference][1] if reference in self._places else None

    def field(self, name: str) -> Field | None:
        """Return the field that a value of a record belongs to, such as `{medium}_m3` for `gas_m3`, or None."""
        found = self._field_and_row(name)
        return found[0] if found else None

    def is_of_history(self, name: str) -> bool:
        """Whether a value of a record is the reading of a counter, or the peak of a month; False for an unknown one."""
        found = self._field_and_row(name)
        if found is None:
            return False
        field, row = found
        return base_unit(field.unit) in COUNTED_IN or _UNIT in field.name or row.kind in PEAKS

    def _field_and_row(self, name: str) -> tuple[Field, Row] | None:
        if name in self._fields:
            return self._fields[name]
        for field, row in self._fields.values():
            pattern = re.escape(field.name)
            for word, expression in _WORDS.items():
                pattern = pattern.replace(re.escape(word), expression)
            if re.fullmatch(pattern, name):
                return field, row
        return None


DEFAULT: Final = Table()
