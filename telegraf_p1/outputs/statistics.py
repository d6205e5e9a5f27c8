"""`--stats 60s`: a second measurement about the plugin itself, in addition to the records.

`p1_stats,source=/dev/ttyUSB0 accepted=3600i,rejected=2i,rejected_crc=2i,bytes=3284012i,reconnects=1i,age_s=0.412 …`

All fields but the age count from the start of the plugin.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from telegraf_p1 import lineproto
from telegraf_p1.interpreter import Interpreter
from telegraf_p1.record import Record

_NS: Final = 1_000_000_000


def record(interpreter: Interpreter, source: str, now_ns: int) -> Record:
    """Return what an interpreter has counted; `age_s` is the time since the last telegram, or since the start."""
    fields: dict[str, Decimal | int | str] = {"accepted": interpreter.accepted, "rejected": interpreter.rejected}
    for cause, count in sorted(interpreter.rejected_by_cause.items()):
        fields[f"rejected_{cause.replace('-', '_')}"] = count
    age = Decimal(max(0, now_ns - interpreter.last_ns)) / _NS
    fields |= {"bytes": interpreter.bytes, "reconnects": interpreter.reconnects, "age_s": round(age, 3)}
    return Record({"source": source}, fields, now_ns, [])


def start(
    interpreter: Interpreter, source: str, measurement: str, every_s: float, write: Callable[[list[bytes]], None]
) -> None:
    """Write a line every `every_s` s, also while no telegrams come."""

    def repeat() -> None:
        while True:
            time.sleep(every_s)
            # The main thread reports a stdout that cannot be written.
            with contextlib.suppress(OSError):
                line = lineproto.line(record(interpreter, source, time.time_ns()), f"{measurement}_stats")
                write([f"{line}\n".encode()])

    threading.Thread(target=repeat, name="stats", daemon=True).start()
