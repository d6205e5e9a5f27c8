"""Hex or plain: the one rule, over all numbers of eight digits, and what is left to chance over longer ones."""

from itertools import product

import pytest

from telegraf_p1.values import identifier, is_serial, text

# The 100 pairs of decimal digits by what they are as an octet in hex: `20` a blank, `30` to `39` a digit, `40` @.
KINDS = {
    "blank": ["20"],
    "zero": ["30"],
    "digit": [f"3{n}" for n in range(1, 10)],
    "printable": [pair for pair in (f"{a}{b}" for a in "24567" for b in range(10)) if pair != "20"],
    "other": [f"{a}{b}" for a in "0189" for b in range(10)],
}


def test_of_the_serial_numbers_of_eight_digits_eleven_are_misread() -> None:
    """All 100,000,000 are looked at, as 625 kinds of them: what a pair is, is all that the rule knows of it.

    `30303030`, `20203030` and nine more of twenties and thirties are zeros and blanks: a meter that is not there.
    """
    seen, misread = 0, []
    for kinds in product(KINDS, repeat=4):
        count = 1
        for kind in kinds:
            count *= len(KINDS[kind])
        seen += count
        # The first and the last of each kind speak for the others.
        for number in {"".join(KINDS[kind][place] for kind in kinds) for place in (0, -1)}:
            if identifier(number) != number:
                misread.append(number)
                assert count == 1
    assert seen == 100_000_000
    assert all(set(number[::2]) <= {"2", "3"} and set(number[1::2]) == {"0"} for number in misread)
    assert len(misread) == 11


@pytest.mark.parametrize("pairs", [5, 6])
def test_longer_ones_are_misread_only_when_five_pairs_are_digits_and_all_can_be_printed(pairs: int) -> None:
    """One in 100,000 of the numbers with ten digits, and fewer of those with more."""
    for kinds in product(KINDS, repeat=pairs):
        number = "".join(KINDS[kind][-1] for kind in kinds)
        if identifier(number) != number and set(kinds) - {"blank", "zero"}:
            assert sum(kind in ("zero", "digit") for kind in kinds) >= 5
            assert "other" not in kinds


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("52347967", "52347967"),  # R4yg
        ("31323334", "31323334"),  # 1234: four digits are no serial number
        ("3431313836363230", "41186620"),
        ("3231313130", "21110"),
        ("50217", "50217"),
        ("50", "50"),
        ("4B384547303034303436333935353037", "K8EG004046395507"),
        ("001LOG0064800017", "001LOG0064800017"),
        ("303030303030", "000000"),
        ("20202020202020202020", ""),
        ("FFFFFFFF", ""),
        ("", ""),
    ],
)
def test_identifiers_and_versions(sent: str, name: str) -> None:
    assert identifier(sent) == name


def test_a_message_is_coded_by_the_standard_whatever_its_digits() -> None:
    assert text("54657374") == "Test"
    assert text("31323334") == "1234"


@pytest.mark.parametrize(
    ("name", "expected"), [("41186620", True), ("MA310M", False), ("00000000", False), ("12345", True), ("1234", False)]
)
def test_a_serial_number_has_five_digits(name: str, expected: bool) -> None:  # noqa: FBT001
    assert is_serial(name) is expected
