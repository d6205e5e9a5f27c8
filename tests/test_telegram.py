from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1.crc import checksum, x25
from telegraf_p1.framer import Framer
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import CrcMode, TelegramError, is_begun, parse
from tests.helpers.telegrams import START, with_crc

BODY = b"/TST5\\2x\r\n\r\n1-3:0.2.8(50)\r\n0-0:96.14.0(0001)\r\n!"
OLD = b"/TST5 x\r\n\r\n1-0:1.8.1(00001.000*kWh)\r\n0-1:24.3.0(090212160000)(m3)\r\n(00123.456)\r\n!"


def cause(frame: bytes, crc_mode: CrcMode = "auto", *, crc_seen: bool = False, whole: bool = True) -> str:
    with pytest.raises(TelegramError) as caught:
        parse(frame, crc_mode, crc_seen=crc_seen, whole=whole)
    return caught.value.cause


def test_a_crc_of_poland_with_its_bytes_swapped_is_named_and_can_be_asked_for() -> None:
    body = b"/EGM5G35\r\n\r\n1-0:1.8.0(000123.456*kWh)\r\n!"
    frame = body + x25(body).to_bytes(2, "little").hex().encode()
    with pytest.raises(TelegramError, match="--crc x25"):
        parse(frame)
    telegram = parse(frame, "x25")
    assert (telegram.objects, telegram.damage) == ([("1-0:1.8.0", ["000123.456*kWh"])], "")
    assert cause(frame) == "other-crc"


def test_a_fitting_crc_gives_identification_and_objects() -> None:
    telegram = parse(with_crc(BODY))
    assert telegram.identification == "TST5\\2x"
    assert telegram.objects == [("1-3:0.2.8", ["50"]), ("0-0:96.14.0", ["0001"])]
    assert telegram.checksum == checksum(BODY)


def test_the_crc_is_compared_as_a_number() -> None:
    # Warmtelink leaves out leading zeros; some meters write lower case or NUL behind it.
    body = next(b for n in range(99999) if checksum(b := BODY.replace(b"x", b"%d" % n)) < 0x1000)
    for digits in (b"%X", b"%04x", b"%04X\0", b"%X\xff"):
        assert parse(body + digits % checksum(body)).checksum == checksum(body)


def test_a_wrong_crc_is_rejected_in_auto_and_require() -> None:
    for mode in ("auto", "require"):
        assert cause(BODY + b"ABCD", mode) == "crc"
    assert cause(BODY + b"GHIJ") == "crc-digits"


@pytest.mark.parametrize("mode", ["auto", "require", "x25"])
def test_a_crc_of_zeros_is_named(mode: CrcMode) -> None:
    with pytest.raises(TelegramError, match="--crc off") as caught:
        parse(BODY + b"0000", mode)
    assert caught.value.cause == "crc-0000"


def test_another_crc_is_named_and_can_be_chosen() -> None:
    hungarian = BODY + b"%04X" % x25(BODY)
    with pytest.raises(TelegramError, match="use --crc x25"):
        parse(hungarian)
    assert parse(hungarian, "x25").checksum == x25(BODY)
    assert "line endings" in parse(hungarian.replace(b"\r\n", b"\n"), "x25").damage
    with pytest.raises(TelegramError, match="remove --crc x25"):
        parse(with_crc(BODY), "x25")
    assert cause(BODY, "x25") == "no-crc"


def test_missing_bytes_are_told_from_changed_ones() -> None:
    whole = with_crc(BODY)
    with pytest.raises(TelegramError, match="another program reads the same port"):
        parse(whole.replace(b"(50)\r\n0-0", b""))
    assert cause(whole.replace(b"(0001)", b"(0002)")) == "crc"
    assert cause(whole.replace(b"(0001)", b"(00\xb11)")) == "crc"
    assert cause(whole.replace(b"\r\n", b"\n").replace(b"(50)\n0-0", b"")) == "crc-lost"


def test_a_character_that_became_a_line_end_has_changed_and_is_not_missing() -> None:
    whole = with_crc(BODY.replace(b"(0001)", b"(1*kWh)"))
    for changed in (b"(1\nkWh)", b"(1\rkWh)"):
        assert cause(whole.replace(b"(1*kWh)", changed)) == "crc"


def test_a_telegram_that_was_cut_off_says_where() -> None:
    with pytest.raises(TelegramError, match=r"after 31 bytes.*use --crc off"):
        parse(BODY[:31], whole=False)
    assert cause(BODY[:31], whole=False) == "cut"
    assert cause(BODY[:31] + b"(no end!", whole=False) == "cut"
    assert is_begun(b"/Tst5\r\n")
    assert not is_begun(b"/tst5\r\n")


def test_noise_is_no_telegram() -> None:
    for noise in (b"/", b"/x\r\n", b"//host/path\r\n", b"/AAA5 no line end", b"\x02", b"\x02noise"):
        with pytest.raises(TelegramError) as caught:
            parse(noise, whole=False)
        assert caught.value.cause == "noise"


def test_crc_off_takes_a_telegram_without_its_end_mark() -> None:
    endless = OLD.rstrip(b"!")
    assert parse(endless, "off", whole=False) == parse(OLD, "off")
    with pytest.raises(TelegramError, match="not a COSEM object"):
        parse(endless[:-4], "off", whole=False)


def test_crc_off_believes_the_structure_alone() -> None:
    assert parse(BODY + b"0000", "off").checksum is None
    assert cause(BODY.replace(b"(0001)", b"(0001") + b"0000", "off") == "structure"


def test_a_telegram_without_crc_is_believed_from_an_old_meter_only() -> None:
    assert len(parse(OLD).objects) == 2
    assert cause(OLD, crc_seen=True) == "no-crc"
    assert cause(OLD, "require") == "no-crc"
    assert cause(BODY) == "no-crc"


def test_without_a_crc_one_broken_line_condemns_the_telegram() -> None:
    assert cause(OLD.replace(b"(00001", b"00001")) == "structure"
    assert cause(OLD.replace(b"\r\n0-1", b"\r\nnoise\r\n0-1")) == "structure"
    assert cause(b"/TST5\r\n!") == "structure"
    assert cause(OLD.replace(b"/TST5 x", b"/TST5 (x)")) == "structure"


def test_without_a_crc_a_telegram_behind_half_of_another_one_is_found() -> None:
    assert parse(OLD[:30] + OLD).objects == parse(OLD).objects
    assert parse(OLD[:30] + OLD[:-8] + OLD).objects == parse(OLD).objects


def test_with_a_crc_a_broken_line_costs_itself() -> None:
    telegram = parse(with_crc(BODY.replace(b"0-0:96", b"noise\r\n0-0:96")))
    assert telegram.bad_lines == ["noise"]
    assert len(telegram.objects) == 2
    # What follows no message, or one that is closed, is not its next line.
    assert parse(with_crc(BODY.replace(b"!", b"0-0:96.13.0(30)\r\nnoise\r\n!"))).bad_lines == ["noise"]
    assert parse(with_crc(b"/TST5\r\n\r\n(50)\r\n!")).bad_lines == ["(50)"]
    assert parse(with_crc(b"/TST5\0\r\n!")).identification == "TST5"


def test_lf_for_cr_lf_is_accepted_and_named() -> None:
    telegram = parse(with_crc(BODY).replace(b"\r\n", b"\n"))
    assert "line endings" in telegram.damage
    assert len(telegram.objects) == 2


def test_a_value_on_the_next_line_belongs_to_the_line_before() -> None:
    expected = ("0-1:24.3.0", ["090212160000", "m3", "00123.456"])
    assert parse(OLD).objects[1] == expected
    assert parse(OLD.replace(b"1-0:1.8.1(00001.000*kWh)\r\n", b"")).objects == [expected]


def test_a_message_may_be_wrapped_over_lines() -> None:
    wrapped = OLD.replace(b"!", b"0-0:96.13.0(3031\r\n3233\r\n3435)\r\n!")
    assert parse(wrapped).objects[-1] == ("0-0:96.13.0", ["303132333435"])


@pytest.mark.parametrize(
    "line",
    [
        b"1-0:1.8.0*255(1*kWh)",
        b"1-0:1.8.0.255(1*kWh)",
        b"1-0:1:8.0(1*kWh)",
        b"1-0:1.8.0 (1*kWh)",
        b" 1-0:1.8.0(1*kWh) ",
        b"\x001-0:1.8.0(1*kWh)",
    ],
)
def test_odd_spellings_of_a_reference_are_read(line: bytes) -> None:
    assert parse(with_crc(b"/TST5\r\n" + line + b"\r\n!")).objects == [("1-0:1.8.0", ["1*kWh"])]


def test_a_stored_value_is_not_the_running_register() -> None:
    assert parse(with_crc(b"/TST5\r\n1-0:1.8.0*01(1*kWh)\r\n!")).objects[0][0] == "1-0:1.8.0*01"


@pytest.mark.parametrize("version", [b"1-3:0.2.8 (50)", b"1-3:0:2.8(50)", b"0-0:96.1.4.255(50217)"])
def test_a_version_spelled_oddly_is_a_version(version: bytes) -> None:
    assert cause(OLD.replace(b"1-0:1.8.1", version + b"\r\n1-0:1.8.1")) == "no-crc"


def test_an_identification_may_hold_a_slash() -> None:
    for frame in (OLD, with_crc(BODY)):
        body = frame.partition(b"!")[0].replace(b"/TST5", b"/HLY5/D545") + b"!"
        telegram = parse(body if frame is OLD else with_crc(body))
        assert telegram.identification.startswith("HLY5/D545")
    whole = with_crc(BODY.replace(b"/TST5", b"/HLY5/DEF"))
    assert parse(BODY[:30] + whole) == parse(whole)


def test_an_odd_identification_is_no_excuse_for_a_wrong_crc() -> None:
    assert cause(b"/T1T5abc\r\n1-0:1.8.0(1*kWh)\r\n!ABCD") == "crc"


def test_half_a_telegram_at_the_start_is_no_alarm() -> None:
    assert cause(b"/-te st)\r\n1-0:1.8.0(1*kWh)\r\n!ABCD") == "half"


@given(cut=st.integers(0, 900), form=st.sampled_from(["nl-5.0", "nl-4.2", "nl-2.2", "be"]))
def test_a_telegram_behind_half_of_another_one_is_found(cut: int, form: str) -> None:
    whole = Meter(form).telegram(START)
    framer = Framer()
    frames = [frame for frame in framer.feed(whole[: min(cut, len(whole) - 8)] + whole) if frame.whole]
    assert [parse(frame.data).objects for frame in frames] == [parse(whole.rstrip()).objects]


@given(st.binary(max_size=300))
def test_any_bytes_give_a_telegram_or_a_telegram_error(noise: bytes) -> None:
    for mode in get_args(CrcMode):
        for whole in (True, False):
            with suppress(TelegramError):
                assert parse(b"/" + noise + b"\r\n!", mode, whole=whole).bad_lines == []
