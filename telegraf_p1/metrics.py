r"""Splits a stream of bytes into metrics in line protocol, as Telegraf's serializer writes them, byte for byte.

    nats_consumer,host=a,subject=p1.home.raw value="/ISK5\\2M550T-1012
    …
    !1A2B" 1700000000000000000

In names and tags Telegraf puts a backslash before a comma, a space and `=`, and never escapes a backslash. A text is in
quotes, with a backslash before a quote and a backslash, and otherwise unchanged. It may contain NUL, bytes that are not
UTF-8, and line ends, which do not end the line. Anything else is passed on unchanged.
"""

import re
from collections.abc import Iterator
from typing import Final

# A longer line is passed on in pieces: it contains no telegram (sources/envelope.py), so it need not be kept.
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

# For an incomplete line: the bytes that continue each part of it, and the part that begins after each delimiter.
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
    """A line and its parts, as they are written in it."""

    def __init__(self, match: re.Match[bytes]) -> None:
        """Take a match of `_LINE`."""
        self._match = match
        self.line = match[0]
        self.head = match[1]  # the measurement and its tags

    def time_ns(self) -> int | None:
        """Return its time, UTC in ns since 1970; None if it has none."""
        time = self._match[5]
        return int(time) if time else None

    def text(self, name: bytes) -> bytes | None:
        """Return the text of a field, whose name is escaped; None if there is no such field, or it is not a text."""
        first, text = self._match.group(3, 4)
        if first != name:
            if name + b'="' not in self.line:
                return None
            text = next((match[2] for match in self._each() if match[1] == name), None)
        return None if text is None else _unescaped(text)

    def without(self, name: bytes) -> bytes:
        """Return the line without a field; empty if there is no other field."""
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
    """Splits one stream into lines; the same bytes give the same lines however they are cut."""

    def __init__(self) -> None:
        self._pending = b""
        self._searched = 0  # how far it was searched,
        self._part = "head"  # and which part of a line is there
        self._is_cut = False  # whether the start of the line was passed on already

    def feed(self, data: bytes) -> Iterator[Metric | bytes]:
        """Take the next piece of the stream; yield metrics, and all else as bytes. The iterator has to be exhausted."""
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
        """Return the incomplete line."""
        return self._pending


def tags(head: bytes) -> dict[str, str]:
    """Return the tags of a metric; backslashes that escape nothing stay, since Telegraf does not escape them."""
    return {_name(match[1]): _name(match[2]) for match in _TAG.finditer(head)}


def escaped(name: str) -> bytes:
    """Return the name of a field as it is written in a line."""
    return _TO_ESCAPE.sub(r"\\\g<0>", name).encode()


def _unescaped(text: bytes) -> bytes:
    if b'"' in text:
        return _ESCAPED.sub(rb"\1", text)
    return text.replace(b"\\\\", b"\\")  # faster, and the same result without quotes


def _name(text: bytes) -> str:
    return _ESCAPED_NAME.sub(rb"\1", text).decode("utf-8", "surrogateescape")


def _search(buffer: bytes, place: int, part: str) -> tuple[int | None, int, str]:
    """Search for the end of a line from a place in a part of it; return it or None, and the place and part reached."""
    while place < len(buffer):
        if part == "begin":
            part, place = ("text", place + 1) if buffer.startswith(b'"', place) else ("value", place)
        found = _PART[part].match(buffer, place)
        place = found.end() if found else place
        mark = buffer[place : place + 1]
        if mark == b"\n":
            return place + 1, place, part
        if mark not in _NEXT[part]:  # all was searched, or a backslash waits for what it escapes
            break
        part, place = _NEXT[part][mark], place + 1
    return None, place, part
