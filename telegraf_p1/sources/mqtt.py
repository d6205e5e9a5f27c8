"""Telegrams from an MQTT broker: `mqtt://user@host:1883/p1/+/raw`, `mqtts://…` with TLS.

The broker keeps what it may not deliver: QoS 1, a fixed client id, a session that outlives the
connection, and a message acknowledged only when its record was written. What comes twice has the
same time and tags. The password comes from P1_MQTT_PASSWORD.

Options: `member` of JSON that holds the telegram, `share` (a group that shares the messages), `client`
(the client id), `ca`, `cert`, `key` (files, for TLS).
"""

import contextlib
import errno
import hashlib
import os
import socket
import ssl
import time
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from telegraf_p1.mqtt_options import PASSWORD, PORTS, password, tls_context
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.envelope import unwrap
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.url import Url, UsageError, options

_CONNECT_S: Final = 10.0
_KEEP_ALIVE_S: Final = 30
_SESSION_S: Final = 7 * 24 * 3600
# More than any telegram with what devices wrap around it; the broker drops longer messages.
_LARGEST: Final = 256 * 1024
# Few, so that little comes twice after a crash; enough to drain a full queue at full speed.
_IN_FLIGHT: Final = 100
_UNSUPPORTED_VERSION: Final = 0x84
_REFUSED: Final = (0x86, 0x87)  # bad user name or password, not authorized


def source(url: Url) -> Source:
    """Read an MQTT topic; a lost broker raises OSError."""
    member, share, name, ca, cert, key = options(url, member="", share="", client="", ca="", cert="", key="")
    topic = url.path.removeprefix("/")
    if not url.host or not topic:
        raise UsageError(f"source {url.text!r}: write host and topic, for example mqtt://192.168.1.2/p1/+/raw")
    if not _is_filter(topic):
        raise UsageError(
            f"source {url.text!r}: {topic!r} is no topic: + and # stand alone between slashes, # at the end"
        )
    address = (url.host, url.port or PORTS[url.scheme])
    tls = tls_context(url, ca, cert, key) if url.scheme == "mqtts" else None
    wanted = f"$share/{share}/{topic}" if share else topic
    client_id = name or _client_id(f"{url.user}@{address[0]}:{address[1]}/{wanted}")
    version = [MQTTProtocolVersion.MQTTv5]

    def connect() -> _Subscription:
        broker = _Broker(client_id, version, url.user, tls)
        try:
            broker.connect(address, wanted)
        except OSError:
            broker.close()
            raise
        return _Subscription(broker, member)

    return connect


class _Subscription(Connection):
    keeps = True

    def __init__(self, broker: "_Broker", member: str) -> None:
        self._broker, self._member = broker, member
        self._taken: list[mqtt.MQTTMessage] = []  # and not acknowledged yet

    def read(self) -> list[Event]:
        while not self._broker.messages:  # what the broker held may have come already
            self._broker.wait()
        self._take_what_is_there()
        self._taken += self._broker.messages
        found = [self._event(message) for message in self._broker.messages]
        self._broker.messages.clear()
        return found

    def _take_what_is_there(self) -> None:
        """Take the messages that have come meanwhile: each look at the connection takes one packet."""
        before = 0
        with contextlib.suppress(OSError):  # the next read will say it; what came is written first
            while before < len(self._broker.messages) < _IN_FLIGHT:
                before = len(self._broker.messages)
                self._broker.wait(0.0)

    def _event(self, message: mqtt.MQTTMessage) -> Event:
        data, is_whole = unwrap(bytes(message.payload), self._member)
        return Data(data, message.topic, ends_message=is_whole, retained=message.retain)

    def done(self) -> None:
        for message in self._taken:
            self._broker.client.ack(message.mid, message.qos)
        self._taken.clear()

    def close(self) -> None:
        self._broker.close()


def _is_filter(topic: str) -> bool:
    levels = topic.split("/")
    return all(level in ("+", "#") or not set(level) & set("+#\0") for level in levels) and "#" not in levels[:-1]


def _client_id(subscription: str) -> str:
    """Give an id that is the same after a restart, and another one for another topic, computer or user."""
    text = f"{socket.gethostname()} {os.getuid()} {subscription}"
    return "p1-" + hashlib.sha256(text.encode()).hexdigest()[:16]


class _Broker:
    """A connection; its callbacks run inside `wait`, so there is one thread."""

    def __init__(
        self, client_id: str, version: list[MQTTProtocolVersion], user: str, tls: ssl.SSLContext | None
    ) -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self._version = version  # of the protocol: the broker's, once it is known
        self._user = user
        self._subscribed = False
        self._trouble: OSError | None = None
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if version[0] == MQTTProtocolVersion.MQTTv5 else False,
            protocol=version[0],
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if user:
            self.client.username_pw_set(user, password())
        if tls:
            self.client.tls_set_context(tls)
        self.client.connect_timeout = _CONNECT_S
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)

    def connect(self, address: tuple[str, int], topic: str) -> None:
        """Connect and subscribe, or raise OSError with the reason."""
        self._topic = topic
        session: dict[str, Any] = {}
        if self._version[0] == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_S
            properties.ReceiveMaximum = _IN_FLIGHT
            properties.MaximumPacketSize = _LARGEST
            session = {"clean_start": False, "properties": properties}
        try:
            self.client.connect(*address, keepalive=_KEEP_ALIVE_S, **session)
        except ssl.SSLCertVerificationError as error:
            reason = f"the broker's certificate is not trusted: {error.verify_message} (?ca=FILE names its CA)"
            raise OSError(errno.EACCES, reason) from None
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "the broker does not answer") from None
        end = time.monotonic() + _CONNECT_S
        while not self._subscribed:
            if time.monotonic() > end:
                raise OSError(errno.ETIMEDOUT, "connected, but the broker does not answer")
            self.wait(1.0)

    def wait(self, seconds: float = _KEEP_ALIVE_S / 2) -> None:
        """Wait for messages, keep the connection alive; raise OSError when it is lost."""
        result = self.client.loop(seconds)
        if self._trouble:
            raise self._trouble
        if result != mqtt.MQTT_ERR_SUCCESS:
            raise OSError(errno.ECONNRESET, f"the broker is gone: {mqtt.error_string(result)}")

    def close(self) -> None:
        """Disconnect; the session, and what waits in it, stays with the broker."""
        client = self.client
        client.disconnect()
        # They know us and we know the client: without them its sockets are closed now, not at some later time.
        client.on_connect = client.on_subscribe = client.on_disconnect = client.on_message = None

    def _on_connect(self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, *_: object) -> None:
        if reason.value == _UNSUPPORTED_VERSION and self._version[0] == MQTTProtocolVersion.MQTTv5:
            self._version[0] = MQTTProtocolVersion.MQTTv311
            self._trouble = OSError(errno.EPROTONOSUPPORT, "the broker knows MQTT 3.1.1 only, and is spoken to so")
        elif reason.value in _REFUSED:
            who = f"user {self._user!r} with the password in {PASSWORD}" if self._user else "a client without a user"
            self._trouble = OSError(errno.EACCES, f"the broker refuses {who}: {reason}")
        elif reason.is_failure:
            self._trouble = OSError(errno.ECONNREFUSED, f"the broker refuses the connection: {reason}")
        elif self._version[0] == MQTTProtocolVersion.MQTTv5:
            # Retained messages are wanted with a new subscription only, not with each connection.
            self.client.subscribe(self._topic, options=SubscribeOptions(qos=1, retainHandling=1))
        else:
            self.client.subscribe(self._topic, qos=1)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], *_: object
    ) -> None:
        self._subscribed = True
        if any(reason.is_failure for reason in reasons):
            self._trouble = OSError(errno.EACCES, f"the broker refuses the topic {self._topic!r}: {reasons[0]}")

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, *_: object
    ) -> None:
        if not self._trouble:
            text = f"the broker has closed the connection: {reason}"
            if self._subscribed and reason.getName() in ("Unspecified error", "Session taken over"):
                text += " (another client with the same ?client=NAME, if this comes again and again)"
            self._trouble = OSError(errno.ECONNRESET, text)
