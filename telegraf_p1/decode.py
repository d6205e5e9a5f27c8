"""A Telegram becomes a Record, by the table of `definitions`.

Unknown references are skipped; a value that cannot be read loses its field, not the telegram.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Final, NamedTuple

from telegraf_p1 import definitions as d
from telegraf_p1 import mbus, table, timestamp, values
from telegraf_p1.mbus import Value
from telegraf_p1.telegram import Telegram
from telegraf_p1.values import Unreadable

_NS: Final = 1_000_000_000
_PEAK_MONTHS: Final = 12
_MILLI: Final = Decimal("0.001")

_IDENTIFICATION: Final = "/"
# Elsewhere `()` means that there is no value. Here: no failures, and no meter.
_EMPTY_MEANS_SOMETHING: Final = (d.FAILURE_LOG, d.MBUS_ID)


class Remark(NamedTuple):
    """What could not be read, and why."""

    reference: str
    text: str


class Record(NamedTuple):
    """What one telegram says: `time_ns` is UTC in ns since 1970."""

    tags: dict[str, str]
    fields: dict[str, Value]
    time_ns: int
    remarks: list[Remark]


def decode(
    telegram: Telegram,
    received_ns: int,
    zone: timestamp.Zone,
    *,
    host_time: bool = False,
    rows: table.Table = table.DEFAULT,
) -> Record:
    """Turn a telegram into a record.

    The time is the telegram's own; `received_ns` when it has no valid one or `host_time`
    is set. `zone` is the region the meter's clock is set to, `rows` what becomes which field.
    """
    decoding = _Decoding(zone)
    decoding.objects(telegram, rows)
    decoding.fields.update(mbus.fields(decoding.channels.values()))
    fields = decoding.fields
    tag = decoding.meter or fields.get("logical_device_name", "")
    tags = {"meter": str(tag)} if tag else {}
    time_ns = received_ns if host_time or decoding.time is None else decoding.time * _NS
    return Record(tags, fields, time_ns, decoding.remarks)


class _Decoding:
    """The record of one telegram while it grows."""

    def __init__(self, zone: timestamp.Zone) -> None:
        self.zone = zone
        self.fields: dict[str, Value] = {}
        self.meter = ""
        self.time: int | None = None
        self.channels: dict[int, mbus.Channel] = {}
        self.remarks: list[Remark] = []

    def objects(self, telegram: Telegram, rows: table.Table) -> None:
        """Read all objects in the order of the table."""
        sent: dict[str, list[str]] = {_IDENTIFICATION: [telegram.identification]}
        for reference, groups in telegram.objects:
            if sent.get(reference, groups) != groups:
                self.remarks.append(Remark(reference, "sent twice with different values: the last counts"))
            sent[reference] = groups
        known = [(*entry, reference) for reference in sent if (entry := rows.lookup(reference))]
        known.sort()  # by place and channel, which no two share
        for _, channel, row, reference in known:
            groups = sent[reference]
            if groups == [""] and row.kind not in _EMPTY_MEANS_SOMETHING:
                continue
            try:
                if row.kind == d.NUMBER:  # three of four objects
                    self.fields.setdefault(row.field, values.number(groups[0], row.unit))
                elif channel:
                    _CHANNEL_READERS[row.kind](self, row, channel, groups)
                else:
                    _READERS[row.kind](self, row, groups)
            except Unreadable as error:
                self.remarks.append(Remark(reference, str(error)))

    def put(self, field: str, value: Value) -> None:
        """Set a field unless a reference higher up in the table has set it."""
        if value != "":
            self.fields.setdefault(field, value)

    def channel(self, number: int) -> mbus.Channel:
        """Give the M-Bus channel with this number."""
        return self.channels.setdefault(number, mbus.Channel(number))

    def limit(self, row: d.Row, groups: list[str]) -> None:
        value = values.number(groups[0], row.unit)
        if not values.is_off(value):
            self.put(row.field, value)

    def limiter(self, row: d.Row, groups: list[str]) -> None:
        value, unit = values.quantity(groups[0])
        base = values.base_unit(unit) or "?"
        kw, a, kva = row.field.split(" | ")
        wanted = {"W": (kw, "kW"), "A": (a, "A"), "VA": (kva, "kVA")}.get(base)
        if wanted is None:
            raise Unreadable(f"unit {unit!r} is none of a limiter")
        if not values.is_off(value):
            self.put(wanted[0], values.convert(value, unit, wanted[1]))

    def current_limits(self, row: d.Row, groups: list[str]) -> None:
        for field, group in zip(row.field.split(" | "), groups, strict=False):
            self.put(field, values.number(group, row.unit))

    def record_time(self, _row: d.Row, groups: list[str]) -> None:
        self.time = timestamp.epoch(groups[0], self.zone)
        if self.time is None:
            raise Unreadable(f"{groups[0]!r} is no valid time: the host's clock is used")

    def peak(self, row: d.Row, groups: list[str]) -> None:
        time = timestamp.epoch(groups[0], self.zone)
        if time is not None:  # 632525252525W: no peak yet
            field, time_field = row.field.split(" | ")
            self.put(field, values.number(groups[-1], row.unit))
            self.put(time_field, time)

    def peak_history(self, row: d.Row, groups: list[str]) -> None:
        if len(groups) < 3 or ":" not in groups[1]:
            return  # Hungary and Switzerland send something else under this reference
        months = []
        for month_end, peak_time, power in zip(groups[3::3], groups[4::3], groups[5::3], strict=False):
            time = timestamp.epoch(month_end, self.zone)
            if time is not None and timestamp.epoch(peak_time, self.zone) is not None:
                months.append((time, values.number(power, row.unit)))
        peaks = [power for _, power in sorted(months)[-_PEAK_MONTHS:]]
        mean_field, count_field = row.field.split(" | ")
        if peaks:
            mean = sum(peaks, Decimal(0)) / len(peaks)
            self.put(mean_field, mean.quantize(_MILLI, ROUND_HALF_UP))
        self.put(count_field, len(peaks))

    def failure_log(self, row: d.Row, groups: list[str]) -> None:
        count_field, time_field, duration_field = row.field.split(" | ")
        self.put(count_field, values.integer(groups[0]) if groups[0] else 0)
        failures = []
        for end, duration in pairwise(groups):
            time = timestamp.epoch(end, self.zone)
            if time is not None:
                failures.append((time, values.integer(duration, row.unit)))
        if failures:
            time, seconds = max(failures)
            self.put(time_field, time)
            self.put(duration_field, seconds)

    def set_meter(self, text: str) -> None:
        self.meter = self.meter or text

    def mbus_type(self, _row: d.Row, channel: int, groups: list[str]) -> None:
        self.channel(channel).type = values.integer(groups[0])

    def mbus_reading(self, _row: d.Row, channel: int, groups: list[str]) -> None:
        self._reading(channel, groups[:-1], groups[-1], "")

    def mbus_reading_dsmr3(self, row: d.Row, channel: int, groups: list[str]) -> None:
        if row.field == "cooling_gj":
            self.channel(channel).medium = "cooling"
        if len(groups) > 6:  # time, status, period, number of values, their codes and units, the values
            first_value = 4 + 2 * values.integer(groups[3])
            self._reading(channel, groups[:1], groups[min(first_value, len(groups) - 1)], groups[5])
        else:
            self._reading(channel, groups[:-1], groups[-1], "")

    def _reading(self, number: int, times: list[str], text: str, unit: str) -> None:
        channel = self.channel(number)
        channel.was_read = True
        time = timestamp.epoch(times[0], self.zone) if times else None
        if time is not None or not times:  # a void time: no meter answered
            channel.set_reading(text, unit, time)


_READERS: Final[dict[str, Callable[[_Decoding, d.Row, list[str]], None]]] = {
    d.LIMIT: _Decoding.limit,
    d.INTEGER: lambda self, row, groups: self.put(row.field, values.integer(groups[0], row.unit)),
    d.STATE: lambda self, row, groups: self.put(row.field, values.state(groups[0])),
    d.TARIFF: lambda self, row, groups: self.put(row.field, values.tariff(groups[0])),
    d.TEXT: lambda self, row, groups: self.put(row.field, values.text(")(".join(groups))),
    d.PLAIN: lambda self, row, groups: self.put(row.field, values.plain(groups[0])),
    d.METER: lambda self, _, groups: self.set_meter(values.text(groups[0])),
    d.METER_PLAIN: lambda self, _, groups: self.set_meter(values.plain(groups[0])),
    d.IDENTIFICATION: lambda self, row, groups: self.put(row.field, values.plain(groups[0])),
    d.TIME: _Decoding.record_time,
    d.LIMITER: _Decoding.limiter,
    d.CURRENT_LIMITS: _Decoding.current_limits,
    d.PEAK: _Decoding.peak,
    d.PEAK_HISTORY: _Decoding.peak_history,
    d.FAILURE_LOG: _Decoding.failure_log,
    d.IGNORED: lambda *_: None,
}


def _relay(self: _Decoding, row: d.Row, number: int, groups: list[str]) -> None:
    self.put(row.field.replace("{n}", str(number)), values.state(groups[0]))


def _mbus_id(self: _Decoding, _row: d.Row, number: int, groups: list[str]) -> None:
    self.channel(number).set_id(groups[0])


def _mbus_ean(self: _Decoding, _row: d.Row, number: int, groups: list[str]) -> None:
    self.channel(number).ean = values.text(groups[0])


def _mbus_valve(self: _Decoding, _row: d.Row, number: int, groups: list[str]) -> None:
    self.channel(number).valve = values.state(groups[0])


_CHANNEL_READERS: Final[dict[str, Callable[[_Decoding, d.Row, int, list[str]], None]]] = {
    d.RELAY: _relay,
    d.MBUS_TYPE: _Decoding.mbus_type,
    d.MBUS_ID: _mbus_id,
    d.MBUS_EAN: _mbus_ean,
    d.MBUS_VALVE: _mbus_valve,
    d.MBUS_READING: _Decoding.mbus_reading,
    d.MBUS_READING_DSMR3: _Decoding.mbus_reading_dsmr3,
    d.IGNORED: lambda *_: None,
}
