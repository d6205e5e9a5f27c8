"""Writes records as lines to stdout: one for each measurement that a record has."""

from collections.abc import Callable, Sequence

from telegraf_p1 import lineproto
from telegraf_p1.outputs import Output
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.record import Record


def lines(
    write: Callable[[list[bytes]], object], mapping: Mapping, as_text: Callable[[Record, str], str] = lineproto.line
) -> Output:
    """Return the output that writes records with `write`; `as_text` turns a record into a line, which may be empty."""

    def output(records: Sequence[Record]) -> None:
        found: list[bytes] = []
        for record in records:
            if record.line:
                found.append(record.line)
                continue
            for measurement, part in mapping.records(record):
                if line := as_text(part, measurement):
                    found.append(f"{line}\n".encode())
        write(found)

    return output
