"""A recording: `file:capture.txt`, or `file:///var/lib/p1/capture.txt`."""

from collections.abc import Iterator
from contextlib import contextmanager

from telegraf_p1.sources import Chunk, Source, Url, UsageError, options


@contextmanager
def _answered(path: str | int) -> Iterator[None]:
    """Turn what a file answers into advice: trying again would not help."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise UsageError(f"file {path!r}: {getattr(error, 'strerror', None) or error}") from None


_PIECE = 64 * 1024


def source(url: Url) -> Source:
    """Read a file to its end, which ends the last telegram."""
    options(url)
    if not url.path or url.host:
        raise UsageError(f"source {url.text!r}: write file:capture.txt, or file:///with/three/slashes")
    return read(url.path)


def read(path: str | int) -> Source:
    """Read a file by its name, or an open one by its descriptor."""

    def chunks() -> Iterator[Chunk]:
        with _answered(path), open(path, "rb", buffering=0, closefd=isinstance(path, str)) as file:
            while data := file.read(_PIECE):
                yield Chunk(data)

    return chunks
