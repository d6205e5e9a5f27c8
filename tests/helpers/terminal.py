"""A terminal, and what a person sees on it."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]+")


class Terminal:
    """A terminal with 50 lines and 80 columns; a program gets `device` as stdin, stdout and stderr."""

    def __init__(self) -> None:
        self._end, self.device = pty.openpty()
        fcntl.ioctl(self.device, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        self._shown = ""

    def shows(self, words: str) -> bool:
        """Read what is there; return whether all that was shown so far matches, without colours."""
        while select.select([self._end], [], [], 0)[0]:
            self._shown += os.read(self._end, 65536).decode(errors="replace")
        return re.search(words, _CONTROL.sub("", self._shown)) is not None

    def close(self) -> None:
        os.close(self._end)
        os.close(self.device)


@contextmanager
def terminal() -> Iterator[tuple[Terminal, dict[str, str]]]:
    """Yield a terminal, and the environment of a program that may use colours on it."""
    opened = Terminal()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    try:
        yield opened, environment | {"TERM": "xterm-256color"}
    finally:
        opened.close()
