"""A Record becomes one line of InfluxDB line protocol.

An adapter over influx-line-protocol: that library prints floats with `%g`, so 12345.678 would
become 12345.7, and its tags can end in a backslash or hold a line end, which Telegraf reads as
another record. Readings come as Decimal here and keep the digits that were sent.
"""

import re
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


def _escape(text: str) -> str:
    return _escaped(text) if len(text) < _LONGEST_KEPT else _escaped.__wrapped__(text)


@lru_cache(1024)
def _escaped(text: str) -> str:
    # Telegraf keeps a backslash as it is, unless it stands before one of these.
    return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


class _Metric(Metric):  # type: ignore[misc]
    """Metric with the two private steps replaced that lose data; it offers no other hook."""

    def _Metric__parse_value(self, value: Value) -> str:  # noqa: N802
        if type(value) is Decimal:
            return format(value, "f")
        return str(super()._Metric__parse_value(value))

    def _Metric__escape(self, text: str) -> str:  # noqa: N802
        return _escape(text)


def line(record: Record, measurement: str = "p1") -> str:
    """Give the record as a line without its line end; empty when nothing is left to write.

    Texts may hold anything: control characters become spaces, so a line stays a line.
    Integers that do not fit into 64 bits are left out, as the whole record would be refused.
    """
    metric = _Metric(measurement)
    for name, text in record.tags.items():
        if tag := _tag(text):
            metric.add_tag(name, tag)
    for name, value in record.fields.items():
        if type(value) is str:
            metric.add_value(name, _CONTROL.sub(" ", value))
        elif type(value) is not int or -_INT64 <= value < _INT64:
            metric.add_value(name, value)
    if not metric.values:
        return ""
    if record.time_ns is not None:  # else the database takes the time at which it gets the line
        metric.with_timestamp(record.time_ns)
    return str(metric)


def check_measurement(name: str) -> str:
    """Give `name` back if it can be a measurement; raise ValueError otherwise."""
    if not name or name != _tag(name) or name.startswith("#") or "\\" in name:
        raise ValueError(f"{name!r} cannot be a measurement: use letters, digits and underscores")
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
