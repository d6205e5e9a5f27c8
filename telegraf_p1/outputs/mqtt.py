"""`--publish mqtt://user@host/root`: publishes each value on its own MQTT topic, in addition to the records.

Retained, QoS 0, when a value has changed and once a minute. No record is lost or delayed because of the broker: while
it is unavailable nothing is published, and all values when it is connected again. `{meter}` in the root is the
equipment identifier. The password comes from P1_MQTT_PASSWORD.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from telegraf_p1.log import Log, where
from telegraf_p1.mqtt_client import Client, ProtocolError
from telegraf_p1.mqtt_options import PASSWORD, PORTS, level, password
from telegraf_p1.outputs.mapping import LONGEST_TOPIC, Mapping
from telegraf_p1.record import Record
from telegraf_p1.tls import Trust, trust
from telegraf_p1.url import UsageError, host_and_port, options, parse

_REPEAT_S: Final = 60.0
_LONGEST_WAIT_S: Final = 60
_MOST_TOPICS: Final = 100_000
_METER: Final = "{meter}"
_NAME: Final = 200  # characters of the option that are shown in messages
_AGAIN_S: Final = 1.0


class _Client(Client):
    """A client whose thread survives errors that paho does not expect: the next connection may work."""

    def __init__(self, whom: Trust | None, trouble: Callable[[str], None]) -> None:
        super().__init__(whom)
        self._trouble = trouble

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:  # noqa: FBT001, FBT002
        """Do what paho's thread does, and start again after an error."""
        while True:
            try:
                return super().loop_forever(timeout, retry_first_connection)
            except ProtocolError as error:
                self._trouble(str(error))
            except Exception as error:  # noqa: BLE001  otherwise nothing would be published any more, without a message
                self._trouble(f"the connection failed with {where(error)}")
            time.sleep(_AGAIN_S)
            self.connect_async(self.host, self.port)

    def _create_socket(self) -> Any:
        try:
            return super()._create_socket()
        except OSError as error:  # paho reports it to nobody
            self._trouble(f"the broker is unreachable: {error.strerror or error}")
            raise


class Publisher:
    """Publishes records; a thread of paho's keeps the connection."""

    def __init__(self, text: str, mapping: Mapping, log: Log) -> None:
        """Raise UsageError if the text is not the URL of a broker."""
        url = parse(text)
        if url.scheme not in PORTS or not url.host:
            raise UsageError(f"--publish {text!r}: write mqtt://host/root or mqtts://host/root")
        ca, pin, cert, key = options(url, ca="", pin="", cert="", key="")
        self._root = url.path.removeprefix("/").rstrip("/")
        self._mapping, self._log, self._name = mapping, log, f"--publish {text[:_NAME]}"
        if set(self._root) & set("+#"):
            raise UsageError(f"{self._name}: a topic to write to cannot contain + or #")
        self._last: dict[str, tuple[str, float]] = {}
        self._in_trouble = self._is_said = False
        self._address = host_and_port(url._replace(port=url.port or PORTS[url.scheme]))
        self._client = _Client(trust(url, "broker", ca=ca, pin=pin, cert=cert, key=key), self._trouble)
        if url.user:
            self._client.username_pw_set(url.user, password())
        self._client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *arguments: self._trouble(f"connection to the broker lost: {arguments[3]}")

    def start(self) -> None:
        """Start to connect, in the background."""
        self._client.connect_async(*self._address)
        self._client.loop_start()

    def publish(self, records: Sequence[Record]) -> None:
        """Publish the values that have changed, or were not published for a minute."""
        for record in records:
            self._publish(record)

    def _publish(self, record: Record) -> None:
        if self._client.is_behind():
            self._say("the broker accepts values more slowly than they come; some are skipped")
        if not self._client.is_connected() or self._client.is_behind():
            self._last.clear()  # publish all values once the broker is available
            return
        now = time.monotonic()
        root = self._root.replace(_METER, level(record.tags.get("meter", "unknown")))
        for topic, text in self._mapping.topics(record):
            # Topics may begin with a slash, which is dropped after a root.
            name = f"{root}/{topic.removeprefix('/')}" if root else topic
            before, at = self._last.get(name, ("", -_REPEAT_S))
            if text != before or now - at >= _REPEAT_S:
                self._send(name, text)
                self._last[name] = text, now
        if len(self._last) > _MOST_TOPICS:
            self._last.clear()

    def _send(self, topic: str, text: str) -> None:
        """Publish a value; if that fails, no other value and no record is lost."""
        if len(topic.encode()) > LONGEST_TOPIC:
            self._say(f"a value is left out, because its topic would be longer than {LONGEST_TOPIC} bytes")
            return
        try:
            self._client.publish(topic, text, retain=True)
        except ValueError as error:
            self._say(f"a value is left out: {where(error)}")

    def _say(self, text: str) -> None:
        self._log.warning_for(f"publish {text}", f"{self._name}: {text}")

    def _on_connect(self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, *_: object) -> None:
        if reason.is_failure:
            self._trouble(f"the broker refuses the connection: {reason} (check {PASSWORD})")
        else:
            self._in_trouble = False
            if self._is_said:
                self._is_said = False
                self._log.info(f"{self._name}: connection restored")

    def _trouble(self, reason: str) -> None:
        """Log that nothing is published: once until a connection succeeds, and at most once a minute per reason."""
        if not self._in_trouble:
            self._in_trouble = True
            self._is_said |= self._log.warning_for(
                f"publish {reason}",
                f"{self._name}: {reason}; retrying, and records are still written",
            )
