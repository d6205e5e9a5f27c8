import pytest

from telegraf_p1 import decrypt
from telegraf_p1.decrypt import Keys, unseal
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import TelegramError
from tests.helpers.telegrams import KEY, LUXEMBOURG, START, seal

TELEGRAM = Meter().telegram(START)
KEYS = Keys(KEY, LUXEMBOURG)


def cause(frame: bytes, keys: Keys | None) -> str:
    with pytest.raises(TelegramError) as caught:
        unseal(frame, keys)
    return caught.value.cause


@pytest.mark.parametrize("size", [60, 200, len(TELEGRAM), 9000])
def test_a_sealed_telegram_is_opened_whatever_the_form_of_its_length(size: int) -> None:
    telegram = TELEGRAM[:size].ljust(size, b"0")
    assert unseal(seal(telegram + b"\r\n"), KEYS) == telegram.rstrip(b"\r\n")


def test_each_reason_for_a_wrong_tag_has_its_own_message() -> None:
    frame = seal(TELEGRAM)
    assert cause(frame, None) == "sealed"
    assert cause(frame, Keys(LUXEMBOURG, LUXEMBOURG)) == "key"
    assert cause(frame, Keys(KEY, KEY)) == "authentication-key"
    assert cause(frame[:100] + b"\0" + frame[101:], KEYS) == "sealed-changed"


def test_another_frame_counter_or_system_title_is_no_telegram() -> None:
    frame = seal(TELEGRAM)
    for place in (3, 15):
        assert cause(frame[:place] + b"\x7f" + frame[place + 1 :], KEYS) == "key"


def test_keys_come_from_the_environment() -> None:
    assert decrypt.keys({}) is None
    assert decrypt.keys({"P1_DECRYPTION_KEY": KEY.hex()}) == KEYS
    assert decrypt.keys({"P1_DECRYPTION_KEY": KEY.hex(), "P1_AUTHENTICATION_KEY": f" {KEY.hex()}\n"}) == Keys(KEY, KEY)


@pytest.mark.parametrize("key", ["SECRET", "00" * 15, "zz" * 16, "00" * 17])
def test_a_wrong_key_is_refused_without_being_repeated(key: str) -> None:
    for environment in (
        {"P1_DECRYPTION_KEY": key},
        {"P1_DECRYPTION_KEY": KEY.hex(), "P1_AUTHENTICATION_KEY": key},
    ):
        with pytest.raises(ValueError, match="32 hex digits") as caught:
            decrypt.keys(environment)
        assert key not in str(caught.value)


def test_half_of_a_pair_of_keys_is_named() -> None:
    with pytest.raises(ValueError, match="P1_DECRYPTION_KEY"):
        decrypt.keys({"P1_AUTHENTICATION_KEY": KEY.hex()})


def test_a_missing_package_is_named() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(ValueError, match="pip install cryptography"):
            decrypt.keys({"P1_DECRYPTION_KEY": KEY.hex()})
