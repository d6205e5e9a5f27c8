"""Finds the speed and format of a serial line by reading it with trial settings.

Text at the wrong speed is noise. At the right one, 7E1 that is read as 8N1 is text with a parity bit, since both have
ten bits per character. So the format is found without trying it, and no byte is lost. Silence proves nothing.
"""

import re
from collections.abc import Sequence
from typing import Final

from telegraf_p1.sources.serial_settings import SEVEN_BITS

_TEXT: Final = bytes([*range(0x20, 0x7F), *b"\t\r\n"])
_EVEN: Final = bytes(byte for byte in range(256) if byte.bit_count() % 2 == 0)
# Noise does not contain this many in a row by chance.
_TEXT_RUN: Final = re.compile(rb"[\t\r\n -~]{64,}+")
_WITH_PARITY: Final = bytes(byte for byte in _EVEN if byte & 0x7F in _TEXT)
_PARITY_RUN: Final = re.compile(rb"[%b]{64,}+" % re.escape(_WITH_PARITY))
# What is neither text nor noise: the header of an encrypted telegram, and of a frame in DLMS, SML and M-Bus, which
# `diagnosis.py` explains.
_ENCRYPTED: Final = re.compile(rb"\xdb\x08.{8}(?:[\x18-\x7f]|\x81.|\x82..)\x30|\n\x00\x82..\x30", re.DOTALL)
_OTHER_FRAME: Final = re.compile(
    rb"\x7e[\xa0-\xaf].{4,12}?\xe6\xe7\x00|\x1b{4}\x01{4}|\x68(.)\1\x68[\x08\x53\x73]", re.DOTALL
)
# This many bytes without text are noise: more than an encrypted telegram has, in the middle of which we may have begun.
_MOST: Final = 1536
# The same for a burst that was received from its first byte on: a telegram at 115200 baud is this short at 9600.
_FEW: Final = 32
# What a line without an inverter makes of a character: see `diagnosis.py`.
_REVERSED: Final = bytes((~byte >> 1) & 0x7F for byte in range(256))
_DIGITS_AND_MARKS: Final = b"0123456789.:-*()\r\n"


class LineSearch:
    """The settings of one line: `baudrate` and `format` are being tried, and once it `is_over` they are known."""

    def __init__(self, baudrates: Sequence[str], line_format: str = "") -> None:
        """Begin with the first speed. Without a format, 8N1 and 7E1 are distinguished."""
        self._baudrates = list(baudrates)
        self._is_format_known = bool(line_format)
        self.baudrate = self._baudrates[0]
        self.format = line_format or "8N1"
        self.is_over = False
        self._first = self.baudrate, self.format
        self._noise: list[bytes] = []  # what was received at each speed of this round
        self.begin()

    @property
    def has_moved(self) -> bool:
        """Whether the settings differ from the first ones."""
        return (self.baudrate, self.format) != self._first

    def begin(self) -> None:
        """Forget what was received, since the line was reopened or has another speed now."""
        self._heard = bytearray()
        self._given = 0  # how much of that was returned
        self._is_whole = False  # whether it began with the first byte of a burst

    def heard(self, data: bytes) -> bytes:
        """Take what was received; return the bytes to use, as a reader with the right settings would have them.

        Text is returned at once. What may be noise is held back, until that is known or there is too much of it. If no
        speed gave text, the bytes most like text are returned, for a diagnosis.
        """
        held = len(self._heard) - self._given
        self._heard += data
        if found := self._found():
            self.format, self.is_over = found, True
            more = bytes(self._heard[self._given :])
            return more.translate(SEVEN_BITS) if found == "7E1" else more
        given = b"" if held or data.translate(None, _TEXT) else data
        self._given += len(given)
        return given + self._move_on() if len(self._heard) >= _MOST else given

    def paused(self, *, is_long: bool = False) -> bytes:
        """Note that nothing came for a while; return the bytes to use, as `heard` does.

        `is_long`: it counts as silence. The few bytes before it prove nothing, and are returned.
        """
        given = b""
        held = self._heard[self._given :]
        if self._is_whole and len(held) >= _FEW:
            given = self._move_on()
        elif is_long:
            given = bytes(held)
            self.begin()
        self._is_whole = True
        return given

    def _found(self) -> str:
        """Return the format of the line; empty if it is not known."""
        data = bytes(self._heard)
        # A run of zeros, for example, has even parity with and without a parity bit.
        if any(run.translate(None, _EVEN) for run in _TEXT_RUN.findall(data)):
            return self.format
        if _ENCRYPTED.search(data) or _OTHER_FRAME.search(data):
            return self.format
        if not self._is_format_known and any(run.translate(None, _TEXT) for run in _PARITY_RUN.findall(data)):
            return "7E1"
        return ""

    def _move_on(self) -> bytes:
        """Try the next speed; at the end of a round, return the bytes to use."""
        self._noise.append(bytes(self._heard[self._given :]))
        self.baudrate = self._baudrates[(self._baudrates.index(self.baudrate) + 1) % len(self._baudrates)]
        self.begin()
        if len(self._noise) < len(self._baudrates):
            return b""
        best = max(self._noise, key=_likeness)
        self._noise.clear()
        return best


def holds_encrypted(data: bytes) -> bool:
    """Whether there is the header of an encrypted telegram in it."""
    return _ENCRYPTED.search(data) is not None


def _likeness(data: bytes) -> float:
    """Return how much of it is like a telegram with another parity, or on a line without an inverter."""
    read = (data.translate(SEVEN_BITS), data.translate(_REVERSED))
    return max(len(one) - len(one.translate(None, _DIGITS_AND_MARKS)) for one in read) / max(1, len(data))
