"""A Record becomes one line of InfluxDB line protocol.

An adapter over influx-line-protocol: that library prints floats with `%g`, so 12345.678 would
become 12345.7, and its tags can end in a backslash or hold a line end, which Telegraf reads as
another record. Readings come as Decimal here and keep the digits that were sent.
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
# A backslash at the end of a tag would escape the comma or the space behind it, and what is stripped may bare another.
_NO_END: Final = "\\ \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class _Metric(Metric):  # type: ignore[misc]
    """Metric with the private step replaced that escapes too much; it offers no other hook."""

    def _Metric__escape(self, text: str) -> str:  # noqa: N802
        # Telegraf keeps a backslash as it is, unless it stands before one of these.
        return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def _kept(make: Callable[..., str]) -> Callable[..., str]:
    """Remember what is made of short texts: most are those of the telegram before."""
    remembered = lru_cache(1024)(make)

    def made(*texts: str) -> str:
        return (remembered if sum(map(len, texts)) < _LONGEST_KEPT else make)(*texts)

    return made


def line(record: Record, measurement: str = "p1") -> str:
    """Give the record as a line without its line end; empty when nothing is left to write.

    Texts may hold anything: control characters become spaces, so a line stays a line.
    Integers that do not fit into 64 bits are left out, as the whole record would be refused.
    """
    values = fields(record.fields)
    if not values:
        return ""
    written = before_fields(measurement, *record.tags, *record.tags.values()) + values
    # Without a time the database takes that at which it gets the line.
    return written if record.time_ns is None else f"{written} {record.time_ns}"


def fields(values: Mapping[str, Value]) -> str:
    """`energy_import_kwh=1.000,tariff=2i`; empty when none can be written."""
    written = []
    for name, value in values.items():
        if isinstance(value, Decimal):
            digits = str(value)  # three times as fast as format, which it differs from in what has an exponent
            written.append(_before_value(name) + (format(value, "f") if "E" in digits else digits))
        elif isinstance(value, str):
            written.append(_before_value(name) + _quoted(value))
        elif -_INT64 <= value < _INT64:
            written.append(f"{_before_value(name)}{value}i")
    return ",".join(written)


@lru_cache(1024)
def _before_value(name: str) -> str:
    """`energy_import_kwh=`."""
    metric = _Metric("")
    metric.add_value(name, 0)
    return str(metric)[len(" ") : -len("0i")]


@_kept
def _quoted(text: str) -> str:
    """`"a text"`."""
    metric = _Metric("")
    metric.add_value("", _CONTROL.sub(" ", text))
    return str(metric)[len(" =") :]


@_kept
def before_fields(measurement: str, *tags: str) -> str:
    """`p1,meter=E0043 `; all names stand before all texts."""
    metric = _Metric(measurement)
    for name, text in zip(tags[: len(tags) // 2], tags[len(tags) // 2 :], strict=True):
        if tag := _tag(text):
            metric.add_tag(name, tag)
    return str(metric)


def check_measurement(name: str) -> str:
    """Give `name` back if it can be a measurement; raise ValueError otherwise."""
    if not name or name != _tag(name) or name.startswith("#") or "\\" in name:
        raise ValueError(f"{name!r} is not a valid measurement name: use letters, digits and underscores")
    return name


def _tag(text: str) -> str:
    return _CONTROL.sub(" ", text).strip().rstrip(_NO_END)


def as_json(record: Record, measurement: str = "p1") -> str:
    """Give the record as a JSON object, for `decode --json`; readings with the digits sent."""
    import json

    fields = (
        f"{json.dumps(name)}: {format(value, 'f') if type(value) is Decimal else json.dumps(value)}"
        for name, value in record.fields.items()
    )
    head = {"time_ns": record.time_ns, "measurement": measurement, "tags": record.tags}
    return f'{json.dumps(head)[:-1]}, "fields": {{{", ".join(fields)}}}}}'
