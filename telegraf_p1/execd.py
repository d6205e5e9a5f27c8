"""How a process has to behave under Telegraf's inputs.execd.

Telegraf closes our stdin to stop us and expects us to leave at once; it sends SIGTERM 5 s later.
Leaving right after a write loses lines: Telegraf closes the pipe as soon as we are gone.
"""

import array
import contextlib
import fcntl
import os
import select
import signal
import sys
import termios
import threading
import time
from types import FrameType
from typing import Final, NoReturn

_AGAIN_S: Final = 0.05
_DEAF_S: Final = 0.1
_STEP_S: Final = 0.005
# Telegraf reads within milliseconds. When it takes nothing for this long it is stuck itself.
_STUCK_S: Final = 0.1
_LONGEST_S: Final = 1.0
# Two threads write when there are statistics, and a line may take several writes.
_WRITING: Final = threading.Lock()


class Stop(BaseException):
    """Time to leave: stdin is at its end, SIGTERM or SIGINT came, or nobody reads stdout."""


class Lifeline:
    """Raises Stop in the main thread at EOF of stdin, SIGTERM and SIGINT, whatever it is doing."""

    def __init__(self) -> None:
        self._leaving = False
        self._raised = False
        self._main = threading.get_ident()
        self._signals = -1

    def watch(self) -> None:
        """Begin; Stop may be raised from here on."""
        # Python runs a handler only when the main thread comes back from C, and a name server
        # may keep it there for seconds. The wake-up pipe gets the signal at once.
        self._signals, wake_up = os.pipe()
        os.set_blocking(wake_up, False)
        signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
        sys.unraisablehook = self._swallowed
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def leaving(self) -> None:
        """Say that Stop was understood; nothing is raised from here on."""
        self._leaving = True

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._raised and not self._leaving:  # twice would disturb the clearing up
            self._raised = True
            raise Stop

    def _swallowed(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is Stop:  # it landed in a destructor, where Python lets none pass
            self._raised = False
        else:
            sys.__unraisablehook__(unraisable)

    def _watch(self) -> None:
        with contextlib.suppress(OSError):  # no stdin at all
            # Telegraf's signal = "STDIN" sends a newline each interval.
            while self._signals not in select.select([0, self._signals], [], [])[0] and os.read(0, 4096):
                pass
        give_up = time.monotonic() + _DEAF_S
        while not self._leaving:
            signal.pthread_kill(self._main, signal.SIGTERM)
            time.sleep(_AGAIN_S)
            if time.monotonic() > give_up and not self._leaving:
                drain()
                os._exit(0)


def stdout_is_open() -> bool:
    """Whether there is a stdout; without one, the next file opened would take its place."""
    try:
        os.fstat(1)
    except OSError:
        return False
    return True


def write_line(line: str) -> None:
    """Write one record to stdout, unbuffered; leave as at SIGTERM when nobody reads any more."""
    data = memoryview(f"{line}\n".encode())
    try:
        with _WRITING:
            while data:
                data = data[os.write(1, data) :]
    except BrokenPipeError:
        signal.raise_signal(signal.SIGTERM)
        wait_for_stop()


def wait_for_stop() -> NoReturn:
    """Stay, since Telegraf restarts a plugin that leaves, even with exit code 0."""
    while True:
        signal.pause()


def drain() -> None:
    """Wait until Telegraf has read what was written, as long as it reads at all."""
    now = time.monotonic()
    give_up, stuck_at, before = now + _LONGEST_S, now + _STUCK_S, 0
    while (unread := _unread()) and now < min(give_up, stuck_at):
        if unread != before:
            before, stuck_at = unread, now + _STUCK_S
        time.sleep(_STEP_S)
        now = time.monotonic()


def _unread() -> int:
    """Count the bytes that lie in the stdout pipe; 0 when stdout is something else."""
    size = array.array("i", [0])
    try:
        fcntl.ioctl(1, termios.FIONREAD, size)
    except OSError:
        return 0
    return size[0]
