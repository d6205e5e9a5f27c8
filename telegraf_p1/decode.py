"""Turns a Telegram into a Record, by the table in `obis`.

Unknown references are skipped. A value that cannot be read loses only its field: the telegram is still used.
"""

import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Final

from telegraf_p1 import mbus, timestamp, values
from telegraf_p1.obis import kinds
from telegraf_p1.obis.kinds import Field, Row
from telegraf_p1.obis.lookup import DEFAULT, Table
from telegraf_p1.record import Record, Remark
from telegraf_p1.telegram import CosemObject, Telegram
from telegraf_p1.values import Unreadable, Value

_NS: Final = 1_000_000_000
_PEAK_MONTHS: Final = 12
_MILLI: Final = Decimal("0.001")

IDENTIFICATION: Final = "/"
# Lithuania sends means of 600 s under 31.4.0, 51.4.0 and 71.4.0, and under these. No other country sends these.
_LITHUANIA: Final = {f"1-0:{code}.24.0" for code in ("1", "15", "16", "32", "52", "72")}
# Poland sends the limit without a unit: `0-0:17.0.0(16500)`.
_WATTS: Final = re.compile(r"0*[1-9]\d{3,}")
_MODEL: Final = re.compile(r"[A-Z]{1,4}[0-9]{1,3}")
_HEADING: Final = re.compile(r"\d+-\d+:")
_ZERO: Final = Decimal(0)
# Import, export and net power, of all phases together and of each.
POWERS: Final = tuple(
    tuple(f"power_{way}{phase}_kw" for way in ("import", "export", "net")) for phase in ("", "_l1", "_l2", "_l3")
)
# For all other kinds, `()` means that there is no value. Here it means: no failures, no meter.
EMPTY_MEANS_SOMETHING: Final = (kinds.FAILURE_LOG, kinds.MBUS_ID)


class Memory:
    """What is remembered of a meter from telegram to telegram: its clock, and which powers it sends with a sign."""

    def __init__(self, zone: timestamp.Zone) -> None:
        self.clock = timestamp.Clock(zone)
        self.signed: set[str] = set()  # such as `power_import_l1_kw`


def decode(
    telegram: Telegram,
    received_ns: int | None,
    memory: Memory,
    *,
    host_time: bool = False,
    rows: Table = DEFAULT,
) -> Record:
    """Turn a telegram into a record.

    The time is the telegram's own. If it has no valid one, or if `host_time` is set, it is `received_ns`. That is UTC
    in ns since 1970, or None if the telegram was not sent when it was received. `memory` is that of this meter, `rows`
    the table.
    """
    decoding = Decoding(memory.clock, None if received_ns is None else received_ns // _NS)
    decoding.objects(telegram, rows)
    if decoding.no_time and decoding.time is None:
        decoding.remarks.append(decoding.no_time)
    decoding.fields.update(mbus.fields(decoding.channels.values(), decoding.time))
    fields = decoding.fields
    _split_net_power(fields, memory.signed)
    others = [str(fields.get(name, "")) for name in ("logical_device_name", "device_address")]
    tag = _identity([*decoding.named, *others[: 2 if any(decoding.named) else 1]], decoding.doubtful)
    tags = {"meter": tag} if tag else {}
    if host_time or decoding.time is None:
        return Record(tags, fields, received_ns, decoding.remarks, has_own_time=False)
    return Record(tags, fields, decoding.time * _NS, decoding.remarks)


def _identity(names: list[str], doubtful: set[str]) -> str:
    """Return the name that distinguishes the meter: the first that can be a serial number, else the first.

    A number that could as well be the hex code of a model is doubtful: any other serial number takes precedence.
    """
    given = [name for name in names if name]
    serials = [name for name in given if values.is_serial(name)]
    sure = [name for name in serials if name not in doubtful]
    return (sure or serials or given or [""])[0]


def _split_net_power(fields: dict[str, Value], signed: set[str]) -> None:
    """Set import and export for a meter that sends net power only.

    It either has a reference for net power, or its import was negative at some time: then it is net power from then on.
    A zero export in the same telegram is ignored, and a negative export is an import.
    """
    for imported, exported, net in POWERS:
        bought, sold = fields.get(imported, _ZERO), fields.get(exported, _ZERO)
        if not (isinstance(bought, Decimal) and isinstance(sold, Decimal)):
            continue  # a user's row has another type under this name
        if bought < 0 or (imported in signed and not sold and imported in fields):
            signed.add(imported)
            fields.setdefault(net, bought)
            del fields[imported]
            fields.pop(exported, None)
        elif sold < 0 and not bought:
            fields.setdefault(net, -sold)
            fields.pop(imported, None)
            del fields[exported]
        value = fields.get(net)
        if isinstance(value, Decimal):
            fields.setdefault(imported, value if value > 0 else _ZERO)
            fields.setdefault(exported, -value if value < 0 else _ZERO)


class Decoding:
    """The values of one telegram while it is decoded."""

    def __init__(self, clock: timestamp.Clock, received: int | None) -> None:
        self.clock = clock
        self.zone = clock.zone
        self.received = received
        self.sent: dict[str, list[str]] = {}
        self.fields: dict[str, Value] = {}
        self.named: list[str] = []  # possible names of the meter
        self.doubtful: set[str] = set()  # those of them that could be hex codes of something else
        self.time: int | None = None
        self.time_text = ""
        self.time_of_day = ""
        self.no_time: Remark | None = None  # why the time could not be read
        self.channels: dict[int, mbus.Channel] = {}
        self.remarks: list[Remark] = []

    def objects(self, telegram: Telegram, rows: Table) -> None:
        """Read all objects in the order of the table."""
        sent = self.sent = {IDENTIFICATION: [telegram.identification], **dict(telegram.objects)}
        if len(sent) <= len(telegram.objects):
            self.remarks += _sent_twice(telegram.objects)
        for reference, (_, channel, row) in rows.in_order(tuple(sent)):
            groups = sent[reference]
            kind = row.kind
            if not groups[0] and len(groups) == 1 and kind not in EMPTY_MEANS_SOMETHING:
                continue
            try:
                if kind == kinds.NUMBER:  # three of four objects, so without a call
                    field = row.fields[0]
                    self.fields.setdefault(field.name, values.number(groups[0], field.unit))
                else:
                    READERS[kind](self, row, channel, groups)
            except Unreadable as error:
                self.remarks.append(Remark(reference, str(error)))

    def put(self, field: Field, value: Value) -> None:
        """Set a field, unless a row higher up in the table has set it; an empty text is ignored."""
        if value != "":
            self.fields.setdefault(field.name, value)

    def set_time(self, reference: str, text: str) -> None:
        """Set the time of the telegram, unless a row higher up in the table has set it."""
        if self.time is None:
            self.time = self.clock.read(text, self.received)
            self.time_text = text
        if self.time is None:
            self.no_time = Remark(reference, f"{text!r} is not a valid time: this computer's clock is used")

    def channel(self, number: int) -> mbus.Channel:
        """Return the M-Bus channel with this number, which is created if it is new."""
        if number not in self.channels:
            self.channels[number] = mbus.Channel(number)
        return self.channels[number]


def _sent_twice(objects: list[CosemObject]) -> Iterator[Remark]:
    sent: dict[str, list[str]] = {}
    for reference, groups in objects:
        if sent.get(reference, groups) != groups:
            yield Remark(reference, "sent twice with different values: the last one is used")
        sent[reference] = groups


# Reads an object of one kind, given its row, its channel (0 for none) and the contents of its brackets. Raises
# Unreadable if they are not of that kind.
_Reader = Callable[[Decoding, Row, int, list[str]], None]
READERS: Final[dict[str, _Reader]] = {}


def _reads(kind: str) -> Callable[[_Reader], _Reader]:
    """Register the function below as the reader of a kind."""

    def bind(reader: _Reader) -> _Reader:
        READERS[kind] = reader
        return reader

    return bind


@_reads(kinds.NUMBER)
def _number(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.number(groups[0], row.fields[0].unit))


@_reads(kinds.LIMIT)
def _limit(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    value = values.number(groups[0], row.fields[0].unit)
    if not values.is_off(value):
        decoding.put(row.fields[0], value)


@_reads(kinds.COUNTER)
def _counter(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.integer(groups[0], row.fields[0].unit))


@_reads(kinds.STATE)
def _state(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.state(groups[0]))


@_reads(kinds.TARIFF)
def _tariff(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.tariff(groups[0]))


@_reads(kinds.TEXT)
def _text(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.text(")(".join(groups)))  # a text may contain brackets


@_reads(kinds.IDENTIFIER)
def _identifier(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.paired(groups[0]))


@_reads(kinds.PLAIN)
def _plain(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.plain(groups[0]))


@_reads(kinds.METER)
def _meter(decoding: Decoding, _row: Row, _channel: int, groups: list[str]) -> None:
    name = values.identifier(groups[0])
    decoding.named.append(name)
    if name == groups[0] and _MODEL.fullmatch(values.text(name)):
        decoding.doubtful.add(name)  # 45333630 is a number, or E360


@_reads(kinds.METER_PLAIN)
def _meter_plain(decoding: Decoding, _row: Row, _channel: int, groups: list[str]) -> None:
    decoding.named.append(values.plain(groups[0]))


@_reads(kinds.TIME)
def _time(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.set_time(row.reference, groups[0])


@_reads(kinds.TIME_OF_DAY)
def _time_of_day(decoding: Decoding, _row: Row, _channel: int, groups: list[str]) -> None:
    digits = "".join(filter(str.isdigit, groups[0]))
    decoding.time_of_day = digits[-6:] if len(digits) >= 6 else digits.ljust(6, "0")


@_reads(kinds.DATE)
def _date(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    digits = "".join(filter(str.isdigit, groups[0]))
    decoding.set_time(
        row.reference, digits[-6:] + decoding.time_of_day
    )  # 251002, 0251002 (with a digit for the season), 2025-10-02


@_reads(kinds.HEX_COUNTER)
def _hex_counter(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    decoding.put(row.fields[0], values.hex_counter(groups[0]))


@_reads(kinds.FUSE)
def _fuse(decoding: Decoding, row: Row, channel: int, groups: list[str]) -> None:
    _, unit = values.quantity(groups[0])
    if unit.lower() == "ka" or _LITHUANIA & decoding.sent.keys() or decoding.sent[IDENTIFICATION][0].startswith("ESO"):
        mean = row.fields[-1]
        value = values.number(groups[0], mean.unit)
        if not values.is_off(value):
            decoding.put(mean, value)
    else:
        _limit(decoding, row, channel, groups)


def _field_in(unit: str, row: Row) -> Field | None:
    """Return the field of a row that has a unit of the same kind, or None."""
    base = values.base_unit(unit)
    return next((field for field in row.fields if values.base_unit(field.unit) == base), None)


@_reads(kinds.QUANTITY)
def _quantity(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    value, unit = values.quantity(groups[0])
    field = _field_in(unit, row)
    if field is None:
        raise Unreadable(f"unexpected unit {unit!r}")
    decoding.put(field, values.convert(value, unit, field.unit))


@_reads(kinds.LIMITER)
def _limiter(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    value, unit = values.quantity(groups[0])
    if not unit and _WATTS.fullmatch(groups[0]):
        unit = "W"
    field = _field_in(unit, row)
    if field is None:
        raise Unreadable(f"unexpected unit {unit!r} for a limiter")
    if not values.is_off(value):
        decoding.put(field, values.convert(value, unit, field.unit))


@_reads(kinds.CURRENT_LIMITS)
def _current_limits(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    for field, group in zip(row.fields, groups, strict=False):
        decoding.put(field, values.number(group, field.unit))


@_reads(kinds.PEAK)
def _peak(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    power, end = row.fields
    times, numbers = _by_form(tuple(groups))
    if not numbers:
        raise Unreadable(f"no power in {groups!r}")
    value = values.number(numbers[-1], power.unit)
    time = timestamp.epoch(times[0], decoding.zone) if times else None
    if times and not value and (timestamp.is_void(times[0]) or _is_empty_month(times[0], value)):
        return
    decoding.put(power, value)
    if time is None:
        raise Unreadable(f"no valid time in {groups!r}: the peak is kept without it")
    decoding.put(end, time)


@_reads(kinds.PEAK_HISTORY)
def _peak_history(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    headings = [place for place, group in enumerate(groups) if _HEADING.match(group)]
    if not headings:
        return  # Hungary and Switzerland send something else under this reference
    average, count = row.fields
    listed = tuple(groups[headings[-1] + 1 :])
    has_pairs = groups[0].isdecimal() and len(listed) == 2 * int(groups[0])
    months, unreadable = _months(listed, 2 if has_pairs else 3, average.unit, decoding.zone)
    now = _month(decoding.time_text) if decoding.time is not None else max(months, default=0)
    peaks = tuple(value for month, value in months.items() if now - _PEAK_MONTHS < month <= now)
    if peaks:
        decoding.put(average, _mean(peaks))
    decoding.put(count, len(peaks))
    if unreadable:
        raise Unreadable(f"months without a valid time or power: {unreadable[:3]!r}")


@lru_cache(64)
def _mean(peaks: tuple[Decimal, ...]) -> Decimal:
    return (sum(peaks, Decimal(0)) / len(peaks)).quantize(_MILLI, ROUND_HALF_UP)


@lru_cache(256)  # unchanged for a month
def _months(
    groups: tuple[str, ...], size: int, unit: str, zone: timestamp.Zone
) -> tuple[dict[int, Decimal], list[str]]:
    """Return the peak of each month of a history, and the groups that could not be read; raise Unreadable.

    An entry has the end of the month, the time of the peak (not if `size` is 2) and its power.
    """
    months: dict[int, Decimal] = {}
    unreadable: list[str] = []
    for place in range(0, len(groups) - size + 1, size):
        entry = groups[place : place + size]
        times, numbers = _by_form(entry)
        if not times or not numbers or timestamp.epoch(times[0], zone) is None:
            unreadable += () if times and timestamp.is_void(times[0]) else entry
            continue
        value = values.number(numbers[0], unit)
        if not value and len(times) == 2 and (timestamp.is_void(times[1]) or _is_empty_month(times[1], value)):
            continue
        if len(times) < size - 1 or timestamp.epoch(times[-1], zone) is None:
            unreadable += entry
        months[_month(times[0])] = value
    return months, unreadable


@lru_cache(64)
def _by_form(groups: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the times, valid or not, and the numbers among groups: their order differs between manufacturers."""
    times = [group for group in groups if timestamp.digits(group)]
    numbers = [group for group in groups if group not in times and values.is_quantity(group)]
    # A number without a point or a unit may be a count, or a time in another form: `(8.796*kW)(2601020100)`.
    return times, [number for number in numbers if "." in number or "*" in number] or numbers


def _month(text: str) -> int:
    """Return a number for the month of a time. A history dates a month by its end: `230801000000S` for July."""
    digits = timestamp.digits(text) or "0000"
    return int(digits[:2]) * 12 + int(digits[2:4])


def _is_empty_month(time: str, peak: Decimal) -> bool:
    """Whether a peak of zero at the first second of a month means "no data": no quarter-hour of the month ends then."""
    return not peak and (timestamp.digits(time) or "")[4:12] == "01000000"


@_reads(kinds.FAILURE_LOG)
def _failure_log(decoding: Decoding, row: Row, _channel: int, groups: list[str]) -> None:
    count, end_of_last, duration_of_last = row.fields
    decoding.put(count, values.integer(groups[0]) if groups[0] else 0)
    if last := _last_failure(tuple(groups), duration_of_last.unit, decoding.zone):
        decoding.put(end_of_last, last[0])
        decoding.put(duration_of_last, last[1])


@lru_cache(64)  # unchanged for months
def _last_failure(groups: tuple[str, ...], unit: str, zone: timestamp.Zone) -> tuple[int, int] | None:
    """Return the end (UTC, s since 1970) and the duration (s) of the last failure; None if none is listed."""
    failures = []
    for end, duration in pairwise(groups):
        time = timestamp.epoch(end, zone)
        if time is not None:
            failures.append((time, values.integer(duration, unit)))
    return max(failures, default=None)


@_reads(kinds.RELAY)
def _relay(decoding: Decoding, row: Row, channel: int, groups: list[str]) -> None:
    name = row.fields[0].name.replace("{n}", str(channel))
    decoding.fields.setdefault(name, values.state(groups[0]))


@_reads(kinds.MBUS_TYPE)
def _mbus_type(decoding: Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).type = values.integer(groups[0])


@_reads(kinds.MBUS_ID)
def _mbus_id(decoding: Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).set_id(groups[0])


@_reads(kinds.MBUS_EAN)
def _mbus_ean(decoding: Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).set_ean(groups[0])


@_reads(kinds.MBUS_VALVE)
def _mbus_valve(decoding: Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).valve = values.state(groups[0])


@_reads(kinds.MBUS_READING)
def _mbus_reading(decoding: Decoding, row: Row, channel: int, groups: list[str]) -> None:
    groups = _time_first(groups)
    _, unit = values.quantity(groups[-1])
    if values.base_unit(unit) == "degC":
        _mbus_quantity(decoding, row._replace(fields=row.fields[2:]), channel, groups)
    elif len(row.fields) > 2 and not timestamp.is_void(groups[0]) and _is_second(decoding.channel(channel), unit):
        raise Unreadable(
            f"{groups[-1]!r} is not a second reading of a meter for {decoding.channel(channel).named_medium()}"
        )
    else:
        _reading(decoding, channel, groups[:-1], groups[-1], "")


def _time_first(groups: list[str]) -> list[str]:
    """Put the time before the value: their order differs between manufacturers."""
    is_turned = len(groups) == 2 and timestamp.digits(groups[1]) and not timestamp.digits(groups[0])
    return groups[::-1] if is_turned else groups


def _is_second(channel: mbus.Channel, unit: str) -> bool:
    """Whether 24.2.3 is not the reading of the channel. For gas it is (Belgium).

    For others it is if there is no reading yet, and it has a unit or the meter is for water.
    """
    medium = channel.named_medium()
    return medium != "gas" and (channel.reading is not None or (not unit and medium != "water"))


@_reads(kinds.MBUS_QUANTITY)
def _mbus_quantity(decoding: Decoding, row: Row, channel: int, groups: list[str]) -> None:
    value, unit = values.quantity(_time_first(groups)[-1])
    field = _field_in(unit, row)
    if field is None:
        raise Unreadable(f"unexpected unit {unit!r}")
    decoding.channel(channel).more[field.name] = values.convert(value, unit, field.unit)


@_reads(kinds.MBUS_READING_DSMR3)
def _mbus_reading_dsmr3(decoding: Decoding, _row: Row, channel: int, groups: list[str]) -> None:
    if len(groups) > 6:  # time, status, period, number of values, their codes and units, the values
        first_value = 4 + 2 * values.integer(groups[3])
        _reading(decoding, channel, groups[:1], groups[min(first_value, len(groups) - 1)], groups[5])
    else:
        _reading(decoding, channel, groups[:-1], groups[-1], "")


@_reads(kinds.MBUS_COLD_DSMR3)
def _mbus_cold_dsmr3(decoding: Decoding, row: Row, channel: int, groups: list[str]) -> None:
    decoding.channel(channel).medium = "cooling"
    _mbus_reading_dsmr3(decoding, row, channel, groups)


def _reading(decoding: Decoding, number: int, times: list[str], text: str, unit: str) -> None:
    channel = decoding.channel(number)
    channel.was_read = True
    time = timestamp.epoch(times[0], decoding.zone) if times else None
    if time is not None or not times:  # if the time is void, no meter has answered
        channel.set_reading(text, unit, time)


@_reads(kinds.IGNORED)
def _ignored(_decoding: Decoding, _row: Row, _channel: int, _groups: list[str]) -> None:
    pass
