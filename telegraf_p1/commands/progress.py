"""The progress of a long recording: one line on the terminal that is updated, if the records go elsewhere."""

import os
import sys
import time
from collections.abc import Sized
from typing import Final

_EACH_S: Final = 1.0
_MB: Final = 1_000_000


class Progress:
    """Shows how many bytes and telegrams were read, unless stderr is no terminal, or also shows the records."""

    def __init__(self) -> None:
        self._is_shown = os.isatty(2) and not _is_one_terminal()
        self._next = time.monotonic() + _EACH_S
        self._bytes = self._telegrams = 0
        self._text = ""

    def telegrams(self, found: Sized) -> None:
        """Count telegrams."""
        self._telegrams += len(found)

    def bytes(self, count: int) -> None:
        """Count bytes that were read; show both counts once a second."""
        self._bytes += count
        if self._is_shown and (now := time.monotonic()) >= self._next:
            self._next = now + _EACH_S
            self._text = f"{self._telegrams:,} telegrams, {self._bytes / _MB:,.1f} MB"
            self._write(self._text)

    def end(self) -> None:
        """Clear the line."""
        if self._text:
            self._write(" " * len(self._text))

    def _write(self, text: str) -> None:
        # The cursor goes back to the start of the line, so that a log message overwrites it.
        sys.stderr.write(f"{text}\r")
        sys.stderr.flush()


def _is_one_terminal() -> bool:
    return os.isatty(1) and os.ttyname(1) == os.ttyname(2)
