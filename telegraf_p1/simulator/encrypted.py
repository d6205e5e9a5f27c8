"""Encrypts telegrams as meters in Luxembourg and Austria do; `decrypt.py` has the layout of a frame."""

import os
from typing import Final

from telegraf_p1 import keys
from telegraf_p1.keys import Keys

_TITLE: Final = b"SIM\0\0\0\0\1"
_SECURITY: Final = b"\x30"  # authenticated and encrypted
_TAG_LENGTH: Final = 12
_LAST_COUNTER: Final = 0xFFFFFFFF


def keys_of_the_meter() -> Keys:
    """Return the keys in the environment, where the reader finds them too; raise ValueError if there are none."""
    found = keys.read(os.environ)
    if found is None:
        message = f"a simulated meter that encrypts needs a key: put 32 hex digits into {keys.KEY}"
        raise ValueError(message)
    return found


def encrypted(telegram: bytes, found: Keys, counter: int) -> bytes:
    """Return the frame with a telegram; no two frames may have the same counter."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # takes 40 ms, so only when needed

    number = min(counter, _LAST_COUNTER).to_bytes(4, "big")
    mode = modes.GCM(_TITLE + number, min_tag_length=_TAG_LENGTH)
    encryptor = Cipher(algorithms.AES(found.key), mode).encryptor()
    encryptor.authenticate_additional_data(_SECURITY + found.authentication)
    encrypted = encryptor.update(telegram) + encryptor.finalize() + encryptor.tag[:_TAG_LENGTH]
    body = _SECURITY + number + encrypted
    # Two length bytes suit all telegrams: even that of a heat meter is too long for the one-byte form.
    return b"\xdb\x08" + _TITLE + b"\x82" + len(body).to_bytes(2, "big") + body
