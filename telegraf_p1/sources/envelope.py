"""What devices put into an MQTT message or an HTTP answer: a telegram, whole or in pieces.

Seen: the bytes as they are; without the last line end; a line a message; JSON with the telegram as
a member; Tasmota's `{"SerialReceived":"…"}` in pieces with line ends that JSON does not allow; hex
digits; base64; a sealed frame (field-notes: DSMR-reader, Tasmota, ESPHome, HomeWizard, AMS bridges).
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_TASMOTA: Final = "SerialReceived"
# The line with the end mark is the last one.
_END: Final = re.compile(rb"(?:\A|[\r\n)])![0-9A-Fa-f]{0,4}[\s\0\xff]*\Z")
_LINE: Final = re.compile(rb"/[^\r\n]*|\d{1,3}-\d{1,3}:[^\r\n]*\)|\([\d.]+\)|")
# Cut off, or with a backslash that was not escaped.
_BROKEN: Final = re.compile(rb'\s*\{"%b":"(.*?)"?\}?\s*' % _TASMOTA.encode(), re.DOTALL)
_HEX: Final = re.compile(rb"(?:\s*[0-9A-Fa-f]{2})+\s*")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\r\n]{8,}={0,2}\s*")


class Payload(NamedTuple):
    """The meter's bytes, and whether a telegram ends with them."""

    data: bytes
    ends_telegram: bool


def unwrap(message: bytes, member: str = "") -> Payload:
    """Take the meter's bytes out of a message; `member` names the JSON member that holds them."""
    data = _decoded(_from_json(message, member) if message.lstrip()[:1] in (b"{", b"[", b'"') else message)
    if _END.search(data):
        return Payload(data, ends_telegram=True)
    # A line a message: its line end was the end of the message.
    return Payload(data + b"\r\n" if _LINE.fullmatch(data) else data, ends_telegram=False)


def _decoded(data: bytes) -> bytes:
    """Undo hex digits or base64, if that is what it is."""
    if _HEX.fullmatch(data):
        plain = bytes.fromhex(data.decode("ascii"))
        # A piece of a telegram may be all digits, and is no hex then.
        return plain if _looks_like_a_meter(plain) or b"\n" in plain else data
    if _BASE64.fullmatch(data):
        try:
            plain = base64.b64decode(data)
        except binascii.Error:
            return data
        return plain if _looks_like_a_meter(plain) else data
    return data


def _looks_like_a_meter(data: bytes) -> bool:
    return data.startswith((b"/", b"!", b"\xdb\x08"))


def _from_json(message: bytes, member: str) -> bytes:
    try:
        # Tasmota sends line ends as they are, which strict JSON forbids.
        strings = list(_strings(json.loads(message.decode("utf-8", "surrogateescape"), strict=False)))
    except (ValueError, RecursionError):
        broken = _BROKEN.fullmatch(message)
        return broken[1] if broken else message
    found = [_bytes(value) for name, value in strings if name == (member or _TASMOTA)]
    if not found and not member:
        found = [data for data in (_bytes(value) for _, value in strings) if _looks_like_a_meter(_decoded(data))]
    return found[0] if len(found) == 1 else message


def _strings(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Give each string in a JSON value with the name of its member."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)


def _bytes(text: str) -> bytes:
    """Give the bytes of the meter: JSON knows characters only, and most devices take them as Latin-1."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
