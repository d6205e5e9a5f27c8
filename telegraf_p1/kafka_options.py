"""What the Kafka source and `forward` have in common: how its brokers are reached, and who is refused.

librdkafka (of `confluent-kafka`) finds the other brokers by itself and reconnects to each. What it has to say comes to
`Voice`, and nothing of it to stderr.
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

PASSWORD: Final = "P1_KAFKA_PASSWORD"  # noqa: S105  its name
# What Kafka's connections may be told by a URL, and what they are told without.
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
# Where it happened and how long it took, before and behind what librdkafka says.
_AROUND: Final = re.compile(r"^(?:[^ ]+: )+| \(after [^()]*\)")


class Brokers:
    """The brokers that a URL names, and how they are spoken to: kafka:// or, with TLS, kafkas://."""

    def __init__(self, url: Url, values: list[str]) -> None:
        """Check what was written, with the values of OPTIONS in their order; raise UsageError."""
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
        """Say that a broker hangs up on us before it answers, and what it may want."""
        wishes = [] if self._trust else ["use kafkas:// if this port needs TLS"]
        if self._trust and "ssl.certificate.location" not in self.settings:
            wishes.append("add ?cert=FILE if it needs a client certificate")
        if not self.user:
            wishes.append("write USER@host if it needs a user")
        return "the broker closes the connection" + (f": {', or '.join(wishes)}" if wishes else "")

    def look(self) -> None:
        """Raise OSError that says why none of the brokers can be reached: librdkafka would try for ever."""
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


class Voice:
    """Hears what librdkafka says of its connections, and gives the one error that matters."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self.is_answered = False  # by any broker, with what was asked for
        self._reason = ""  # why the last connection failed
        self._down_at = 0.0  # when no broker was left (monotonic, s)
        self._trouble: OSError | None = None

    def hear(self, error: KafkaError) -> None:
        """Take what librdkafka tells its `error_cb`."""
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
        """Say that somebody may not do what was asked for."""
        user = self._brokers.user
        who = f"user {user!r} with the password in {PASSWORD}" if user else "a client without a user"
        return OSError(errno.EACCES, f"the broker refuses {who}: {said(error)}")

    def trouble(self) -> OSError | None:
        """Give why nothing can be had from any broker, None while something can."""
        if self._trouble or not self._down_at:
            return self._trouble
        if self._reason:
            return OSError(errno.ECONNRESET, f"no broker is available: {self._reason}")
        # What was the last connection's fault comes behind that, sometimes.
        if time.monotonic() < self._down_at + _REASON_S:
            return None
        return OSError(
            errno.ECONNRESET, "connection to the broker lost" if self.is_answered else self._brokers.hangs_up()
        )


def said(error: KafkaError) -> str:
    """Give what librdkafka says, in as many words as a log needs."""
    return _AROUND.sub("", error.str()).replace("Broker: ", "")


def no_topic(topic: str) -> OSError:
    """Give what is said of a topic that Kafka does not have."""
    return OSError(errno.ENOENT, f"Kafka has no topic {topic!r}: create it, or check its name")


def options_of(error: KafkaException) -> UsageError:
    """Give what is said of settings that librdkafka does not take."""
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
    """Give how a user shows who he is; his password is in the environment."""
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
    """Give where librdkafka writes its log: what matters of it is an error, too."""
    logger = logging.getLogger("telegraf_p1.kafka")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    return logger
