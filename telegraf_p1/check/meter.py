"""What is known of a meter from its telegrams."""

import re
import statistics
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from telegraf_p1 import identifiers
from telegraf_p1.check import form as forms
from telegraf_p1.check.receiver import Accepted, Receiver
from telegraf_p1.decode import Memory, decode
from telegraf_p1.obis.lookup import DEFAULT
from telegraf_p1.record import Record
from telegraf_p1.telegram import Telegram
from telegraf_p1.timestamp import DEFAULT_ZONE, Zone
from telegraf_p1.values import Unreadable, Value

_NS: Final = 1_000_000_000
_MBUS: Final = re.compile(r"((?:gas|water|heat|cooling|hot_water|sub|mbus_\d+)(?:_\d+)?)_(m3|gj|kwh)")
_NUMBER: Final = re.compile(r"\d{7,}")
_UNITS: Final = {"m3": "m3", "gj": "GJ", "kwh": "kWh"}


class MbusMeter(NamedTuple):
    """A meter connected by M-Bus: what it measures, its reading, and the age of the reading (s; None: unknown)."""

    name: str
    identifier: str
    reading: Decimal
    unit: str
    age_s: int | None


class Meter(NamedTuple):
    """A meter that was found.

    `clock_s` is its clock minus this computer's, `interval_s` the time between two telegrams (None: unknown). `crc` is
    `fits`, `x25` (CRC-16/X-25 fits), `none` (the meter sends none) or `off` (what it sends is no CRC). `zone` is the
    time zone of its clock. Identifiers may be masked; `has_identifier` says whether the meter sends one.
    """

    identification: str
    maker: str
    model: str
    form: forms.Form
    zone: str
    identifier: str
    has_identifier: bool
    topic: str
    crc: str
    damage: str
    telegrams: int
    interval_s: float | None
    clock_s: float | None
    objects: int
    unknown: tuple[str, ...]
    mbus: tuple[MbusMeter, ...]
    record: Record


def meters(receiver: Receiver, *, is_live: bool, are_masked: bool) -> list[Meter]:
    """Return each meter, told apart by topic and identifier; `is_live`: the telegrams were sent just now."""
    by_name: dict[tuple[str, str], list[Accepted]] = {}
    for one in receiver.accepted:
        by_name.setdefault((one.record.tags.get("topic", ""), one.record.tags.get("meter", "")), []).append(one)
    return [_meter(accepted, receiver, is_live=is_live, are_masked=are_masked) for accepted in by_name.values()]


def _meter(accepted: Sequence[Accepted], receiver: Receiver, *, is_live: bool, are_masked: bool) -> Meter:
    telegram, record, at_ns = accepted[-1]
    form = forms.form(telegram)
    zone, record = _in_its_zone(accepted[-1], form, is_live=is_live)
    has_time = is_live and record.has_own_time
    clock_s = (record.time_ns - at_ns) / _NS if has_time and at_ns and record.time_ns else None
    has_identifier = "meter" in record.tags
    identification = telegram.identification
    if are_masked:
        record = identifiers.replacing(identifiers.masked)(record)
        # Some makers put the serial number into it.
        identification = _NUMBER.sub(lambda number: identifiers.masked(number[0]), identification)
        record = record._replace(fields=record.fields | {"identification": identification})
    return Meter(
        identification=identification,
        maker=forms.maker(identification),
        model=forms.model(identification),
        form=form,
        zone=zone,
        identifier=record.tags.get("meter", ""),
        has_identifier=has_identifier,
        topic=record.tags.get("topic", ""),
        crc=_crc(telegram, receiver),
        damage=telegram.damage,
        telegrams=len(accepted),
        interval_s=_interval_s(accepted, is_live=is_live),
        clock_s=clock_s,
        objects=len(telegram.objects),
        unknown=_unknown(telegram),
        mbus=tuple(mbus_meters(record, at_ns)),
        record=record,
    )


def _unknown(telegram: Telegram) -> tuple[str, ...]:
    """Return the references that the table does not have; stored values of earlier periods (`*01`) do not count."""
    references = (reference for reference, _ in telegram.objects if not set("*&") & set(reference))
    return tuple(dict.fromkeys(reference for reference in references if not DEFAULT.lookup(reference)))


def _in_its_zone(one: Accepted, form: forms.Form, *, is_live: bool) -> tuple[str, Record]:
    """Return the time zone of a meter's clock, and the record decoded with it."""
    found: dict[str, float] = {}
    records = {DEFAULT_ZONE: one.record}
    for zone in forms.zones(form.countries, _zone_of_this_computer()):
        try:
            records[zone] = decode(one.telegram, one.at_ns, Memory(Zone(zone)))
        except Unreadable:  # the time-zone database does not have it
            continue
        time_ns = records[zone].time_ns
        found[zone] = (time_ns - one.at_ns) / _NS if is_live and time_ns and one.at_ns else 0.0
    zone = forms.fitting(found or {DEFAULT_ZONE: 0.0})
    return zone, records[zone]._replace(tags=records[zone].tags | one.record.tags)


def _zone_of_this_computer() -> str:
    name = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return name or DEFAULT_ZONE


def _crc(telegram: Telegram, receiver: Receiver) -> str:
    if receiver.way.crc in ("x25", "off"):
        return receiver.way.crc
    return "fits" if telegram.checksum is not None else "none"


def _interval_s(accepted: Sequence[Accepted], *, is_live: bool) -> float | None:
    """Return the time between two telegrams, by the meter's clock if possible, else by this computer's."""
    times = [one.record.time_ns for one in accepted if one.record.time_ns and one.record.has_own_time]
    if len(set(times)) < len(accepted) and is_live:  # it has no clock, or sends more often than its clock advances
        times = [one.at_ns for one in accepted if one.at_ns]
    steps = [(later - earlier) / _NS for earlier, later in pairwise(times) if later > earlier]
    if not steps:
        return None
    step = statistics.median(steps)
    return round(step) if step >= 1 else round(step, 1)


def mbus_meters(record: Record, now_ns: int | None) -> list[MbusMeter]:
    """Return the M-Bus meters in a record, with the ages of their readings at `now_ns` (UTC, ns since 1970)."""
    found = []
    for name, value in record.fields.items():
        if not (match := _MBUS.fullmatch(name)) or not isinstance(value, Decimal):
            continue
        time_s: Value | None = record.fields.get(f"{match[1]}_timestamp")
        age_s = max(0, (now_ns or record.time_ns or 0) // _NS - time_s) if isinstance(time_s, int) else None
        identifier = str(record.fields.get(f"{match[1]}_meter_id", ""))
        found.append(MbusMeter(match[1], identifier, value, _UNITS[match[2]], age_s))
    return found
