"""`--history 15m`: a second, smaller measurement in addition to the records, for graphs over years.

`p1_history,meter=E0043 energy_import_t1_kwh=123.456,gas_m3=12.3 …` is the first record of each meter in each 15 minutes
(UTC), with its tags, its own time and its digits. Its fields are the readings of counters and the peaks of months. Any
other record takes only a lookup in a dictionary.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from telegraf_p1 import lineproto
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.outputs.periods import Firsts, meter
from telegraf_p1.record import Record

_REMEMBERED: Final = 1024
# A field in a line of the fast way. There is no definitions file then, so its name is in the table.
_FIELD: Final = re.compile(rb'([a-z0-9_]++)=(?:"(?:[^"\\]|\\.)*+"|[^" ,]++)[ ,]')


class History:
    """An output that writes the counters in the first record of each period."""

    def __init__(
        self,
        seconds: float,
        write: Callable[[list[bytes]], object],
        mapping: Mapping,
        as_text: Callable[[Record, str], str] = lineproto.line,
    ) -> None:
        self._write, self._mapping, self._as_text = write, mapping, as_text
        self._firsts = Firsts(seconds, mapping.measurement)
        self._is_wanted = lru_cache(_REMEMBERED)(mapping.rows.is_of_history)
        own = mapping.measurement
        self._names = [lineproto.before_fields(name)[:-1].encode() for name in (own, _history(own))]

    def output(self, records: Sequence[Record]) -> None:
        """Write the records that are the first of their period."""
        found = [line for record in records if self._firsts.is_first(record) for line in self._lines(record)]
        if found:
            self._write(found)

    def _lines(self, record: Record) -> Iterator[bytes]:
        if record.line:
            yield from self._of_line(record)
            return
        for measurement, part in self._mapping.parts(record, self._is_wanted).items():
            if part.fields and (line := self._as_text(part, _history(measurement))):
                yield f"{line}\n".encode()

    def _of_line(self, record: Record) -> Iterator[bytes]:
        """Yield a line with the wanted fields of a line."""
        line = record.line
        own, history = self._names
        head = meter(record, self._mapping.measurement)
        fields = []
        place = len(head) + 1
        while match := _FIELD.match(line, place):
            place = match.end()
            if self._is_wanted(match[1].decode()):
                fields.append(match[0][:-1])
        if fields:
            yield history + head[len(own) :] + b" " + b",".join(fields) + line[place - 1 :]


def _history(measurement: str) -> str:
    return f"{measurement}_history"
