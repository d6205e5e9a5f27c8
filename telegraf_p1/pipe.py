"""Stdout as Telegraf reads it: a pipe that may be full, since Telegraf stalls when its outputs do.

Records are written at once while there is room, as many complete lines together as a pipe takes without splitting them.
If there is none, records wait in memory and a thread writes them in their order, so that reading the meter goes on. An
hour of one telegram a second fits.
"""

import collections
import fcntl
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Iterable
from typing import Final

from telegraf_p1.log import Log

_STDOUT: Final = 1
_MOST_BYTES: Final = 7 * 1024 * 1024
_OVERHEAD: Final = 48  # bytes of memory per line, in addition to its text
_LONG_S: Final = 10.0  # that Telegraf may be stalled before it is logged

_STEP_S: Final = 0.005
# Telegraf reads within milliseconds. If it reads nothing for this long, it is stuck itself.
_STUCK_S: Final = 0.1
_SLOW_S: Final = 0.5  # the same once it has read something, since it may be slow
_LONGEST_S: Final = 4.0  # Telegraf sends SIGTERM 5 s after it has closed our stdin


class Pipe:
    """Writes lines; several threads may use it."""

    def __init__(self, log: Log, most_bytes: int = _MOST_BYTES) -> None:
        self._log = log
        self._most_bytes = most_bytes
        self._lines: collections.deque[bytes] = collections.deque()
        self._bytes = 0  # of the lines that wait, or that the thread is writing
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._blocked_at = self._written_at = 0.0  # when the pipe became full, and was last written (monotonic, s)
        self._waited = self._dropped = 0  # lines, since Telegraf stopped reading

    def write(self, lines: Iterable[bytes]) -> None:
        """Write lines, with their line ends, or let them wait; end as at SIGTERM if nobody reads any more."""
        left = collections.deque(lines)
        with self._changed:
            while left and not self._bytes and len(left[0]) <= select.PIPE_BUF and _has_room(0):
                try:
                    os.write(_STDOUT, b"".join(_together(left)))  # not split: there is room for at least PIPE_BUF bytes
                except BrokenPipeError:
                    signal.raise_signal(signal.SIGTERM)
                    signal.pause()
            for line in left:
                self._put(line)

    def flush(self, seconds: float | None = None) -> bool:
        """Wait until all lines are written, for at most `seconds` (None: without limit); return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._bytes, seconds)

    def drain(self) -> None:
        """Before the program ends: wait until Telegraf has read everything, as long as it reads at all.

        When the program has ended, Telegraf drops what it has not read.
        """
        now = time.monotonic()
        give_up, stuck_at = now + _LONGEST_S, max(now + _STUCK_S, self._written_at + _SLOW_S)
        before = self._bytes + _unread()
        while (unread := self._bytes + _unread()) and now < min(give_up, stuck_at):
            if unread < before:
                before, stuck_at = unread, now + _SLOW_S
            time.sleep(_STEP_S)
            now = time.monotonic()
        if left := len(self._lines):
            self._log.warning(f"{left} records were lost: Telegraf stopped the plugin and did not read them")

    def _put(self, data: bytes) -> None:
        if not self._bytes:
            self._blocked_at, self._waited, self._dropped = time.monotonic(), 0, 0
        self._lines.append(data)
        self._waited += 1
        self._bytes += len(data) + _OVERHEAD
        while self._bytes > self._most_bytes and len(self._lines) > 1:
            self._bytes -= len(self._lines.popleft()) + _OVERHEAD
            self._dropped += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._push, name="stdout", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _push(self) -> None:
        while True:
            with self._changed:
                while not self._lines:
                    self._changed.wait()
            _has_room(None)  # the oldest line may be dropped meanwhile
            with self._changed:
                lines = _together(self._lines)
            try:
                _write(b"".join(lines))
            except OSError as error:
                if not isinstance(error, BrokenPipeError):
                    self._log.error(f"cannot write to stdout: {error.strerror}")
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                return
            with self._changed:
                self._written_at = time.monotonic()
                self._bytes -= sum(map(len, lines)) + _OVERHEAD * len(lines)
                if not self._bytes:
                    self._say_what_happened()
                    self._changed.notify_all()

    def _say_what_happened(self) -> None:
        seconds = time.monotonic() - self._blocked_at
        written = self._waited - self._dropped
        if self._dropped:
            self._log.warning(
                f"Telegraf read no records for {seconds:.0f} s: the oldest {self._dropped} were dropped, "
                f"because at most {self._most_bytes >> 20} MiB can wait; {written} records waited and are "
                "written now"
            )
        elif seconds > _LONG_S:
            self._log.info(
                f"Telegraf read no records for {seconds:.0f} s: {written} records waited and are written now"
            )


def is_open() -> bool:
    """Whether there is a stdout; without one, the next file that is opened would take its place."""
    try:
        os.fstat(_STDOUT)
    except OSError:
        return False
    return True


def _has_room(milliseconds: int | None) -> bool:
    """Wait (None: forever) until PIPE_BUF bytes can be written without blocking; also True if writing will fail."""
    poll = select.poll()
    poll.register(_STDOUT, select.POLLOUT)
    return bool(poll.poll(milliseconds))


def _together(lines: collections.deque[bytes]) -> list[bytes]:
    """Take the first line, and the next ones that fit into PIPE_BUF bytes with it."""
    found = [lines.popleft()]
    room = select.PIPE_BUF - len(found[0])
    while lines and len(lines[0]) <= room:
        room -= len(lines[0])
        found.append(lines.popleft())
    return found


def _write(data: bytes) -> None:
    """Write lines, or one that may be longer than PIPE_BUF, in pieces."""
    for start in range(0, len(data), select.PIPE_BUF):
        _has_room(None)
        os.write(_STDOUT, data[start : start + select.PIPE_BUF])


def _unread() -> int:
    """Count the unread bytes in the stdout pipe; 0 if stdout is something else."""
    try:
        size = fcntl.ioctl(_STDOUT, termios.FIONREAD, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(size, sys.byteorder)
