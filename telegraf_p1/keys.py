"""The keys of encrypted telegrams, read from the environment; `decrypt.py` uses them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from telegraf_p1 import credentials

KEY: Final = "P1_DECRYPTION_KEY"
AUTHENTICATION_KEY: Final = "P1_AUTHENTICATION_KEY"
SYSTEM_TITLE: Final = "P1_SYSTEM_TITLE"
# Luxembourg's is public and the same for all meters (Smarty P1 1.1.3, 3.2.5).
_LUXEMBOURG: Final = "00112233445566778899AABBCCDDEEFF"


class Keys(NamedTuple):
    """Keys of 16 bytes, and a system title of 8 bytes for meters that do not send theirs."""

    key: bytes
    authentication: bytes
    title: bytes = bytes(8)


def read(environment: Mapping[str, str]) -> Keys | None:
    """Return the keys in the environment, None without P1_DECRYPTION_KEY.

    Raise ValueError, without the key in its text, for an invalid key, or if the package that decrypts is missing.
    """
    if not credentials.read(environment, KEY):
        if credentials.read(environment, AUTHENTICATION_KEY):
            message = f"{AUTHENTICATION_KEY} is set, but {KEY} is missing"
            raise ValueError(message)
        return None
    found = Keys(
        _octets(environment, KEY, 16),
        _octets(environment, AUTHENTICATION_KEY, 16, _LUXEMBOURG),
        _octets(environment, SYSTEM_TITLE, 8, bytes(8).hex()),
    )
    from importlib.util import find_spec

    if not find_spec("cryptography"):
        message = f"{KEY} is set, but the package cryptography is not installed: run pip install cryptography"
        raise ValueError(message)
    return found


def _octets(environment: Mapping[str, str], name: str, count: int, default: str = "") -> bytes:
    digits = credentials.read(environment, name) or default
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        octets = b""
    if len(octets) != count:
        message = (
            f"{name} must be {2 * count} hex digits (0-9, A-F); it has {len(digits)} characters, or others than these"
        )
        raise ValueError(message)
    return octets
