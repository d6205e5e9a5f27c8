"""`--every 10s`, `--emit signal`: fewer records than telegrams. The others are let go, before all outputs.

What is let go counts as dealt with. So does a record that waits for a signal: most of those are never written, since a
newer one takes their place, and when the program ends the newest one is lost.
Where a meter is asked for its telegrams (`Connection.want`) it is asked for no more than are to be written.
"""

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

from telegraf_p1 import execd, lineproto
from telegraf_p1.outputs import Output
from telegraf_p1.record import Record

_MOST_METERS: Final = 10_000
_NS: Final = 1_000_000_000
# A meter that speaks each second tells the first one of a period, too, when it is asked so long before.
_EARLY_S: Final = 1.0
_TAGS_END: Final = re.compile(rb"(?<!\\) ")  # a blank in a tag stands behind a backslash, and no tag ends with one


class _Pace(ABC):
    """An output before other ones; `want` says whether a telegram is wanted now."""

    def __init__(self, outputs: Sequence[Output], measurement: str, want: Callable[[bool], None]) -> None:
        self._outputs, self._measurement, self._want = outputs, measurement, want

    @abstractmethod
    def output(self, records: Sequence[Record]) -> None:
        """Pass some of the records on."""

    def _write(self, records: Sequence[Record]) -> None:
        for output in self._outputs:
            output(records)

    def _meter(self, record: Record) -> bytes:
        """Give what tells the meters apart: the beginning of a record's line, as far as its tags go."""
        if record.line:
            return _TAGS_END.split(record.line, 1)[0]
        return lineproto.before_fields(self._measurement, *record.tags, *record.tags.values())[:-1].encode()


class Every(_Pace):
    """Lets the first record of each period of a meter's clock pass."""

    def __init__(
        self, seconds: float, outputs: Sequence[Output], measurement: str, want: Callable[[bool], None]
    ) -> None:
        super().__init__(outputs, measurement, want)
        self._period_ns = round(seconds * _NS)
        self._passed: dict[bytes, int] = {}  # the period of a meter's last record that passed
        self._has_passed = threading.Event()
        self._wanted_at = 0.0  # monotonic

    def start(self) -> None:
        """Begin to say when a telegram is wanted."""
        threading.Thread(target=self._repeat, name="every", daemon=True).start()

    def output(self, records: Sequence[Record]) -> None:
        """Pass on what is the first of its period."""
        first = [record for record in records if self._is_first(record)]
        if not first:
            return
        self._write(first)
        left = self._period_ns - (first[-1].time_ns or 0) % self._period_ns  # of the period
        rest = left / _NS - _EARLY_S
        if rest > 0:
            self._wanted_at = time.monotonic() + rest
            self._want(False)
            self._has_passed.set()

    def _is_first(self, record: Record) -> bool:
        meter, period = self._meter(record), (record.time_ns or 0) // self._period_ns
        if self._passed.get(meter) == period:  # an earlier one is another, too: a clock may step back
            return False
        self._passed[meter] = period
        if len(self._passed) > _MOST_METERS:
            self._passed.pop(next(iter(self._passed)))
        return True

    def _repeat(self) -> None:
        while True:
            self._has_passed.wait()
            self._has_passed.clear()
            time.sleep(max(0.0, self._wanted_at - time.monotonic()))
            self._want(True)


class AtSignals(_Pace):
    """Passes the newest record of each meter on when Telegraf asks; who has none then, its next one."""

    def __init__(self, outputs: Sequence[Output], measurement: str, want: Callable[[bool], None]) -> None:
        super().__init__(outputs, measurement, want)
        self._lock = threading.Lock()
        self._is_asked = False  # whether Telegraf has ever asked
        self._newest: dict[bytes, Record | None] = {}  # None: nothing since it was written; not in it: the next is due
        self._failed: Exception | None = None

    def start(self) -> None:
        """Begin to wait for signals; until the first one no telegram is wanted."""
        self._want(False)
        threading.Thread(target=self._repeat, name="signals", daemon=True).start()

    def output(self, records: Sequence[Record]) -> None:
        """Keep the newest ones, and pass those on that are due."""
        with self._lock:
            if self._failed:
                raise self._failed
            due = [record for record in records if self._is_due(record)]
            if due:
                self._write(due)
                self._want(False)

    def signal(self) -> None:
        """Telegraf asks."""
        with self._lock:
            self._is_asked = True
            newest = {meter: record for meter, record in self._newest.items() if record}
            self._newest = dict.fromkeys(newest)
            self._write(list(newest.values()))
            if not newest:
                self._want(True)

    def _is_due(self, record: Record) -> bool:
        """Whether a record has to be written now; if not, it is kept."""
        meter = self._meter(record)
        is_due = self._is_asked and meter not in self._newest
        self._newest[meter] = None if is_due else record
        if len(self._newest) > _MOST_METERS:
            self._newest.pop(next(iter(self._newest)))
        return is_due

    def _repeat(self) -> None:
        while not self._failed:
            execd.wait_for_signal()
            try:
                self.signal()
            except Exception as error:  # noqa: BLE001  the main thread raises it, which knows what to say
                self._failed = error
