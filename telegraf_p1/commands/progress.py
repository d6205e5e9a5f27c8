"""How far a long recording is: a line on the terminal that is written over, where the records go elsewhere."""

import os
import sys
import time
from collections.abc import Sized
from typing import Final

_EACH_S: Final = 1.0
_MB: Final = 1_000_000


class Progress:
    """Shows bytes that were read and telegrams that came of them; nothing where nobody looks, or records are seen."""

    def __init__(self) -> None:
        self._is_shown = os.isatty(2) and not _is_one_terminal()
        self._next = time.monotonic() + _EACH_S
        self._bytes = self._telegrams = 0
        self._text = ""

    def telegrams(self, found: Sized) -> None:
        """Count them."""
        self._telegrams += len(found)

    def bytes(self, count: int) -> None:
        """Count bytes that were read, and show all so far when a second has passed."""
        self._bytes += count
        if self._is_shown and (now := time.monotonic()) >= self._next:
            self._next = now + _EACH_S
            self._text = f"{self._telegrams:,} telegrams, {self._bytes / _MB:,.1f} MB"
            self._write(self._text)

    def end(self) -> None:
        """Leave an empty line."""
        if self._text:
            self._write(" " * len(self._text))

    def _write(self, text: str) -> None:
        # At the start of the line, a message writes itself over it.
        sys.stderr.write(f"{text}\r")
        sys.stderr.flush()


def _is_one_terminal() -> bool:
    return os.isatty(1) and os.ttyname(1) == os.ttyname(2)
