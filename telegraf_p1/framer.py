r"""Bytes in any pieces in, frames out.

A frame is everything from the `/` of the identification to the CRC behind the `!`,
byte for byte, without the line end that follows it.

    in:  b"half a tel0*kW)\r\n!1A2B\r\n" b"/ISK5\2M550T-1012\r\n\r\n1-3:0.2.8(50)\r\n!93C5\r\n"
    out: b"/ISK5\2M550T-1012\r\n\r\n1-3:0.2.8(50)\r\n!93C5"
"""

import re
from typing import Final, NamedTuple

# No specification limits a telegram; the longest known are about 4 KB (p. 96.13.0 with
# 1024 characters in hex, and a Belgian history of 13 months).
LIMIT: Final = 16 * 1024

_MARK: Final = re.compile(rb"[/!]")
# `!` with its CRC. Four digits are a CRC whatever follows: some devices send no line end.
_TAIL: Final = re.compile(rb"!(?:[0-9A-Fa-f]{4}|[^\r\n/]{0,64}(?=[\r\n/])|[^\r\n/]{64})")


class Frame(NamedTuple):
    """The bytes of one telegram, and the `at` of the piece that brought its first byte."""

    data: bytes
    at: int


class Framer:
    """Cuts one stream into frames; the same bytes give the same frames however they are cut.

    Outside a frame any `/` begins one, since noise or half a telegram may stand before it on
    the same line. Inside, `/` and `!` count at the start of a line only: texts may hold both.
    """

    def __init__(self) -> None:
        self._pending = b""  # begins with "/", or is empty
        self._searched = 0
        self._at = 0

    def feed(self, data: bytes, at: int = 0) -> list[Frame]:
        """Take the next piece of the stream; give the frames that end in it.

        `at` is the caller's mark of the piece, such as its time of reception in ns.
        """
        buffer = self._pending + data
        start, position = 0, self._searched
        inside = bool(self._pending)
        frames: list[Frame] = []
        while True:
            if not inside:
                start = buffer.find(b"/", position)
                if start < 0:
                    self.reset()
                    return frames
                inside, position, self._at = True, start + 1, at
            limit = start + LIMIT
            mark, end = _next_mark(buffer, position, limit)
            if mark >= limit:
                inside, position = False, limit
            elif end is None:
                self._pending, self._searched = buffer[start:], mark - start
                return frames
            elif buffer[mark] == b"/"[0]:
                start, position, self._at = mark, mark + 1, at
            else:
                frames.append(Frame(buffer[start:end], self._at))
                inside, position = False, end

    def flush(self) -> list[Frame]:
        """Say that the stream or the message is over, which ends a frame like a line end does."""
        frames = self.feed(b"\n")
        self.reset()
        return frames

    def reset(self) -> None:
        """Forget the unfinished frame: what comes next does not belong to it."""
        self._pending, self._searched = b"", 0


def _next_mark(buffer: bytes, position: int, limit: int) -> tuple[int, int | None]:
    """Where a frame ends or a new one begins: the mark and the place behind it.

    (place to search on from, None) when that cannot be known yet; a place at or
    behind `limit` when the frame has grown too long.
    """
    for match in _MARK.finditer(buffer, position, limit):
        mark = match.start()
        before = buffer[mark - 1 : mark]
        if match[0] == b"/":
            if before in (b"\n", b"\r", b"\0"):
                return mark, mark + 1
        elif before in (b"\n", b"\r"):
            tail = _TAIL.match(buffer, mark)
            return mark, tail and tail.end()
        elif before == b")":
            # Aidon ends its last line with "!" and sends no CRC: `1-0:31.7.0(123.1*A)!` CR LF
            after = buffer[mark + 1 : mark + 2]
            if after in (b"\n", b"\r"):
                return mark, mark + 1
            if not after:
                return mark, None
    return min(len(buffer), limit), None
