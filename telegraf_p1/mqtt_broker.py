"""A connection to an MQTT broker, in one thread: how it is opened, what the broker answers, and why it ended.

The MQTT source and `forward` use it. `--publish` does not: it lets paho's thread connect, since nothing waits for what
it publishes.
"""

import errno
import time
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from telegraf_p1.mqtt_client import Client, ProtocolError
from telegraf_p1.mqtt_options import PASSWORD, password

KEEP_ALIVE_S: Final = 30
_CONNECT_S: Final = 10.0
_ENOUGH: Final = 3  # connections that the broker closes without an answer
_UNSUPPORTED_VERSION: Final = 0x84
_REFUSED: Final = (0x86, 0x87)  # bad user name or password, not authorized


def refusal(user: str, reason: ReasonCode) -> OSError:
    """Return the error for a user that the broker refuses, with the reason."""
    if reason.value not in _REFUSED:
        return OSError(errno.ECONNREFUSED, f"the broker refuses the connection: {reason}")
    who = f"user {user!r} with the password in {PASSWORD}" if user else "a client without a user"
    if user and not password():
        who = f"user {user!r} without a password, because {PASSWORD} is not set"
    return OSError(errno.EACCES, f"the broker refuses {who}: {reason}")


class ProtocolVersion:
    """The version of MQTT to use with a broker: 5, or 3.1.1 if it does not support 5.

    Some old brokers close the connection on MQTT 5 without an answer; so does a broker that is still starting. So this
    has to happen several times before 3.1.1 is tried, and 5 is tried again with the next connection.
    """

    def __init__(self) -> None:
        self.version = MQTTProtocolVersion.MQTTv5
        self._is_certain = False
        self._unanswered = 0

    def is_5(self) -> bool:
        """Whether the version is MQTT 5."""
        return self.version == MQTTProtocolVersion.MQTTv5

    def note_answered(self) -> None:
        """Note that the broker has answered."""
        self._unanswered = 0
        if not self.is_5() and not self._is_certain:
            self.version, self._unanswered = MQTTProtocolVersion.MQTTv5, _ENOUGH - 1

    def note_refused(self) -> OSError:
        """Note that the broker has said that it does not support MQTT 5; return the error."""
        self.version, self._is_certain = MQTTProtocolVersion.MQTTv311, True
        return OSError(errno.EPROTONOSUPPORT, "the broker does not support MQTT 5: using MQTT 3.1.1")

    def note_unanswered(self, *, may_be_tls: bool) -> OSError:
        """Note that the broker has closed the connection without an answer; return the error."""
        self._unanswered += 1
        text = "the broker closes the connection without an answer"
        text += ": use mqtts:// if this port needs TLS" if may_be_tls else ""
        if self._unanswered >= _ENOUGH:
            self._unanswered = 0
            self.version = MQTTProtocolVersion.MQTTv311 if self.is_5() else MQTTProtocolVersion.MQTTv5
            text = f"{text}; trying MQTT {'5' if self.is_5() else '3.1.1'} next"
        return OSError(errno.EPROTONOSUPPORT, text)


class Broker:
    """A connection; paho's callbacks run inside `look`, so there is only one thread."""

    other = "another client with the same id"  # the likely cause if the connection is taken over

    def __init__(self, client: Client, protocol: ProtocolVersion, user: str, *, may_be_tls: bool) -> None:
        """`client` uses the version of `protocol`; `may_be_tls`: it is not known whether the port needs TLS."""
        self.client, self.protocol = client, protocol
        self.is_ready = False  # whether it may be used: accepted, and all that a subclass waits for
        self.has_session = False  # whether the broker had a session, and may have kept messages
        self.trouble: OSError | None = None
        self._user, self._may_be_tls = user, may_be_tls
        self._is_answered = False  # by a CONNACK
        self._served_at = time.monotonic()
        self._was_stalled = False  # whether the broker received nothing from us for long
        if user:
            client.username_pw_set(user, password())
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect

    def open(self, address: tuple[str, int], **session: Any) -> None:
        """Connect and wait until the connection may be used; raise OSError with the reason if that fails."""
        self.client.connect(*address, keepalive=KEEP_ALIVE_S, **session)
        end = time.monotonic() + _CONNECT_S
        while not self.is_ready and not self.client.is_full():
            if time.monotonic() > end:
                raise OSError(errno.ETIMEDOUT, "connected, but the broker does not answer")
            self.wait(1.0)
        self.protocol.note_answered()

    def greeted(self, properties: Properties | None) -> None:
        """Continue after the broker has accepted the connection, with its properties in MQTT 5."""
        raise NotImplementedError

    def wait(self, seconds: float) -> None:
        """Wait for messages, and keep the connection alive; raise OSError when it is lost."""
        self.look(seconds)

    def look(self, seconds: float) -> None:
        """Let paho read and write; raise OSError when the connection is lost, with the reason."""
        self._was_stalled = time.monotonic() - self._served_at > KEEP_ALIVE_S
        try:
            result = self.client.loop(seconds)
        except OSError:
            raise
        except ProtocolError as error:
            raise (OSError(errno.EPROTO, str(error)) if self._is_answered else self._unanswered()) from None
        except Exception as error:  # noqa: BLE001  whatever paho raises for bytes that are not MQTT
            raise OSError(
                errno.EPROTO, f"the server does not answer like an MQTT broker ({type(error).__name__})"
            ) from None
        self._served_at = time.monotonic()
        if self.trouble:
            raise self.trouble
        if result != mqtt.MQTT_ERR_SUCCESS:
            raise OSError(errno.ECONNRESET, f"connection to the broker lost: {mqtt.error_string(result)}")

    def _unanswered(self) -> OSError:
        return self.protocol.note_unanswered(may_be_tls=self._may_be_tls)

    def close(self) -> None:
        """Disconnect; the broker keeps the session, and the messages in it."""
        client = self.client
        client.disconnect()
        # The client refers to these methods, and this object to the client. Without that cycle its sockets are closed
        # now, and not some time later.
        client.on_connect = client.on_subscribe = client.on_disconnect = None

    def _on_connect(
        self,
        _client: mqtt.Client,
        _data: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._is_answered, self.has_session = True, flags.session_present
        if reason.value == _UNSUPPORTED_VERSION:
            self.trouble = self.protocol.note_refused()
        elif reason.is_failure:
            self.trouble = refusal(self._user, reason)
        else:
            self.greeted(properties)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, *_: object
    ) -> None:
        if not self.trouble and not self._is_answered:
            self.trouble = self._unanswered()
        elif not self.trouble:
            text = f"the broker closed the connection: {reason}"
            if self._was_stalled:
                text += (
                    " (it received nothing from this program for a long time, because Telegraf or this "
                    "computer was stalled)"
                )
            elif self.is_ready and reason.getName() in ("Unspecified error", "Session taken over"):
                text += f" ({self.other}, if this repeats)"
            self.trouble = OSError(errno.ECONNRESET, text)
