"""The loop that everything goes through: events in, records out, and only then `done`."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from telegraf_p1.interpreter import Interpreter
from telegraf_p1.outputs import Output
from telegraf_p1.sources.connection import Connection

_MOMENT_S: Final = 0.05  # Telegraf empties a full pipe within some ms, unless it stands still


def run(
    connection: Connection,
    interpreter: Interpreter,
    outputs: Sequence[Output],
    flush: Callable[[float | None], bool] = lambda _seconds: True,
) -> None:
    """Read until the source is at its end; hand the records of all events of one `read` to each output.

    These events are acknowledged together, once the records of all are written. `flush` waits for that, for so many
    seconds (None: for ever), and says whether it is so. Where something is lost meanwhile, it waits a moment only:
    more is read then, and acknowledged together later.
    """
    while events := connection.read():
        # Each with a time of its own, or one would take the other's place in the database.
        records = [record for event in events for record in interpreter.records(event, time.time_ns())]
        for output in outputs:
            output(records)
        if connection.keeps:
            flush(None)
        if not connection.acknowledges or flush(_MOMENT_S):
            connection.done()
        interpreter.learn()
    records = interpreter.finish()
    for output in outputs:
        output(records)
