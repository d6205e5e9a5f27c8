"""Telegrams through lines with a fault, and streams of other protocols."""

import gzip

import pytest

from telegraf_p1.diagnosis import diagnose
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from tests.helpers.telegrams import START
from tests.helpers.uart import line, read

NEW = b"".join(Meter().telegram(START + n) for n in range(4))
OLD = b"".join(Meter("nl-2.2").telegram(START + n) for n in range(4))


def received(data: bytes, sent_as: str, read_as: str, speed: float = 1, *, inverted: bool = False) -> bytes:
    """Give what a port set to `read_as` receives, at `speed` times the meter's speed."""
    return bytes(byte for byte, _ in read(line(data, sent_as, inverted=inverted), read_as, 1 / speed))


def cause(data: bytes) -> str:
    found = diagnose(data)
    return found.cause if found else ""


def test_the_line_of_these_tests_is_a_line() -> None:
    assert received(NEW, "8N1", "8N1") == NEW
    assert received(OLD, "7E1", "7E1") == OLD


@pytest.mark.parametrize("form", FORMS)
def test_a_telegram_has_nothing_wrong_nor_has_a_piece_of_it(form: str) -> None:
    telegram = Meter(form).telegram(START)
    for size in (64, 512, 2000):
        for start in range(0, len(telegram), 50):
            assert cause((telegram * 3)[start : start + size]) == ""


def test_a_signal_that_is_not_inverted() -> None:
    new = received(NEW, "8N1", "8N1", inverted=True)
    for piece in (new, new[:64], new[300:400]):
        assert cause(piece) == "inverted"
    old = received(OLD, "7E1", "8N1", inverted=True)  # the parity bit costs some characters
    for piece in (old, old[:400]):
        assert cause(piece) == "inverted"


def test_7e1_read_as_8n1() -> None:
    found = received(OLD, "7E1", "8N1")
    assert bytes(byte & 0x7F for byte in found) == OLD
    assert cause(found) == cause(found[100:164]) == "parity"


def test_8n1_read_as_7e1_by_something_that_rejects_characters() -> None:
    # A driver that checks parity gives NUL for each second character, or leaves it out.
    characters = list(read(line(NEW), "7E1"))
    assert cause(bytes(byte if fits else 0 for byte, fits in characters)) == "parity"
    assert cause(bytes(byte for byte, fits in characters if fits)) == "parity"


def test_8n1_read_as_7e1_by_us_does_no_harm() -> None:
    assert received(NEW, "8N1", "7E1") == NEW


@pytest.mark.parametrize("speed", [12, 6, 2])
def test_a_port_that_is_too_fast(speed: int) -> None:
    assert cause(received(OLD, "7E1", "8N1", speed)[:600]) == "speed"


@pytest.mark.parametrize("speed", [1 / 2, 1 / 6, 1 / 12])
def test_a_port_that_is_too_slow(speed: float) -> None:
    assert cause(received(NEW, "8N1", "8N1", speed)) == "speed"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        # HDLC: format type A, length 0x010 behind the flag
        (b"\x7e\xa0\x10" + b"\x02\x23\x10\x9a\x7a\xe6\xe7\x00\x0f\x00\x00\x00\x00\x0c" + b"\x7e", "HDLC"),
        (b"\x68\x05\x05\x68\x53\xff\x00\x01\x67\x2e\x16", "M-Bus"),
        (b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01\x76\x05\x01\x02", "SML"),
    ],
)
def test_another_protocol_is_named(data: bytes, word: str) -> None:
    for stream in (data, b"\x00\xff" + data * 20):
        found = diagnose(stream)
        assert found
        assert word in found.text


def test_filler_is_no_fault() -> None:
    assert cause(b"\xff" * 500) == cause(b"  25803103\r\n" + b"\xff" * 500) == ""


def test_a_few_bytes_say_nothing() -> None:
    assert cause(b"") == cause(bytes(range(0x80, 0xA0))) == ""


def test_hdlc_is_told_with_and_without_the_segmentation_bit() -> None:
    for first in (0xA0, 0xA8):
        frame = bytes((0x7E, first, 100)) + bytes(98) + b"\x7e"
        assert cause(frame[:1] + frame[1:101] + b"\x7e") == "protocol"


def test_a_compressed_body_is_named() -> None:
    assert cause(gzip.compress(NEW)) == "gzip"
