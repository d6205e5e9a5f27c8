r"""Metrics in line protocol as Telegraf's serializer writes them, out of a stream of bytes, to the byte.

    nats_consumer,host=a,subject=p1.home.raw value="/ISK5\\2M550T-1012
    …
    !1A2B" 1700000000000000000

In names and tags Telegraf puts a backslash before a comma, a blank and `=`, and never escapes a backslash. A text
stands in quotes, with a backslash before a quote and a backslash, and is as it was in all else: it may hold line ends,
which end no line then, NUL, and bytes that are no UTF-8. What is none of this is given as it came.
"""

import re
from collections.abc import Iterator
from typing import Final

# A line that is longer is given in pieces: it holds no telegram (sources/envelope.py), and need not be held.
LONGEST: Final = 1024 * 1024

_HEAD: Final = rb"[^ \n]++(?:(?<=\\) [^ \n]*+)*+"
_NAME: Final = rb"[^=\n]++(?:(?<=\\)=[^=\n]*+)*+"
_INSIDE: Final = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_FIELD: Final = _NAME + rb'=(?:"' + _INSIDE + rb'"|[^", \n]++)'
_FIRST: Final = rb"(" + _NAME + rb')=(?:"(' + _INSIDE + rb')"|[^", \n]++)'
_LINE: Final = re.compile(
    rb"(" + _HEAD + rb") (" + _FIRST + rb"(?:," + _FIELD + rb")*+)(?: (-?\d{1,19}))?\n", re.DOTALL
)
_ONE: Final = re.compile(_FIRST + rb",?+", re.DOTALL)
_TAG: Final = re.compile(rb"(?<!\\),((?:[^=,]++|(?<=\\)[=,])++)=((?:[^,]++|(?<=\\),)*+)")
_ESCAPED: Final = re.compile(rb'\\(["\\])')
_ESCAPED_NAME: Final = re.compile(rb"\\([, =])")
_TO_ESCAPE: Final = re.compile(r"[, =]")

# For a line that has not come as a whole: what a part of it goes on with, and which part what follows that begins.
_PART: Final = {
    "head": re.compile(rb"(?:[^ \n]++|(?<=\\) )*+"),
    "name": re.compile(rb"(?:[^=\n]++|(?<=\\)=)*+"),
    "text": re.compile(_INSIDE, re.DOTALL),
    "value": re.compile(rb"[^, \n]*+"),
    "time": re.compile(rb"[^\n]*+"),
}
_NEXT: Final[dict[str, dict[bytes, str]]] = {
    "head": {b" ": "name"},
    "name": {b"=": "begin"},
    "text": {b'"': "value"},
    "value": {b",": "name", b" ": "time"},
    "time": {},
}


class Metric:
    """A line, and its parts as they stand in it."""

    def __init__(self, match: re.Match[bytes]) -> None:
        """Take what `_LINE` found."""
        self._match = match
        self.line = match[0]
        self.head = match[1]  # the measurement and its tags

    def time_ns(self) -> int | None:
        """Give its time, UTC in ns since 1970."""
        time = self._match[5]
        return int(time) if time else None

    def text(self, name: bytes) -> bytes | None:
        """Give the text of a field, whose name is escaped; None where there is no such field, or no text in it."""
        first, text = self._match.group(3, 4)
        if first != name:
            if name + b'="' not in self.line:
                return None
            text = next((match[2] for match in self._each() if match[1] == name), None)
        return None if text is None else _unescaped(text)

    def without(self, name: bytes) -> bytes:
        """Give the line without a field; nothing when it has no other."""
        end = self._match.end(2)
        if self._match[3] == name and end == self._match.end(4) + 1:
            return b""
        others = [match[0].removesuffix(b",") for match in self._each() if match[1] != name]
        rest = self.line[end - self._match.start() :]
        return self.head + b" " + b",".join(others) + rest if others else b""

    def _each(self) -> Iterator[re.Match[bytes]]:
        fields, place = self._match[2], 0
        while match := _ONE.match(fields, place):
            yield match
            place = match.end()


class Lines:
    """Cuts one stream into lines; the same bytes give the same lines however they are cut."""

    def __init__(self) -> None:
        self._pending = b""
        self._searched = 0  # how far that was looked at,
        self._part = "head"  # and in which part of a line that is
        self._is_cut = False  # whether the beginning of the line was given already

    def feed(self, data: bytes) -> Iterator[Metric | bytes]:
        """Take the next piece of the stream, be read to the end; what is no metric is given as bytes."""
        buffer = self._pending + data
        start, place, part = 0, self._searched, self._part
        while True:
            while place == start and not self._is_cut and (match := _LINE.match(buffer, start)):
                yield Metric(match)
                start = place = match.end()
            end, place, part = _search(buffer, place, part)
            if end is None:
                break
            match = None if self._is_cut else _LINE.match(buffer, start)
            yield Metric(match) if match else buffer[start:end]
            start, place, part, self._is_cut = end, end, "head", False
        if place - start > LONGEST:
            yield buffer[start : place - 1]  # the last byte may be a backslash
            start, self._is_cut = place - 1, True
        self._pending, self._searched, self._part = buffer[start:], place - start, part

    def rest(self) -> bytes:
        """Give what has come of a line that does not end."""
        return self._pending


def tags(head: bytes) -> dict[str, str]:
    """Give the tags of a metric; backslashes that escape nothing stay, since they are written as they are."""
    return {_name(match[1]): _name(match[2]) for match in _TAG.finditer(head)}


def escaped(name: str) -> bytes:
    """Give the name of a field as it stands in a line."""
    return _TO_ESCAPE.sub(r"\\\g<0>", name).encode()


def _unescaped(text: bytes) -> bytes:
    if b'"' in text:
        return _ESCAPED.sub(rb"\1", text)
    return text.replace(b"\\\\", b"\\")  # quickly, and the same then


def _name(text: bytes) -> str:
    return _ESCAPED_NAME.sub(rb"\1", text).decode("utf-8", "surrogateescape")


def _search(buffer: bytes, place: int, part: str) -> tuple[int | None, int, str]:
    """Search the end of a line from a place in a part of it; give it, or else None, and how far was searched."""
    while place < len(buffer):
        if part == "begin":
            part, place = ("text", place + 1) if buffer.startswith(b'"', place) else ("value", place)
        found = _PART[part].match(buffer, place)
        place = found.end() if found else place
        mark = buffer[place : place + 1]
        if mark == b"\n":
            return place + 1, place, part
        if mark not in _NEXT[part]:  # all has been looked at, or a backslash waits for what it escapes
            break
        part, place = _NEXT[part][mark], place + 1
    return None, place, part
