"""What one telegram says, ready to be written."""

from typing import NamedTuple

from telegraf_p1.values import Value


class Remark(NamedTuple):
    """What of a telegram could not be read, and why."""

    reference: str
    text: str


class Record(NamedTuple):
    """The tags and fields of a telegram.

    `time_ns` is UTC in ns since 1970; None when neither the telegram nor its reception tells it. `line` is all of it in
    line protocol, with its line end, where that is known already; then there are no tags and fields. `has_own_time`:
    its time is that of the telegram, and not of its reception.
    """

    tags: dict[str, str]
    fields: dict[str, Value]
    time_ns: int | None
    remarks: list[Remark]
    line: bytes = b""
    has_own_time: bool = True
