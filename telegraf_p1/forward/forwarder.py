"""Forwards letters from a meter to a target, in order: at once, or through a queue on disk.

While the target accepts letters and none wait on disk, they stay in memory until they are acknowledged. A letter is
written to disk if it is not acknowledged within seconds, or if the target does not accept it. So are all letters after
it, until the disk is empty again. Rows are deleted once their letters are acknowledged, many at once. A letter may
arrive twice (after a power cut, or when an acknowledgement was lost), but never out of order the first time.

One thread does all the work. The threads that bring letters and acknowledgements put jobs into its inbox. So no locks
are needed, and a signal that interrupts the main thread leaves everything consistent.
"""

import contextlib
import queue
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.spool import Row, Spool
from telegraf_p1.forward.target import Target
from telegraf_p1.log import Log

_PATIENCE_S: Final = 2.0  # for an acknowledgement, before a letter is written to disk
_MOST_HELD: Final = 2000  # letters in memory: if the target is slower than the meter, they are written to disk too
_AT_ONCE: Final = 500  # rows that are read or deleted
_DELETE_S: Final = 0.5
_DISK_AGAIN_S: Final = 10.0
# Bytes, while the disk cannot be written.
_MOST_IN_MEMORY: Final = 16 * 1024 * 1024
_A_LETTER: Final = 500  # bytes besides its telegram, about
_MOST_JOBS: Final = 1000
_SAY_AGAIN_S: Final = 60.0
_CLOSE_TIMEOUT_S: Final = 0.5  # for acknowledgements, at the end
_LAST_WRITE_S: Final = 3.0
_MOMENT_S: Final = 0.01


class _Held:
    """A letter in memory: `place` is its number by arrival, `row` its number on disk, once it is there."""

    __slots__ = ("is_sent", "letter", "place", "row", "since")

    def __init__(self, letter: Letter, place: int, since: float) -> None:
        self.letter, self.place, self.since = letter, place, since
        self.is_sent = False
        self.row = 0


class Forwarder:
    """Takes letters and makes sure that they arrive."""

    def __init__(self, target: Target, spool: Spool, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        """Send to `target`, and queue in `spool`, which belongs to the forwarder from now on. `clock` returns s."""
        self._target, self._spool, self._log, self._clock = target, spool, log, clock
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._bug: BaseException | None = None
        # What the main thread writes, and what it reads.
        self._given = 0  # letters accepted
        self._safe = 0  # of them, how many have arrived, are on disk, or were dropped and counted
        self._is_all_delivered = self._is_nearly_full = False
        self._disconnects = 0  # how often the target has reported `unavailable`
        # The rest belongs to the forwarder's thread.
        self._disconnects_seen = 0
        self._place = 0  # of the last letter that came
        self._held: OrderedDict[int, _Held] = OrderedDict()  # by place: letters that are only in memory
        self._held_bytes = 0
        self._unsent: deque[_Held] = deque()  # of those, letters that were not sent
        self._ahead: deque[Row] = deque()  # read from disk, but not sent
        self._read = 0  # number of the last row read since the target was last unavailable
        self._last_row = 0
        self._attempt = 0
        self._unacknowledged: dict[int, _Held | int] = {}  # by attempt: a letter, or a row's number
        self._arrived: set[int] = set()  # rows to delete
        self._arrived_at = 0.0
        self._is_available = self._is_started = self._is_prepared = False  # prepared: what is on disk is known
        self._closes_at = 0.0
        self._disk_at = 0.0  # when to try the disk again
        self._dropped = 0  # letters for which neither disk nor memory had room
        self._said_dropped: dict[str, int] = {}
        self._say_at = 0.0
        self._waited = 0  # letters that arrived after waiting on disk

    # Called by the main thread.

    def start(self) -> None:
        """Start the forwarder's thread."""
        self._thread.start()

    def accept(self, letters: Sequence[Letter]) -> None:
        """Take letters, in order."""
        self._complain()
        while self._inbox.qsize() > _MOST_JOBS and not self._bug:
            time.sleep(_MOMENT_S)
        self._given += len(letters)
        self._inbox.put(partial(self._take, letters))

    def flush(self, seconds: float | None) -> bool:
        """Wait until all letters arrived or are on disk, at most `seconds` (None: forever); return whether they are.

        Also wait until the disk has room for more: until then the source keeps telegrams better than a full queue.
        The main thread polls, since a signal may interrupt it at any moment, even while it holds a lock.
        """
        end = None if seconds is None else time.monotonic() + seconds
        moment = 0.0005
        while self._safe < self._given or self._is_nearly_full:
            self._complain()
            if self._is_nearly_full:
                self._log.warning_for(
                    "queue full", "the queue is full: reading pauses, and the source keeps new telegrams"
                )
            if end is not None and time.monotonic() > end:
                return False
            time.sleep(moment)
            moment = min(2 * moment, _MOMENT_S)
        return True

    def deliver(self) -> None:
        """Wait until all letters have arrived, including those that were already on disk."""
        self._inbox.put(lambda: None)
        while not (self._safe >= self._given and self._is_all_delivered):
            self._complain()
            time.sleep(_MOMENT_S)

    def close(self) -> None:
        """Write to disk what has not arrived, and close the connection; takes a second, or some on a slow disk."""
        self._inbox.put(self._begin_to_close)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_TIMEOUT_S + _LAST_WRITE_S)

    def _complain(self) -> None:
        if self._bug:
            raise self._bug

    # Called by the target, from any thread.

    def available(self) -> None:
        """Send letters from now on."""
        self._inbox.put(partial(self._change, is_available=True))

    def unavailable(self) -> None:
        """Keep what was not acknowledged, to send it again before anything else, even if `available` comes soon."""
        self._disconnects += 1
        self._inbox.put(partial(self._change, is_available=False))

    def acknowledged(self, numbers: Iterable[int]) -> None:
        """Forget letters that have arrived."""
        self._inbox.put(partial(self._forget, tuple(numbers)))

    # Run by the forwarder's thread.

    def _run(self) -> None:
        try:
            while not self._closes_at or (self._is_awaited() and self._clock() < self._closes_at):
                self.step(self._wait())
            self._save()
            self._delete()
            self._say_at = 0.0
            self._say_dropped()
        except Exception as error:  # noqa: BLE001  the main thread raises it
            with contextlib.suppress(Exception):
                self._save()
            self._bug = error
        finally:
            self._target.close()
            self._spool.close()

    def _prepare(self) -> None:
        try:
            self._last_row = self._spool.last()
            if count := self._spool.count() if self._last_row else 0:
                self._log.info(f"telegrams waiting on disk, which are sent first: {count}")
            self._is_prepared = True
        except OSError as error:
            self._disk_fails(error)

    def step(self, seconds: float) -> None:
        """Wait for a job for at most `seconds`, and do all that there is to do."""
        try:
            self._inbox.get(timeout=seconds)()
            for _ in range(_MOST_JOBS):
                self._inbox.get_nowait()()
        except queue.Empty:
            pass
        if not self._is_prepared and self._is_due(self._disk_at):
            self._prepare()
        self._start()
        self._send()
        if self._has_to_save():
            self._save()
        if self._has_to_delete():
            self._delete()
        while self._held_bytes > _MOST_IN_MEMORY:
            self._drop(next(iter(self._held.values())))
            self._dropped += 1
        self._say_dropped()
        self._is_nearly_full = self._spool.is_nearly_full
        self._is_all_delivered = not (self._held or self._unacknowledged or self._has_rows())
        self._safe = next(iter(self._held.values())).place - 1 if self._held else self._place

    def _wait(self) -> float:
        """Return the s until something is due without a job."""
        due = [_PATIENCE_S if self._is_prepared else max(0.0, self._disk_at - self._clock())]
        now = self._clock()
        if self._arrived:
            due.append(max(self._arrived_at + _DELETE_S, self._disk_at) - now)
        if self._held:
            due.append(max(next(iter(self._held.values())).since + _PATIENCE_S, self._disk_at) - now)
        if self._closes_at:
            due.append(self._closes_at - now)
        return max(0.0, min(due))

    def _take(self, letters: Sequence[Letter]) -> None:
        now = self._clock()
        for letter in letters:
            self._place += 1
            held = _Held(letter, self._place, now)
            self._held[held.place] = held
            self._held_bytes += len(letter.telegram) + _A_LETTER
            self._unsent.append(held)

    def _change(self, *, is_available: bool) -> None:
        if not is_available:
            self._disconnects_seen += 1
            self._unacknowledged.clear()
            self._ahead.clear()
            self._read = 0
            for held in self._held.values():
                held.is_sent = False
            self._unsent = deque(self._held.values())
        self._is_available = is_available

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            what = self._unacknowledged.pop(number, None)
            if isinstance(what, _Held) and not what.row:
                self._drop(what)
            elif what:
                if not self._arrived:
                    self._arrived_at = self._clock()
                self._arrived.add(what.row if isinstance(what, _Held) else what)
                self._waited += isinstance(what, int)

    def _drop(self, held: _Held) -> None:
        if self._held.pop(held.place, None):
            self._held_bytes -= len(held.letter.telegram) + _A_LETTER

    def _start(self) -> None:
        """Start the target, once the meter is known if the target needs it."""
        if self._is_started:
            return
        meter = ""
        if self._target.needs_meter:
            rows = self._rows(0, 1) if self._has_rows() else []
            letter = rows[0].letter if rows else next((held.letter for held in self._held.values()), None)
            if letter is None:
                return
            meter = letter.meter
        self._is_started = True
        self._target.start(self, meter)

    def _has_rows(self) -> bool:
        """Whether letters on disk have not been sent."""
        return bool(self._ahead) or self._read < self._last_row

    def _send(self) -> None:
        """Send what the target accepts, letters on disk first."""
        if not self._is_available or (self._closes_at and self._has_rows()):
            return
        while self._has_rows() and self._is_due(self._disk_at):
            if not self._ahead:
                self._read_ahead()
            while self._ahead:
                if not self._send_one(self._ahead[0].letter, self._ahead[0].number):
                    return
                self._ahead.popleft()
        while self._unsent:
            held = self._unsent[0]
            if held.place in self._held and not self._send_one(held.letter, held):
                return
            held.is_sent = True
            self._unsent.popleft()

    def _send_one(self, letter: Letter, what: _Held | int) -> bool:
        if self._disconnects != self._disconnects_seen or not self._target.send(self._attempt + 1, letter):
            return False
        self._attempt += 1
        self._unacknowledged[self._attempt] = what
        return True

    def _read_ahead(self) -> None:
        rows = self._rows(self._read, _AT_ONCE)
        if rows:
            self._read = rows[-1].number
            self._ahead.extend(row for row in rows if row.number not in self._arrived)
        elif self._is_due(self._disk_at):  # they were moved aside, or dropped
            self._read = self._last_row

    def _rows(self, number: int, most: int) -> list[Row]:
        try:
            return self._spool.after(number, most)
        except OSError as error:
            self._disk_fails(error)
            return []

    def _has_to_save(self) -> bool:
        if not self._held or not self._is_prepared or not self._is_due(self._disk_at):
            return False
        oldest = next(iter(self._held.values()))
        return (
            (not self._is_available and self._disconnects_seen > 0)  # at the start, the target may be there in a moment
            or self._has_rows()
            or len(self._held) > _MOST_HELD
            or self._held_bytes > _MOST_IN_MEMORY
            or self._is_due(oldest.since + _PATIENCE_S)
        )

    def _save(self) -> None:
        """Write to disk what is only in memory; if that fails, it stays in memory as far as there is room."""
        if not self._held:
            return
        waiting, had_rows = list(self._held.values()), self._has_rows()
        try:
            numbers = self._spool.append(held.letter for held in waiting)
        except OSError as error:
            self._disk_fails(error)
            return
        for held, number in zip(waiting, numbers, strict=False):
            held.row = self._last_row = number
            if held.is_sent and not had_rows:
                self._read = number
            self._drop(held)
        self._unsent = deque(held for held in self._held.values() if not held.is_sent)

    def _has_to_delete(self) -> bool:
        if not self._arrived or not self._is_due(self._disk_at):
            return False
        return len(self._arrived) >= _AT_ONCE or self._is_due(self._arrived_at + _DELETE_S)

    def _delete(self) -> None:
        """Delete from disk what has arrived."""
        try:
            if self._arrived:
                self._spool.delete(self._arrived)
        except OSError as error:
            self._disk_fails(error)
            return
        self._arrived.clear()
        if (
            self._waited
            and not self._has_rows()
            and not any(isinstance(what, int) for what in self._unacknowledged.values())
        ):
            self._log.info_for("waited", f"telegrams that waited on disk and are delivered now: {self._waited}")
            self._waited = 0
            self._spool.shrink()

    def _disk_fails(self, error: OSError) -> None:
        self._disk_at = self._clock() + _DISK_AGAIN_S
        self._log.error_for(
            "queue fails",
            f"queue {error.strerror or error}; telegrams that cannot be sent are kept in memory, and "
            "are lost if this program ends",
        )

    def _say_dropped(self) -> None:
        dropped = {
            "the queue is full, see --queue-size; oldest telegrams dropped": self._spool.dropped,
            "the disk cannot be written and memory is full; oldest telegrams dropped": self._dropped,
            "the queue is damaged; telegrams that cannot be read": self._spool.damaged,
        }
        news = {why: count - self._said_dropped.get(why, 0) for why, count in dropped.items()}
        if any(news.values()) and self._is_due(self._say_at):
            for why in filter(news.get, news):
                self._log.warning(f"{why}: {news[why]}")
            self._said_dropped = dropped
            self._say_at = self._clock() + _SAY_AGAIN_S

    def _is_awaited(self) -> bool:
        """Whether an acknowledgement could come, so that a letter need not be written to disk."""
        return self._is_available and any(held.is_sent for held in self._held.values())

    def _begin_to_close(self) -> None:
        self._closes_at = self._clock() + _CLOSE_TIMEOUT_S

    def _is_due(self, at: float) -> bool:
        return self._clock() >= at
