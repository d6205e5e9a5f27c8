r"""Extracts a telegram, whole or in pieces, from an MQTT message or an HTTP answer of a device.

This is done in steps, each of which leaves unchanged what it does not recognize:

1. gzip.
2. JSON, with or without a byte order mark: the member, at any depth, that contains a telegram as a text, as an array of
   its lines or as an array of its bytes (Node-RED's Buffer). Tasmota's `{"SerialReceived":"…"}` contains pieces of one,
   with line ends that JSON does not allow.
3. Hex digits; base64; line ends written as `\r\n`, four characters.
4. The end of a message: that of a telegram, perhaps without its last line end, or that of a line.

The result is the bytes of the meter; they may be encrypted. Seen: DSMR-reader, Tasmota, ESPHome, HomeWizard, AMS
bridges, Node-RED. Messages are not trusted: whatever they contain, nothing is raised, and the time is proportional to
their length.
"""

import base64
import contextlib
import json
import re
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

# No message with a telegram is longer. A longer one is left unchanged, compressed or not.
LARGEST: Final = 256 * 1024

_SECONDS: Final = re.compile(r"[1-8]\d{8,9}(?:\.\d{1,9})?")  # in ns it fits into 64 bits
_GZIP: Final = b"\x1f\x8b\x08"
_GZIP_HEAD: Final = 16 + zlib.MAX_WBITS
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TASMOTA: Final = {"SerialReceived", "SSerialReceived"}
_TASMOTA_BEGINS: Final = re.compile(rb'\{\s*+"S?SerialReceived"\s*+:\s*+"')
_ENCRYPTED: Final = b"\xdb\x08"
# After a line end: an object, the end mark, or an encrypted block (Poland). The path of a file or a topic has none.
_INSIDE: Final = re.compile(rb"[\r\n](?:\d[^\r\n(]{0,20}\(|!|\0\x82)")
# The line with the end mark is the last one.
_END: Final = re.compile(rb"(?:\A|[\r\n)])![0-9A-Fa-f]{0,4}[\s\0\xff]*+\Z")
_CRC: Final = re.compile(rb"[\r\n)]![0-9A-Fa-f]{4}(?:\r\n)?")
_LENGTH_OF_CRC: Final = 6
_LINE_END: Final = 2
_LINE: Final = re.compile(rb"/[^\r\n]*|\d{1,3}-\d{1,3}:[^\r\n]*\)|\([\d.]+\)|")
_LEAST_BASE64: Final = 8
_SEVERAL: Final = (
    "a message has several members that could contain the telegram, and none of them is read: "
    "choose one with ?member=NAME"
)


class Payload(NamedTuple):
    """The meter's bytes, whether a telegram ends with them, and what the user has to change, if anything."""

    data: bytes
    ends_telegram: bool
    trouble: str = ""


def unwrap(message: bytes, member: str = "") -> Payload:
    """Extract the meter's bytes from a message; `member` names the JSON member that contains them."""
    if len(message) > LARGEST:
        return Payload(message, ends_telegram=False)
    # A short cut for most messages: nothing else begins and ends like this.
    if message.startswith(b"/"):
        crc = len(message) - _LENGTH_OF_CRC
        if _CRC.fullmatch(message, crc - _LINE_END) or _CRC.fullmatch(message, crc):
            return Payload(message, ends_telegram=True)
    message = unpacked(message)
    held = _in_json(message, member)
    if member and held is not None and not held:
        trouble = f"a message has no member {member!r} with a text, and is not a telegram itself: check ?member="
        return Payload(b"", ends_telegram=False, trouble=trouble)
    found = held or {_decoded(message)}
    if len(found) > 1:
        return Payload(b"", ends_telegram=False, trouble=_SEVERAL)
    data = found.pop()
    if _END.search(data):
        return Payload(data, ends_telegram=True)
    # One line per message: the end of the message replaces the line end.
    return Payload(data + b"\r\n" if _LINE.fullmatch(data) else data, ends_telegram=False)


def sent_ns(seconds: str) -> int | None:
    """Read when a message was sent, as its sender says: UTC in ns since 1970, None if the text is not a time."""
    return int(Decimal(seconds) * 10**9) if _SECONDS.fullmatch(seconds) else None


def unpacked(data: bytes) -> bytes:
    """Decompress gzip; return `data` itself if it is not gzip, damaged, or would have more than LARGEST bytes."""
    if not data.startswith(_GZIP):
        return data
    unpacking = zlib.decompressobj(_GZIP_HEAD)
    try:
        plain = unpacking.decompress(data, LARGEST + 1)
    except zlib.error:
        return data
    return plain if unpacking.eof and len(plain) <= LARGEST else data


def _in_json(message: bytes, member: str) -> set[bytes] | None:
    """Return what a JSON message contains of a telegram: nothing, one thing, or several; None if it is not JSON."""
    text = message.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not text.startswith((b"{", b"[", b'"')):
        return None
    try:
        value = json.loads(
            text.decode("utf-8", "surrogateescape"),
            strict=False,  # Tasmota does not escape line ends
            parse_int=_octet,
            parse_float=_no_octet,
        )
    except (ValueError, RecursionError):
        return _in_broken(text)
    held = [(name, _decoded(data)) for name, data in _members(value)]
    found = {data for name, data in held if name in ({member} if member else _TASMOTA)}
    if not found and not member:
        found = {data for _, data in held if _begins(data)}
    return {data for data in found if _is_telegram(data)} or found


def _in_broken(text: bytes) -> set[bytes] | None:
    """Return the data of a Tasmota message that is not valid JSON: cut off, or with an unescaped backslash."""
    begins = _TASMOTA_BEGINS.match(text)
    if begins is None:
        return None
    rest = text[begins.end() :]
    closed = rest.rstrip()
    return {_decoded(closed[:-2] if closed.endswith(b'"}') else rest)}


def _octet(digits: str) -> int:
    """Read an integer of JSON, at most four characters: a longer one is not an octet, and may have a million digits."""
    return int(digits[:4])


def _no_octet(_digits: str) -> None:
    """Ignore a number with a point."""


def _members(value: object) -> Iterator[tuple[str, bytes]]:
    """Yield everything in a JSON value that may be bytes of a meter, with the name of the member."""
    waiting = [("", value)]  # no recursion: JSON may be deep
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            if value.get("type") == "Buffer":  # Node-RED: {"type":"Buffer","data":[47,73,…]}
                value = {name: value.get("data")}
            waiting += value.items()
        elif isinstance(value, list):
            joined = _joined(value)
            if joined is None:
                waiting += ((name, inner) for inner in value)
            else:
                yield name, joined
        elif isinstance(value, str):
            yield name, _bytes(value)


def _joined(items: list[object]) -> bytes | None:
    """Return the bytes of an array of octets or of lines, None for any other."""
    lines = [item for item in items if isinstance(item, str)]
    octets = [item for item in items if isinstance(item, int)]
    if len(lines) == len(items):
        return b"\r\n".join(map(_bytes, lines))
    if len(octets) == len(items) and all(0 <= octet < 256 for octet in octets):
        return bytes(octets)
    return None


def _bytes(text: str) -> bytes:
    """Return the bytes of the meter: JSON has characters only, and most devices convert bytes to them as Latin-1."""
    for coding, errors in (("latin-1", "strict"), ("utf-8", "surrogateescape")):
        with contextlib.suppress(UnicodeEncodeError):
            return text.encode(coding, errors)
    return b""  # half a character, which JSON may contain and a meter does not send


def _decoded(data: bytes) -> bytes:
    """Decode hex digits, base64, or escaped line ends, if the data is one of these."""
    plain = _from_hex(data)
    # A piece of a telegram may consist of digits only, which are not hex then.
    if _begins(plain) or b"\n" in plain:
        return plain
    plain = _from_base64(data)
    if _begins(plain):
        return plain
    is_one_line = b"\n" not in data and b"\r" not in data
    return data.replace(rb"\r\n", b"\r\n") if is_one_line else data


def _from_hex(data: bytes) -> bytes:
    try:
        return bytes.fromhex(data.decode("ascii"))  # which ignores white space
    except ValueError:
        return b""


def _from_base64(data: bytes) -> bytes:
    characters = b"".join(data.split())
    if len(characters) < _LEAST_BASE64:
        return b""
    try:
        return base64.b64decode(characters, validate=True)
    except ValueError:
        return b""


def _begins(data: bytes) -> bool:
    """Whether data begins like a telegram or its last line; so does a path."""
    return data.lstrip().startswith((b"/", b"!", _ENCRYPTED))


def _is_telegram(data: bytes) -> bool:
    """Whether data that begins like a telegram continues like one."""
    return data.startswith(_ENCRYPTED) or _INSIDE.search(data) is not None
