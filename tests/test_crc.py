import pytest

from telegraf_p1.crc import checksum, repair, x25

# The vector of every CRC catalogue, and one whose CRC begins with zeros.
DATA = b"/TST5\r\n\r\n1-3:0.2.8(50)\r\n!"


def test_the_catalogue_vectors_fit() -> None:
    assert checksum(b"123456789") == 0xBB3D
    assert x25(b"123456789") == 0x906E


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
