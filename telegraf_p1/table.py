"""Finds the row of the table for an OBIS reference, M-Bus channels included."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from telegraf_p1.definitions import ROWS, Row

_CHANNEL: Final = re.compile(r"0-([1-9]\d{0,2}):(.+)")
_REMEMBERED: Final = 1024


class Entry(NamedTuple):
    """A row and where it stands.

    The place settles which of two references that mean one field is taken, and the order of the
    fields. `channel` is the M-Bus channel, 0 for none.
    """

    place: int
    channel: int
    row: Row


class Table:
    """Rows by their references."""

    def __init__(self, rows: Iterable[Row] = ROWS) -> None:
        self._rows = {row.reference: (place, row) for place, row in enumerate(rows)}
        # Gives the entry of a reference, None for an unknown one.
        self.lookup: Callable[[str], Entry | None] = lru_cache(_REMEMBERED)(self._search)

    def _search(self, reference: str) -> Entry | None:
        if reference in self._rows:
            return Entry(self._rows[reference][0], 0, self._rows[reference][1])
        match = _CHANNEL.fullmatch(reference)
        if match is None or f"0-n:{match[2]}" not in self._rows:
            return None
        place, row = self._rows[f"0-n:{match[2]}"]
        return Entry(place, int(match[1]), row)


DEFAULT: Final = Table()
