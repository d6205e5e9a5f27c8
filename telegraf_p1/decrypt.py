"""A sealed frame (Luxembourg Smarty; Graz and Burgenland in Austria) becomes a plain one.

DLMS general-glo-ciphering with AES-128-GCM (Smarty P1 specification 1.1.3, section 3.2.5): the tag proves that
the telegram is the meter's, and its own CRC is checked after that like any other.

    DB 08 | system title, 8 bytes | length, 1 to 3 bytes | 30 | frame counter, 4 bytes | cipher text | tag, 12 bytes
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from telegraf_p1.framer import SEALED, Frame
from telegraf_p1.telegram import TelegramError, parse

KEY: Final = "P1_DECRYPTION_KEY"
AUTHENTICATION_KEY: Final = "P1_AUTHENTICATION_KEY"
# Luxembourg's is the same for all meters and public (Smarty P1 1.1.3, 3.2.5).
_LUXEMBOURG: Final = "00112233445566778899AABBCCDDEEFF"

_TITLE: Final = slice(2, 10)
_COUNTER_LENGTH: Final = 4
_TAG_LENGTH: Final = 12


class Keys(NamedTuple):
    """What opens sealed telegrams: 16 bytes each."""

    key: bytes
    authentication: bytes


def keys(environment: Mapping[str, str]) -> Keys | None:
    """Give the keys that the environment names, None without P1_DECRYPTION_KEY.

    Raise ValueError, which never repeats a key, for what is no key or when the package that
    decrypts is missing.
    """
    if not environment.get(KEY):
        if environment.get(AUTHENTICATION_KEY):
            message = f"{AUTHENTICATION_KEY} is set, but {KEY} is needed too"
            raise ValueError(message)
        return None
    found = Keys(_key(environment, KEY), _key(environment, AUTHENTICATION_KEY, _LUXEMBOURG))
    from importlib.util import find_spec

    if not find_spec("cryptography"):
        message = f"{KEY} is set, but the package cryptography is not installed: run pip install cryptography"
        raise ValueError(message)
    return found


def _key(environment: Mapping[str, str], name: str, default: str = "") -> bytes:
    digits = environment.get(name, "").strip() or default
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != 16:
        message = (
            f"{name} has to be 32 hex digits; what stands there has {len(digits)} characters or others than 0-9, A-F"
        )
        raise ValueError(message)
    return key


def opened(frame: Frame, found: Keys | None) -> bytes:
    """Give the plain bytes of any frame; raise TelegramError for a sealed one that cannot be opened."""
    if not frame.data.startswith(SEALED):
        return frame.data
    if not frame.whole:
        raise TelegramError("cut", f"a sealed telegram was cut off after {len(frame.data)} bytes")
    return unseal(frame.data, found)


def unseal(frame: bytes, found: Keys | None) -> bytes:
    """Decrypt a whole sealed frame; raise TelegramError when that fails, with the likely reason."""
    if found is None:
        raise TelegramError(
            "sealed",
            f"the telegrams are sealed: ask your grid company for the key and put {KEY} (32 hex digits) into "
            "Telegraf's environment, such as /etc/default/telegraf",
        )
    from cryptography.exceptions import InvalidTag  # 40 ms and 8 MB that a plain meter does not need
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    head = {0x82: 13, 0x81: 12}.get(frame[10], 11)
    security, counter = frame[head : head + 1], frame[head + 1 : head + 1 + _COUNTER_LENGTH]
    cipher_text, tag = frame[head + 1 + _COUNTER_LENGTH : -_TAG_LENGTH], frame[-_TAG_LENGTH:]
    mode = modes.GCM(frame[_TITLE] + counter, tag, min_tag_length=_TAG_LENGTH)
    decryptor = Cipher(algorithms.AES(found.key), mode).decryptor()
    decryptor.authenticate_additional_data(security + found.authentication)
    plain = decryptor.update(cipher_text).rstrip(b"\r\n\0")
    try:
        decryptor.finalize()
    except InvalidTag:
        raise _reason(plain) from None
    return plain


def _reason(plain: bytes) -> TelegramError:
    """Say why a tag does not fit, by what the key makes of the frame: unproven, so never used."""
    if not plain.startswith(b"/") or not plain[:16].translate(None, b"\r\n").isascii():
        return TelegramError("key", f"{KEY} does not open the telegram: the key is wrong, or another meter's")
    try:
        parse(plain, "require")
    except TelegramError:
        return TelegramError("sealed-changed", f"a sealed telegram was changed on the way ({KEY} is right)")
    return TelegramError(
        "authentication-key", f"{AUTHENTICATION_KEY} does not fit ({KEY} is right): it comes with the key"
    )
