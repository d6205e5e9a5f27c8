"""The loop that everything goes through: events in, records out, and only then `done`."""

import time
from collections.abc import Callable, Sequence

from telegraf_p1.interpreter import Interpreter
from telegraf_p1.outputs import Output
from telegraf_p1.sources.connection import Connection


def run(
    connection: Connection,
    interpreter: Interpreter,
    outputs: Sequence[Output],
    flush: Callable[[], None] = lambda: None,
    is_flushed: Callable[[], bool] = lambda: True,
) -> None:
    """Read until the source is at its end; hand each record to each output.

    The events of one `read` are acknowledged together, once the records of all are written. Where nothing is lost
    meanwhile, `flush` waits for that; where something is, they are read on and acknowledged when `is_flushed`.
    """
    while events := connection.read():
        for event in events:  # each with a time of its own, or one would take the other's place in the database
            for record in interpreter.records(event, time.time_ns()):
                for output in outputs:
                    output(record)
        if connection.keeps:
            flush()
        if not connection.acknowledges or is_flushed():
            connection.done()
    for record in interpreter.finish():
        for output in outputs:
            output(record)
