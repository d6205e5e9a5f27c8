"""Which topics of a broker carry telegrams: what is made of their messages."""

import base64
import json
import time

import pytest

from telegraf_p1.check.topics import Survey, SurveyResult, Topic, filters, sources, topics
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.envelope import LARGEST
from telegraf_p1.url import UsageError, parse
from tests.helpers.telegrams import START, encrypt, with_crc

TELEGRAM = Meter().telegram(START)
PLAIN = b"/XMX5LGBBFG10\r\n\r\n1-3:0.2.8(50)\r\n0-0:96.1.1(%s)\r\n1-0:1.8.1(000001.000*kWh)\r\n!"
NO_CRC = with_crc(PLAIN % b"4530303132333435")[:-4]


def of(number: int) -> bytes:
    """Give a telegram of the meter with this number."""
    return with_crc(PLAIN % f"E00{number:05}".encode().hex().encode())


def surveyed(*messages: tuple[str, bytes], is_retained: bool = False) -> Survey:
    survey = Survey()
    for topic, payload in messages:
        survey.take(topic.encode(), payload, is_retained=is_retained)
    return survey


def only(survey: Survey) -> Topic:
    (topic,) = survey.found()
    return topic


@pytest.mark.parametrize(
    "payload",
    [
        TELEGRAM,
        TELEGRAM.rstrip(),
        TELEGRAM.hex().encode(),
        base64.b64encode(TELEGRAM),
        json.dumps({"device": "p1", "data": {"telegram": TELEGRAM.decode()}}).encode(),
        json.dumps(TELEGRAM.decode().split("\r\n")).encode(),
    ],
)
def test_a_telegram_is_found_however_it_is_wrapped(payload: bytes) -> None:
    topic = only(surveyed(("house/raw", payload), ("house/raw", payload)))
    assert (topic.right, topic.rejected, topic.retained) == (2, 0, 0)
    (meter,) = topic.meters
    assert topic.text() == f"house/raw: 2 telegrams of meter ...{meter[-3:]}"
    assert meter not in topic.text()


def test_a_telegram_in_pieces_is_found_also_between_those_of_others() -> None:
    first, second, third = TELEGRAM[:200], TELEGRAM[200:500], TELEGRAM[500:]
    pieces = [("a", first), ("b", first), ("a", second), ("b", second), ("a", third), ("b", third)]
    assert [topic.right for topic in surveyed(*pieces).found()] == [1, 1]
    lines = [("a", line) for line in TELEGRAM.split(b"\r\n")]
    assert only(surveyed(*lines)).right == 1


def test_what_is_no_telegram_is_no_topic_with_telegrams() -> None:
    survey = surveyed(
        ("sensor/power", b"1.234"),
        ("homeassistant/sensor/x/config", b'{"state_topic":"/a/b","json_attributes_topic":"/c/d!"}'),
        ("path", b"/dev/ttyUSB0\r\n!\r\n"),
        ("image", bytes(range(256)) * 4),
        ("empty", b""),
        ("cut", TELEGRAM[300:]),
        ("begun", TELEGRAM[:300]),
    )
    assert survey.found() == []
    assert survey.messages == 7
    assert len(survey.others) == 7


def test_encrypted_telegrams_are_named_as_such() -> None:
    topic = only(surveyed(("smarty", encrypt(TELEGRAM))))
    assert (topic.right, topic.encrypted) == (0, 1)
    assert topic.text().startswith("smarty: 1 encrypted telegram: ")
    assert "P1_DECRYPTION_KEY" in topic.text()


def test_telegrams_that_cannot_be_believed_are_named_with_the_reason() -> None:
    topic = only(surveyed(("esphome/telegram", NO_CRC)))
    assert (topic.right, topic.rejected) == (0, 1)
    assert topic.text().startswith("esphome/telegram: 1 telegram rejected: ")
    assert topic.trouble.split()[0] in topic.text()
    assert "CRC" in topic.trouble


def test_a_message_with_two_telegrams_says_that_one_has_to_be_named() -> None:
    both = json.dumps({"east": of(1).decode(), "west": of(2).decode()}).encode()
    assert "?member=" in only(surveyed(("both", both))).text()


def test_what_is_retained_only_is_said() -> None:
    assert "; retained messages only: " in only(surveyed(("old", TELEGRAM), is_retained=True)).text()
    survey = surveyed(("old", TELEGRAM), is_retained=True)
    survey.take(b"old", TELEGRAM, is_retained=False)
    assert (only(survey).right, only(survey).retained) == (2, 1)
    assert "retained" not in only(survey).text()


def named(*names: str, meter: str = "") -> list[Topic]:
    return [Topic(name, right=1, meters={meter or name}) for name in names]


def test_topics_that_differ_in_one_level_are_read_as_one() -> None:
    assert filters(named("p1/a/raw", "p1/b/raw", "p1/c/raw"), []) == ["p1/+/raw"]
    assert filters(named("p1/a/raw", "p1/b/raw", "other/raw"), []) == ["other/raw", "p1/+/raw"]
    assert filters(named("x/1/a", "x/2/a", "x/1/b"), []) in (["x/+/a", "x/1/b"], ["x/1/+", "x/2/a"])
    assert filters(named("/a/raw", "/b/raw"), []) == ["/+/raw"]


def test_topics_are_not_read_as_one_where_that_would_read_something_else() -> None:
    assert filters(named("p1/a/raw", "p1/b/raw"), ["p1/c/raw"]) == ["p1/a/raw", "p1/b/raw"]
    assert filters(named("p1/a/raw", "p1/b/raw"), ["p1/c/state", "p2/a/raw/x", "p1"]) == ["p1/+/raw"]
    assert filters(named("a", "b"), []) == ["a", "b"]
    twice = named("dsmr/raw/latest", "dsmr/raw/telegram", meter="E0012345")
    assert filters(twice, []) == ["dsmr/raw/latest", "dsmr/raw/telegram"]


def test_the_source_keeps_what_was_said_of_the_broker() -> None:
    url = parse("mqtts://me@[fd00::2]:8884?ca=/etc/ca.pem")
    survey = surveyed(("p1/1/raw", of(1)), ("p1/2/raw", of(2)))
    assert sources(url, survey) == ["mqtts://me@[fd00::2]:8884/p1/+/raw?ca=/etc/ca.pem"]
    assert sources(parse("mqtt://host"), surveyed(("a raw/100%?", of(1)))) == ["mqtt://host/a%20raw/100%25%3F"]
    assert parse("mqtt://host/a%20raw/100%25%3F").path == "/a raw/100%?"


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "x?token=1", "a\nb"])
def test_a_topic_that_cannot_be_a_source_is_shown_and_is_none(name: str) -> None:
    survey = surveyed((name, of(1)))
    assert sources(parse("mqtt://host"), survey) == []
    assert all(character.isprintable() for character in only(survey).text())


def test_what_a_hostile_broker_sends_has_bounds() -> None:
    survey = Survey()
    begun = time.process_time()
    for number in range(12_000):
        survey.take(b"p1/%d" % number + b"/a" * (number % 100), b"/XMX5 begun\r\n\r\n1-0:1.8.0(", is_retained=False)
    for number in range(300):
        survey.take(b"p1/%d" % number + b"/" * (number % 100), of(number), is_retained=False)
    survey.take(b"x" * 300, TELEGRAM, is_retained=False)
    survey.take(b"a/+/#", TELEGRAM, is_retained=False)
    survey.take(b"\xff\xfe", TELEGRAM + bytes(LARGEST), is_retained=False)
    assert len(survey.topics) == 200
    assert len(survey.others) == 10_000
    assert len(survey._begun) <= 100  # noqa: SLF001
    assert len(filters(survey.found(), survey.others)) <= 200
    assert time.process_time() - begun < 20
    many = surveyed(*(("one", of(number)) for number in range(50)))
    assert len(only(many).meters) == 10


def test_of_a_short_identifier_nothing_is_shown() -> None:
    assert Topic("a", right=1, meters={"1234567"}).text() == "a: 1 telegram of meter ...567"
    assert Topic("a", right=1, meters={"123456"}).text() == "a: 1 telegram of meter ..."


def test_what_was_heard_is_said_in_lines() -> None:
    survey = surveyed(("p1/1/raw", of(1)), ("lamp", b"on"))
    text = SurveyResult(survey.found(), ["mqtt://host/p1/1/raw"], 2, 15.2).text()
    assert text.splitlines() == [
        "2 messages in 15 s; 1 topic with telegrams",
        "p1/1/raw: 1 telegram of meter ...001",
    ]
    nothing = SurveyResult([], [], 1, 3.0, "connection to the broker lost").text()
    assert nothing.startswith(
        "1 message in 3 s; no telegrams among them\nconnection to the broker lost\ncheck that the device publishes"
    )


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        ("http://host", "mqtt://user@host"),
        ("mqtt://host/p1/raw", "without a topic"),
        ("mqtt://me:secret@host", "P1_MQTT_PASSWORD"),
        ("mqtt://host?topic=x", "unknown option 'topic'"),
        ("mqtt://host?pin=12", "mqtts://"),
    ],
)
def test_what_is_no_broker_is_refused(broker: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        topics(broker)
    assert "secret" not in str(error.value)
