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
    """Return a source that reads a file to its end, which also ends the last telegram."""
    options(url)
    if not url.path or url.host:
        raise UsageError(f"source {url.text!r}: write file:capture.txt, or file:///with/three/slashes")
    return partial(Recording, url.path)


class Recording(Connection):
    """A file by its name, or an open one by its descriptor; its errors become UsageError."""

    keeps = True

    def __init__(self, path: str | int, count: Callable[[int], None] = lambda _bytes: None) -> None:
        """Open the file; `count` is called with the number of bytes of each read."""
        self._path, self._count = path, count
        with self._advice():
            self._file = io.FileIO(path, closefd=isinstance(path, str))

    def read(self) -> list[Event]:
        """Return the next piece."""
        return [Data(data)] if (data := self._next()) else []

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, for callers that need no events."""
        while data := self._next():
            yield data

    def _next(self) -> bytes:
        with self._advice():
            data = self._file.read(_PIECE) or b""
        self._count(len(data))
        return data

    def close(self) -> None:
        """Close the file, unless it was given as a descriptor."""
        self._file.close()

    @contextmanager
    def _advice(self) -> Iterator[None]:
        """Turn errors of the file into UsageError: trying again would not help."""
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"file {self._path!r}: {reason}") from None
