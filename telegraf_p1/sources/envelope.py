r"""What devices put into an MQTT message or an HTTP answer: a telegram, whole or in pieces.

It is taken out in steps, and each leaves alone what it does not know:

1. gzip.
2. JSON, with or without a byte order mark: the member, at any depth, that holds a telegram as a text, as an array
   of its lines or as an array of its bytes (Node-RED's Buffer). Tasmota's `{"SerialReceived":"…"}` holds pieces of
   one, with line ends that JSON does not allow.
3. Hex digits; base64; line ends written as `\r\n`, four characters.
4. The end of a message: that of a telegram, perhaps without its last line end, or that of a line.

What is left are the bytes of the meter; they may be encrypted. Seen: DSMR-reader, Tasmota, ESPHome, HomeWizard, AMS
bridges, Node-RED. A message is foreign: whatever it holds, nothing is raised, and time grows no faster than length.
"""

import base64
import contextlib
import json
import re
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

# No telegram is longer, with all that devices put around it: a longer message is left as it is, packed or not.
LARGEST: Final = 256 * 1024

_SECONDS: Final = re.compile(r"[1-8]\d{8,9}(?:\.\d{1,9})?")  # what 64 bits hold in ns
_GZIP: Final = b"\x1f\x8b\x08"
_GZIP_HEAD: Final = 16 + zlib.MAX_WBITS
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TASMOTA: Final = {"SerialReceived", "SSerialReceived"}
_TASMOTA_BEGINS: Final = re.compile(rb'\{\s*+"S?SerialReceived"\s*+:\s*+"')
_ENCRYPTED: Final = b"\xdb\x08"
# Behind a line end: an object, the end mark, or an encrypted block (Poland). The path of a file or a topic has none.
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
    """Take the meter's bytes out of a message; `member` names the JSON member that holds them."""
    if len(message) > LARGEST:
        return Payload(message, ends_telegram=False)
    # Nothing else begins and ends so, and most messages do: a short cut.
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
    # A line a message: its line end was the end of the message.
    return Payload(data + b"\r\n" if _LINE.fullmatch(data) else data, ends_telegram=False)


def sent_ns(seconds: str) -> int | None:
    """Read when a message was sent, as its sender says beside it: UTC in ns since 1970, None for what is no time."""
    return int(Decimal(seconds) * 10**9) if _SECONDS.fullmatch(seconds) else None


def unpacked(data: bytes) -> bytes:
    """Give what gzip has packed; `data` itself when that is none, damaged, or of more than LARGEST bytes."""
    if not data.startswith(_GZIP):
        return data
    unpacking = zlib.decompressobj(_GZIP_HEAD)
    try:
        plain = unpacking.decompress(data, LARGEST + 1)
    except zlib.error:
        return data
    return plain if unpacking.eof and len(plain) <= LARGEST else data


def _in_json(message: bytes, member: str) -> set[bytes] | None:
    """Give what a JSON message holds of a telegram: nothing, one thing, or several; None for no JSON."""
    text = message.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not text.startswith((b"{", b"[", b'"')):
        return None
    try:
        value = json.loads(
            text.decode("utf-8", "surrogateescape"),
            strict=False,  # Tasmota sends line ends as they are
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
    """Give what Tasmota sends that is no JSON: it is cut off, or has a backslash that was not escaped."""
    begins = _TASMOTA_BEGINS.match(text)
    if begins is None:
        return None
    rest = text[begins.end() :]
    closed = rest.rstrip()
    return {_decoded(closed[:-2] if closed.endswith(b'"}') else rest)}


def _octet(digits: str) -> int:
    """Read an integer of JSON: what has more than four characters is no octet, and may have a million."""
    return int(digits[:4])


def _no_octet(_digits: str) -> None:
    """Leave a number with a point alone."""


def _members(value: object) -> Iterator[tuple[str, bytes]]:
    """Give all that may be bytes of a meter in a JSON value, with the name of the member."""
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
    """Give the bytes of an array of octets or of lines, None for any other."""
    lines = [item for item in items if isinstance(item, str)]
    octets = [item for item in items if isinstance(item, int)]
    if len(lines) == len(items):
        return b"\r\n".join(map(_bytes, lines))
    if len(octets) == len(items) and all(0 <= octet < 256 for octet in octets):
        return bytes(octets)
    return None


def _bytes(text: str) -> bytes:
    """Give the bytes of the meter: JSON knows characters only, and most devices take them as Latin-1."""
    for coding, errors in (("latin-1", "strict"), ("utf-8", "surrogateescape")):
        with contextlib.suppress(UnicodeEncodeError):
            return text.encode(coding, errors)
    return b""  # half a character, which JSON can write and a meter does not send


def _decoded(data: bytes) -> bytes:
    """Undo hex digits, base64, or written line ends, if that is what it is."""
    plain = _from_hex(data)
    # A piece of a telegram may be all digits, and is no hex then.
    if _begins(plain) or b"\n" in plain:
        return plain
    plain = _from_base64(data)
    if _begins(plain):
        return plain
    is_one_line = b"\n" not in data and b"\r" not in data
    return data.replace(rb"\r\n", b"\r\n") if is_one_line else data


def _from_hex(data: bytes) -> bytes:
    try:
        return bytes.fromhex(data.decode("ascii"))  # with white space between them
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
    """Whether data begin as a telegram, or its last line, does; a path does, too."""
    return data.lstrip().startswith((b"/", b"!", _ENCRYPTED))


def _is_telegram(data: bytes) -> bool:
    """Whether data that begin as a telegram go on as one."""
    return data.startswith(_ENCRYPTED) or _INSIDE.search(data) is not None
