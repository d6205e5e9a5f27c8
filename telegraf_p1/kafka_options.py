"""What the Kafka source and `forward` have in common: how brokers are reached, and their errors.

librdkafka (of `confluent-kafka`) finds the other brokers by itself and reconnects to each. Its errors go to
`BrokerErrors`, and none of them to stderr.
"""

import errno
import logging
import os
import re
import time
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from telegraf_p1 import credentials
from telegraf_p1.tls import connected, trust
from telegraf_p1.url import Url, UsageError

PASSWORD: Final = "P1_KAFKA_PASSWORD"  # noqa: S105  the name of the variable
# The options of a URL for connections to Kafka, with their defaults.
OPTIONS: Final = {"brokers": "", "client": "telegraf_p1", "sasl": "", "ca": "", "cert": "", "key": ""}

TOPIC: Final = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]{1,249}")

_PORT: Final = 9092
_CONNECT_S: Final = 10.0
_REASON_S: Final = 0.3
_MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_BROKER: Final = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?")
_REFUSED: Final = (
    KafkaError._AUTHENTICATION,  # noqa: SLF001  librdkafka's own codes have such names
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
# librdkafka puts the place before a message, and the time that it took after it.
_AROUND: Final = re.compile(r"^(?:[^ ]+: )+| \(after [^()]*\)")


class Brokers:
    """The brokers of a URL, and the settings to connect to them: kafka:// or, with TLS, kafkas://."""

    def __init__(self, url: Url, values: list[str]) -> None:
        """Check the URL; `values` are those of OPTIONS, in the same order. Raise UsageError."""
        more, client, mechanism, ca, cert, key = values
        self.user = url.user
        self._addresses = [(url.host, url.port or _PORT), *_addresses(url, more)]
        self._trust = trust(url, "broker", ca=ca, cert=cert, key=key)
        names = {"ssl.ca.location": ca, "ssl.certificate.location": cert, "ssl.key.location": key or cert}
        self.settings: dict[str, Any] = {
            "bootstrap.servers": ",".join(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self._addresses
            ),
            "client.id": client,
            "security.protocol": ("SASL_" if url.user else "") + ("SSL" if self._trust else "PLAINTEXT"),
            **{name: file for name, file in names.items() if file},
            **_sasl(url, mechanism, is_plain=not self._trust),
            "socket.timeout.ms": 10_000,
            "socket.keepalive.enable": True,
            "reconnect.backoff.max.ms": 2_000,
            "topic.metadata.refresh.interval.ms": 30_000,
            "log_level": 0,
            "logger": _nowhere(),
        }

    def hangs_up(self) -> str:
        """Return the message for a broker that closes the connection before it answers, with what it may require."""
        wishes = [] if self._trust else ["use kafkas:// if this port needs TLS"]
        if self._trust and "ssl.certificate.location" not in self.settings:
            wishes.append("add ?cert=FILE if it needs a client certificate")
        if not self.user:
            wishes.append("write USER@host if it needs a user")
        return "the broker closes the connection" + (f": {', or '.join(wishes)}" if wishes else "")

    def check_reachable(self) -> None:
        """Raise OSError with the reason if no broker can be reached: librdkafka would keep trying."""
        trouble: OSError | None = None
        for address in self._addresses:
            try:
                connected(address, self._trust, time.monotonic() + _CONNECT_S).close()
            except TimeoutError:
                trouble = OSError(errno.ETIMEDOUT, "the broker does not answer")
            except OSError as error:
                trouble = error
            else:
                return
        if trouble:
            raise trouble


class BrokerErrors:
    """Collects the errors that librdkafka reports on its connections, and returns the one that matters."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self.is_answered = False  # whether any broker has done what was requested
        self._reason = ""  # why the last connection failed
        self._down_at = 0.0  # when the last broker became unavailable (monotonic, s)
        self._trouble: OSError | None = None

    def on_error(self, error: KafkaError) -> None:
        """Take an error; librdkafka calls this as its `error_cb`."""
        code = error.code()
        if code == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self._down_at = time.monotonic()
        elif code in _REFUSED:
            self._trouble = self.refusal(error)
        elif error.fatal():
            self._trouble = OSError(errno.EPROTO, f"Kafka reports a fatal error: {said(error)}")
        else:
            self._reason = said(error)

    def refusal(self, error: KafkaError) -> OSError:
        """Return the error for a request that the user is not allowed to make."""
        user = self._brokers.user
        who = f"user {user!r} with the password in {PASSWORD}" if user else "a client without a user"
        return OSError(errno.EACCES, f"the broker refuses {who}: {said(error)}")

    def trouble(self) -> OSError | None:
        """Return why no broker can be used, None while one can."""
        if self._trouble or not self._down_at:
            return self._trouble
        if self._reason:
            return OSError(errno.ECONNRESET, f"no broker is available: {self._reason}")
        # The reason for the last lost connection is sometimes reported after that.
        if time.monotonic() < self._down_at + _REASON_S:
            return None
        return OSError(
            errno.ECONNRESET, "connection to the broker lost" if self.is_answered else self._brokers.hangs_up()
        )


def said(error: KafkaError) -> str:
    """Return the text of an error of librdkafka, shortened for the log."""
    return _AROUND.sub("", error.str()).replace("Broker: ", "")


def no_topic(topic: str) -> OSError:
    """Return the error for a topic that Kafka does not have."""
    return OSError(errno.ENOENT, f"Kafka has no topic {topic!r}: create it, or check its name")


def options_of(error: KafkaException) -> UsageError:
    """Return the error for settings that librdkafka does not accept."""
    return UsageError(f"Kafka: {error.args[0].str()}")


def _addresses(url: Url, more: str) -> list[tuple[str, int]]:
    found = []
    for text in filter(None, more.split(",")):
        broker = _BROKER.fullmatch(text)
        if not broker or int(broker["port"] or _PORT) > 65535:
            raise UsageError(f"source {url.text!r}: brokers={more!r} must be like host1:9092,host2:9092")
        found.append((broker["host"].strip("[]"), int(broker["port"] or _PORT)))
    return found


def _sasl(url: Url, mechanism: str, *, is_plain: bool) -> dict[str, str]:
    """Return the settings with which a user authenticates; the password is in the environment."""
    if not url.user:
        if mechanism:
            raise UsageError(f"source {url.text!r}: sasl needs a user: write {url.scheme}://USER@{url.host}")
        return {}
    mechanism = mechanism or _MECHANISMS[0]
    if mechanism not in _MECHANISMS:
        raise UsageError(f"source {url.text!r}: sasl={mechanism!r} must be one of {', '.join(_MECHANISMS)}")
    if mechanism == "PLAIN" and is_plain:
        raise UsageError(f"source {url.text!r}: PLAIN sends the password unencrypted: use kafkas://")
    password = credentials.read(os.environ, PASSWORD)
    if not password:
        raise UsageError(f"source {url.text!r}: set the password of {url.user!r} in {PASSWORD}")
    return {"sasl.mechanism": mechanism, "sasl.username": url.user, "sasl.password": password}


def _nowhere() -> logging.Logger:
    """Return a logger that discards librdkafka's log: what matters in it is reported as an error, too."""
    logger = logging.getLogger("telegraf_p1.kafka")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    return logger
