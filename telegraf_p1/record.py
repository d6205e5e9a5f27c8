"""The values of one telegram, ready to be written."""

from typing import NamedTuple

from telegraf_p1.values import Value


class Remark(NamedTuple):
    """Something in a telegram that could not be read, and why."""

    reference: str
    text: str


class Record(NamedTuple):
    """The tags and fields of a telegram.

    `time_ns` is UTC in ns since 1970; None if neither the telegram nor its reception gives it. `line` is the record in
    line protocol with its line end, if the fast way made it; then there are no tags and fields. `has_own_time` is
    whether the time is the telegram's, and not that of its reception.
    """

    tags: dict[str, str]
    fields: dict[str, Value]
    time_ns: int | None
    remarks: list[Remark]
    line: bytes = b""
    has_own_time: bool = True
