"""What `check` found, for people and for programs: facts about a meter, its readings in tables, and JSON."""

import os
import re
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from telegraf_p1 import keys
from telegraf_p1.check import block, ports
from telegraf_p1.check.causes import Cause
from telegraf_p1.check.listen import Listener, Try
from telegraf_p1.check.meter import Meter, meters
from telegraf_p1.mqtt_options import PASSWORD
from telegraf_p1.obis.lookup import DEFAULT
from telegraf_p1.record import Record
from telegraf_p1.sources import sim
from telegraf_p1.timestamp import DEFAULT_ZONE
from telegraf_p1.url import Url, parse
from telegraf_p1.values import Value

_COLUMN: Final = re.compile(r"(.+)_([lt]\d)")
# In the order of their rows.
_PHASES: Final = ("kW", "V", "A", "kvar", "kVA")
_ENERGY: Final = ("kWh", "kvarh")
_ELSEWHERE: Final = re.compile(
    r"identification|p1_version|.*_id|ean|.*_ean|logical_device_name|device_address|fw_.*|message_code|"
    r"(?:gas|water|heat|cooling|hot_water|sub|mbus_\d+)(?:_\d+)?_(?:m3|gj|kwh|timestamp)"
)
_KEYS: Final = (keys.KEY, keys.AUTHENTICATION_KEY, keys.SYSTEM_TITLE)
# By the beginning of a source's scheme.
_SECRETS: Final = {"mqtt": PASSWORD, "kafka": "P1_KAFKA_PASSWORD", "http": "P1_HTTP_TOKEN"}
_WRONG_S: Final = 60  # by which a meter's clock may be off without advice
_CRCS: Final = {
    "fits": "correct",
    "x25": "CRC-16/X-25 matches, not the usual CRC",
    "none": "none: this meter sends no CRC",
    "off": "invalid: this meter sends no real CRC, so the structure is checked",
}


class Looked(NamedTuple):
    """The result of listening to a source: its meters and the block that reads them, or why there are none.

    `trial` is the block that Telegraf tries: without the past of a simulated meter.
    """

    source: str
    settings: str
    tries: Sequence[Try]
    cause: Cause | None
    meters: Sequence[Meter]
    block: str
    trial: str
    notes: Sequence[str]
    rejected: dict[str, int]


def looked(listener: Listener, *, are_masked: bool) -> Looked:
    """Return the result of a listener."""
    receiver = listener.receiver
    rejected = dict(receiver.rejected)
    if not receiver.accepted:
        return Looked(listener.source, "", listener.tries, listener.cause, (), "", "", (), rejected)
    url = parse(listener.source)
    source = listener.found_source()
    if listener.is_port:
        source = source.replace(url.path, ports.lasting_name(url.path), 1)
    elif url.scheme == "file" and not url.path.startswith("/"):
        source = f"file://{os.path.abspath(url.path)}"  # noqa: PTH100  Telegraf runs in another folder
    found = meters(receiver, is_live=url.scheme != "file", are_masked=are_masked)
    meter = found[0]
    needs_tag = not meter.has_identifier and not meter.topic
    options = block.options(meter, receiver.way.options())
    kept, tried = (sim.fixed(source), sim.without_past(source)) if url.scheme == "sim" else (source, source)
    text, trial = (block.text(one, options, needs_tag=needs_tag) for one in (kept, tried))
    notes = tuple(_notes(url, is_port=listener.is_port, messages=receiver.messages))
    return Looked(source, listener.settings, listener.tries, None, found, text, trial, notes, rejected)


def _notes(url: Url, *, is_port: bool, messages: Iterable[str]) -> Iterable[str]:
    """Yield what the user has to do or to know."""
    if is_port and (command := ports.right_for_telegraf(url.path)):
        yield f"Telegraf's user is not allowed to open the port yet: {command}"
    secrets = [*_KEYS, *(name for scheme, name in _SECRETS.items() if url.scheme.startswith(scheme))]
    if names := [name for name in secrets if os.environ.get(name)]:
        yield (f"Telegraf needs {' and '.join(names)} in its environment too: set it in /etc/default/telegraf")
    yield from list(dict.fromkeys(messages))[:3]


def facts(meter: Meter, rejected: dict[str, int]) -> list[tuple[str, str]]:
    """Return what is known of a meter, as pairs of label and text."""
    made = f"{meter.maker} {meter.model}".strip()
    form = " or ".join(meter.form.countries) or "unknown"
    zone = f", clock in {meter.zone}" if meter.zone != DEFAULT_ZONE else ""
    bad = rejected.get("crc", 0) + rejected.get("crc-lost", 0)
    crc = _CRCS[meter.crc] + (f", but wrong in {bad} of {bad + meter.telegrams} telegrams" if bad else "")
    unknown = f"; unknown: {', '.join(meter.unknown[:4])}" if meter.unknown else ", all known"
    found = [
        ("meter", f"{made} (/{meter.identification})" if made != meter.identification else made),
        ("form", ", ".join(filter(None, (form, meter.form.standard))) + zone),
        ("identifier", meter.identifier or "none sent"),
        ("CRC", crc),
        ("telegrams", f"one every {_seconds(meter.interval_s)}" if meter.interval_s else f"{meter.telegrams} received"),
        *([("clock", _clock(meter.clock_s))] if meter.clock_s is not None else []),
        ("objects", f"{meter.objects}{unknown}"),
    ]
    return [("topic", meter.topic), *found] if meter.topic else found


def _clock(difference_s: float) -> str:
    if abs(difference_s) < 2:
        return "same as this computer's"
    text = f"{age(abs(difference_s))} {'ahead of' if difference_s > 0 else 'behind'} this computer's"
    return f"{text}; --time host uses this computer's" if abs(difference_s) > _WRONG_S else text


def _seconds(seconds: float) -> str:
    return "second" if seconds == 1 else f"{seconds:g} s"


def age(seconds: float) -> str:
    """Write a duration in its largest unit: `5 min`."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


class Table(NamedTuple):
    """Readings side by side: `columns` are `total`, `L1` and the like; a row has a label, its values and their unit."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str], str]]


class Readings(NamedTuple):
    """The readings of a record: energy by tariff, values by phase, and the others as label and text."""

    energy: Table
    phases: Table
    others: Sequence[tuple[str, str]]


def readings(record: Record) -> Readings:
    """Put the readings of a record into tables."""
    grouped: dict[tuple[str, str], dict[str, str]] = {}
    for name, value in record.fields.items():
        if _ELSEWHERE.fullmatch(name):
            continue
        field = DEFAULT.field(name)
        unit = field.unit if field else ""
        label = name.removesuffix(f"_{unit.lower()}") if unit else name
        column = _COLUMN.fullmatch(label)
        label, place = (column[1], column[2].upper()) if column else (label, "total")
        grouped.setdefault((label.replace("_", " "), unit), {})[place] = _shown(name, value)
    energy = {key: cells for key, cells in grouped.items() if key[1] in _ENERGY}
    phases = {
        key: cells
        for key, cells in grouped.items()
        if key not in energy and (any(place.startswith("L") for place in cells) or key[1] in _PHASES)
    }
    others = [
        _other(label, unit, text)
        for (label, unit), cells in grouped.items()
        if (label, unit) not in energy and (label, unit) not in phases
        for text in cells.values()
    ]
    return Readings(_table(energy), _table(phases), others)


def _other(label: str, unit: str, text: str) -> tuple[str, str]:
    if label.endswith(" timestamp"):
        return label.removesuffix(" timestamp"), text
    return label, f"{text} {unit}".strip()


def _table(grouped: dict[tuple[str, str], dict[str, str]]) -> Table:
    columns = sorted(
        {place for cells in grouped.values() for place in cells}, key=lambda place: (place != "total", place)
    )
    rows = [(label, [cells.get(place, "") for place in columns], unit) for (label, unit), cells in grouped.items()]
    return Table(columns, sorted(rows, key=lambda row: _place(row[2])))


def _place(unit: str) -> int:
    """Return the place of a row by its unit; plain counts, which have no unit, come last."""
    units = (*_ENERGY, *_PHASES)
    return units.index(unit) if unit in units else len(units) + (not unit)


def _shown(name: str, value: Value) -> str:
    if isinstance(value, int) and name.endswith("_timestamp"):
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(value))
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def as_json(everything: Sequence[Looked], written: str | None, tried: block.Tried | None) -> dict[str, Any]:
    """Return one object with all that was found, the file that was written, and the result of Telegraf's trial.

    Programs read it, so its names must stay the same.
    """
    return {
        "found": any(one.meters for one in everything),
        "written": written,
        "telegraf": tried._asdict() if tried else None,
        "sources": [
            {
                "source": one.source,
                "settings": one.settings or None,
                "tried": [attempt._asdict() for attempt in one.tries],
                "cause": one.cause.word if one.cause else None,
                "text": one.cause.text if one.cause else None,
                "command": (one.cause.command or None) if one.cause else None,
                "rejected": one.rejected,
                "meters": [_meter_as_json(meter) for meter in one.meters],
                "block": one.block or None,
                "notes": list(one.notes),
            }
            for one in everything
        ],
    }


def _meter_as_json(meter: Meter) -> dict[str, Any]:
    return {
        "identification": meter.identification,
        "maker": meter.maker or None,
        "model": meter.model,
        "version": meter.record.fields.get("p1_version"),
        "countries": list(meter.form.countries),
        "standard": meter.form.standard or None,
        "timezone": meter.zone,
        "identifier": meter.identifier or None,
        "topic": meter.topic or None,
        "crc": meter.crc,
        "damage": meter.damage or None,
        "telegrams": meter.telegrams,
        "interval_s": meter.interval_s,
        "clock_difference_s": meter.clock_s,
        "objects": meter.objects,
        "unknown_references": list(meter.unknown),
        "mbus": [one._asdict() | {"reading": float(one.reading)} for one in meter.mbus],
        "readings": {name: float(v) if isinstance(v, Decimal) else v for name, v in meter.record.fields.items()},
    }
