"""`--publish mqtt://user@host/root`: each value on an MQTT topic of its own, beside the records.

Retained, QoS 0, when it has changed and once a minute. The broker is no reason to lose a record or
to wait: while it is away nothing is published, and everything once it is back. `{meter}` in the
root is the equipment identifier. The password comes from P1_MQTT_PASSWORD.
"""

import time
from typing import Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from telegraf_p1.log import Log
from telegraf_p1.mqtt_options import PASSWORD, PORTS, password, tls_context
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.record import Record
from telegraf_p1.url import UsageError, options, parse

_REPEAT_S: Final = 60.0
_LONGEST_WAIT_S: Final = 60
_MOST_TOPICS: Final = 100_000
_METER: Final = "{meter}"


class Publisher:
    """Publishes records; a thread of paho's keeps the connection."""

    def __init__(self, text: str, mapping: Mapping, log: Log) -> None:
        """Raise UsageError for what is no broker."""
        url = parse(text)
        if url.scheme not in PORTS or not url.host:
            raise UsageError(f"--publish {text!r}: write mqtt://host/root or mqtts://host/root")
        ca, cert, key = options(url, ca="", cert="", key="")
        self._root = url.path.removeprefix("/").rstrip("/")
        if set(self._root) & set("+#"):
            raise UsageError(f"--publish {text!r}: + and # cannot stand in a topic that is written to")
        self._mapping, self._log, self._name = mapping, log, f"--publish {text}"
        self._last: dict[str, tuple[str, float]] = {}
        self._in_trouble = False
        self._address = (url.host, url.port or PORTS[url.scheme])
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if url.user:
            self._client.username_pw_set(url.user, password())
        if url.scheme == "mqtts":
            self._client.tls_set_context(tls_context(url, ca, cert, key))
        self._client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = lambda *_: self._trouble("the broker cannot be reached")
        self._client.on_disconnect = lambda *arguments: self._trouble(f"the broker is gone: {arguments[3]}")

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._client.connect_async(*self._address)
        self._client.loop_start()

    def publish(self, record: Record) -> None:
        """Publish what has changed or was not published for a minute."""
        if not self._client.is_connected():
            self._last.clear()  # all of it, once the broker is back
            return
        now = time.monotonic()
        root = self._root.replace(_METER, _level(record.tags.get("meter", "unknown")))
        for topic, text in self._mapping.topics(record):
            # Old names may begin with a slash; a root goes before it.
            name = f"{root}/{topic.removeprefix('/')}" if root else topic
            before, at = self._last.get(name, ("", -_REPEAT_S))
            if text != before or now - at >= _REPEAT_S:
                self._client.publish(name, text, retain=True)
                self._last[name] = text, now
        if len(self._last) > _MOST_TOPICS:
            self._last.clear()

    def _on_connect(self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, *_: object) -> None:
        if reason.is_failure:
            self._trouble(f"the broker refuses: {reason} (is {PASSWORD} right?)")
        elif self._in_trouble:
            self._in_trouble = False
            self._log.info(f"{self._name} is back")

    def _trouble(self, reason: str) -> None:
        if not self._in_trouble:
            self._in_trouble = True
            self._log.warning(
                f"{self._name}: {reason}; trying again until it is there, records are written all the same"
            )


def _level(text: str) -> str:
    """Give a text that is one level of a topic."""
    return "".join("_" if character in "/+#\0" else character for character in text)
