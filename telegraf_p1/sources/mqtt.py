"""Telegrams from an MQTT broker: `mqtt://user@host:1883/p1/+/raw`, `mqtts://…` with TLS, `mqtt+ws://…` in a WebSocket.

The broker keeps what is not yet processed: QoS 1, a fixed client id, and a session that outlives the connection. A
message is acknowledged only when its record is written. A message that is read twice has the same time and tags. The
password comes from P1_MQTT_PASSWORD.

A message that waited at the broker was not sent when it was received. Its user property `time`, if it has one, says
when it was sent: seconds since 1970, UTC.

Options: `member` (of JSON, with the telegram), `share` (a group that shares the messages), `client` (the client id),
`keep` (how long the broker keeps messages for us while we are disconnected; 0: not at all), `ca`, `cert`, `key` (files)
and `pin` (for TLS), `path` (of the WebSocket).
"""

import errno
import math
import re
import time
from types import SimpleNamespace
from typing import Any, ClassVar, Final
from urllib.parse import quote

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from telegraf_p1.mqtt_broker import KEEP_ALIVE_S, Broker, ProtocolVersion
from telegraf_p1.mqtt_client import Client, ProtocolError
from telegraf_p1.mqtt_options import PORTS, WEBSOCKET_PORTS
from telegraf_p1.own_id import own_id
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.envelope import LARGEST, sent_ns, unwrap
from telegraf_p1.sources.events import Data, Dropped, Event, Pause, Silence
from telegraf_p1.tls import Trust, trust
from telegraf_p1.url import Url, UsageError, duration, options

_SESSION_S: Final = 7 * 24 * 3600
# Few, so that little is read twice after a crash, but enough to drain a full queue at full speed.
_IN_FLIGHT: Final = 100
# Some brokers send more than they may (mosquitto 2.0.11, after 1000 waiting messages). These have to stay in the
# connection, since stdout would drop them while Telegraf is stalled.
_MOST_TAKEN: Final = 10 * _IN_FLIGHT
# Waiting messages come in a burst: after a connection with a session, and after a time in which nothing was read.
_LULL_S: Final = 0.3  # without a message ends the burst,
_BURST_S: Final = 10.0  # and so does this time, since thousands of meters leave no lull
_INATTENTION_S: Final = 2.0
_SILENCE_S: Final = 60.0  # longer than from one message to the next, with most devices
_LONGEST_HEAD: Final = 16 * 1024  # bytes of what precedes a payload, except its topic
# Replace a payload, and are compared with `is`.
_UNREADABLE: Final = b"unreadable"
_TOO_LONG: Final = b"too long"
_QUICK_S: Final = 0.5
# 26 00 04 "time" 00 14 "1796000000.250000000": a user property (MQTT 5, 2.2.2.2)
_TIME_ALONE: Final = re.compile(rb"\x26\0\x04time(\0.)([0-9.]{1,40})", re.DOTALL)


def source(url: Url) -> Source:
    """Return a source that reads an MQTT topic; it raises OSError when the broker is lost."""
    websocket = {"path": "/mqtt"} if url.scheme in WEBSOCKET_PORTS else {}
    member, share, name, keep, ca, pin, cert, key, *path = options(
        url, member="", share="", client="", keep=_SESSION_S, ca="", pin="", cert="", key="", **websocket
    )
    topic = url.path.removeprefix("/")
    if not url.host or not topic:
        raise UsageError(f"source {url.text!r}: write host and topic, for example mqtt://192.168.1.2/p1/+/raw")
    if not _is_filter(topic):
        raise UsageError(
            f"source {url.text!r}: {topic!r} is not a valid topic: + and # must stand alone between "
            "slashes, and # at the end"
        )
    if path and not path[0].startswith("/"):
        raise UsageError(f"source {url.text!r}: path={path[0]!r} must begin with /")
    address = (url.host, url.port or (PORTS | WEBSOCKET_PORTS)[url.scheme])
    session_s = int(duration(url, "keep", keep, 0))
    whom = trust(url, "broker", ca=ca, pin=pin, cert=cert, key=key)
    wanted = f"$share/{share}/{topic}" if share else topic
    client_id = name or own_id(f"{url.user}@{address[0]}:{address[1]}/{wanted}")
    protocol = ProtocolVersion()

    def connect() -> _Subscription:
        broker = _Broker(client_id, protocol, url.user, session_s, whom, *path)
        try:
            broker.connect(address, wanted)
        except OSError:
            broker.close()
            raise
        return _Subscription(broker, member)

    return connect


class _Subscription(Connection):
    acknowledges = True  # nobody keeps messages with QoS 0, so reading goes on

    def __init__(self, broker: "_Broker", member: str) -> None:
        self._broker, self._member = broker, member
        self._taken: list[int] = []  # the ids of messages that are not acknowledged yet
        self._silent_at = time.monotonic() + _SILENCE_S
        self._looked_at = time.monotonic()
        broker.client.most = 1
        self._behind_until = self._looked_at + _BURST_S if broker.has_session else 0.0

    def read(self) -> list[Event]:
        now = time.monotonic()
        client = self._broker.client
        # Only as many messages at once as are processed quickly, so that the broker hears from us in time.
        client.most = min(2 * client.most, _IN_FLIGHT) if now - self._looked_at < _QUICK_S else 1
        if now - self._looked_at > _INATTENTION_S:
            self._behind_until, self._silent_at = now + _BURST_S, now + _SILENCE_S
        found = self._next()
        self._looked_at = time.monotonic()
        return found

    def _next(self) -> list[Event]:
        if len(self._taken) >= _MOST_TAKEN:
            time.sleep(_LULL_S)
            return [Pause(_LULL_S)]
        while not self._broker.messages:  # messages of the session may have come already
            left = self._silent_at - time.monotonic()
            if left < 0:
                self._silent_at = math.inf  # reported once
                return [Silence(_SILENCE_S, _advice(self._broker.topic))]
            if self._behind_until:
                self._broker.wait(_LULL_S)
                self._behind_until *= bool(self._broker.messages)
            elif self._taken:
                self._broker.wait(_LULL_S)
                if not self._broker.messages:
                    return [Pause(_LULL_S)]  # perhaps they can be acknowledged now
            else:
                self._wait(min(left, KEEP_ALIVE_S / 2))
        self._take_what_is_there()
        messages = self._broker.client.take()
        self._taken += [message.mid for message in messages if message.qos]
        self._silent_at = time.monotonic() + _SILENCE_S
        return [self._event(message) for message in messages]

    def _wait(self, seconds: float) -> None:
        """Wait; if the whole program was stalled meanwhile, what comes then has waited, too."""
        end = time.monotonic() + seconds + _INATTENTION_S
        self._broker.wait(seconds)
        if time.monotonic() > end:
            self._behind_until = time.monotonic() + _BURST_S

    def _take_what_is_there(self) -> None:
        """Read the messages that have come meanwhile: each look at the connection reads only a piece of them."""
        before = 0
        while before < len(self._broker.messages) and not self._broker.client.is_full():
            before = len(self._broker.messages)
            self._broker.wait(0.0)

    def _event(self, message: mqtt.MQTTMessage) -> Event:
        """Return what a message contains; one that cannot be read is dropped, as it would come again forever."""
        if message.payload is _UNREADABLE:
            return Dropped(
                "a message has an invalid header, or one longer than 16 KiB, and is dropped: its publisher is faulty"
            )
        if message.payload is _TOO_LONG:
            return Dropped("a message is longer than 256 KiB, and is not a telegram: use a narrower topic")
        try:
            data, is_whole, trouble = unwrap(bytes(message.payload), self._member)
            if trouble:
                return Dropped(trouble)
            is_late = message.retain or message.dup or time.monotonic() < self._behind_until
            return Data(data, message.topic, is_whole, is_late, _sent_ns(message))
        except Exception as error:  # noqa: BLE001  messages may contain anything
            return Dropped(f"a message cannot be read ({type(error).__name__}): check that its topic is UTF-8")

    def done(self) -> None:
        self._broker.client.acknowledge(self._taken)
        self._taken.clear()

    def close(self) -> None:
        self._broker.close()


def _sent_ns(message: mqtt.MQTTMessage) -> int | None:
    """Return when its publisher says that a message was sent: UTC in ns since 1970, None if it does not say."""
    for name, value in getattr(message.properties, "UserProperty", ()):
        if name == "time" and (found := sent_ns(value)):
            return found
    return None


def _time_alone(properties: bytearray) -> Any:
    """Return properties that are the user property `time` and nothing else, as paho would; None for others."""
    found = _TIME_ALONE.fullmatch(properties)
    if not found or len(found[2]) != int.from_bytes(found[1], "big"):
        return None
    return SimpleNamespace(UserProperty=[("time", found[2].decode())])


def _advice(topic: str) -> str:
    return (
        f"the broker is available, but sends no message on {topic!r}: check the topic "
        "(`mosquitto_sub -v -t '#'` lists all), that this user is allowed to read it, and that "
        "the device publishes"
    )


def _is_filter(topic: str) -> bool:
    levels = topic.split("/")
    return all(level in ("+", "#") or not set(level) & set("+#\0") for level in levels) and "#" not in levels[:-1]


class _Client(Client):
    """Keeps the messages that have come, until they are taken.

    On a message that it cannot parse, paho would disconnect, and the broker would send it again forever. Here such a
    message is kept without its payload.
    """

    packets: ClassVar = {**Client.packets, MessageType.SUBACK: _LONGEST_HEAD, MessageType.PUBLISH: 2 * LARGEST}

    def __init__(self, whom: Trust | None, path: str, **options: Any) -> None:
        super().__init__(whom, path, **options)
        self.messages: list[mqtt.MQTTMessage] = []
        self.most = _IN_FLIGHT  # that are kept, at most
        self._room = LARGEST  # bytes

    def is_full(self) -> bool:
        """Whether these messages have to be taken before more are read."""
        return len(self.messages) >= self.most or self._room <= 0

    def take(self) -> list[mqtt.MQTTMessage]:
        """Return the messages that have come, which are then no longer kept."""
        taken, self.messages, self._room = self.messages, [], LARGEST
        return taken

    def _handle_publish(self) -> MQTTErrorCode:
        qos, packet = self._in_packet["command"] >> 1 & 3, self._in_packet["packet"]
        if qos > 1:  # paho would keep it until the broker releases it, perhaps never
            raise ProtocolError(
                "the broker sends a message with QoS 2 instead of 1: check that no other program uses "
                "this client id, ?client=NAME"
            )
        try:
            if self._protocol != MQTTProtocolVersion.MQTTv5:
                return super()._handle_publish()
            return self._handle_publish_5(qos, packet)
        except Exception:  # noqa: BLE001  such as a user property with a byte order mark
            number_at = 2 + int.from_bytes(packet[:2], "big")
            message = mqtt.MQTTMessage(int.from_bytes(packet[number_at : number_at + 2], "big") if qos else 0)
            message.qos, message.payload = qos, _UNREADABLE
            self._handle_on_message(message)
            return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_publish_5(self, qos: int, packet: bytearray) -> MQTTErrorCode:
        """Leave properties to paho, and raise ValueError for too many: its time grows with the square of their number.

        Most messages have none, or that of `telegraf-p1 forward`. These are read here, since paho takes longer for them
        than everything else does.
        """
        number_at = 2 + int.from_bytes(packet[:2], "big")
        at = number_at + (2 if qos else 0)
        payload_at = at + 1 + packet[at]
        sent = _time_alone(packet[at + 1 : payload_at]) if packet[at] else None
        if packet[at] and sent is None:
            if VariableByteIntegers.decode(packet[at : at + 4])[0] > _LONGEST_HEAD:  # type: ignore[no-untyped-call]
                raise ValueError
            return super()._handle_publish()
        message = mqtt.MQTTMessage(int.from_bytes(packet[number_at:at], "big"), bytes(packet[2:number_at]))
        message.qos, message.payload = qos, bytes(packet[payload_at:])
        if sent:
            message.properties = sent
        message.dup, message.retain = bool(self._in_packet["command"] & 8), bool(self._in_packet["command"] & 1)
        self._handle_on_message(message)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_on_message(self, message: mqtt.MQTTMessage) -> None:
        if len(message.payload) > LARGEST:
            message.payload = _TOO_LONG
        self._room -= len(self._in_packet["packet"])
        self.messages.append(message)


class _Broker(Broker):
    """A connection with a subscription."""

    client: _Client
    other = "another client with the same ?client=NAME"

    def __init__(
        self, client_id: str, protocol: ProtocolVersion, user: str, session_s: int, whom: Trust | None, path: str = ""
    ) -> None:
        self.topic = ""
        self._session_s = session_s
        client = _Client(
            whom,
            quote(path),
            client_id=client_id,
            clean_session=None if protocol.is_5() else not session_s,
            protocol=protocol.version,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        super().__init__(client, protocol, user, may_be_tls=not whom and not path)  # a WebSocket's handshake tells it
        client.on_subscribe = self._on_subscribe

    @property
    def messages(self) -> list[mqtt.MQTTMessage]:
        """The messages that have come and were not taken."""
        return self.client.messages

    def connect(self, address: tuple[str, int], topic: str) -> None:
        """Connect and subscribe, or raise OSError with the reason."""
        self.topic = topic
        session: dict[str, Any] = {}
        if self.protocol.is_5():
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._session_s
            properties.ReceiveMaximum = _IN_FLIGHT
            properties.MaximumPacketSize = LARGEST  # the broker drops longer messages
            session = {"clean_start": not self._session_s, "properties": properties}
        self.open(address, **session)

    def wait(self, seconds: float) -> None:
        """Wait for messages, keep the connection alive; raise OSError when it is lost and no message is left."""
        try:
            self.look(seconds)
        except OSError:  # the messages are written first; the next `look` raises it again
            if not self.is_ready or not self.messages:
                raise
        if self.client.is_behind():
            raise OSError(errno.ENOBUFS, "the broker sends messages, but does not read the acknowledgements")

    def greeted(self, _properties: Properties | None) -> None:
        """Subscribe."""
        if self.protocol.is_5():
            # Retained messages are wanted with a new subscription only, not with each connection.
            self.client.subscribe(self.topic, options=SubscribeOptions(qos=1, retainHandling=1))
        else:
            self.client.subscribe(self.topic, qos=1)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], *_: object
    ) -> None:
        self.is_ready = True
        if any(reason.is_failure for reason in reasons):
            self.trouble = OSError(errno.EACCES, f"the broker refuses the topic {self.topic!r}: {reasons[0]}")
