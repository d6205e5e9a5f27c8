"""How a process has to behave under Telegraf's inputs.execd and processors.execd.

To stop a plugin, Telegraf closes its stdin and expects it to exit at once; 5 s later it sends SIGTERM. With
`signal = "STDIN"` it writes a newline to stdin at each of its intervals, with `signal = "SIGUSR1"` it sends that
signal.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

_AGAIN_S: Final = 0.05
_UNRESPONSIVE_S: Final = 0.1
_MOST_READ: Final = 1024 * 1024


class Stop(BaseException):
    """Raised to end the program: stdin is at its end, SIGTERM or SIGINT came, or nobody reads stdout."""


class StopWatcher:
    """Raises Stop in the main thread at EOF of stdin, SIGTERM and SIGINT, whatever it is doing.

    If the main thread does not react, `drain` is called, and the process exits without it.
    """

    def __init__(self, drain: Callable[[], None], *, has_parent: bool = True) -> None:
        """Without a parent (under systemd, or in a terminal) stdin is ignored: it is often /dev/null."""
        self._drain = drain
        self._parent = [0] if has_parent else []
        self._is_stopping = False
        self._raised = False
        self._main = threading.get_ident()
        self._signals = -1

    def watch(self) -> None:
        """Start to watch; from here on Stop may be raised."""
        # Python runs a handler only after the main thread has returned from C code, and a name lookup may take seconds.
        # The wake-up pipe receives the signal at once.
        self._signals, wake_up = os.pipe()
        os.set_blocking(wake_up, False)
        signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
        sys.unraisablehook = self._swallowed
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        threading.Thread(target=self._watch, name="stop-watcher", daemon=True).start()

    def note_stopping(self) -> None:
        """Note that Stop was caught; from here on it is not raised again."""
        self._is_stopping = True

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._raised and not self._is_stopping:  # a second one would disturb the cleanup
            self._raised = True
            raise Stop

    def _swallowed(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is Stop:  # it was raised in a destructor, where Python ignores exceptions
            self._raised = False
        else:
            sys.__unraisablehook__(unraisable)

    def _watch(self) -> None:
        with contextlib.suppress(OSError):  # there is no stdin
            while self._signals not in select.select([*self._parent, self._signals], [], [])[0] and os.read(0, 4096):
                os.kill(os.getpid(), signal.SIGUSR1)  # a newline means the same
        give_up = time.monotonic() + _UNRESPONSIVE_S
        while not self._is_stopping:
            signal.pthread_kill(self._main, signal.SIGTERM)
            time.sleep(_AGAIN_S)
            if time.monotonic() > give_up and not self._is_stopping:
                self._drain()
                os._exit(0)


class Stdin:
    """What Telegraf writes to a processor, until it closes our stdin, or SIGTERM or SIGINT comes.

    What is in the pipe by then is still read. Stop is raised only if nobody reads stdout any more.
    """

    def __init__(self) -> None:
        """Install the signal handlers."""
        self._is_asked = False
        self._is_over = False
        self._signals, wake_up = os.pipe()
        os.set_blocking(wake_up, False)
        signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def read(self) -> bytes:
        """Wait for bytes from Telegraf and return them; empty at the end."""
        if self._is_over:
            return b""
        readable = select.select([0, self._signals], [], [])[0]
        if self._signals in readable:
            self._is_over = True
            readable = select.select([0], [], [], 0)[0]
        return os.read(0, _MOST_READ) if 0 in readable else b""

    def is_ending(self) -> bool:
        """Whether the program has to end once everything in the pipe is processed."""
        poll = select.poll()
        poll.register(0, 0)  # to be told of its end only
        return self._is_asked or bool(poll.poll(0))

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_asked = True
        poll = select.poll()
        poll.register(1, 0)
        if poll.poll(0):
            raise Stop


def keep_signals() -> None:
    """Block SIGUSR1 for `wait_for_signal`, in this thread and in those it starts: it would end the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


def wait_for_signal() -> None:
    """Wait until Telegraf asks for metrics, by SIGUSR1 or a newline; several requests meanwhile count as one."""
    signal.sigwait([signal.SIGUSR1])


def wait_for_stop() -> NoReturn:
    """Wait forever: Telegraf restarts a plugin that exits, even with exit code 0."""
    while True:
        signal.pause()
