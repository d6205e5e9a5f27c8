"""Messages for Telegraf's log: one prefixed line each on stderr.

Telegraf reads `E! W! I! D!` as levels (since 1.32.0). A stderr line over 64 KiB makes it deaf
and then blocks the plugin, and a line per telegram fills a disk: so lines are short and a
repeated cause is held back.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable
from typing import Final

_LONGEST: Final = 1024
_HOLD_BACK_S: Final = 60.0
_FOREIGN: Final = re.compile(r"[^\x20-\x7e]")


def _to_stderr(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads the log: that is no reason to stop
        os.write(2, line.encode("ascii"))


class Log:
    """Writes messages; holds back what comes more than once a minute for one cause."""

    def __init__(self, write: Callable[[str], None] = _to_stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._last: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def error(self, text: str) -> None:
        self._put("E", text)

    def warning(self, text: str) -> None:
        self._put("W", text)

    def info(self, text: str) -> None:
        self._put("I", text)

    def debug(self, text: str) -> None:
        self._put("D", text)

    def warning_for(self, cause: str, text: str) -> None:
        """Warn at most once a minute for one cause, with the number of those held back."""
        now = self._clock()
        if now - self._last.get(cause, -_HOLD_BACK_S) < _HOLD_BACK_S:
            self._held_back[cause] = self._held_back.get(cause, 0) + 1
            return
        self._last[cause] = now
        held_back = self._held_back.pop(cause, 0)
        self.warning(f"{text} ({held_back} more like it were held back)" if held_back else text)

    def _put(self, level: str, text: str) -> None:
        text = _FOREIGN.sub(lambda m: m[0].encode("unicode_escape").decode(), text)
        if len(text) > _LONGEST - 8:
            text = text[: _LONGEST - 8] + "..."
        self._write(f"{level}! {text}\n")
