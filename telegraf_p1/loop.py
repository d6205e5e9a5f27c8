"""The main loop: reads events, writes their records, and only then acknowledges them with `done`."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from telegraf_p1.interpreter import Interpreter
from telegraf_p1.outputs import Output
from telegraf_p1.sources.connection import Connection

_MOMENT_S: Final = 0.05  # Telegraf empties a full pipe within some ms, unless it is stalled


def run(
    connection: Connection,
    interpreter: Interpreter,
    outputs: Sequence[Output],
    flush: Callable[[float | None], bool] = lambda _seconds: True,
) -> None:
    """Read until the source is at its end, and pass the records of all events of one `read` to each output.

    These events are acknowledged together, once all their records are written. `flush` waits for that at most so many
    seconds (None: without limit), and returns whether they are. For a source that `keeps` its data, the loop waits
    without limit. For one that `acknowledges`, it waits only a moment: then it reads on, and acknowledges all of it
    later.
    """
    while events := connection.read():
        # Each event has a time of its own. With the same time, a record would replace another one in the database.
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
