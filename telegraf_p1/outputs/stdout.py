"""Records as lines, on stdout: one for each measurement that a record has."""

from collections.abc import Callable

from telegraf_p1 import lineproto
from telegraf_p1.outputs import Output
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.record import Record


def lines(
    write_line: Callable[[str], None], mapping: Mapping, as_text: Callable[[Record, str], str] = lineproto.line
) -> Output:
    """Give the output that writes records with `write_line`; `as_text` turns one into a line, or an empty one."""

    def output(record: Record) -> None:
        for measurement, part in mapping.records(record):
            if line := as_text(part, measurement):
                write_line(line)

    return output
