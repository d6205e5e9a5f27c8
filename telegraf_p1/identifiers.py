"""Finds what in a record identifies a meter, and so a household: `--meter-tag` removes it or replaces it by a hash.

A hash without a key would not protect it: all existing serial numbers can be tried in minutes.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from telegraf_p1 import credentials
from telegraf_p1.obis.kinds import Field
from telegraf_p1.obis.lookup import DEFAULT
from telegraf_p1.record import Record

if TYPE_CHECKING:
    from telegraf_p1.values import Value

KEY: Final = "P1_HASH_KEY"
_SHORTEST_KEY: Final = 16  # characters
_DIGITS: Final = 16
_SHOWN: Final = 3  # last characters of a masked identifier that are shown
# Texts of the table that describe a model, a version or a state. All others may identify a meter.
HARMLESS: Final = frozenset(
    {
        "p1_version",
        "fw_core_version",
        "fw_core_checksum",
        "fw_module_version",
        "fw_module_checksum",
        "device_status",
        "error_register",
    }
)
_MESSAGES: Final = frozenset({"message", "message_code", *(f"message_{n}" for n in range(2, 6))})

Change = Callable[[Record], Record]


def masked(identifier: str) -> str:
    """Return the end of an identifier, by which its owner recognizes it, to be shown to others."""
    return f"...{identifier[-_SHOWN:]}" if len(identifier) > 2 * _SHOWN else "..."


def change(how: str, environ: Mapping[str, str]) -> Change:
    """Return a function that changes the identifiers of a record: `how` is id (unchanged), hash or none (removed).

    Raise ValueError, without the key in its text, if `how` is hash and the key is missing, too short or not ASCII.
    """
    if how == "id":
        return lambda record: record
    return replacing(_hash(credentials.read(environ, KEY)) if how == "hash" else lambda _text: "")


def replacing(replaced: Callable[[str], str]) -> Change:
    """Return a function that replaces each text of a record that identifies a meter; empty ones are then removed."""

    def changed(record: Record) -> Record:
        tags = {name: replaced(text) if _names_a_meter(name) else text for name, text in record.tags.items()}
        fields: dict[str, Value] = {}
        for name, value in record.fields.items():
            text = value if isinstance(value, str) else ""  # a number cannot become a hash
            fields[name] = replaced(text) if _names_a_meter(name, is_text=bool(text)) else value
        return record._replace(
            tags={name: text for name, text in tags.items() if text},
            fields={name: value for name, value in fields.items() if value != ""},
        )

    return changed


def _hash(key: str) -> Callable[[str], str]:
    import hmac

    if len(key) < _SHORTEST_KEY or not key.isascii():
        raise ValueError(
            f"--meter-tag hash needs a secret in the environment: set {KEY} to {_SHORTEST_KEY} or more "
            "ASCII characters; `openssl rand -hex 16` makes one"
        )

    @lru_cache(1024)
    def replaced(text: str) -> str:
        if not text:
            return ""
        octets = text.encode(errors="surrogatepass")
        return hmac.digest(key.encode(), octets, "sha256").hex()[:_DIGITS]

    return replaced


@lru_cache(1024)
def _names_a_meter(name: str, *, is_text: bool = True) -> bool:
    """Whether a value, by its name in a record, identifies a meter.

    A text under a reference of the user's own does, unless the table knows otherwise.
    """
    reference, is_of_a_reference, _ = name.partition(" ")  # see outputs/definitions_file.py
    if is_of_a_reference:
        entry = DEFAULT.lookup(reference)
        return any(map(_may_name, entry.row.fields)) if entry and entry.row.fields else is_text
    field = DEFAULT.field(name)
    return field is not None and _may_name(field)


def _may_name(field: Field) -> bool:
    return field.type in ("string", "tag") and field.name not in HARMLESS | _MESSAGES
