r"""Splits a stream of bytes, cut anywhere, into frames.

A plain frame is everything from the `/` of the identification to the CRC after the `!`, byte for byte, without the line
end that follows. The end of an encrypted one (Luxembourg, parts of Austria) is found by the length in its header, since
cipher text may contain any byte. A readout of an optical port (P0) has STX after its identification, or begins with
STX. It ends with ETX and one more character, the BCC.

    in:  b"half a tel0*kW)\r\n!1A2B\r\n" b"/ISK5\2M550T-1012\r\n\r\n1-3:0.2.8(50)\r\n!93C5\r\n"
    out: b"/ISK5\2M550T-1012\r\n\r\n1-3:0.2.8(50)\r\n!93C5"
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# No specification limits the size of a telegram. The longest known have about 4 KB: a message of 1024 characters in hex
# (0-0:96.13.0), and a Belgian history of 13 months.
LIMIT: Final = 16 * 1024

ENCRYPTED: Final = b"\xdb"
# DB 08, eight bytes of system title, the length, 30 (authenticated and encrypted).
_TITLE_ENDS: Final = 10
_NO_HEAD: Final = 0
# Poland: an encrypted block after a plain identification, with an empty system title: 00, 82 and the length, 30.
ENCRYPTED_BLOCK: Final = re.compile(rb"(/[^\r\n]{1,80}\r?\n\r?\n)\x00\x82(..)(?=\x30)", re.DOTALL)
_NO_TITLE: Final = b"\n\0"
_LONGEST_HEAD: Final = 90
_BLOCK_BEGINS: Final = re.compile(rb"/[^\r\n]{1,80}\r?\n\r?\n\x00(?:\x82.{0,2})?\Z", re.DOTALL)

# An identification that begins in the middle of a line, and an incomplete one at the end of the buffer.
_IDENTIFICATION: Final = re.compile(rb"/[A-Za-z]{3}[^()\r\n]{0,64}+\r?\n\r?\n")
_BEGINNING: Final = re.compile(rb"/(?:[A-Za-z]{0,2}+|[A-Za-z]{3}[^()\r\n]{0,64}+\r?+(?:\n\r?+)?)\Z")
# The start of a readout: with its identification, or without. Without it the readout must begin with a code, since STX
# alone may be noise. `_BARE` also matches an incomplete code at the end of the buffer.
_STX: Final = b"\x02"
_ETX: Final = b"\x03"
_CODE: Final = rb"[0-9CFLP](?=[0-9A-Z:-]{0,8}\.)[0-9A-Z.:*&-]{0,20}\("
_READOUT: Final = re.compile(rb"/[^\r\n\0\xdb]{1,80}\r?\n(?:\r?\n)?\x02|\x02" + _CODE)
_BARE: Final = rb"\x02(?=" + _CODE + rb"|[0-9CFLP][0-9A-Z.:*&-]{0,20}\Z|\Z)"
_READOUT_MARK: Final = re.compile(rb"\x03|/")
# The header of an encrypted frame, also an incomplete one at the end of the buffer: see `_encrypted_end`.
_HEAD: Final = (
    rb"\xdb(?=\x08.{8}(?:[\x00-\x80\x83-\xff]|\x81.|\x82..)\x30"
    rb"|\x08(?:.{0,9}+|.{8}(?:\x81.?+|\x82.{0,2}+))\Z|\Z)"
)
_START: Final = re.compile(rb"/|" + _BARE + rb"|" + _HEAD, re.DOTALL)
# Where a frame may end; `_LOOK` then checks it. Garbage is full of `/` and `!` that end no frame. For an
# identification, a blank line (or the end of the buffer) nearby is looked for first: `.` is faster than a class of
# characters.
_MARK: Final = re.compile(
    rb"/(?:(?<=[\n\r\0]/)|\Z|[A-Za-z](?=(?-s:.{0,67}+)(?:\n[\r\n]|\n?\Z))"
    rb"(?=[A-Za-z]?+\Z|[A-Za-z]{2}[^()\r\n]{0,64}+(?:\r?\n\r?\n|\r?+(?:\n\r?+)?\Z)))"
    rb"|!(?:(?<=[\n\r]!)|(?<=\)!)(?:[\r\n]|\Z))"
    rb"|" + _HEAD,
    re.DOTALL,
)
# A frame that ends before its first object and has no CRC is not passed on: it would be rejected, and garbage is full
# of such frames.
_NOTHING: Final = re.compile(rb"/[^\r\n\0\xdb]*+(?:[\r\n\0]++!?+)?+|\xdb|\x02[0-9A-Z.:*&-]*+")
_NOTHINGS: Final = re.compile(rb"(?:/[^\r\n\0\xdb]*+[\r\n\0]++(?:![\r\n]++)?+(?=/))++")
# What cipher text does not contain by chance: the identification and first object of a telegram, or the header of an
# encrypted one.
_PLAIN_WITHIN: Final = re.compile(rb"/[A-Za-z]{3}\d[^()\r\n]{0,64}\r?\n\r?\n\d-\d:")
_PLAIN_ENDS: Final = re.compile(
    rb"/(?:[A-Za-z]{0,3}|[A-Za-z]{3}\d[^()\r\n]{0,64}+[\r\n]{0,4}(?:\d(?:-\d?)?)?)\Z"  # an incomplete one, at the end
)
_HEAD_WITHIN: Final = re.compile(rb"\xdb\x08.{8}(?:[\x18-\x7f]|\x81.|\x82..)\x30", re.DOTALL)
_LONGEST_WITHIN: Final = 80
# Before DB 08, the LLC header means that it is DLMS in HDLC, and not a P1 telegram. `_FLAG` is the flag of HDLC.
_HDLC: Final = b"\xe6\xe7\x00"
_FLAG: Final = b"\x7e"
# `!` with its CRC. Four digits are a CRC whatever follows: some devices send no line end.
_TAIL: Final = re.compile(rb"!(?:[0-9A-Fa-f]{4}|[^\r\n/]{0,64}(?=[\r\n/])|[^\r\n/]{64})")


class Frame(NamedTuple):
    """The bytes of one telegram, and when its first byte was received.

    `at` is the time that `feed` got with that byte: UTC in ns since 1970, or None. `whole` is False if the telegram was
    cut off: by the next one, by the end of the message, or because it reached LIMIT bytes. `behind_flag`: the byte
    before it was 7E, the flag of HDLC; but noise may be 7E, too.
    """

    data: bytes
    at: int | None
    whole: bool = True
    behind_flag: bool = False


class _Step(NamedTuple):
    """Where a frame ends, was cut off, or from where to search on when more bytes have come (`done` is None)."""

    place: int
    done: bool | None  # True: complete up to the place; False: cut off there
    overlap: int = 0  # bytes before the place that may belong to the next frame


class Framer:
    """Splits one stream into frames; the same bytes give the same frames however they are cut.

    Outside a frame any `/` begins one, since noise or half a telegram may precede it on the same line. Inside, `/` and
    `!` count only at the start of a line, since texts may contain both. But an identification with its blank line
    begins a frame anywhere: the one before it was cut off.
    """

    def __init__(self) -> None:
        self._pending = b""  # the unfinished frame; empty outside a frame
        self._before = b""  # the last bytes outside a frame
        self._searched = 0
        self._at: int | None = None
        self._behind_flag = False
        self._is_given_back = False

    def feed(self, data: bytes, at: int | None = None) -> list[Frame]:
        """Take the next piece of the stream and return the frames that end in it; see `frames`."""
        return list(self.frames(data, at))

    def give_back(self) -> None:
        """Tell that the frame just yielded is not one: noise looked like the header of an encrypted frame.

        `frames` then searches for frames in the bytes after that header.
        """
        self._is_given_back = True

    def frames(self, data: bytes, at: int | None = None) -> Iterator[Frame]:
        """Take the next piece of the stream and yield the frames that end in it; the iterator has to be exhausted.

        `at` is when the piece was received, UTC in ns since 1970; None if it was sent at another time.
        """
        inside = bool(self._pending)
        buffer = (self._pending if inside else self._before) + data
        start, position = 0, self._searched if inside else len(self._before)
        ended = 0  # where the last frame ended: what precedes that does not affect the next one
        while True:
            if not inside:
                match = _start(buffer, position, ended)
                if match is None:
                    self.reset()
                    self._before = buffer[max(ended, len(buffer) - len(_HDLC)) :]
                    return
                start = run.end() if (run := _NOTHINGS.match(buffer, match.start())) else match.start()
                inside, position, self._at = True, start + 1, at
                self._behind_flag = buffer[ended:start].endswith(_FLAG)
            step = _STEPS[buffer[start]](buffer, start, position)
            if step.done is None:
                self._pending, self._searched = buffer[start:], step.place - start
                return
            inside, position = False, step.place - step.overlap
            if not _NOTHING.fullmatch(buffer, start, step.place):
                self._is_given_back = False
                yield Frame(buffer[start : step.place], self._at, whole=step.done, behind_flag=self._behind_flag)
                if self._is_given_back and buffer.startswith(ENCRYPTED, start):
                    position = _within(buffer, start + 1, position)
            ended = position

    def flush(self) -> list[Frame]:
        """End the stream or the message, and return the frames that this ends or cuts off."""
        frames: list[Frame] = []
        while self._pending:
            rest, is_plain = self._pending, self._pending.startswith(b"/")
            # A line end completes a telegram that lacks one. After the ETX of a readout it would be taken for the BCC.
            is_ended = is_plain and not (rest.endswith(_ETX) and _READOUT.match(rest))
            frames += self.feed(b"\n") if is_ended else ()
            if not is_ended or self._pending == rest + b"\n":
                frames.append(Frame(rest, self._at, whole=False, behind_flag=self._behind_flag))
                self.reset()
                frames += () if is_plain else self.feed(rest[_within(rest, 1, len(rest)) :], self._at)
        self.reset()
        return frames

    def reset(self) -> None:
        """Discard the unfinished frame: what comes next does not belong to it."""
        self._pending, self._before, self._searched = b"", b"", 0

    def unfinished(self) -> bytes:
        """Return the bytes of the unfinished frame."""
        return self._pending


def is_encrypted(frame: bytes) -> bool:
    """Whether the bytes of a frame, complete or not, are encrypted."""
    return frame.startswith(ENCRYPTED) or ENCRYPTED_BLOCK.match(frame) is not None


def _start(buffer: bytes, position: int, ended: int) -> re.Match[bytes] | None:
    for match in _START.finditer(buffer, position):
        if match[0] == b"/" or not buffer[ended : match.start()].endswith(_HDLC):
            return match
    return None


def _plain(buffer: bytes, start: int, position: int) -> _Step:
    limit = start + LIMIT
    if buffer.find(_NO_TITLE, start, start + _LONGEST_HEAD) >= 0 and (
        step := _encrypted_block(buffer, start, position)
    ):
        return step
    if buffer.find(_STX, start, start + _LONGEST_HEAD) >= 0 and (head := _READOUT.match(buffer, start)):
        return _readout(buffer, start, max(position, head.end()))
    for match in _MARK.finditer(buffer, position, limit):
        mark = match.start()
        if step := _LOOK[buffer[mark]](buffer, start, mark):
            return step
    return _Step(limit, done=False) if len(buffer) >= limit else _Step(len(buffer), done=None)


def _bare(buffer: bytes, start: int, position: int) -> _Step:
    """Search for the end of a readout without identification, once the code after its STX is complete."""
    if _READOUT.match(buffer, start):
        return _readout(buffer, start, position)
    has_begun = _START.match(buffer, start)
    return _Step(position, done=None) if has_begun else _Step(start + 1, done=False)


def _readout(buffer: bytes, start: int, position: int) -> _Step:
    limit = start + LIMIT
    for match in _READOUT_MARK.finditer(buffer, position, limit):
        mark = match.start()
        if match[0] != b"/":
            is_whole = mark + 2 <= len(buffer)
            return _Step(mark + 2, done=True) if is_whole else _Step(mark, done=None)
        if step := _slash(buffer, start, mark):
            return step
    return _Step(limit, done=False) if len(buffer) >= limit else _Step(len(buffer), done=None)


def _slash(buffer: bytes, start: int, mark: int) -> _Step | None:
    r"""Check whether another telegram begins at this slash: at the start of a line, or within one.

    `1-0:1.7.0(00.1/ISK5\2M550T-1012` and a blank line: the first telegram was cut off.
    """
    if buffer[mark - 1 : mark] in (b"\n", b"\r", b"\0"):
        return _Step(mark, done=False)
    if buffer.find(b"\n", start, mark) < 0:
        return None  # an identification may contain a slash itself
    if _IDENTIFICATION.match(buffer, mark):
        return _Step(mark, done=False)
    return _Step(mark, done=None) if _BEGINNING.match(buffer, mark) else None


def _end_mark(buffer: bytes, _start: int, mark: int) -> _Step | None:
    before = buffer[mark - 1 : mark]
    if before in (b"\n", b"\r"):
        tail = _TAIL.match(buffer, mark)
        return _Step(tail.end(), done=True) if tail else _Step(mark, done=None)
    if before == b")":
        # Aidon ends its last line with "!" and sends no CRC: `1-0:31.7.0(123.1*A)!` CR LF
        after = buffer[mark + 1 : mark + 2]
        if after in (b"\n", b"\r"):
            return _Step(mark + 1, done=True)
        if not after:
            return _Step(mark, done=None)
    return None


def _encrypted_start(buffer: bytes, start: int, mark: int) -> _Step | None:
    if buffer[start:mark].endswith(_HDLC):
        return None
    end = _encrypted_end(buffer, mark)
    return None if end == _NO_HEAD else _Step(mark, done=None if end is None else False)


_LOOK: Final = {ord("/"): _slash, ord("!"): _end_mark, ENCRYPTED[0]: _encrypted_start}


def _encrypted_block(buffer: bytes, start: int, position: int) -> _Step | None:
    """Check whether an encrypted block follows the identification, and where it ends."""
    block = ENCRYPTED_BLOCK.match(buffer, start)
    if block and int.from_bytes(block[2], "big") < LIMIT:
        end = block.end() + int.from_bytes(block[2], "big")
        head = block[1] + b"\0\x82"
        again = buffer.find(head, start + 1, end)
        if again >= 0:  # bytes of this telegram were lost, and the next one has begun
            return _Step(again, done=False)
        if len(buffer) < end:
            return _Step(len(buffer), done=None)
        return _Step(end, done=True, overlap=_overlap(buffer, end, head))
    return _Step(position, done=None) if _BLOCK_BEGINS.match(buffer, start) else None


def _encrypted(buffer: bytes, start: int, position: int) -> _Step:
    end = _encrypted_end(buffer, start)
    if end is None:
        return _Step(position, done=None)
    if end == _NO_HEAD:
        return _Step(start + 1, done=False)
    head = buffer[start : start + _TITLE_ENDS]
    if (again := _begun_in(buffer, start, position, end, head)) is not None:
        return _Step(again, done=False)
    if len(buffer) < end:
        return _Step(len(buffer), done=None)
    return _Step(end, done=True, overlap=_overlap(buffer, end, head))


def _begun_in(buffer: bytes, start: int, position: int, end: int, head: bytes) -> int | None:
    """Return where another frame begins within an encrypted one, or None.

    The meter's own header again: bytes of this frame were lost. A plain telegram: the header was noise.
    """
    again = buffer.find(head, max(start + 1, position - len(head)), end)
    before = end if again < 0 else again + len(head) - 1  # the first one counts
    if plain := _PLAIN_WITHIN.search(buffer, max(start + 1, position - _LONGEST_WITHIN), before):
        return plain.start()
    return again if again >= 0 else None


def _within(buffer: bytes, start: int, end: int) -> int:
    """Return where another frame begins in bytes that were taken for an encrypted one, or may begin at their end.

    A plain telegram in them would already have ended that frame, unless it is too short to be recognized.
    """
    match = _HEAD_WITHIN.search(buffer, start, end) or _PLAIN_ENDS.search(
        buffer, max(start, end - _LONGEST_WITHIN), end
    )
    return match.start() if match else max(start, end - _TITLE_ENDS - 4)


def _overlap(buffer: bytes, end: int, head: bytes) -> int:
    """Count the last bytes of a frame that may be the start of the next one, if bytes of this one were lost."""
    return next((n for n in range(len(head) - 1, 0, -1) if buffer[end - n : end] == head[:n]), 0)


_STEPS: Final = {ord("/"): _plain, ENCRYPTED[0]: _encrypted, _STX[0]: _bare}


def _encrypted_end(buffer: bytes, start: int) -> int | None:
    """Return where an encrypted frame ends by its header; None if bytes are missing, _NO_HEAD if it is not a header.

    BER lengths: one byte under 80, `81 ll`, `82 hh ll` (Luxembourg).
    """
    if buffer[start + 1 : start + 2] not in (b"", b"\x08"):
        return _NO_HEAD
    head = buffer[start + _TITLE_ENDS : start + _TITLE_ENDS + 4]
    digits = {0x81: 1, 0x82: 2}.get(head[0], 0) if head else 0
    if len(head) < digits + 2:
        return None
    length = int.from_bytes(head[1 : 1 + digits], "big") if digits else head[0]
    if head[digits + 1] != 0x30 or not 1 + 4 + 12 < length < (LIMIT if digits else 0x80):
        return _NO_HEAD
    return start + _TITLE_ENDS + digits + 1 + length
