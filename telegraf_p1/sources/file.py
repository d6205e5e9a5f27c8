"""A recording: `file:capture.txt`, or `file:///var/lib/p1/capture.txt`."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.url import Url, UsageError, options

_PIECE: Final = 64 * 1024


def source(url: Url) -> Source:
    """Read a file to its end, which ends the last telegram."""
    options(url)
    if not url.path or url.host:
        raise UsageError(f"source {url.text!r}: write file:capture.txt, or file:///with/three/slashes")
    return partial(Recording, url.path)


class Recording(Connection):
    """A file by its name, or an open one by its descriptor; what it answers becomes UsageError."""

    keeps = True

    def __init__(self, path: str | int, count: Callable[[int], None] = lambda _bytes: None) -> None:
        """Open it; `count` is told how many bytes were read, each time."""
        self._path, self._count = path, count
        with self._advice():
            self._file = io.FileIO(path, closefd=isinstance(path, str))

    def read(self) -> list[Event]:
        """Give the next piece."""
        return [Data(data)] if (data := self._next()) else []

    def pieces(self) -> Iterator[bytes]:
        """Give all of it, for who needs no events."""
        while data := self._next():
            yield data

    def _next(self) -> bytes:
        with self._advice():
            data = self._file.read(_PIECE) or b""
        self._count(len(data))
        return data

    def close(self) -> None:
        """Close it, unless it was opened by somebody else."""
        self._file.close()

    @contextmanager
    def _advice(self) -> Iterator[None]:
        """Turn what a file answers into advice: trying again would not help."""
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"file {self._path!r}: {reason}") from None
