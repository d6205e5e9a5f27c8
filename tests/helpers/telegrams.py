"""Telegrams that tests make, and the records that the program makes of them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import telegraf_p1
from telegraf_p1.crc import bcc, checksum
from telegraf_p1.decode import Memory, decode
from telegraf_p1.framer import Framer
from telegraf_p1.record import Record
from telegraf_p1.simulator.countries import COUNTRIES
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import DEFAULT_ZONE, Zone

ROOT = Path(__file__).parent.parent.parent
PACKAGE = Path(telegraf_p1.__file__).parent  # not in ROOT when a wheel is tested
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.telegram"))
SHARED = ROOT.parent / "shared" / "telegrams"

# The time of the first telegrams in tests: 2023-11-14T22:13:20Z. Goldens without a time get this one.
START = 1_700_000_000
RECEIVED_NS = START * 10**9

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/telegrams is not there")

_ZONES = {country.code: country.zone for country in COUNTRIES}


def zone_of(form: str) -> str:
    """Return the time zone of a form or a golden, whose names begin with the letters of their country."""
    return _ZONES.get(form.partition("-")[0], DEFAULT_ZONE)


def with_crc(body: bytes) -> bytes:
    """Append the correct CRC to a telegram that ends with its `!`."""
    return body + b"%04X" % checksum(body)


def with_bcc(body: bytes) -> bytes:
    """Append ETX and the correct block check character to a readout that includes its STX."""
    return body + b"\x03%c" % bcc(body.partition(b"\x02")[2] + b"\x03")


def records(data: bytes, zone: str = DEFAULT_ZONE) -> list[Record]:
    """Return the records of all telegrams in data, which have to be valid."""
    framer = Framer()
    frames = framer.feed(data) + framer.flush()
    memory = Memory(Zone(zone))
    return [decode(parse(frame.data), RECEIVED_NS, memory) for frame in frames]


# As a grid company would provide them.
KEY = bytes(range(16))
LUXEMBOURG = bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def encrypt(telegram: bytes, key: bytes = KEY, authentication: bytes = LUXEMBOURG, counter: int = 1) -> bytes:
    """Encrypt a telegram as a Smarty meter does (p1.md, section 11)."""
    head = b"\xdb\x08TST\0\0\0\0\1"
    body = _encrypted(telegram, key, head[2:] + counter.to_bytes(4, "big"), b"\x30" + authentication)
    if len(body) < 0x80:
        return head + bytes([len(body)]) + body
    if len(body) < 0x100:
        return head + b"\x81" + bytes([len(body)]) + body
    return head + b"\x82" + len(body).to_bytes(2, "big") + body


def encrypt_block(telegram: bytes, title: bytes, authenticated: bytes = b"\x30" + LUXEMBOURG) -> bytes:
    """Encrypt what follows the identification, as an Elgama in Poland does: without a system title."""
    identification, blank, objects = telegram.partition(b"\r\n\r\n")
    body = _encrypted(objects, KEY, title + b"\0\0\0\1", authenticated)
    return identification + blank + b"\0\x82" + len(body).to_bytes(2, "big") + body


def _encrypted(plain: bytes, key: bytes, nonce: bytes, authenticated: bytes) -> bytes:
    """Return the security byte, the counter, the cipher text and the tag."""
    encryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, min_tag_length=12)).encryptor()
    encryptor.authenticate_additional_data(authenticated)
    return b"\x30" + nonce[8:] + encryptor.update(plain) + encryptor.finalize() + encryptor.tag[:12]
