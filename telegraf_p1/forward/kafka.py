"""Sends letters to Kafka: `kafka://user@host:9092/topic`, `kafkas://…` with TLS.

A message's key is its meter, so that the telegrams of one meter stay in one partition and in order. The header `time`
is when the telegram was received: seconds since 1970, UTC. A letter has arrived once all in-sync replicas have it. The
password comes from P1_KAFKA_PASSWORD.

librdkafka reconnects to single brokers and tries again by itself, in order and without duplicates. If no broker is
left, or none has acknowledged for half a minute, its queue is discarded: the forwarder still has these letters.

Options, the same as those of the source: `brokers`, `client`, `sasl`, `ca`, `cert` and `key`.
"""

import errno
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.target import Target, TargetListener
from telegraf_p1.forward.threaded import Threaded
from telegraf_p1.kafka_options import OPTIONS, TOPIC, BrokerErrors, Brokers, no_topic, options_of, said
from telegraf_p1.log import Log
from telegraf_p1.url import Url, UsageError, options

_MOST_UNACKNOWLEDGED: Final = 1000
_DELIVERY_S: Final = 30
_TOPIC_S: Final = 10.0
_LOOK_S: Final = 0.2
# Errors that will occur the next time too.
_NEVER: Final = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
_SETTINGS: Final = {
    "enable.idempotence": True,  # with acks=all
    "message.timeout.ms": _DELIVERY_S * 1000,
    "queue.buffering.max.messages": _MOST_UNACKNOWLEDGED,
    "compression.type": "lz4",
}


def target(url: Url, log: Log, _who: str) -> Target:
    """Return a Kafka topic as a target; raise UsageError if the URL is invalid."""
    reach = options(url, **OPTIONS)
    topic = url.path.removeprefix("/")
    if not url.host or not topic:
        raise UsageError(f"target {url.text!r}: write host and topic, for example kafka://192.168.1.2/p1")
    if not TOPIC.fullmatch(topic):
        raise UsageError(
            f"target {url.text!r}: {topic!r} is not a valid topic: use only letters, digits, dots, _ and -"
        )
    return KafkaTarget(Brokers(url, reach), topic, log, url.text)


class KafkaTarget(Threaded["_KafkaConnection"]):
    """Keeps a producer in a thread of its own."""

    def __init__(self, brokers: Brokers, topic: str, log: Log, name: str) -> None:
        super().__init__(log, name)
        self._brokers, self._topic = brokers, topic

    def open(self, _meter: str) -> "_KafkaConnection":
        """Make a producer, and wait until it knows the topic."""
        self._brokers.check_reachable()
        connection = _KafkaConnection(self._brokers, self._topic, self.log)
        try:
            connection.find_topic(self.closes)
        except BaseException:
            connection.end()
            raise
        return connection


class _KafkaConnection:
    """A producer, as long as it works; the forwarder's thread calls `offer`, the target's thread the rest."""

    def __init__(self, brokers: Brokers, topic: str, log: Log) -> None:
        self.has_delivered = False
        self._topic, self._log = topic, log
        self._errors = BrokerErrors(brokers)
        self._offering = threading.Lock()  # held while a letter is accepted, and at the end
        self._unacknowledged = 0
        self._is_over = False
        self._arrived: list[int] = []
        self._trouble: OSError | None = None
        try:
            self._producer = Producer({**brokers.settings, **_SETTINGS, "error_cb": self._errors.on_error})
        except KafkaException as error:
            raise options_of(error) from None

    def find_topic(self, closes: threading.Event) -> None:
        """Wait until the topic is known; raise OSError if it does not exist, or no broker answers."""
        end, reason = time.monotonic() + _TOPIC_S, ""
        while time.monotonic() < end and not closes.is_set():
            try:
                known = self._producer.list_topics(self._topic, timeout=_LOOK_S).topics[self._topic]
                if known.error is None:
                    self._errors.is_answered = True
                    return
                if known.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise no_topic(self._topic)
                self._errors.on_error(known.error)
                reason = said(known.error)
            except KafkaException:
                pass  # not connected yet, or `poll` tells why
            try:
                self._producer.poll(_LOOK_S)
            except KafkaException as error:
                reason = said(error.args[0])
            if trouble := self._errors.trouble():
                raise trouble
        if not closes.is_set():
            raise OSError(errno.ETIMEDOUT, reason or "connected, but the broker does not answer")

    def offer(self, number: int, letter: Letter) -> bool:
        """Accept a letter if there is room for it."""
        with self._offering:
            if self._is_over or self._unacknowledged >= _MOST_UNACKNOWLEDGED:
                return False
            self._unacknowledged += 1
            try:
                self._producer.produce(
                    self._topic,
                    letter.telegram,
                    letter.meter,
                    headers=[("time", letter.time().encode())],
                    on_delivery=partial(self._delivered, number),
                )
            except BufferError:
                self._unacknowledged -= 1
                return False
            except KafkaException as error:  # too long even for librdkafka
                self._delivered(number, error.args[0], None)
        return True

    def wake(self) -> None:
        """Do nothing: `serve` looks five times a second."""

    def serve(self, listener: TargetListener, closes: threading.Event, arrives: Callable[[], None]) -> None:
        """Report what arrives until `closes` is set; raise OSError when nothing arrives any more."""
        while not closes.is_set():
            before = len(self._arrived)
            self._producer.poll(_LOOK_S if not before else 0)
            self._report_arrived(listener, arrives)
            if trouble := self._trouble or self._errors.trouble():
                raise trouble

    def _report_arrived(self, listener: TargetListener, arrives: Callable[[], None]) -> None:
        if self._arrived:
            with self._offering:  # `offer` may add a letter that is too long
                arrived, self._arrived = self._arrived, []
                self._unacknowledged -= len(arrived)
            self.has_delivered = True
            listener.acknowledged(arrived)
            arrives()

    def _delivered(self, number: int, error: KafkaError | None, _message: Message | None) -> None:
        """Note whether a letter has arrived."""
        if error is None:
            self._arrived.append(number)
        elif error.code() in _NEVER:
            self._log.warning_for("target never", f"Kafka rejects a telegram, which is dropped: {said(error)}")
            self._arrived.append(number)
        elif not self._trouble:
            self._errors.on_error(error)
            self._trouble = self._errors.trouble() or OSError(
                errno.EIO, f"Kafka does not accept telegrams: {said(error)}"
            )

    def end(self) -> None:
        """Discard what is on its way."""
        with self._offering:
            self._is_over = True
            self._producer.purge()
            # Its pending callbacks refer to us, and we to it: without this its threads would stay forever.
            self._producer.poll(0)
