"""CRC-16/ARC of a telegram, and the repair of known transport damage if the CRC does not match.

Polynomial x16+x15+x2+1 (0x8005), start 0, reflected in and out, no final XOR (DSMR 4.0.4 P1 Companion Standard,
section 5.2); `123456789` gives 0xBB3D.
"""

from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import Final, NamedTuple, cast

import crcmod
from crcmod.crcmod import _usingExtension  # there is no public way to know

Checksum = Callable[[bytes], int]


def fastest() -> Checksum:
    """Return the fastest CRC function that is installed; all give the same result.

    Where there is no compiler, crcmod installs itself without its C extension. It would then be ten times slower than
    `crc_without_c`, which is used instead.
    """
    try:
        from fastcrc.crc16 import arc
    except ImportError:
        pass
    else:
        return arc
    if _usingExtension:
        return cast("Checksum", crcmod.mkCrcFun(0x18005, initCrc=0, rev=True, xorOut=0))
    from telegraf_p1 import crc_without_c

    return crc_without_c.checksum


checksum: Final = fastest()
# CRC-16/X-25, which some Hungarian meters send instead; `123456789` gives 0x906E.
x25: Checksum = crcmod.mkCrcFun(0x11021, initCrc=0, rev=True, xorOut=0xFFFF)


def bcc(data: bytes) -> int:
    """Return the block check character (BCC) of a readout (P0): the XOR of its 7-bit characters."""
    return reduce(xor, data, 0) & 0x7F


class Repair(NamedTuple):
    """The bytes that the meter must have sent, and what the transport did to them."""

    data: bytes
    damage: str


def _lf_to_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _cr_to_crlf(data: bytes) -> bytes:
    return data if b"\n" in data else data.replace(b"\r", b"\r\n")


def _add_blank_line(data: bytes) -> bytes:
    head, line_end, rest = data.partition(b"\r\n")
    return data if rest.startswith(b"\r\n") else head + line_end * 2 + rest


def _halve_line_ends(data: bytes) -> bytes:
    halved = data.replace(b"\r\n\r\n", b"\r\n")
    return halved if halved.replace(b"\r\n", b"\r\n\r\n") == data else data


# Known damage by transports: a function that undoes it, and its description.
UNDO: Final[tuple[tuple[Callable[[bytes], bytes], str], ...]] = (
    (_lf_to_crlf, "rewrites line endings (CR LF became LF)"),
    # A terminal in its default mode (icrnl) turns each CR into LF: CR LF arrives as LF LF.
    (lambda data: data.replace(b"\n\n", b"\r\n"), "rewrites line endings (CR LF became LF LF)"),
    (_cr_to_crlf, "rewrites line endings (CR LF became CR)"),
    # A script that reads a line with its line end, and prints it with another one.
    (_halve_line_ends, "doubles line endings"),
    (lambda data: data.replace(b"\r\n\n", b"\r\n"), "doubles line endings"),
    (lambda data: data.replace(b"\0", b""), "adds NUL bytes"),
    (_add_blank_line, "drops the blank line after the identification"),
    (lambda data: _add_blank_line(_lf_to_crlf(data)), "rewrites line endings and drops the blank line"),
)


def _is_as_sent(data: bytes) -> bool:
    """Whether no function of `UNDO` would change the data; checked first, since undoing takes five times as long."""
    ends = data.count(b"\r\n")
    is_blank_in_place = data.find(b"\r\n\r\n") == data.find(b"\r\n")
    return ends == data.count(b"\n") and is_blank_in_place and 2 * data.count(b"\r\n\r\n") < ends and b"\0" not in data


def repair(data: bytes, expected: int, function: Checksum = checksum) -> Repair | None:
    """Undo known transport damage, one kind at a time, until the CRC matches; return None if it never does.

    `data` runs from `/` to `!`, `expected` is the CRC that the meter sent. A match proves that the telegram is
    complete.
    """
    if _is_as_sent(data):
        return None
    for undo, damage in UNDO:
        candidate = undo(data)
        if candidate != data and function(candidate) == expected:
            return Repair(candidate, damage)
    return None
