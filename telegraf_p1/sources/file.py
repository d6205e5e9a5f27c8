"""A recording: `file:capture.txt`, or `file:///var/lib/p1/capture.txt`."""

from collections.abc import Iterator

from telegraf_p1.sources import Chunk, Source, Url, UsageError, options

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
        try:
            file = open(path, "rb", closefd=isinstance(path, str))  # noqa: SIM115  only opening fails here
        except OSError as error:
            raise UsageError(f"file {path!r}: {error.strerror}") from None
        with file:
            while data := file.read(_PIECE):
                yield Chunk(data)
        yield Chunk(b"", complete=True)

    return chunks
