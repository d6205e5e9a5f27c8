import pytest

from telegraf_p1 import credentials, identifiers, keys
from telegraf_p1.log import Log
from telegraf_p1.mqtt_options import password
from telegraf_p1.sources import open_source
from telegraf_p1.url import UsageError


@pytest.mark.parametrize("text", ["SECRET", "SECRET\r", "SECRET\r\n", " SECRET\t"])
def test_blanks_and_line_ends_around_a_secret_are_none_of_it(text: str) -> None:
    assert credentials.read({"P1_HTTP_TOKEN": text}, "P1_HTTP_TOKEN") == "SECRET"


def test_an_empty_secret_is_none() -> None:
    assert [credentials.read(environment, "A") for environment in ({}, {"A": ""}, {"A": " \r\n"})] == ["", "", ""]


BAD = ["SEC\rRET", "SEC\0RET", "SEC\x1b[0mRET", "SEC\udcffRET", "SEC\u200bRET", "SECRET" * 1000]


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize(
    "name", ["P1_HTTP_TOKEN", "P1_MQTT_PASSWORD", "P1_DECRYPTION_KEY", "P1_AUTHENTICATION_KEY", "P1_HASH_KEY"]
)
def test_what_cannot_be_sent_is_refused_and_not_repeated(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> object:
        monkeypatch.setattr("os.environ", {name: text})
        if name == "P1_HTTP_TOKEN":
            return open_source("http://127.0.0.1/x")
        if name == "P1_HASH_KEY":
            return identifiers.change("hash", {name: text})
        return password() if name == "P1_MQTT_PASSWORD" else keys.read({name: text})

    with pytest.raises(UsageError, match=name) as caught:
        read()
    assert "SEC" not in str(caught.value)


def test_a_bearer_token_has_ascii_only_and_a_password_what_people_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", "SECR€T")
    with pytest.raises(UsageError, match="ASCII") as caught:
        open_source("http://127.0.0.1/x")
    assert "SECR" not in str(caught.value)
    open_source("http://me@127.0.0.1/x")


@pytest.mark.parametrize("name", ["P1_HTTP_TOKEN", "P1_MQTT_PASSWORD", "P1_DECRYPTION_KEY", "P1_HASH_KEY"])
def test_a_secret_that_somebody_answers_with_is_not_logged(name: str) -> None:
    secret = credentials.read({name: f"s\u00e9cret of {name}"}, name)
    lines: list[str] = []
    Log(lines.append).warning(
        f"the device answers 302 Found, with a redirect to 'http://elsewhere/?token={secret}&a=1'"
    )
    assert lines == ["W! the device answers 302 Found, with a redirect to 'http://elsewhere/?token=***&a=1'\n"]


def test_a_short_secret_hides_no_word_of_ours() -> None:
    credentials.read({"A": "the"}, "A")
    assert credentials.hidden("the device") == "the device"
