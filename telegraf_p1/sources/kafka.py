"""Telegrams from Kafka: `kafka://user@host:9092/topic?group=readers`, `kafkas://…` with TLS.

The members of a group share the partitions of a topic; if one leaves, the others take over its part. An offset is
committed only when the records before it are written. A message that is read twice has the same time and tags. A new
group begins with the oldest message. The password comes from P1_KAFKA_PASSWORD.

The key of a message is its meter. Its header `time`, if it has one, says when it was sent: seconds since 1970, UTC.
Without one it is the time that Kafka stores with the message, if that is more than a few seconds ago.

Options: `group` (without one, this computer has a group of its own), `begin` (where a new one begins: `oldest` or
`newest`), `brokers` (more of them, such as host2:9092,host3:9092), `member` (of JSON, with the telegram), `client` (the
client id, for the broker's log), `sasl` (SCRAM-SHA-512, SCRAM-SHA-256, PLAIN), `ca`, `cert` and `key` (files, for TLS).
A topic that begins with ^ is a pattern.
"""

import errno
import math
import threading
import time
from contextlib import suppress
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from telegraf_p1.kafka_options import OPTIONS, TOPIC, BrokerErrors, Brokers, no_topic, options_of, said
from telegraf_p1.own_id import own_id
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.envelope import LARGEST, sent_ns, unwrap
from telegraf_p1.sources.events import Data, Dropped, Event, Pause, Silence, Trouble
from telegraf_p1.url import Url, UsageError, options

_TOGETHER: Final = 200  # messages that are written and acknowledged at once
_MOST_TAKEN: Final = 1000  # that may wait for it while Telegraf is stalled
_MOST_BYTES: Final = 1024 * 1024
_LATE_MS: Final = 5_000
_LULL_S: Final = 0.3
_LOOK_S: Final = 0.05  # Python handles signals in between, and the program must end within 0.1 s
_SILENCE_S: Final = 60.0  # longer than from one message to the next, with most devices
_CLOSING_S: Final = 2.0
_LEAVING_S: Final = 0.1
_LONGEST_KEY: Final = 1024
_NO_TOPIC: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION)
_BEGIN: Final = ("oldest", "newest")
_SETTINGS: Final = {
    # librdkafka commits twice a second, and when it gives a partition away: only what `done` has stored.
    "enable.auto.offset.store": False,
    "auto.commit.interval.ms": 500,
    "partition.assignment.strategy": "cooperative-sticky",
    # A member that died is noticed after 6 s; one whose Telegraf is stalled gives its part away after a minute.
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 1_500,
    "max.poll.interval.ms": 60_000,
    # How much is fetched and waits in memory, and how soon more is fetched once there is room.
    "queued.max.messages.kbytes": 1024,
    "queued.min.messages": 1000,
    "fetch.message.max.bytes": LARGEST,  # of each partition; a longer message is fetched alone
    "fetch.max.bytes": 16 * LARGEST,
    "fetch.queue.backoff.ms": 20,
}


def source(url: Url) -> Source:
    """Return a source that reads a topic of Kafka; it raises OSError if no broker is available."""
    group, begin, member, *reach = options(url, group="", begin=_BEGIN[0], member="", **OPTIONS)
    topic = url.path.removeprefix("/")
    if not url.host or not topic:
        raise UsageError(f"source {url.text!r}: write host and topic, for example kafka://192.168.1.2/p1?group=readers")
    if not topic.startswith("^") and not TOPIC.fullmatch(topic):
        raise UsageError(
            f"source {url.text!r}: {topic!r} is not a valid topic: use only letters, digits, dots, _ "
            "and -; a pattern begins with ^"
        )
    if begin not in _BEGIN:
        raise UsageError(f"source {url.text!r}: begin={begin!r} must be one of {', '.join(_BEGIN)}")
    brokers = Brokers(url, reach)
    brokers.settings["auto.offset.reset"] = "earliest" if begin == _BEGIN[0] else "latest"
    group = group or own_id(f"{url.user}@{url.host}/{topic}")

    def connect() -> _Membership:
        brokers.check_reachable()
        return _Membership(brokers, topic, group, member)

    return connect


class _Membership(Connection):
    acknowledges = True

    def __init__(self, brokers: Brokers, topic: str, group: str, member: str) -> None:
        self._topic, self._group, self._member = topic, group, member
        self._errors = BrokerErrors(brokers)
        self._done: dict[tuple[str, int], int] = {}  # topic, partition → the offset after the last one that was read
        self._taken = self._bytes = 0  # since `done`
        self._has_part: bool | None = None  # whether we have partitions; None: not known yet
        self._silent_at = time.monotonic() + _SILENCE_S
        try:
            self._consumer = Consumer(
                {**brokers.settings, **_SETTINGS, "group.id": group, "error_cb": self._errors.on_error}
            )
            self._consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._revoked)
        except KafkaException as error:
            raise options_of(error) from None

    def read(self) -> list[Event]:
        if self._taken >= _MOST_TAKEN or self._bytes >= _MOST_BYTES:
            time.sleep(_LULL_S)
            return [Pause(_LULL_S)]
        lull_at = time.monotonic() + _LULL_S
        while not (messages := self._messages()):
            if trouble := self._errors.trouble():
                raise trouble
            now = time.monotonic()
            if now > self._silent_at:
                self._silent_at = math.inf  # reported once
                return [Silence(_SILENCE_S, self._advice())]
            if self._taken and now > lull_at:
                return [Pause(_LULL_S)]  # perhaps they can be acknowledged now
        self._silent_at = time.monotonic() + _SILENCE_S
        return [self._event(message) for message in messages]

    def _messages(self) -> list[Message]:
        """Return the messages that have arrived; empty if there is none for a moment."""
        first = self._consumer.poll(_LOOK_S)
        if first is None:
            return []
        return [first, *self._consumer.consume(_TOGETHER - 1, 0)]

    def _event(self, message: Message) -> Event:
        """Return what a message contains; one that cannot be read is dropped, as it would come again forever."""
        if error := message.error():
            return self._trouble(error)
        value = message.value() or b""
        self._done[message.topic() or "", message.partition() or 0] = (message.offset() or 0) + 1
        self._taken += 1
        self._bytes += len(value)
        if len(value) > LARGEST:
            return Dropped("a message is longer than 256 KiB, and is not a telegram: check the topic")
        try:
            data, is_whole, trouble = unwrap(value, self._member)
            if trouble:
                return Dropped(trouble)
            _, sent_ms = message.timestamp()
            is_late = time.time() * 1000 - sent_ms > _LATE_MS
            at = _said_ns(message) or (sent_ms * 1_000_000 if is_late and sent_ms > 0 else None)
            return Data(data, _origin(message), is_whole, is_late, at)
        except Exception as error:  # noqa: BLE001  messages may contain anything
            return Dropped(
                f"a message cannot be read ({type(error).__name__}): check that the names of its headers are UTF-8"
            )

    def _trouble(self, error: KafkaError) -> Event:
        """Return the event for an error in place of a message; raise OSError if it ends the connection."""
        if error.code() in _NO_TOPIC:
            raise no_topic(self._topic)
        if error.code() == KafkaError._MAX_POLL_EXCEEDED:  # noqa: SLF001
            return Trouble(
                "Telegraf was stalled for so long that the partitions of this member were given to others of the group"
            )
        if error.retriable():
            return Trouble(f"Kafka reports: {said(error)}")
        self._errors.on_error(error)
        raise self._errors.trouble() or OSError(errno.EIO, f"Kafka reports: {said(error)}")

    def _advice(self) -> str:
        if self._has_part is None:
            return (
                "Kafka is available, but does not let this member join the group: check that this is the "
                "port of a broker"
            )
        if self._has_part:
            return (
                f"Kafka is available, but topic {self._topic!r} has nothing new for group {self._group!r}: "
                "check the topic, and that something writes to it"
            )
        return (
            f"group {self._group!r} has more members than topic {self._topic!r} has partitions: this "
            "one waits until another one leaves"
        )

    def _assigned(self, consumer: Consumer, more: list[TopicPartition]) -> None:
        self._errors.is_answered = True
        self._has_part = bool(more or consumer.assignment())

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Forget what was read of these partitions and is not done: other members will read it."""
        for one in partitions:
            self._done.pop((one.topic, one.partition), None)
        self._has_part = len(consumer.assignment()) > len(partitions)

    def done(self) -> None:
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in self._done.items()]
        self._done.clear()
        self._taken = self._bytes = 0
        if offsets:
            with suppress(KafkaException):  # these partitions have other members now
                self._consumer.store_offsets(offsets=offsets)

    def close(self) -> None:
        self._close(_CLOSING_S)

    def leave(self) -> None:
        self._close(_LEAVING_S)

    def _close(self, seconds: float) -> None:
        """Leave the group, which commits what is done; wait at most `seconds` for the broker."""
        closing = threading.Thread(target=self._consumer.close, name="closing", daemon=True)
        closing.start()
        closing.join(seconds)


def _said_ns(message: Message) -> int | None:
    """Return when its sender says that a message was sent: UTC in ns since 1970, None if it does not say."""
    headers = message.headers()
    for name, value in headers if isinstance(headers, list) else ():
        if name == "time" and isinstance(value, bytes) and (found := sent_ns(value.decode("ascii", "replace"))):
            return found
    return None


def _origin(message: Message) -> str:
    """Return the key, or without one the topic; a key that is not text is given in hex."""
    key = message.key()
    if not key:
        return message.topic() or ""
    key = key.encode() if isinstance(key, str) else key[:_LONGEST_KEY]
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return key.hex()
    return text if text.isprintable() else key.hex()
