"""`--every 10s`, `--emit signal`: fewer records than telegrams. The others are dropped before all outputs.

A record that is dropped counts as written. So does one that waits for a signal. Most of those are never written, since
a newer one replaces them. The newest one is lost when the program ends. A meter that sends telegrams on request
(`Connection.want`) is asked only for those that are to be written.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

from telegraf_p1 import execd
from telegraf_p1.outputs import Output
from telegraf_p1.outputs.periods import MOST_METERS, Firsts, meter
from telegraf_p1.record import Record

_NS: Final = 1_000_000_000
# A meter that sends each second, if it is asked this long before a period begins, sends the first telegram of it, too.
_EARLY_S: Final = 1.0


class _Pace(ABC):
    """An output in front of others; `want` is told whether a telegram is wanted now."""

    def __init__(self, outputs: Sequence[Output], want: Callable[[bool], None]) -> None:
        self._outputs, self._want = outputs, want

    @abstractmethod
    def output(self, records: Sequence[Record]) -> None:
        """Pass some of the records on."""

    def _write(self, records: Sequence[Record]) -> None:
        for output in self._outputs:
            output(records)


class Every(_Pace):
    """Passes on the first record of each period of a meter's clock."""

    def __init__(
        self, seconds: float, outputs: Sequence[Output], measurement: str, want: Callable[[bool], None]
    ) -> None:
        super().__init__(outputs, want)
        self._firsts = Firsts(seconds, measurement)
        self._has_passed = threading.Event()
        self._wanted_at = 0.0  # monotonic

    def start(self) -> None:
        """Start the thread that says when a telegram is wanted again."""
        threading.Thread(target=self._repeat, name="every", daemon=True).start()

    def output(self, records: Sequence[Record]) -> None:
        """Pass on the records that are the first of their period."""
        first = [record for record in records if self._firsts.is_first(record)]
        if not first:
            return
        self._write(first)
        period_ns = self._firsts.period_ns
        left = period_ns - (first[-1].time_ns or 0) % period_ns  # until the period ends, in ns
        rest = left / _NS - _EARLY_S
        if rest > 0:
            self._wanted_at = time.monotonic() + rest
            self._want(False)
            self._has_passed.set()

    def _repeat(self) -> None:
        while True:
            self._has_passed.wait()
            self._has_passed.clear()
            time.sleep(max(0.0, self._wanted_at - time.monotonic()))
            self._want(True)


class AtSignals(_Pace):
    """Passes on the newest record of each meter when Telegraf asks; if a meter has none, the next one."""

    def __init__(self, outputs: Sequence[Output], measurement: str, want: Callable[[bool], None]) -> None:
        super().__init__(outputs, want)
        self._measurement = measurement
        self._lock = threading.Lock()
        self._is_asked = False  # whether Telegraf has ever asked
        self._newest: dict[bytes, Record | None] = {}  # None: nothing new; missing: the next one is due
        self._failed: Exception | None = None

    def start(self) -> None:
        """Start to wait for signals; until the first one no telegram is wanted."""
        self._want(False)
        threading.Thread(target=self._repeat, name="signals", daemon=True).start()

    def output(self, records: Sequence[Record]) -> None:
        """Keep the newest records, and pass on those that are due."""
        with self._lock:
            if self._failed:
                raise self._failed
            due = [record for record in records if self._is_due(record)]
            if due:
                self._write(due)
                self._want(False)

    def signal(self) -> None:
        """Handle a signal of Telegraf: write what was kept."""
        with self._lock:
            self._is_asked = True
            newest = {whose: record for whose, record in self._newest.items() if record}
            self._newest = dict.fromkeys(newest)
            self._write(list(newest.values()))
            if not newest:
                self._want(True)

    def _is_due(self, record: Record) -> bool:
        """Whether a record has to be written now; if not, it is kept."""
        whose = meter(record, self._measurement)
        is_due = self._is_asked and whose not in self._newest
        self._newest[whose] = None if is_due else record
        if len(self._newest) > MOST_METERS:
            self._newest.pop(next(iter(self._newest)))
        return is_due

    def _repeat(self) -> None:
        while not self._failed:
            execd.wait_for_signal()
            try:
                self.signal()
            except Exception as error:  # noqa: BLE001  the main thread raises it again, and handles it
                self._failed = error
