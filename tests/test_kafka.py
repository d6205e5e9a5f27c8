"""The Kafka source without a Kafka: what its URL may say, and what a message holds."""

import errno
import socket
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from telegraf_p1.kafka_options import OPTIONS, BrokerErrors, Brokers
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import open_source
from telegraf_p1.sources.events import Data, Dropped, Event
from telegraf_p1.sources.kafka import _Membership
from telegraf_p1.url import UsageError, options, parse
from tests.helpers.programs import free_port
from tests.helpers.telegrams import START

NOW_MS = 1_700_000_000_000


class Message:
    """One of confluent-kafka, as far as the source asks it."""

    def __init__(
        self,
        value: bytes | None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes | None]] | None = None,
        timestamp: tuple[int, int] = (1, NOW_MS),
    ) -> None:
        self._value, self._key, self._headers, self._timestamp = value, key, headers, timestamp

    def error(self) -> None: ...

    def topic(self) -> str:
        return "p1"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> bytes | None:
        return self._key

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp


def brokers(text: str) -> Brokers:
    url = parse(text)
    return Brokers(url, options(url, **OPTIONS))


@pytest.fixture
def membership(monkeypatch: pytest.MonkeyPatch) -> _Membership:
    monkeypatch.setattr("telegraf_p1.sources.kafka.Consumer", lambda _settings: Silent())
    monkeypatch.setattr(time, "time", lambda: NOW_MS / 1000)
    return _Membership(brokers("kafka://host/p1"), "p1", "readers", "")


class Silent:
    """A consumer whose broker never answers."""

    def subscribe(self, *_: object, **__: object) -> None: ...


def event(membership: _Membership, message: Message) -> Event:
    return membership._event(message)  # type: ignore[arg-type]  # noqa: SLF001


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("kafka:///p1", "write host and topic"),
        ("kafka://host/", "write host and topic"),
        ("kafka://host/a/b", "'a/b' is not a valid topic"),
        ("kafka://host/..", "'..' is not a valid topic"),
        ("kafka://host/p1?begin=now", "begin='now' must be one of oldest, newest"),
        ("kafka://host/p1?colour=red", "unknown option 'colour'"),
        ("kafka://host/p1?brokers=a:0", "must be like host1:9092,host2:9092"),
        ("kafka://host/p1?brokers=a:99999", "must be like host1:9092,host2:9092"),
        ("kafka://host/p1?brokers=a b", "must be like host1:9092,host2:9092"),
        ("kafka://host/p1?ca=/ca.pem", "need TLS: use kafkas://"),
        ("kafkas://host/p1?ca=/nowhere", "/nowhere: No such file"),
        ("kafkas://host/p1?key=/x", "key needs its certificate"),
        ("kafkas://host/p1?pin=00", "unknown option 'pin'"),
        ("kafka://host/p1?sasl=PLAIN", "sasl needs a user: write kafka://USER@host"),
        ("kafka://me@host/p1?sasl=OAUTH", "must be one of SCRAM-SHA-512"),
        ("kafka://me@host/p1?sasl=PLAIN", "sends the password unencrypted"),
        ("kafka://me@host/p1", "set the password of 'me' in P1_KAFKA_PASSWORD"),
        ("kafka://me:hidden@host/p1", "use P1_KAFKA_PASSWORD, P1_MQTT_PASSWORD"),
    ],
)
def test_what_a_url_cannot_say_is_named(text: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(text)
    assert word in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_pattern_that_is_none_is_refused_before_anything_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = open_source(f"kafka://127.0.0.1:{server.getsockname()[1]}/^p1[")
        with pytest.raises(UsageError, match="Invalid argument"):
            source()


def test_a_user_shows_that_he_knows_the_password_and_no_log_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_KAFKA_PASSWORD", "correct horse")
    settings = brokers("kafka://me@host/p1").settings
    assert settings["security.protocol"] == "SASL_PLAINTEXT"
    assert [settings[f"sasl.{name}"] for name in ("mechanism", "username", "password")] == [
        "SCRAM-SHA-512", "me", "correct horse",
    ]  # fmt: skip
    assert brokers("kafkas://me@host/p1?sasl=PLAIN").settings["security.protocol"] == "SASL_SSL"


def test_more_brokers_may_be_named() -> None:
    settings = brokers("kafka://host:9093/p1?brokers=other,third:9094,[::1]:9095").settings
    assert settings["bootstrap.servers"] == "host:9093,other:9092,third:9094,[::1]:9095"


def test_one_of_the_brokers_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there, gone = server.getsockname()[1], free_port()
        brokers(f"kafka://127.0.0.1:{gone}/p1?brokers=127.0.0.1:{there}").check_reachable()
    with pytest.raises(ConnectionRefusedError):
        brokers(f"kafka://127.0.0.1:{gone}/p1?brokers=127.0.0.1:{there}").check_reachable()


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "telegraf_p1.sources.kafka")
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(UsageError, match=r"pip install 'confluent-kafka>=2\.6'"):
        open_source("kafka://host/p1")


def test_the_extra_says_the_same_version() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert 'kafka = ["confluent-kafka>=2.6"]' in text


@pytest.mark.parametrize(
    ("key", "origin"),
    [
        (b"home", "home"),
        ("Zähler 1".encode(), "Zähler 1"),
        (b"p1/home/raw", "p1/home/raw"),
        (None, "p1"),
        (b"", "p1"),
        (b"\xff\x00", "ff00"),
        (b"a\nb", "610a62"),
    ],
)
def test_the_key_names_the_stream(membership: _Membership, key: bytes | None, origin: str) -> None:
    telegram = Meter().telegram(START)
    assert event(membership, Message(telegram, key)) == Data(telegram, origin, ends_message=True)


@pytest.mark.parametrize(
    ("age_ms", "header", "expected"),
    [
        (0, None, (False, None)),
        (4_000, None, (False, None)),
        (60_000, None, (True, (NOW_MS - 60_000) * 10**6)),
        (60_000, b"1699999900.5", (True, 1_699_999_900_500_000_000)),
        (0, b"1699999900.5", (False, 1_699_999_900_500_000_000)),
        (60_000, b"yesterday", (True, (NOW_MS - 60_000) * 10**6)),
        (60_000, b"\xff", (True, (NOW_MS - 60_000) * 10**6)),
        (60_000, b"", (True, (NOW_MS - 60_000) * 10**6)),
        (-60_000, None, (False, None)),  # its clock is ahead of ours
    ],
)
def test_when_a_message_was_sent_is_known(
    membership: _Membership, age_ms: int, header: bytes | None, expected: tuple[bool, int | None]
) -> None:
    headers: list[tuple[str, bytes | None]] = [("other", None), *([("time", header)] if header is not None else [])]
    found = event(membership, Message(b"x", headers=headers, timestamp=(1, NOW_MS - age_ms)))
    assert isinstance(found, Data)
    assert (found.is_late, found.sent_ns) == expected


def test_without_any_time_a_message_may_be_old(membership: _Membership) -> None:
    found = event(membership, Message(b"x", timestamp=(0, -1)))
    assert isinstance(found, Data)
    assert found.is_late
    assert found.sent_ns is None


@pytest.mark.parametrize(
    ("message", "word"),
    [(Message(bytes(300_000)), "longer than 256 KiB"), (Message(b"x", headers=[1]), "TypeError")],  # type: ignore[list-item]
)
def test_what_cannot_be_read_is_dropped_and_does_not_come_again(
    membership: _Membership, message: Message, word: str
) -> None:
    found = event(membership, message)
    assert isinstance(found, Dropped)
    assert word in found.text
    assert membership._done == {("p1", 0): 8}  # noqa: SLF001


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        ([(KafkaError._TRANSPORT, "h:1/bootstrap: Connect failed (after 3ms in state CONNECT)")], None, ""),  # noqa: SLF001
        (
            [
                (KafkaError._TRANSPORT, "h:1/bootstrap: Connect failed (after 3ms in state CONNECT)"),  # noqa: SLF001
                (KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"),  # noqa: SLF001
            ],
            errno.ECONNRESET,
            "no broker is available: Connect failed",
        ),
        (
            [(KafkaError._ALL_BROKERS_DOWN, "")],  # noqa: SLF001
            errno.ECONNRESET,
            brokers("kafka://host/p1").hangs_up(),
        ),
        (
            [(KafkaError.GROUP_AUTHORIZATION_FAILED, "Broker: Group authorization failed")],
            errno.EACCES,
            "the broker refuses a client without a user: Group authorization failed",
        ),
    ],
)
def test_of_what_librdkafka_says_the_one_error_is_kept(
    monkeypatch: pytest.MonkeyPatch, said: list[tuple[int, str]], code: int | None, text: str
) -> None:
    monkeypatch.setattr("telegraf_p1.kafka_options._REASON_S", 0)
    errors = BrokerErrors(brokers("kafka://host/p1"))
    for number, words in said:
        errors.on_error(KafkaError(number, words))
    trouble = errors.trouble()
    assert (trouble.errno, trouble.strerror) == (code, text) if trouble else code is None
