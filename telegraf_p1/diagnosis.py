"""Finds out why a stream contains no telegram: wrong line settings, or another protocol.

A UART with wrong settings changes bytes in a regular way, so most causes can be proven by undoing the change. The tests
send telegrams bit by bit through a line with each fault.
"""

import re
from typing import Final, NamedTuple

from telegraf_p1.telegram import holds_objects

_TEXT: Final = bytes([*range(0x20, 0x7F), *b"\r\n"])
_EVEN: Final = bytes(byte for byte in range(256) if byte.bit_count() % 2 == 0)
_EVEN_TEXT: Final = bytes(byte for byte in _TEXT if byte in _EVEN)
# Digits and the punctuation around them: nine of ten characters of a telegram.
_TELEGRAM: Final = b"0123456789.:-*()kWhVA/!\r\n"
_SEVEN_BITS: Final = bytes(byte & 0x7F for byte in range(256))
_LEAST: Final = 48  # bytes; fewer could match by chance

# DLMS in HDLC: flag, frame format type 3, perhaps with the segmentation bit, and its length
# (IEC 62056-46, 6.4.1), flag.
_HDLC: Final = re.compile(rb"\x7e([\xa0-\xaf])(.)", re.DOTALL)
# A part of such a frame: its start up to the LLC header, or that header and the tag after it (encrypted, or a
# notification).
_HDLC_MARKS: Final = b"\xe6\xe7\x00", b"\x7e\xdb\x08"  # each part contains one of these
_HDLC_PIECE: Final = re.compile(rb"\x7e[\xa0-\xaf].{4,12}?\xe6\xe7\x00|\xe6\xe7\x00[\xdb\x0f]|\x7e\xdb\x08", re.DOTALL)
# M-Bus long frame (EN 13757-2, 5.2): 68 L L 68, and 16 at its end.
_MBUS: Final = re.compile(rb"\x68(.)\1\x68", re.DOTALL)
_GZIP: Final = b"\x1f\x8b\x08"
_SML: Final = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01"


class Diagnosis(NamedTuple):
    """A keyword for the cause, a text that says what is wrong, and the key of the advice in `advice.py`."""

    cause: str
    text: str
    fault: str = ""


def _protocol(name: str) -> Diagnosis:
    return Diagnosis(
        "protocol",
        f"the meter sends {name}, not P1 telegrams, and this program cannot read that; ask your "
        "grid company whether the port can send P1 telegrams, or use a reader for that protocol",
    )


DLMS_IN_HDLC: Final = _protocol("DLMS in HDLC frames (7E)")


def diagnose(data: bytes) -> Diagnosis | None:
    """Return what is wrong with bytes that contain no telegram; None if nothing is, or there are too few."""
    if _GZIP in data:
        return Diagnosis("gzip", "the data is compressed (gzip): configure the device to send it uncompressed")
    return _other_protocol(data) or _line_settings(data)


def no_telegram(data: bytes) -> Diagnosis:
    """Return the diagnosis for bytes that contain no telegram, but have no other fault."""
    return Diagnosis(
        "no-telegram", f"received text, but no telegram (it begins with / and ends with ! and its CRC): {data[:40]!r}"
    )


def _line_settings(data: bytes) -> Diagnosis | None:
    data = data.replace(b"\xff", b"")  # filler of some gateways
    heard = data.replace(b"\0", b"")
    strange = len(heard.translate(None, _TEXT))
    if len(data) < _LEAST:
        return None
    if len(heard) >= _LEAST and (parity := _parity(heard, strange)):
        return parity
    if len(heard) < len(data) / 2:
        return Diagnosis("speed", "only NUL bytes received: the port is read faster than the meter sends", "speed")
    if _is_inverted(data):
        return Diagnosis(
            "inverted",
            "the signal is not inverted: a P1 port needs a cable with an inverter (open collector, "
            "active low), or a UART that is set to inverted input",
        )
    if strange > len(data) * 0.15:
        text = "the data is not text: the signal is not inverted, or the speed or the format is wrong"
        return Diagnosis("speed", text, "speed")
    return None


def _parity(heard: bytes, strange: int) -> Diagnosis | None:
    """Return what is wrong with the parity if it is even in all characters, else None."""
    if strange and not heard.translate(None, _EVEN) and not heard.translate(_SEVEN_BITS).translate(None, _TEXT):
        return Diagnosis("parity", "the line is 7E1 but read as 8N1", "seven bits")
    if not heard.translate(None, _EVEN_TEXT):
        text = "every second character is missing: the line is 8N1 but read with parity"
        return Diagnosis("parity", text, "eight bits")
    return None


# Without an inverter, the stop bit before a character is taken for its start bit. It is followed by the start bit and
# bits 0 to 6, all inverted: `0` (0x30) is read as 0x9F.
_REVERSED: Final = bytes((~byte >> 1) & 0x7F for byte in range(256))


def _is_inverted(data: bytes) -> bool:
    reversed_data = data.translate(_REVERSED)
    strange = len(reversed_data.translate(None, _TELEGRAM))
    return strange < len(data) * 0.6 and holds_objects(reversed_data)


def _other_protocol(data: bytes) -> Diagnosis | None:
    for match in _MBUS.finditer(data):
        end = match.start() + 4 + match[1][0] + 1
        if data[end : end + 1] == b"\x16":
            return _protocol("M-Bus (68)")
    for match in _HDLC.finditer(data):
        length = (match[1][0] & 7) << 8 | match[2][0]
        if data[match.start() + 1 + length : match.start() + 2 + length] == b"\x7e":
            return DLMS_IN_HDLC
    if any(mark in data for mark in _HDLC_MARKS) and _HDLC_PIECE.search(data):
        return DLMS_IN_HDLC
    return _protocol("SML (1B 1B 1B 1B)") if _SML in data else None
