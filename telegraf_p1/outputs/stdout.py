"""Records as lines, on stdout: one for each measurement that a record has."""

from collections.abc import Callable

from telegraf_p1 import lineproto
from telegraf_p1.outputs import Output
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.record import Record


def lines(
    write: Callable[[bytes], object], mapping: Mapping, as_text: Callable[[Record, str], str] = lineproto.line
) -> Output:
    """Give the output that writes records with `write`; `as_text` turns one into a line, or an empty one."""

    def output(record: Record) -> None:
        if record.line:
            write(record.line)
            return
        for measurement, part in mapping.records(record):
            if line := as_text(part, measurement):
                write(f"{line}\n".encode())

    return output
