"""Reads the contents of brackets: readings, counters, states and texts.

Readings stay decimal digits from the wire to the line: nothing here computes with floats. Every function raises
Unreadable for a value that is not of its kind.
"""

import contextlib
import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

# A value of a record; what the database stores as a float is a Decimal here.
Value = Decimal | int | str

# With 15 digits before the point, every number fits into what InfluxDB can store.
_QUANTITY: Final = re.compile(r"\s*+([+-]?\d{1,15}(?:\.\d{1,12})?)\s*+(?:\*\s*+)?([A-Za-z°Â][A-Za-z0-9/°]*+)?\s*+")
_TARIFF: Final = re.compile(r"\D*+(\d{1,4})\s*+")
_HEX_COUNTER: Final = re.compile(r"[0-9A-Fa-f]{8}")
_NUMBER: Final = re.compile(r"\d+")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_ERASED: Final = re.compile(r"(?:[Ff]{2})+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_OFF_KW: Final = Decimal("99.999")  # e-MUCS 2.x
_DIGITS: Final = 5  # of a serial number, at least
_STATES: Final = {"OFF": 0, "ON": 1}

# The unit in lower case → its base unit and the power of ten. Meters write kvarh, kVArh and kVarh alike; Austrian and
# CT meters send Wh and W, heat meters MJ.
_UNITS: Final = {
    prefix + base.lower(): (base, power)
    for base, prefixes in {
        "Wh": "km",
        "W": "km",
        "varh": "km",
        "var": "km",
        "VAh": "km",
        "VA": "km",
        "J": "kmg",
        "V": "k",
        "A": "k",
        "Hz": "k",
        "m3/h": "",
        "degC": "",
        "deg": "",
    }.items()
    for prefix, power in {"": 0, "k": 3, "m": 6, "g": 9}.items()
    if prefix in prefixes
} | {
    "m3": ("m3", 0),
    "dm3": ("m3", -3),
    "l": ("m3", -3),
    "l/h": ("m3/h", -3),
    "m3h": ("m3/h", 0),
    "m3ph": ("m3/h", 0),  # Landis+Gyr UH50
    "s": ("s", 0),
    # As Latin-1, and as UTF-8 that is read as Latin-1.
    "°c": ("degC", 0),
    "â°c": ("degC", 0),
    "°": ("deg", 0),
    "â°": ("deg", 0),
}


class Unreadable(ValueError):
    """A value does not match its definition."""


@lru_cache(512)  # most values are the same as in the telegram before
def quantity(text: str) -> tuple[Decimal, str]:
    """Return number and unit: `000123.456*kWh` → (Decimal("123.456"), "kWh"); the unit is empty if none was sent."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise Unreadable(f"{text!r} is not a number")
    value = Decimal(match[1])
    return value or abs(value), match[2] or ""  # some meters send -0.000


def is_quantity(text: str) -> bool:
    """Whether a text is a number, with or without a unit."""
    return _QUANTITY.fullmatch(text) is not None


@lru_cache(64)
def base_unit(unit: str) -> str | None:
    """Return the base of a unit: `kWh` → `Wh`, `GJ` → `J`; None if the unit is unknown."""
    return _UNITS[unit.lower()][0] if unit.lower() in _UNITS else None


def convert(value: Decimal, sent: str, wanted: str) -> Decimal:
    """Convert from the unit sent to the field's own by moving the point: 441879 Wh → 441.879 kWh.

    A value sent without a unit is taken to be in the field's own.
    """
    if not sent or sent == wanted:
        return value
    base, power = _UNITS.get(sent.lower(), (None, 0))
    wanted_base, wanted_power = _UNITS.get(wanted.lower(), ("", 0))
    if base != wanted_base:
        raise Unreadable(f"unit {sent!r} cannot be converted to {wanted!r}" if wanted else f"unexpected unit {sent!r}")
    return value.scaleb(power - wanted_power) if power != wanted_power else value


@lru_cache(512)
def number(text: str, unit: str) -> Decimal:
    """Read a reading in the field's own unit, with the digits that were sent."""
    value, sent = quantity.__wrapped__(text)  # one cache is enough
    return value if sent == unit else convert(value, sent, unit)


@lru_cache(256)
def integer(text: str, unit: str = "") -> int:
    """Read a counter or a duration: `00004` → 4, `0000000240*s` → 240."""
    value = number(text, unit)
    if value != value.to_integral_value():
        raise Unreadable(f"{text!r} is not a whole number")
    return int(value)


@lru_cache(64)
def is_off(value: Decimal) -> bool:
    """Whether a limit means that it is switched off: 999, 999.9, 99.999, and 0999.00 of old meters."""
    all_nines = set(value.normalize().as_tuple().digits) == {9}
    return all_nines and (value >= 999 or value == _OFF_KW)


def state(text: str) -> int:
    """Read a switch: a number, or ON and OFF (Hungary)."""
    word = text.strip().upper()
    return _STATES[word] if word in _STATES else integer(text)


def tariff(text: str) -> int:
    """Read a tariff: `0001` (two octets in hex), `03` (Israel), `TARIFF 1` (Hungary) → an integer."""
    match = _TARIFF.fullmatch(text)
    if match is None:
        raise Unreadable(f"{text!r} is not a tariff")
    return int(match[1])


def hex_counter(text: str) -> int:
    """Read a counter of eight hex digits: `02FAB8BF` → 49985727."""
    if not _HEX_COUNTER.fullmatch(text.strip()):
        raise Unreadable(f"{text!r} is not a hexadecimal counter")
    return int(text, 16)


def plain(text: str) -> str:
    """Read a text as it is, without brackets around it: `(ER11)` (Lithuania) → `ER11`."""
    return _cleaned(text).strip("()")


def _cleaned(text: str) -> str:
    """Turn control characters into spaces; 0xFF bytes are filler (Hungary)."""
    if not text.isascii():
        text = text.replace("\xff", "")
        with contextlib.suppress(UnicodeDecodeError):  # otherwise it is Latin-1
            text = text.encode("latin-1").decode()
    return _CONTROL.sub(" ", text).strip()


def hex_coded(sent: str) -> bytes | None:
    """Return the octets of hex digits if all of them are printable, else None."""
    if not _HEX.fullmatch(sent):
        return None
    octets = bytes.fromhex(sent)
    return octets if all(b in b"\t\r\n" or 32 <= b < 127 for b in octets) else None


@lru_cache(64)
def text(sent: str) -> str:
    """Read a message: hex-coded by the standard, but plain from some manufacturers.

    It is decoded only if every octet is printable: `4B384547` → `K8EG`, `2212345678` stays. All octets FF are an erased
    memory, not a text.
    """
    octets = hex_coded(sent)
    if octets is not None:
        return _cleaned(octets.decode("ascii"))
    return "" if _ERASED.fullmatch(sent) else _cleaned(sent)


@lru_cache(64)
def identifier(sent: str) -> str:
    """Read an identifier or a version like `text`, but decimal digits alone may be the number itself.

    They are decoded only if the result has five digits or more. A number of eight digits is never decoded, since its
    text would have four characters. One of ten digits looks like a coded text once in 100,000 times, longer ones less
    often. `52347967` stays (and is not `R4yg`), `3231313130` → `21110`, `3431313836363230` → `41186620`.
    """
    decoded = text(sent)
    # Coded zeros and blanks mean that there is no identifier.
    is_number = sent.isdigit() and decoded.strip("0") and sum(map(str.isdigit, decoded)) < _DIGITS
    return _cleaned(sent) if is_number else decoded


def paired(sent: str) -> str:
    """Read the identifier of a meter that may be missing: zeros mean that it is, and give an empty text."""
    name = identifier(sent)
    return name if name.strip("0") else ""


@lru_cache(64)
def is_serial(name: str) -> bool:
    """Whether a text can be a serial number: five digits or more in a row, and not all the same.

    `MA310M` and `MT382-D2A52-V12` are models of meters, and `00000000` means that there is no meter.
    """
    return any(len(run) >= _DIGITS and len(set(run)) > 1 for run in _NUMBER.findall(name))
