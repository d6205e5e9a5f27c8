"""Turns a Record into one line of InfluxDB line protocol.

An adapter over influx-line-protocol. That library prints floats with `%g`, so 12345.678 would become 12345.7. Its tags
can end in a backslash or contain a line end, after which Telegraf reads another record. Here readings are Decimal, and
keep the digits that were sent.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final

from influx_line_protocol import Metric

from telegraf_p1.record import Record
from telegraf_p1.values import Value

_LONGEST_KEPT: Final = 256  # characters; a topic may have 64 KB
_INT64: Final = 1 << 63
# A backslash at the end of a tag would escape the comma or the space after it. What is removed at the end may leave
# another one there, so all of these are removed together.
_NO_END: Final = "\\ \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class _Metric(Metric):  # type: ignore[misc]
    """Metric without its excessive escaping; replacing this private method is the only way."""

    def _Metric__escape(self, text: str) -> str:  # noqa: N802
        # Telegraf treats a backslash as an escape only before one of these.
        return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def _kept(make: Callable[..., str]) -> Callable[..., str]:
    """Cache what is made of short texts: most are the same as in the telegram before."""
    remembered = lru_cache(1024)(make)

    def made(*texts: str) -> str:
        return (remembered if sum(map(len, texts)) < _LONGEST_KEPT else make)(*texts)

    return made


def line(record: Record, measurement: str = "p1") -> str:
    """Return the record as a line without its line end; empty if no field is left to write.

    Texts may contain anything: control characters become spaces, so a line stays one line. Integers that do not fit
    into 64 bits are left out, since the database would reject the whole record.
    """
    values = fields(record.fields)
    if not values:
        return ""
    written = before_fields(measurement, *record.tags, *record.tags.values()) + values
    # Without a time, the database uses the time at which it receives the line.
    return written if record.time_ns is None else f"{written} {record.time_ns}"


def fields(values: Mapping[str, Value]) -> str:
    """Return the fields as in a line: `energy_import_kwh=1.000,tariff=2i`; empty if none can be written."""
    written = []
    for name, value in values.items():
        if isinstance(value, Decimal):
            digits = str(value)  # three times as fast as format, and the same without an exponent
            written.append(_before_value(name) + (format(value, "f") if "E" in digits else digits))
        elif isinstance(value, str):
            written.append(_before_value(name) + _quoted(value))
        elif -_INT64 <= value < _INT64:
            written.append(f"{_before_value(name)}{value}i")
    return ",".join(written)


@lru_cache(1024)
def _before_value(name: str) -> str:
    """Return what precedes a value: `energy_import_kwh=`."""
    metric = _Metric("")
    metric.add_value(name, 0)
    return str(metric)[len(" ") : -len("0i")]


@_kept
def _quoted(text: str) -> str:
    """Return a text in quotes: `"a text"`."""
    metric = _Metric("")
    metric.add_value("", _CONTROL.sub(" ", text))
    return str(metric)[len(" =") :]


@_kept
def before_fields(measurement: str, *tags: str) -> str:
    """Return what precedes the fields: `p1,meter=E0043 `; in `tags`, all names come before all texts."""
    metric = _Metric(measurement)
    for name, text in zip(tags[: len(tags) // 2], tags[len(tags) // 2 :], strict=True):
        if tag := _tag(text):
            metric.add_tag(name, tag)
    return str(metric)


def check_measurement(name: str) -> str:
    """Return `name` if it can be a measurement; raise ValueError otherwise."""
    if not name or name != _tag(name) or name.startswith("#") or "\\" in name:
        raise ValueError(f"{name!r} is not a valid measurement name: use letters, digits and underscores")
    return name


def _tag(text: str) -> str:
    return _CONTROL.sub(" ", text).strip().rstrip(_NO_END)


def as_json(record: Record, measurement: str = "p1") -> str:
    """Return the record as a JSON object, for `decode --json`; readings have the digits sent."""
    import json

    fields = (
        f"{json.dumps(name)}: {format(value, 'f') if type(value) is Decimal else json.dumps(value)}"
        for name, value in record.fields.items()
    )
    head = {"time_ns": record.time_ns, "measurement": measurement, "tags": record.tags}
    return f'{json.dumps(head)[:-1]}, "fields": {{{", ".join(fields)}}}}}'
