"""A Telegram becomes a Record, by the table of `obis`.

Unknown references are skipped; a value that cannot be read loses its field, not the telegram.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Final

from telegraf_p1 import mbus, timestamp, values
from telegraf_p1.obis import kinds
from telegraf_p1.obis.kinds import Field, Row
from telegraf_p1.obis.lookup import DEFAULT, Table
from telegraf_p1.record import Record, Remark
from telegraf_p1.telegram import Telegram
from telegraf_p1.values import Unreadable, Value

_NS: Final = 1_000_000_000
_PEAK_MONTHS: Final = 12
_MILLI: Final = Decimal("0.001")

_IDENTIFICATION: Final = "/"
# Elsewhere `()` means that there is no value. Here: no failures, and no meter.
_EMPTY_MEANS_SOMETHING: Final = (kinds.FAILURE_LOG, kinds.MBUS_ID)


def decode(
    telegram: Telegram,
    received_ns: int | None,
    zone: timestamp.Zone,
    *,
    host_time: bool = False,
    rows: Table = DEFAULT,
) -> Record:
    """Turn a telegram into a record.

    The time is the telegram's own; `received_ns` (UTC in ns since 1970, None when the telegram
    was not sent when it came) when it has no valid one or `host_time` is set. `zone` is the
    region the meter's clock is set to, `rows` what becomes which field.
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

    def objects(self, telegram: Telegram, rows: Table) -> None:
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
                _READERS[row.kind](self, row, channel, groups)
            except Unreadable as error:
                self.remarks.append(Remark(reference, str(error)))

    def put(self, field: Field, value: Value) -> None:
        """Set a field, unless a row higher up in the table has set it; an empty text is no value."""
        if value != "":
            self.fields.setdefault(field.name, value)

    def channel(self, number: int) -> mbus.Channel:
        """Give the M-Bus channel with this number."""
        return self.channels.setdefault(number, mbus.Channel(number))


# Reads an object of one kind: its row, its channel (0 for none) and what stood in the brackets.
# It raises Unreadable for what is not of that kind.
_Reader = Callable[[_Decoding, Row, int, list[str]], None]
_READERS: Final[dict[str, _Reader]] = {}


def _reads(kind: str) -> Callable[[_Reader], _Reader]:
    """Bind a kind to the function below, the one that reads it."""

    def bind(reader: _Reader) -> _Reader:
        _READERS[kind] = reader
        return reader

    return bind


@_reads(kinds.NUMBER)
def _number(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    field = row.fields[0]
    # Three of four objects: `put` would ask each number whether it is an empty text.
    decoding.fields.setdefault(field.name, values.number(groups[0], field.unit))


@_reads(kinds.LIMIT)
def _limit(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    value = values.number(groups[0], row.fields[0].unit)
    if not values.is_off(value):
        decoding.put(row.fields[0], value)


@_reads(kinds.COUNTER)
def _counter(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.integer(groups[0], row.fields[0].unit))


@_reads(kinds.STATE)
def _state(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.state(groups[0]))


@_reads(kinds.TARIFF)
def _tariff(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.tariff(groups[0]))


@_reads(kinds.TEXT)
def _text(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.text(")(".join(groups)))  # a text may hold brackets


@_reads(kinds.PLAIN)
def _plain(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.plain(groups[0]))


@_reads(kinds.METER)
def _meter(decoding: _Decoding, _row: Row, _channel: int, groups: list[str]) -> None:
    decoding.meter = decoding.meter or values.text(groups[0])


@_reads(kinds.METER_PLAIN)
def _meter_plain(decoding: _Decoding, _row: Row, _channel: int, groups: list[str]) -> None:
    decoding.meter = decoding.meter or values.plain(groups[0])


@_reads(kinds.TIME)
def _time(decoding: _Decoding, _row: Row, _channel: int, groups: list[str]) -> None:
    decoding.time = timestamp.epoch(groups[0], decoding.zone)
    if decoding.time is None:
        raise Unreadable(f"{groups[0]!r} is no valid time: the host's clock is used")


@_reads(kinds.LIMITER)
def _limiter(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    value, unit = values.quantity(groups[0])
    base = values.base_unit(unit)
    field = next((field for field in row.fields if values.base_unit(field.unit) == base), None)
    if field is None:
        raise Unreadable(f"unit {unit!r} is none of a limiter")
    if not values.is_off(value):
        decoding.put(field, values.convert(value, unit, field.unit))


@_reads(kinds.CURRENT_LIMITS)
def _current_limits(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    for field, group in zip(row.fields, groups, strict=False):
        decoding.put(field, values.number(group, field.unit))


@_reads(kinds.PEAK)
def _peak(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    time = timestamp.epoch(groups[0], decoding.zone)
    if time is not None:  # 632525252525W: no peak yet
        power, end = row.fields
        decoding.put(power, values.number(groups[-1], power.unit))
        decoding.put(end, time)


@_reads(kinds.PEAK_HISTORY)
def _peak_history(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    if len(groups) < 3 or ":" not in groups[1]:
        return  # Hungary and Switzerland send something else under this reference
    average, count = row.fields
    months = []
    for month_end, peak_time, power in zip(groups[3::3], groups[4::3], groups[5::3], strict=False):
        time = timestamp.epoch(month_end, decoding.zone)
        if time is not None and timestamp.epoch(peak_time, decoding.zone) is not None:
            months.append((time, values.number(power, average.unit)))
    peaks = [power for _, power in sorted(months)[-_PEAK_MONTHS:]]
    if peaks:
        mean = sum(peaks, Decimal(0)) / len(peaks)
        decoding.put(average, mean.quantize(_MILLI, ROUND_HALF_UP))
    decoding.put(count, len(peaks))


@_reads(kinds.FAILURE_LOG)
def _failure_log(decoding: _Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    count, end_of_last, duration_of_last = row.fields
    decoding.put(count, values.integer(groups[0]) if groups[0] else 0)
    failures = []
    for end, duration in pairwise(groups):
        time = timestamp.epoch(end, decoding.zone)
        if time is not None:
            failures.append((time, values.integer(duration, duration_of_last.unit)))
    if failures:
        time, seconds = max(failures)
        decoding.put(end_of_last, time)
        decoding.put(duration_of_last, seconds)


@_reads(kinds.RELAY)
def _relay(decoding: _Decoding, row: Row, channel: int, groups: list[str]) -> None:
    name = row.fields[0].name.replace("{n}", str(channel))
    decoding.fields.setdefault(name, values.state(groups[0]))


@_reads(kinds.MBUS_TYPE)
def _mbus_type(decoding: _Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).type = values.integer(groups[0])


@_reads(kinds.MBUS_ID)
def _mbus_id(decoding: _Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).set_id(groups[0])


@_reads(kinds.MBUS_EAN)
def _mbus_ean(decoding: _Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).ean = values.text(groups[0])


@_reads(kinds.MBUS_VALVE)
def _mbus_valve(decoding: _Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).valve = values.state(groups[0])


@_reads(kinds.MBUS_READING)
def _mbus_reading(decoding: _Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    _reading(decoding, channel, groups[:-1], groups[-1], "")


@_reads(kinds.MBUS_READING_DSMR3)
def _mbus_reading_dsmr3(decoding: _Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    if len(groups) > 6:  # time, status, period, number of values, their codes and units, the values
        first_value = 4 + 2 * values.integer(groups[3])
        _reading(decoding, channel, groups[:1], groups[min(first_value, len(groups) - 1)], groups[5])
    else:
        _reading(decoding, channel, groups[:-1], groups[-1], "")


@_reads(kinds.MBUS_COLD_DSMR3)
def _mbus_cold_dsmr3(decoding: _Decoding, row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).medium = "cooling"
    _mbus_reading_dsmr3(decoding, row, channel, groups)


def _reading(decoding: _Decoding, number: int, times: list[str], text: str, unit: str) -> None:
    channel = decoding.channel(number)
    channel.was_read = True
    time = timestamp.epoch(times[0], decoding.zone) if times else None
    if time is not None or not times:  # a void time: no meter answered
        channel.set_reading(text, unit, time)


@_reads(kinds.IGNORED)
def _ignored(_decoding: _Decoding, _row: Row, _channel: int, _groups: list[str]) -> None:
    pass
