"""Messages for Telegraf's log: one prefixed line each on stderr.

Telegraf reads `E! W! I! D!` as levels (since 1.32.0). After a stderr line over 64 KiB it stops reading, which then
blocks the plugin; and a line per telegram would fill a disk. So lines are short, and repetitions are suppressed.
"""

import contextlib
import os
import re
import select
import time
from collections.abc import Callable
from typing import Final

from telegraf_p1.credentials import hidden

_LONGEST: Final = 1024
_HOLD_BACK_S: Final = 60.0
_MOST_CAUSES: Final = 1000
_FOREIGN: Final = re.compile(r"[^\x20-\x7e]")


def where(error: BaseException) -> str:
    """Return the type and the place of an unexpected error: `ValueError at decode.py:12`.

    An error in a library has two places: `struct.error at client.py:830, from mqtt.py:66`. Its text is left out, since
    it may contain secrets.
    """
    places: list[str] = []
    ours = 0
    frame = error.__traceback__
    while frame:
        code, module = frame.tb_frame.f_code, frame.tb_frame.f_globals.get("__name__", "")
        places.append(f"{code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}")
        if module.partition(".")[0] == "telegraf_p1" or module == "__main__":
            ours = len(places) - 1
        frame = frame.tb_next
    if not places:
        return type(error).__name__
    called = f", from {places[ours]}" if ours < len(places) - 1 else ""
    return f"{type(error).__name__} at {places[-1]}{called}"


class _Stderr:
    """Writes lines to stderr; if nobody reads them they are dropped, without waiting."""

    def __init__(self) -> None:
        self._dropped = 0

    def write(self, line: str) -> None:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if not poll.poll(0):
            self._dropped += 1
            return
        if self._dropped:
            line = f"W! {self._dropped} log lines were dropped, because nothing read them"
            self._dropped = 0
        with contextlib.suppress(OSError):
            os.write(2, line.encode("ascii"))


class Log:
    """Writes messages; suppresses those that come more than once a minute for one cause."""

    def __init__(self, write: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Write with `write`, else to stderr; `clock` returns seconds."""
        self._write = write or _Stderr().write
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

    def warning_for(self, cause: str, text: str) -> bool:
        """Warn at most once a minute per cause, with the number of messages suppressed; return whether it logged."""
        return self._put_for("W", cause, text)

    def error_for(self, cause: str, text: str) -> bool:
        """Log an error as `warning_for` logs a warning."""
        return self._put_for("E", cause, text)

    def info_for(self, cause: str, text: str) -> bool:
        """Log information as `warning_for` logs a warning."""
        return self._put_for("I", cause, text)

    def _put_for(self, level: str, cause: str, text: str) -> bool:
        now = self._clock()
        if now - self._last.get(cause, -_HOLD_BACK_S) < _HOLD_BACK_S:
            self._held_back[cause] = self._held_back.get(cause, 0) + 1
            return False
        if len(self._last) >= _MOST_CAUSES:  # causes may contain foreign texts, so there may be any number of them
            self._last.clear()
            self._held_back.clear()
        self._last[cause] = now
        held_back = self._held_back.pop(cause, 0)
        self._put(level, f"{text} ({held_back} similar messages suppressed)" if held_back else text)
        return True

    def _put(self, level: str, text: str) -> None:
        text = hidden(text)
        text = _FOREIGN.sub(lambda m: m[0].encode("unicode_escape").decode(), text)
        if len(text) > _LONGEST - 8:
            text = text[: _LONGEST - 8] + "..."
        self._write(f"{level}! {text}\n")
