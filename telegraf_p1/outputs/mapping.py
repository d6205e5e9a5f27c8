"""Where each value goes: its measurement, its field or tag, and its MQTT topic.

Without a definitions file a record stays as it is, and the topic of a value is its field's name.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from telegraf_p1.obis.lookup import DEFAULT, Table
from telegraf_p1.record import Record
from telegraf_p1.values import Value

LONGEST_TOPIC: Final = 65_535  # bytes; MQTT counts them in 16 bits

_NS: Final = 1_000_000_000
_MOST_METERS: Final = 10_000


class Place(NamedTuple):
    """Where a value goes; `topic` is None if it is not published."""

    measurement: str
    name: str
    is_tag: bool = False
    topic: str | None = None


class Mapping:
    """The contents of a definitions file; see docs/publish.md. `rows` is the table with the file's own rows."""

    def __init__(
        self,
        measurement: str = "p1",
        places: dict[str, Place] | None = None,
        times: dict[str, str] | None = None,
        *,
        only: bool = False,
        rows: Table = DEFAULT,
    ) -> None:
        self.measurement = measurement
        self.rows = rows
        self._places = places or {}
        self._times = times or {}  # measurement → the value that is its time
        self._only = only
        self._written: dict[tuple[str, ...], Value] = {}  # measurement and tags → the time of the last record

    def records(self, record: Record) -> Iterator[tuple[str, Record]]:
        """Yield measurement and record: one, unless a row names another measurement.

        The record for a measurement with a time of its own is yielded only if that time has changed.
        """
        for measurement, part in self.parts(record).items():
            if measurement not in self._times:
                yield measurement, part
            elif (time := record.fields.get(self._times[measurement])) and self._is_new(measurement, part, time):
                yield measurement, part._replace(time_ns=int(time) * _NS)

    def parts(self, record: Record, is_wanted: Callable[[str], bool] | None = None) -> dict[str, Record]:
        """Return a record's part for each measurement, with the record's time, and only with the wanted fields.

        `is_wanted` is called with the name of a value in the table, not with the name under which it is written.
        """
        if not self._places and not is_wanted:
            return {self.measurement: record}
        parts: dict[str, Record] = {self.measurement: record._replace(tags={}, fields={})}
        for value_name, value in (*record.tags.items(), *record.fields.items()):
            place = self._place(value_name, is_tag=value_name in record.tags)
            if place is None or (is_wanted and not place.is_tag and not is_wanted(value_name)):
                continue
            part = parts.setdefault(place.measurement, record._replace(tags={}, fields={}))
            of_part: dict[str, Any] = part.tags if place.is_tag else part.fields
            # A row of the file takes precedence over a value of the table with the same name.
            if value_name in self._places or place.name not in of_part:
                of_part[place.name] = _text(value) if place.is_tag else value
        return parts

    def topics(self, record: Record) -> Iterator[tuple[str, str]]:
        """Yield topic and text of each value that has a topic."""
        for name, value in record.fields.items():
            place = self._place(name, is_tag=False)
            if place is not None and place.topic is not None:
                yield place.topic, _text(value)

    def _place(self, name: str, *, is_tag: bool) -> Place | None:
        if name in self._places or self._only:
            return self._places.get(name)
        return Place(self.measurement, name, is_tag, name)

    def _is_new(self, measurement: str, part: Record, time: Value) -> bool:
        key = (measurement, *map(str, sorted(part.tags.items())))
        if self._written.get(key) == time:
            return False
        if len(self._written) >= _MOST_METERS:
            self._written.clear()
        self._written[key] = time
        return True


def _text(value: Value) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
