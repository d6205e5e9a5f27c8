"""Finds the topics of an MQTT broker that carry telegrams, by listening to all of them for a while.

It only reads, with QoS 0, a unique client id, and a session that ends with the connection. So nothing stays at the
broker, and no other client loses a message. Neither messages nor broker are trusted: time and memory are bounded,
whatever comes.
"""

import errno
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import quote

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MessageType, MQTTErrorCode, MQTTProtocolVersion

from telegraf_p1.advice import DEVICE
from telegraf_p1.check import shown
from telegraf_p1.decode import Memory, decode
from telegraf_p1.framer import Frame, Framer, is_encrypted
from telegraf_p1.identifiers import masked
from telegraf_p1.mqtt_broker import refusal
from telegraf_p1.mqtt_client import Client, ProtocolError
from telegraf_p1.mqtt_options import PORTS, WEBSOCKET_PORTS, password
from telegraf_p1.sources.envelope import LARGEST, unwrap
from telegraf_p1.telegram import TelegramError, holds_objects, parse
from telegraf_p1.timestamp import DEFAULT_ZONE, Zone
from telegraf_p1.tls import Trust, trust
from telegraf_p1.url import Url, UsageError, options
from telegraf_p1.url import parse as parse_url

SECONDS: Final = 15.0  # longer than the interval of any meter
_CONNECT_S: Final = 10.0
_LOOK_S: Final = 0.25  # from one report of the progress to the next
_KEEP_ALIVE_S: Final = 60
_LONGEST_TOPIC: Final = 256  # bytes; topics with telegrams are shorter
_ALL: Final = "#"
_LEAST: Final = 512  # bytes that even a short message counts as, since examining it takes time
_LONGEST_SUBACK: Final = 1024
_MOST_TOPICS: Final = 200  # with telegrams
_MOST_OTHERS: Final = 10_000  # topics without telegrams, whose names are kept
_MOST_BEGUN: Final = 100  # topics with an unfinished telegram, of 16 KiB each at most
_MOST_LEVELS: Final = 16  # of topics that may be combined with a `+`
_MOST_METERS: Final = 10  # per topic


@dataclass
class Topic:
    """A topic with telegrams: how many are right, encrypted or rejected, and how many of all were retained.

    `meters` are the meters' identifiers, `trouble` is why the last telegram was rejected and what to do.
    """

    name: str
    right: int = 0
    encrypted: int = 0
    rejected: int = 0
    retained: int = 0
    trouble: str = ""
    meters: set[str] = field(default_factory=set)

    def text(self) -> str:
        """Describe it in a line for people; meters are shown by their last digits only."""
        parts = []
        if self.right:
            whose = (
                f" of meter {', '.join(sorted(masked(shown(meter)) for meter in self.meters))}" if self.meters else ""
            )
            parts.append(f"{_count(self.right, 'telegram')}{whose}")
        if self.encrypted:
            parts.append(
                f"{_count(self.encrypted, 'encrypted telegram')}: ask your grid company for the key and "
                "set P1_DECRYPTION_KEY"
            )
        if self.trouble:
            parts.append(f"{_count(self.rejected, 'telegram')} rejected: {self.trouble}")
        if self.retained and self.retained == self.right + self.encrypted + self.rejected:
            parts.append("retained messages only: no new telegram was published meanwhile")
        return f"{shown(self.name)}: {'; '.join(parts)}"

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; meters are shown by their last digits only."""
        return asdict(self) | {"meters": sorted(masked(shown(meter)) for meter in self.meters)}


class SurveyResult(NamedTuple):
    """What came in `seconds`: topics with telegrams, the sources that read them, and the number of all messages.

    `ended` is why listening ended early, or empty.
    """

    topics: list[Topic]
    sources: list[str]
    messages: int
    seconds: float
    ended: str = ""

    def text(self) -> str:
        """Describe it in lines for people."""
        lines = [f"{_count(self.messages, 'message')} in {self.seconds:.0f} s; {_with_telegrams(len(self.topics))}"]
        lines += [self.ended] if self.ended else []
        lines += [topic.text() for topic in self.topics]
        if not self.topics:
            lines.append(
                "check that the device publishes telegrams and not only values, that it is connected to a "
                "meter, and that this user is allowed to read its topic"
            )
        return "\n".join(lines)


def is_broker(text: str) -> bool:
    """Whether a source is a broker without a topic."""
    url = parse_url(text)
    return url.scheme in PORTS | WEBSOCKET_PORTS and not url.path.strip("/")


def topics(
    broker: str, seconds: float = SECONDS, seen: Callable[[int, int], None] = lambda _messages, _topics: None
) -> SurveyResult:
    """Listen to all topics of a broker such as `mqtt://user@host`, for `seconds` once it has answered.

    `seen` is called again and again with the number of messages, and of topics with telegrams. Raise UsageError for an
    invalid URL; raise OSError, with what to do, if the broker cannot be reached or refuses.
    """
    url = parse_url(broker)
    ports = PORTS | WEBSOCKET_PORTS
    if url.scheme not in ports or not url.host or url.path.strip("/"):
        raise UsageError(f"broker {broker!r}: write it as mqtt://user@host or mqtts://user@host, without a topic")
    websocket = {"path": "/mqtt"} if url.scheme in WEBSOCKET_PORTS else {}
    ca, pin, cert, key, *path = options(url, ca="", pin="", cert="", key="", **websocket)
    whom = trust(url, "broker", ca=ca, pin=pin, cert=cert, key=key)
    survey = Survey()
    client = _Client(survey, url.user, whom, *path or [""])
    try:
        client.listen_to_all((url.host, url.port or ports[url.scheme]))
        begun = time.monotonic()
        ended = _listen(client, survey, begun + seconds, seen)
    finally:
        client.close()
    return SurveyResult(survey.found(), sources(url, survey), survey.messages, time.monotonic() - begun, ended)


def _listen(client: "_Client", survey: "Survey", end: float, seen: Callable[[int, int], None]) -> str:
    """Listen until `end` (of the monotonic clock); return why listening ended early, or an empty text."""
    while (left := end - time.monotonic()) > 0:
        try:
            client.look(min(left, _LOOK_S))
        except OSError as error:
            return error.strerror or str(error)
        seen(survey.messages, len(survey.topics))
    return ""


class Survey:
    """The messages so far, and the telegrams in them."""

    def __init__(self) -> None:
        self.messages = 0
        self.topics: dict[str, Topic] = {}
        self.others: set[str] = set()
        self._begun: dict[str, Framer] = {}

    def take(self, topic: bytes, payload: bytes, *, is_retained: bool) -> None:
        """Examine a message."""
        self.messages += 1
        if len(topic) > _LONGEST_TOPIC or len(payload) > LARGEST or set(topic) & set(b"+#"):  # no topic contains these
            return
        name = topic.decode(errors="replace")
        data, ends_telegram, trouble = unwrap(payload)
        if trouble and holds_objects(payload):
            self._reject(name, trouble, is_retained=is_retained)
        framer = self._begun.pop(name, None) or Framer()
        frames = framer.feed(data)
        if ends_telegram:
            frames += framer.flush()
        elif framer.unfinished():
            self._begun[name] = framer
            if len(self._begun) > _MOST_BEGUN:
                del self._begun[next(iter(self._begun))]
        for frame in frames:
            self._judge(name, frame, is_retained=is_retained)
        if name not in self.topics and len(self.others) < _MOST_OTHERS:
            self.others.add(name)

    def found(self) -> list[Topic]:
        """Return the topics with telegrams, by name."""
        return [self.topics[name] for name in sorted(self.topics)]

    def _judge(self, name: str, frame: Frame, *, is_retained: bool) -> None:
        """Count a frame; ignore one that was cut off, since we may have subscribed in the middle of it."""
        if not frame.whole:
            return
        if is_encrypted(frame.data):
            if topic := self._topic(name, is_retained=is_retained):
                topic.encrypted += 1
            return
        try:
            telegram = parse(frame.data)
        except TelegramError as error:
            if holds_objects(frame.data):  # any text with a `/` and a `!` is a frame too
                self._reject(name, error.text + DEVICE[error.fault], is_retained=is_retained)
            return
        if telegram.objects and (topic := self._topic(name, is_retained=is_retained)):
            topic.right += 1
            meter = decode(telegram, None, Memory(Zone(DEFAULT_ZONE))).tags.get("meter")
            if meter and len(topic.meters) < _MOST_METERS:
                topic.meters.add(meter)

    def _reject(self, name: str, trouble: str, *, is_retained: bool) -> None:
        if topic := self._topic(name, is_retained=is_retained):
            topic.rejected += 1
            topic.trouble = trouble

    def _topic(self, name: str, *, is_retained: bool) -> Topic | None:
        """Return the topic of a telegram; None if there are too many."""
        if name not in self.topics:
            if len(self.topics) >= _MOST_TOPICS:
                return None
            self.topics[name] = Topic(name)
            self.others.discard(name)
        self.topics[name].retained += is_retained
        return self.topics[name]


def sources(url: Url, survey: Survey) -> list[str]:
    """Return the SOURCEs of `run` that read these topics, with `+` for a level in which several topics differ."""
    user = f"{quote(url.user)}@" if url.user else ""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    _, question_mark, query = url.text.partition("?")
    found = []
    for topic in filters(survey.found(), survey.others):
        source = f"{url.scheme}://{user}{host}{port}/{quote(topic, safe='/+')}{question_mark}{query}"
        if _is_source_of(source, topic):
            found.append(source)
    return found


def _is_source_of(source: str, topic: str) -> bool:
    """Whether a topic, which may be any text, can be written as a source."""
    try:
        return parse_url(source).path.removeprefix("/") == topic
    except UsageError:
        return False


def filters(found: list[Topic], others: Iterable[str]) -> list[str]:
    """Return few topic filters, some with a `+`, that match the topics that were found and no others.

    Topics with telegrams of the same meter, such as a retained one and another, are not combined.
    """
    groups: dict[str, list[Topic]] = {}
    for topic in found:
        for wide in _widened(topic.name):
            groups.setdefault(wide, []).append(topic)
    too_wide = {wide for other in others for wide in _widened(other) if wide in groups}
    left = {topic.name for topic in found}
    given = []
    for wide, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        names = {topic.name for topic in members}
        meters = [meter for topic in members for meter in topic.meters]
        if len(names) > 1 and names <= left and len(set(meters)) == len(meters) and wide not in too_wide:
            given.append(wide)
            left -= names
    return sorted([*given, *left])


def _widened(topic: str) -> Iterator[str]:
    """Yield a topic with each of its levels in turn replaced by `+`; nothing if it has one level, or very many."""
    levels = topic.split("/")
    if 1 < len(levels) <= _MOST_LEVELS:
        for at in range(len(levels)):
            yield "/".join([*levels[:at], "+", *levels[at + 1 :]])


class _Client(Client):
    """Subscribes to all topics with QoS 0, and passes on what comes."""

    packets: ClassVar = {
        **Client.packets,
        MessageType.SUBACK: _LONGEST_SUBACK,
        MessageType.PUBLISH: LARGEST + _LONGEST_TOPIC + 3,  # a byte more than is examined
    }

    def __init__(self, survey: Survey, user: str, whom: Trust | None, path: str) -> None:
        """Take the survey, a user name or an empty one, whom to trust (None: no TLS), and the path of a WebSocket."""
        super().__init__(
            whom,
            quote(path),
            client_id=f"p1-check-{secrets.token_hex(6)}",
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,  # which all brokers support
            reconnect_on_failure=False,
        )
        self._survey, self._user, self._is_plain = survey, user, not whom
        self._is_granted = False
        self._trouble: OSError | None = None
        self._messages: list[tuple[bytes, bytes, bool]] = []
        self._room = LARGEST  # bytes
        if user:
            self.username_pw_set(user, password())
        self.on_connect, self.on_subscribe, self.on_disconnect = self._connected, self._granted, self._closed

    def listen_to_all(self, address: tuple[str, int]) -> None:
        """Connect and subscribe, or raise OSError with the reason."""
        self.connect(*address, keepalive=_KEEP_ALIVE_S)
        end = time.monotonic() + _CONNECT_S
        while not self._is_granted:
            if time.monotonic() > end:
                raise OSError(errno.ETIMEDOUT, "connected, but the broker does not answer")
            self._take_what_comes(_LOOK_S)
            if self._trouble and not self._is_granted:
                raise self._trouble

    def look(self, seconds: float) -> None:
        """Take what comes in `seconds`; raise OSError if the broker is gone or violates the protocol."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._trouble:
                raise self._trouble
            self._take_what_comes(left)

    def _take_what_comes(self, seconds: float) -> None:
        """Wait for messages and pass them to the survey; a failure of the broker is kept in `_trouble`."""
        try:
            if result := self.loop(seconds):
                gone = OSError(errno.ECONNRESET, f"connection to the broker lost: {mqtt.error_string(result)}")
                self._trouble = self._trouble or gone
        except OSError as error:
            self._trouble = error
        except ProtocolError as error:
            self._trouble = OSError(errno.EPROTO, str(error))
        except Exception as error:  # noqa: BLE001  whatever paho raises for bytes that are not MQTT
            self._trouble = OSError(
                errno.EPROTO, f"the server does not answer like an MQTT broker ({type(error).__name__})"
            )
        for topic, payload, is_retained in self._messages:
            self._survey.take(topic, payload, is_retained=is_retained)
        self._messages.clear()
        self._room = LARGEST

    def close(self) -> None:
        """Disconnect."""
        self.disconnect()
        # These methods and the client refer to each other. Without that cycle its sockets are closed at once.
        self.on_connect = self.on_subscribe = self.on_disconnect = None

    def is_full(self) -> bool:
        """Whether what was read has to be examined before more is read."""
        return self._room <= 0

    def _handle_publish(self) -> MQTTErrorCode:
        command, packet = self._in_packet["command"], self._in_packet["packet"]
        if command & 6:
            raise ProtocolError("the broker sends messages with another QoS than 0, which was requested")
        end = 2 + int.from_bytes(packet[:2], "big")
        self._messages.append((bytes(packet[2:end]), bytes(packet[end:]), bool(command & 1)))
        self._room -= len(packet) + _LEAST
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _connected(self, _client: object, _data: object, _flags: object, reason: Any, *_: object) -> None:
        if reason.is_failure:
            self._trouble = refusal(self._user, reason)
        else:
            self.subscribe(_ALL, qos=0)

    def _granted(self, _client: object, _data: object, _mid: int, reasons: list[Any], *_: object) -> None:
        self._is_granted = not any(reason.is_failure for reason in reasons)
        if not self._is_granted:
            self._trouble = OSError(
                errno.EACCES,
                "the broker does not allow this user to subscribe to all topics: give the topic, for "
                "example mqtt://host/topic",
            )

    def _closed(self, _client: object, _data: object, _flags: object, reason: Any, *_: object) -> None:
        if not self._trouble:
            text = f"the broker closed the connection: {reason}"
            if not self._is_granted and self._is_plain:
                text += "; check the port, and use mqtts:// if it needs TLS"
            self._trouble = OSError(errno.ECONNRESET, text)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _with_telegrams(number: int) -> str:
    return f"{_count(number, 'topic')} with telegrams" if number else "no telegrams among them"
