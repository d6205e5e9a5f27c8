import random
import sys
from functools import partial

import crcmod
import pytest
from fastcrc.crc16 import arc

from telegraf_p1 import crc, crc_without_c
from telegraf_p1.crc import checksum, repair, x25
from telegraf_p1.framer import LIMIT
from tests.helpers.growth import grows_too_fast, sizes_up_to

# The vector of every CRC catalogue, and one whose CRC begins with zeros.
DATA = b"/TST5\r\n\r\n1-3:0.2.8(50)\r\n!"


def test_the_catalogue_vectors_fit() -> None:
    assert checksum(b"123456789") == 0xBB3D
    assert x25(b"123456789") == 0x906E
    assert crc_without_c.checksum(b"123456789") == 0xBB3D


WITH_C = crcmod.mkCrcFun(0x18005, initCrc=0, rev=True, xorOut=0)


@pytest.mark.parametrize("length", [*range(80), 651, 911, 1023, 1024, 1025, LIMIT - 1, LIMIT, LIMIT + 1])
def test_all_ways_to_the_crc_give_the_same(length: int) -> None:
    source = random.Random(length)  # noqa: S311
    ones_at_the_ends = b"\x01" + bytes(max(0, length - 2)) + b"\x80"
    for data in (source.randbytes(length), bytes(length), b"\xff" * length, ones_at_the_ends[:length]):
        assert crc_without_c.checksum(data) == WITH_C(data) == arc(data)


def test_all_ways_to_the_crc_give_the_same_for_random_lengths() -> None:
    source = random.Random(0)  # noqa: S311
    for _ in range(500):
        data = source.randbytes(source.randrange(LIMIT))
        assert crc_without_c.checksum(data) == WITH_C(data) == arc(data)


def test_the_time_of_the_crc_without_c_grows_with_the_length() -> None:
    assert not grows_too_fast(lambda size: partial(crc_without_c.checksum, bytes(size)), sizes_up_to(64 * LIMIT))


def test_the_fastest_crc_that_is_installed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert crc.fastest() is arc
    monkeypatch.setitem(sys.modules, "fastcrc.crc16", None)  # so that it cannot be imported
    assert crc.fastest() not in {arc, crc_without_c.checksum}
    assert crc.fastest()(b"123456789") == 0xBB3D
    monkeypatch.setattr(crc, "_usingExtension", False)
    assert crc.fastest() is crc_without_c.checksum


@pytest.mark.parametrize(
    ("damaged", "word"),
    [
        (DATA.replace(b"\r\n", b"\n"), "LF"),
        (DATA.replace(b"\r\n", b"\n", 1), "LF"),
        (DATA.replace(b"\r\n", b"\n\n"), "LF LF"),
        (DATA.replace(b"\r\n", b"\r"), "CR"),
        (DATA.replace(b"\r\n", b"\r\n\r\n"), "doubles"),
        (DATA.replace(b"\r\n", b"\r\n\n"), "doubles"),
        (DATA.replace(b"(50)", b"(5\0\x000)"), "NUL"),
        (DATA.replace(b"\r\n\r\n", b"\r\n"), "blank line"),
        (DATA.replace(b"\r\n", b"\n").replace(b"\n\n", b"\n"), "blank line"),
    ],
)
def test_damage_of_a_transport_is_undone_and_named(damaged: bytes, word: str) -> None:
    fixed = repair(damaged, checksum(DATA))
    assert fixed is not None
    assert fixed.data == DATA
    assert word in fixed.damage


def test_other_damage_is_not_explained_away() -> None:
    assert repair(DATA.replace(b"50", b"42"), checksum(DATA)) is None


def test_what_is_taken_to_be_as_sent_is_what_no_undoing_changes() -> None:
    source = random.Random(0)  # noqa: S311
    pieces = (b"\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b"1-3:0.2.8(50)", b"/TST5")
    undone = 0
    for _ in range(20_000):
        data = b"/TST5\r\n\r\n1-3:0.2.8(50)" + b"".join(source.choices(pieces, k=source.randrange(8))) + b"\r\n!"
        data = data[source.randrange(2) * source.randrange(20) :]
        for undo, _ in crc.UNDO:
            candidate = undo(data)
            if candidate != data:
                undone += 1
                assert repair(data, checksum(candidate)), data
    assert undone
