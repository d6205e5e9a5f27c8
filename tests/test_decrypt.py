import pytest

from telegraf_p1 import keys
from telegraf_p1.decrypt import decrypt, decrypt_frame
from telegraf_p1.framer import Frame, Framer
from telegraf_p1.keys import Keys
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import TelegramError
from tests.helpers.telegrams import KEY, LUXEMBOURG, START, encrypt, encrypt_block

TELEGRAM = Meter().telegram(START)
KEYS = Keys(KEY, LUXEMBOURG)


def cause(frame: bytes, keys: Keys | None) -> str:
    with pytest.raises(TelegramError) as caught:
        decrypt(frame, keys)
    return caught.value.cause


@pytest.mark.parametrize("size", [60, 200, len(TELEGRAM), 9000])
def test_an_encrypted_telegram_is_opened_whatever_the_form_of_its_length(size: int) -> None:
    telegram = TELEGRAM[:size].ljust(size, b"0")
    assert decrypt(encrypt(telegram + b"\r\n"), KEYS) == (telegram.rstrip(b"\r\n"), 1, "")


def test_each_reason_for_a_wrong_tag_has_its_own_message() -> None:
    frame = encrypt(TELEGRAM)
    assert cause(frame, None) == "encrypted"
    assert cause(frame, Keys(LUXEMBOURG, LUXEMBOURG)) == "key"
    assert cause(frame, Keys(KEY, KEY)) == "authentication-key"
    assert cause(frame[:100] + b"\0" + frame[101:], KEYS) == "encrypted-changed"


def test_another_frame_counter_or_system_title_is_no_telegram() -> None:
    frame = encrypt(TELEGRAM)
    for place in (3, 15):
        assert cause(frame[:place] + b"\x7f" + frame[place + 1 :], KEYS) == "key"


def test_keys_come_from_the_environment() -> None:
    assert keys.read({}) is None
    assert keys.read({"P1_DECRYPTION_KEY": KEY.hex()}) == KEYS
    assert keys.read({"P1_DECRYPTION_KEY": KEY.hex(), "P1_AUTHENTICATION_KEY": f" {KEY.hex()}\n"}) == Keys(KEY, KEY)


@pytest.mark.parametrize("key", ["SECRET", "00" * 15, "zz" * 16, "00" * 17])
def test_a_wrong_key_is_refused_without_being_repeated(key: str) -> None:
    for environment in (
        {"P1_DECRYPTION_KEY": key},
        {"P1_DECRYPTION_KEY": KEY.hex(), "P1_AUTHENTICATION_KEY": key},
    ):
        with pytest.raises(ValueError, match="32 hex digits") as caught:
            keys.read(environment)
        assert key not in str(caught.value)


def test_half_of_a_pair_of_keys_is_named() -> None:
    with pytest.raises(ValueError, match="P1_DECRYPTION_KEY"):
        keys.read({"P1_AUTHENTICATION_KEY": KEY.hex()})


def test_a_missing_package_is_named() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(ValueError, match="pip install cryptography"):
            keys.read({"P1_DECRYPTION_KEY": KEY.hex()})


TITLE = b"EGM\x00\x01\x02\x03\x04"


def in_pieces(data: bytes, size: int) -> list[Frame]:
    framer = Framer()
    return [frame for n in range(0, len(data), size) for frame in framer.feed(data[n : n + size])]


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
@pytest.mark.parametrize("authenticated", [b"\x30" + LUXEMBOURG, b"\x30", b""])
def test_a_block_behind_its_identification_is_found_and_opened(size: int, authenticated: bytes) -> None:
    stream = encrypt_block(TELEGRAM, TITLE, authenticated) + b"!1234\r\n"  # a CRC of the maker's own
    frames = in_pieces(stream * 3 + TELEGRAM, size)
    assert len(frames) == 4
    for frame in frames:
        assert frame.whole
        plain, _, remark = decrypt_frame(frame, Keys(KEY, LUXEMBOURG, TITLE))
        assert plain.rpartition(b"!")[0] == TELEGRAM.rpartition(b"!")[0]
        assert bool(remark) == (frame is not frames[-1] and authenticated != b"\x30" + LUXEMBOURG)


def test_a_block_that_lost_bytes_costs_itself_alone() -> None:
    block = encrypt_block(TELEGRAM, TITLE)
    for data in (block[:300] + block, block[:-20] + block):
        *_, last = in_pieces(data, 50)
        assert decrypt_frame(last, Keys(KEY, LUXEMBOURG, TITLE)).data.startswith(TELEGRAM[:600])


def test_a_block_that_cannot_be_opened_says_what_is_needed() -> None:
    (frame,) = Framer().feed(encrypt_block(TELEGRAM, TITLE))
    for found, words in ((None, "P1_SYSTEM_TITLE"), (Keys(KEY, LUXEMBOURG), "one of them is wrong")):
        with pytest.raises(TelegramError, match=words):
            decrypt_frame(frame, found)


def test_a_tag_without_the_authentication_key_is_accepted_and_named() -> None:
    plain, _, remark = decrypt(encrypt(TELEGRAM, authentication=b""), Keys(KEY, KEY))
    assert plain == TELEGRAM.rstrip()
    assert "without the authentication key" in remark


def test_the_system_title_comes_from_the_environment() -> None:
    environment = {"P1_DECRYPTION_KEY": KEY.hex(), "P1_SYSTEM_TITLE": TITLE.hex()}
    assert keys.read(environment) == Keys(KEY, LUXEMBOURG, TITLE)
    with pytest.raises(ValueError, match="P1_SYSTEM_TITLE must be 16 hex digits"):
        keys.read(environment | {"P1_SYSTEM_TITLE": "EGM1"})


def test_a_block_that_was_changed_does_not_blame_a_key_that_is_right() -> None:
    (frame,) = Framer().feed(encrypt_block(TELEGRAM, TITLE))
    changed = frame._replace(data=frame.data[:-70] + bytes(40) + frame.data[-30:])
    for data, found, expected in (
        (changed, Keys(KEY, LUXEMBOURG, TITLE), "encrypted-changed"),
        (frame, Keys(KEY, KEY, TITLE), "authentication-key"),
        (frame, Keys(LUXEMBOURG, LUXEMBOURG, TITLE), "key"),
    ):
        with pytest.raises(TelegramError) as caught:
            decrypt_frame(data, found)
        assert caught.value.cause == expected


@pytest.mark.parametrize("form", FORMS)
def test_a_simulated_meter_that_encrypts_is_read_with_its_keys_alone(form: str) -> None:
    for found in (KEYS, Keys(KEY, KEY)):  # as in Luxembourg, and as in Austria
        meter = Meter(form, keys=found)
        frames = Framer().feed(meter.telegram(START) + meter.telegram(START + 1))
        first, second = (decrypt_frame(frame, found) for frame in frames)
        assert first.data == Meter(form).telegram(START).rstrip(b"\r\n")
        assert (first.remark, second.counter) == ("", (first.counter or 0) + 1)
        assert cause(frames[0].data, Keys(LUXEMBOURG, LUXEMBOURG)) == "key"


def test_its_frame_counter_grows_over_a_restart_and_within_a_second() -> None:
    frames = Framer().feed(b"".join(Meter(keys=KEYS).telegram(now) for now in (START, START + 10)))
    meter = Meter(keys=KEYS)
    frames += Framer().feed(meter.telegram(START + 20) + meter.telegram(START + 20))
    counters = [decrypt_frame(frame, KEYS).counter or 0 for frame in frames]
    assert counters == sorted(set(counters))
