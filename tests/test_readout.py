"""Readouts of optical ports: short codes, stored values, several sets on a line, and the BCC that proves them."""

from itertools import product

import pytest

from telegraf_p1 import readout
from telegraf_p1.crc import bcc
from telegraf_p1.framer import Frame, Framer
from telegraf_p1.telegram import CrcMode, TelegramError, parse
from tests.helpers.telegrams import records, with_bcc

READOUT = with_bcc(b"/TST5A\r\n\x020.0.0(1)\r\n1.8.0(012.5*kWh)\r\n!\r\n")


def test_the_bcc_is_that_of_the_standard() -> None:
    assert bcc(b"B0\x03") == 0x71  # of the break, SOH B 0 ETX q


@pytest.mark.parametrize(
    ("code", "reference"),
    [
        ("1.8.0", "1-0:1.8.0"),
        ("1.8", "1-0:1.8.0"),
        ("1-0:1.8.0*255", "1-0:1.8.0"),
        ("1-0:1.8.0.255", "1-0:1.8.0"),
        ("1.8.1*01", "1-0:1.8.1*01"),
        ("1.8.1&01", "1-0:1.8.1&01"),
        ("F.F", "1-0:97.97.0"),
        ("F", "1-0:97.97.0"),
        ("C.1.0", "1-0:96.1.0"),
        ("P.01", "1-0:99.01.0"),
        ("0-1:24.2.1", "0-1:24.2.1"),
        ("1-1:30D", "1-1:30D"),
    ],
)
def test_a_code_becomes_a_reference(code: str, reference: str) -> None:
    assert readout.sets(f"{code}(1)") == ([(reference, ["1"])], [])


def test_a_line_holds_several_sets_and_one_without_a_code_continues_the_one_before() -> None:
    found, bad = readout.sets("1.8.0(1*kWh)2.8.0(2*kWh)\r\n1.6.1(3*kW)(2306151015)\r\n(4)\r\nno set\r\n!\r\n")
    assert [groups for _, groups in found] == [["1*kWh"], ["2*kWh"], ["3*kW", "2306151015", "4"]]
    assert bad == ["no set"]


@pytest.mark.parametrize(
    ("block", "medium", "channel"),
    [
        ("6.8(1*MWh)", "", "5-0"),
        ("6.8(1*GJ)", "", "5-0"),
        ("6.26(1*m3)", "", "5-0"),
        ("6.8(1*kvarh)", "", "1-0"),
        ("6.8(1)", "", "1-0"),
        ("6.8(1)", "heat", "5-0"),
        ("6.8(1*MWh)", "electricity", "1-0"),
        ("6.8(no number)", "", "1-0"),
    ],
)
def test_what_a_meter_measures_its_units_say_or_the_user(block: str, medium: str, channel: str) -> None:
    assert readout.sets(block, medium)[0][0][0] == f"{channel}:6.8.0".replace("6.8.0", block.partition("(")[0] + ".0")


def test_a_stored_value_is_never_the_running_one() -> None:
    (record,) = records(with_bcc(b"/TST5A\r\n\x021.8.0*01(1*kWh)\r\n1.8.0&02(2*kWh)\r\n1.8.0*00(3*kWh)\r\n!\r\n"))
    assert record.fields == {"identification": "TST5A"}


@pytest.mark.parametrize("mode", ["auto", "require", "x25", "off"])
def test_a_bcc_has_to_fit_whatever_crc_says(mode: CrcMode) -> None:
    assert parse(READOUT, mode).objects[1] == ("1-0:1.8.0", ["012.5*kWh"])
    for place in range(10, len(READOUT)):  # each bit of the readout behind its STX
        if READOUT[place] != 3 and READOUT[place] ^ 1 != 3:
            changed = READOUT[:place] + bytes([READOUT[place] ^ 1]) + READOUT[place + 1 :]
            with pytest.raises(TelegramError, match="the BCC of the readout"):
                parse(changed, mode)


def test_noise_whose_bcc_fits_is_no_readout() -> None:
    with pytest.raises(TelegramError, match="is not a readout"):
        parse(with_bcc(b"\x020.0(\r\nfoo(1)"))


def test_a_parity_bit_that_was_kept_does_not_matter_in_a_bcc() -> None:
    assert parse(READOUT[:-1] + bytes([READOUT[-1] | 0x80])) == parse(READOUT)


def test_a_readout_that_is_cut_off_says_so() -> None:
    with pytest.raises(TelegramError, match="cut off after 20 bytes, before its ETX and BCC"):
        parse(READOUT[:20], whole=False)


def test_short_codes_without_a_bcc_are_believed_when_each_line_has_one() -> None:
    body = b"/TST A\r\n0.0.0(1)\r\n1.8.0(012.5*kWh)\r\n!"
    assert parse(body).objects[1] == ("1-0:1.8.0", ["012.5*kWh"])
    for damaged in (body.replace(b"1.8", b"1-0:1.8"), body.replace(b"kWh)", b"kWh"), body.replace(b"1.8.0", b"main")):
        with pytest.raises(TelegramError, match="is incomplete"):
            parse(damaged)


def test_a_readout_is_framed_however_it_is_cut_and_with_or_without_its_identification() -> None:
    telegram = b"/TST5B\r\n\r\n1-0:1.8.0(1*kWh)\r\n!"
    bare = READOUT[READOUT.index(b"\x02") :]
    data = b"\xff\x02noise" + READOUT + bare + b"\r\n" + telegram + b"\r\n" + READOUT + b"\x02"
    frames = [Frame(frame, 1) for frame in (READOUT, bare, telegram, READOUT)]
    for size in (1, 2, 7, 1000):
        framer = Framer()
        pieces = [data[place : place + size] for place in range(0, len(data), size)]
        assert [frame for piece in pieces for frame in framer.feed(piece, 1)] == frames


def test_an_etx_in_an_identification_ends_nothing_however_it_is_cut() -> None:
    data = with_bcc(b"/TST\x035A\r\n\x021.8.0(1*kWh)\r\n!\r\n")
    for size in (1, 1000):
        framer = Framer()
        pieces = [data[place : place + size] for place in range(0, len(data), size)]
        assert [frame.data for piece in pieces for frame in framer.feed(piece)] == [data]


def test_a_slash_behind_a_nul_begins_a_readout_however_it_is_cut() -> None:
    for size in (1, 1000):
        framer, data = Framer(), b"/noise\0" + READOUT
        pieces = [data[place : place + size] for place in range(0, len(data), size)]
        assert [frame.data for piece in pieces for frame in framer.feed(piece) if frame.whole] == [READOUT]


@pytest.mark.parametrize("character", b"/!\n\r\x02\x03")
def test_any_character_may_be_a_bcc(character: int) -> None:
    texts = (bytes(pair) for pair in product(range(0x30, 0x7F), repeat=2))
    found = (with_bcc(b"/TST5A\r\n\x02C.1.0(%b)\r\n!\r\n" % text) for text in texts)
    block = next(block for block in found if block[-1] == character)
    assert [frame.data for frame in Framer().feed(block * 2)] == [block] * 2


def test_no_line_end_is_taken_for_a_bcc_that_did_not_come() -> None:
    framer = Framer()
    assert framer.feed(READOUT[:-1]) == []
    assert framer.flush() == [Frame(READOUT[:-1], None, whole=False)]


def test_a_new_identification_cuts_a_readout_off() -> None:
    frames = Framer().feed(READOUT[:30] + b"\r\n" + READOUT)
    assert [(frame.whole, frame.data) for frame in frames] == [(False, READOUT[:30] + b"\r\n"), (True, READOUT)]
