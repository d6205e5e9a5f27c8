"""Decrypts encrypted frames (Luxembourg Smarty; Graz and Burgenland in Austria; Elgama in Poland).

DLMS general-glo-ciphering with AES-128-GCM (Smarty P1 specification 1.1.3, section 3.2.5). The tag proves that the
telegram is the meter's; its own CRC is checked afterwards, as in any telegram.

    DB 08 | system title, 8 bytes | length, 1 to 3 bytes | 30 | frame counter, 4 bytes | cipher text | tag, 12 bytes

Poland (Elgama) sends the identification unencrypted, and after it a block without the system title. That is part of the
nonce, so the user has to set it: `/EGM5G35` CR LF CR LF 00 82 …
"""

from typing import Final, NamedTuple

from telegraf_p1.framer import ENCRYPTED, ENCRYPTED_BLOCK, Frame
from telegraf_p1.keys import AUTHENTICATION_KEY, KEY, SYSTEM_TITLE, Keys
from telegraf_p1.telegram import CrcMode, TelegramError, parse

_TITLE: Final = slice(2, 10)
_TEXT: Final = bytes([*range(0x20, 0x7F), *b"\r\n"])
_COUNTER_LENGTH: Final = 4
_TAG_LENGTH: Final = 12


class Decrypted(NamedTuple):
    """The plain bytes of a frame, its frame counter if it was encrypted, and a remark if the encryption was weak."""

    data: bytes
    counter: int | None = None
    remark: str = ""


def decrypt_frame(frame: Frame, found: Keys | None) -> Decrypted:
    """Return the plain bytes of any frame; raise TelegramError for an encrypted one that cannot be decrypted."""
    block = ENCRYPTED_BLOCK.match(frame.data)
    if not block and not frame.data.startswith(ENCRYPTED):
        return Decrypted(frame.data)
    if not frame.whole:
        raise TelegramError("cut", f"an encrypted telegram was cut off after {len(frame.data)} bytes")
    return _decrypt_block(block[1], frame.data[block.end() :], found) if block else decrypt(frame.data, found)


def decrypt(frame: bytes, found: Keys | None) -> Decrypted:
    """Decrypt a complete encrypted frame; raise TelegramError with the likely reason if that fails."""
    if found is None:
        raise TelegramError(
            "encrypted",
            f"the telegrams are encrypted: ask your grid company for the key and set {KEY} (32 hex "
            "digits) in Telegraf's environment, for example in /etc/default/telegraf",
        )
    head = {0x82: 13, 0x81: 12}.get(frame[10], 11)
    result = _decrypt_and_verify(frame[_TITLE], frame[head:], found)
    if not isinstance(result, Decrypted):
        raise _reason(
            result, "require", f"{KEY} does not decrypt the telegram: the key is wrong, or belongs to another meter"
        )
    return result


def _decrypt_block(identification: bytes, block: bytes, found: Keys | None) -> Decrypted:
    """Decrypt a block that follows a plain identification, and join the two."""
    if found is None:
        raise TelegramError(
            "encrypted",
            "the telegrams are encrypted after their identification (Poland): ask your grid company "
            f"for the key and the system title, and set {KEY} (32 hex digits) and {SYSTEM_TITLE} (16) "
            "in Telegraf's environment",
        )
    result = _decrypt_and_verify(found.title, block, found)
    if not isinstance(result, Decrypted):
        wrong = (
            f"{KEY} and {SYSTEM_TITLE} do not decrypt the telegram: one of them is wrong, or belongs to another meter"
        )
        raise _reason(_with_identification(identification, result), "off", wrong)
    return result._replace(data=_with_identification(identification, result.data))


def _with_identification(identification: bytes, plain: bytes) -> bytes:
    """Return a telegram made of a decrypted block, without its CRC, which is not a usual one: the tag has proven it."""
    body, mark, _ = plain.rpartition(b"!")
    telegram = body if mark else plain + b"\r\n"
    return (b"" if telegram.startswith(b"/") else identification) + telegram + b"!"


def _decrypt_and_verify(title: bytes, block: bytes, found: Keys) -> Decrypted | bytes:
    """Decrypt a block (security byte to tag); if the tag does not match, return the plain bytes, which are unproven."""
    security, counter = block[:1], block[1 : 1 + _COUNTER_LENGTH]
    encrypted = block[1 + _COUNTER_LENGTH :]
    plain, is_proven = _decrypted(found.key, title + counter, encrypted, security + found.authentication)
    number = int.from_bytes(counter, "big")
    if is_proven:
        return Decrypted(plain, number)
    if any(_decrypted(found.key, title + counter, encrypted, other)[1] for other in (security, b"")):
        remark = "the telegrams are encrypted without the authentication key: anyone who has the key could change them"
        return Decrypted(plain, number, remark)
    return plain


def _decrypted(key: bytes, nonce: bytes, encrypted: bytes, authenticated: bytes) -> tuple[bytes, bool]:
    """Return the plain bytes, and whether the tag at the end of `encrypted` proves them."""
    from cryptography.exceptions import InvalidTag  # imported here, since it takes 40 ms and 8 MB
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    mode = modes.GCM(nonce, encrypted[-_TAG_LENGTH:], min_tag_length=_TAG_LENGTH)
    decryptor = Cipher(algorithms.AES(key), mode).decryptor()
    decryptor.authenticate_additional_data(authenticated)
    plain = decryptor.update(encrypted[:-_TAG_LENGTH]).rstrip(b"\r\n\0")
    try:
        decryptor.finalize()
    except InvalidTag:
        return plain, False
    return plain, True


def _reason(plain: bytes, crc_mode: CrcMode, wrong_key: str) -> TelegramError:
    """Return why a tag does not match, judging by the decrypted bytes: they are unproven, and not used otherwise."""
    # Each byte is encrypted separately. So with the right key, a changed byte is one changed character.
    if len(plain.translate(None, _TEXT)) > len(plain) / 10:
        return TelegramError("key", wrong_key)
    try:
        parse(plain, crc_mode)
    except TelegramError:
        return TelegramError("encrypted-changed", f"an encrypted telegram was changed on the way ({KEY} is correct)")
    return TelegramError(
        "authentication-key",
        f"{AUTHENTICATION_KEY} does not match ({KEY} is correct): use the one that came with the key",
    )
