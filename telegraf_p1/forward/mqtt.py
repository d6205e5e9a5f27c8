"""Sends letters to an MQTT broker: `mqtt://user@host/p1/{meter}/raw`, `mqtts://…` (TLS), `mqtt+ws://…` (WebSocket).

QoS 1, with as many unacknowledged letters as the broker allows. The user property `time` is when a letter was received:
seconds since 1970, UTC; a broker without MQTT 5 does not get it. The same topic with `status` as its last level is
retained: `online`, or `offline` by our last will. The password comes from P1_MQTT_PASSWORD.

paho would keep what it publishes, send it again by itself, and take 60 µs for each letter. So packets are made here,
and the forwarder keeps letters that are not acknowledged.

Options: `client` (the client id), `ca`, `cert`, `key` (files) and `pin` (for TLS), `path` (of the WebSocket).
"""

import errno
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Final, Literal, NamedTuple
from urllib.parse import quote

from paho.mqtt.enums import MessageType, MQTTErrorCode
from paho.mqtt.properties import Properties, VariableByteIntegers

from telegraf_p1.backoff import LONGEST_WAIT_REFUSED_S
from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.target import Target, TargetListener
from telegraf_p1.forward.threaded import Threaded
from telegraf_p1.log import Log
from telegraf_p1.mqtt_broker import KEEP_ALIVE_S, Broker, ProtocolVersion
from telegraf_p1.mqtt_client import Client
from telegraf_p1.mqtt_options import PORTS, WEBSOCKET_PORTS, level, password
from telegraf_p1.own_id import own_id
from telegraf_p1.tls import Trust, trust
from telegraf_p1.url import Url, UsageError, options

_MOST_UNACKNOWLEDGED: Final = 1000
_LONGEST_ANSWER: Final = 16 * 1024
_LONGEST_TOPIC: Final = 1000  # bytes, without the meter's name
_CLOSE_TIMEOUT_S: Final = 1.0
_METER: Final = "{meter}"
_PUBLISH: Final = 0x32  # QoS 1
_STATUS: Final = 0x31  # QoS 0, retained
_USER_PROPERTY: Final = b"\x26\0\x04time\0"
_FAILURE: Final = 0x80  # reasons from here on are failures
_NOBODY: Final = 0x10  # "no matching subscribers" (MQTT 5, 3.4.2.1)
_REASONS: Final = {
    0x83: "the broker cannot accept telegrams now",
    0x87: "this user is not allowed to write there",
    0x90: "the broker does not accept this topic name",
    0x97: "this user's quota is exceeded",
}
_LINGER_S: Final = 2.0
# If the broker hangs up so often on what is published first, it refuses the topic. With `max_queued_messages 0`,
# mosquitto 2.0.11 does nothing else to refuse one.
_ENOUGH: Final = 2
_SILENCE_S: Final = 60.0


def target(url: Url, log: Log, who: str) -> Target:
    """Return an MQTT topic as a target; `who` distinguishes the forwarders of one computer. Raise UsageError."""
    websocket = {"path": "/mqtt"} if url.scheme in WEBSOCKET_PORTS else {}
    name, ca, pin, cert, key, *path = options(url, client="", ca="", pin="", cert="", key="", **websocket)
    topic = url.path.removeprefix("/")
    if not url.host or not topic:
        raise UsageError(f"target {url.text!r}: write host and topic, for example mqtt://192.168.1.2/p1/{_METER}/raw")
    if set(topic) & set("+#"):
        raise UsageError(f"target {url.text!r}: a topic to write to cannot contain + or #")
    if set(topic.replace(_METER, "")) & set("{}"):
        raise UsageError(f"target {url.text!r}: {_METER} is the only name in braces that is supported")
    if len(topic.encode()) > _LONGEST_TOPIC:
        raise UsageError(f"target: the topic is longer than {_LONGEST_TOPIC} bytes")
    if topic.rpartition("/")[2] in ("status", ""):
        raise UsageError(f"target {url.text!r}: add a last level to the topic, for example raw; status is reserved")
    if path and not path[0].startswith("/"):
        raise UsageError(f"target {url.text!r}: path={path[0]!r} must begin with /")
    if url.user:
        password()  # an invalid one is reported now
    place = _Place(
        (url.host, url.port or (PORTS | WEBSOCKET_PORTS)[url.scheme]),
        topic,
        url.user,
        name or own_id(f"forward {who} {url.user}@{url.host}/{topic}"),
        trust(url, "broker", ca=ca, pin=pin, cert=cert, key=key),
        *path,
    )
    return MqttTarget(place, log, url.text)


class _Place(NamedTuple):
    """Where the broker is, and what it has to know about us."""

    address: tuple[str, int]
    topic: str
    user: str
    client_id: str
    whom: Trust | None
    path: str = ""

    def status(self, meter: str) -> str:
        """Return the topic that says whether we are online."""
        above, slash, _ = self.topic.replace(_METER, level(meter)).rpartition("/")
        return f"{above}{slash}status"


class _RefusedError(OSError):
    """The broker refuses what is published to a topic."""


class MqttTarget(Threaded["_MqttConnection"]):
    """Keeps a connection in a thread of its own."""

    def __init__(self, place: _Place, log: Log, name: str) -> None:
        self.needs_meter = _METER in place.topic
        super().__init__(log, name)
        self._place = place
        self._protocol = ProtocolVersion()
        self._cut_off = 0  # how often in a row the broker hung up on what was published first

    def open(self, meter: str) -> "_MqttConnection":
        """Connect to the broker."""
        connection = _MqttConnection(self._place, self._protocol, meter, self.log)
        try:
            connection.connect()
        except BaseException:
            connection.end()
            raise
        if not self._cut_off:
            self.outage.ends()
        return connection

    def lost(self, error: OSError, connection: "_MqttConnection | None", *, was_steady: bool) -> float:
        """Find out whether the broker refuses the topic; return the s to wait."""
        refused = connection.refused_topic() if connection and not was_steady else ""
        self._cut_off = self._cut_off + 1 if refused else 0
        if self._cut_off >= _ENOUGH and not isinstance(error, _RefusedError):
            text = (
                "the broker closes the connection when it receives a telegram: check that this user is "
                f"allowed to write to the topic {refused!r}"
            )
            error = _RefusedError(errno.EACCES, text)
        wait_s = super().lost(error, connection, was_steady=was_steady)
        return LONGEST_WAIT_REFUSED_S if isinstance(error, _RefusedError) else wait_s


class _Client(Client):
    """Collects the acknowledgements of packets: their numbers and reasons."""

    packets: ClassVar = {**Client.packets, MessageType.PUBACK: _LONGEST_ANSWER}

    def __init__(self, whom: Trust | None, path: str, **more: Any) -> None:
        super().__init__(whom, path, **more)
        self.answers: list[tuple[int, int]] = []

    def publish_packets(self, packets: bytes) -> None:
        """Send ready-made packets, many at once."""
        self._packet_queue(MessageType.PUBLISH, packets, 0, 1)

    def _handle_pubackcomp(self, _kind: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        self.answers.append((int.from_bytes(packet[:2], "big"), packet[2] if len(packet) > 2 else 0))
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class _MqttConnection(Broker):
    """A connection that sends letters; only one thread uses it, except for `offer` and `wake`."""

    client: _Client

    def __init__(self, place: _Place, protocol: ProtocolVersion, meter: str, log: Log) -> None:
        self.has_delivered = False
        self._place, self._log = place, log
        self._meter, self._status = meter, place.status(meter)
        self._offered: deque[tuple[int, Letter]] = deque()
        # By packet number: the number of the letter, and its meter.
        self._unacknowledged: dict[int, tuple[int, str]] = {}
        self._number = 0
        self._most = _MOST_UNACKNOWLEDGED
        self._largest = 0
        self._answered_at = time.monotonic()  # or when nothing was on its way
        self._refused = ""
        self._reported_no_subscriber = False  # once per connection
        self._wake_reader, self._wake_writer = socket.socketpair()
        client = _Client(
            place.whom,
            quote(place.path),
            client_id=place.client_id,
            clean_session=None if protocol.is_5() else True,
            protocol=protocol.version,
            reconnect_on_failure=False,
        )
        super().__init__(client, protocol, place.user, may_be_tls=not place.whom and not place.path)
        client.will_set(self._status, "offline", qos=1, retain=True)

    def connect(self) -> None:
        """Connect, or raise OSError with the reason."""
        self.open(self._place.address, **({"clean_start": True} if self.protocol.is_5() else {}))

    def greeted(self, properties: Properties | None) -> None:
        """Note the broker's limits, and publish that we are online."""
        self._most = min(_MOST_UNACKNOWLEDGED, getattr(properties, "ReceiveMaximum", _MOST_UNACKNOWLEDGED))
        self._largest = getattr(properties, "MaximumPacketSize", 0)
        if getattr(properties, "MaximumQoS", 1) < 1:
            self.trouble = OSError(errno.EPROTO, "the broker does not support QoS 1, which confirms delivery")
        self._publish_status("online")
        self.is_ready = True

    def refused_topic(self) -> str:
        """Return the topic that we may not write to, if the broker let us in and acknowledged nothing; else empty."""
        if self.has_delivered or not self.is_ready:
            return ""
        return self._topic(next((meter for _, meter in self._unacknowledged.values()), self._meter))

    def offer(self, number: int, letter: Letter) -> bool:
        """Accept a letter if there is room for it; called by the forwarder's thread."""
        if len(self._offered) + len(self._unacknowledged) >= self._most or self._refused:
            return False
        self._offered.append((number, letter))
        if len(self._offered) == 1:
            self.wake()
        return True

    def wake(self) -> None:
        """Make `serve` look at what there is to do; called from any thread."""
        with suppress(OSError):  # the socket is full, or closed
            self._wake_writer.send(b"\0", socket.MSG_DONTWAIT)

    def serve(self, listener: TargetListener, closes: threading.Event, arrives: Callable[[], None]) -> None:
        """Send what is offered until `closes` is set; raise OSError when the connection is lost."""
        refused_at = 0.0
        while not closes.is_set():
            if not self._refused:
                self._send(listener)
            try:
                self._listen(_LINGER_S if self._refused else (self.client.keepalive or KEEP_ALIVE_S) / 3)
            except OSError:
                self._handle_answers(listener, arrives)
                if self._refused:  # some brokers hang up then (mosquitto 2.0.11)
                    raise _RefusedError(errno.EACCES, self._refused) from None
                raise
            self._handle_answers(listener, arrives)
            if not self._refused:
                continue
            # What is on its way to other topics may still arrive.
            refused_at = refused_at or time.monotonic()
            if not self._unacknowledged or time.monotonic() > refused_at + _LINGER_S:
                raise _RefusedError(errno.EACCES, self._refused)

    def _listen(self, seconds: float) -> None:
        opened: Any = self.client.socket()
        if opened and not opened.pending():
            writing = [opened] if self.client.want_write() else []
            if self._wake_reader in select.select([opened, self._wake_reader], writing, [], seconds)[0]:
                self._wake_reader.recv(4096)
        self.look(0.0)

    def _handle_answers(self, listener: TargetListener, arrives: Callable[[], None]) -> None:
        arrived: list[int] = []
        for number, reason in self.client.answers:
            own, meter = self._unacknowledged.pop(number, (0, ""))
            if reason == _NOBODY and not self._reported_no_subscriber:
                self._reported_no_subscriber = True
                self._log.warning(
                    f"nobody has subscribed to {self._topic(meter)!r}: the broker accepts telegrams there and "
                    "discards them"
                )
            if reason < _FAILURE:
                arrived += [own] if own else []
            elif not self._refused:
                why = _REASONS.get(reason, f"reason {reason:#04x}")
                self._refused = f"the broker refuses the topic {self._topic(meter)!r}: {why}"
        if self.client.answers or not self._unacknowledged:
            self._answered_at = time.monotonic()
        elif time.monotonic() > self._answered_at + _SILENCE_S:
            raise OSError(errno.ETIMEDOUT, f"the broker has acknowledged nothing for {_SILENCE_S:g} s")
        self.client.answers.clear()
        if arrived:
            self.has_delivered = True
            listener.acknowledged(arrived)
            arrives()

    def _send(self, listener: TargetListener) -> None:
        """Send what was offered, as much as the broker allows."""
        packets: list[bytes] = []
        while self._offered and len(self._unacknowledged) < self._most:
            own, letter = self._offered.popleft()
            packet = self._packet(letter)
            if self._largest and len(packet) > self._largest:
                self._log.warning_for(
                    "target too long",
                    f"a telegram of {len(letter.telegram)} bytes is dropped: the broker accepts {self._largest} "
                    "at most",
                )
                listener.acknowledged([own])
                continue
            self._unacknowledged[self._number] = own, letter.meter
            packets.append(packet)
        if packets:
            self.client.publish_packets(b"".join(packets))

    def _packet(self, letter: Letter) -> bytes:
        """Make a PUBLISH packet (MQTT 5, 3.3), with the next free number."""
        self._number = self._number % 65_535 + 1
        while self._number in self._unacknowledged:
            self._number = self._number % 65_535 + 1
        topic = self._topic(letter.meter).encode()
        properties = b""
        if self.protocol.is_5():
            value = letter.time().encode()
            pair = _USER_PROPERTY + bytes([len(value)]) + value
            properties = bytes([len(pair)]) + pair
        return _packet(_PUBLISH, topic, self._number.to_bytes(2, "big") + properties + letter.telegram)

    def _topic(self, meter: str) -> str:
        return self._place.topic.replace(_METER, level(meter))

    def _publish_status(self, status: str) -> None:
        properties = b"\0" if self.protocol.is_5() else b""
        self.client.publish_packets(_packet(_STATUS, self._status.encode(), properties + status.encode()))

    def end(self) -> None:
        """Publish that we are offline, disconnect, and forget what was on its way."""
        with suppress(OSError, ValueError):
            if self.is_ready and self.client.is_connected():
                self._publish_status("offline")
                # The socket's buffer may be full. If the broker does not read in time, our last will says it.
                end = time.monotonic() + _CLOSE_TIMEOUT_S / 2
                while self.client.want_write() and time.monotonic() < end:
                    self._listen(_CLOSE_TIMEOUT_S / 4)
            self.close()
        self._wake_reader.close()
        self._wake_writer.close()


def _packet(kind: int, topic: bytes, rest: bytes) -> bytes:
    length = 2 + len(topic) + len(rest)
    return b"%c%b%b%b%b" % (kind, VariableByteIntegers.encode(length), len(topic).to_bytes(2, "big"), topic, rest)  # type: ignore[no-untyped-call]
