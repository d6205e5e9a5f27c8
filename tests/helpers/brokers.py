"""Real brokers that Telegraf's own inputs read, and clients that publish there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika

from tests.helpers.programs import answers, component, free_port, program, wait_until

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on the PATH changes the user, and needs root


class Nats:
    """A connection to the test's own nats-server; its protocol is lines of text."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._answers = self._socket.makefile("rb")
        self._socket.sendall(b'CONNECT {"verbose":false}\r\n')
        self.settle()

    def publish(self, subject: str, payload: bytes) -> None:
        self._socket.sendall(b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(payload), payload))

    def settle(self) -> None:
        """Wait until the server has all that was sent."""
        self._socket.sendall(b"PING\r\n")
        while self._answers.readline() not in (b"PONG\r\n", b""):
            pass

    def is_subscribed(self, subject: str) -> bool:
        return f"[SUB {subject} " in self._log.read_text()

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


@contextmanager
def nats(folder: Path) -> Iterator[Nats]:
    port = free_port()
    with (folder / "nats.log").open("wb") as log:
        command = [component("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-V"]
        with program(command, stdout=log, stderr=log):
            wait_until(lambda: answers(port), "nats-server")
            server = Nats(port, folder / "nats.log")
            yield server
            server.close()


class Rabbit:
    """A connection to the test's own RabbitMQ."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
        self._channel = self._connection.channel()

    def publish(self, exchange: str, key: str, payload: bytes) -> None:
        self._channel.basic_publish(exchange, key, payload, pika.BasicProperties(delivery_mode=2))

    def waiting(self, queue: str) -> int:
        """Count the messages in a queue that no client has taken."""
        return int(self._channel.queue_declare(queue, passive=True).method.message_count)

    def is_read(self, queue: str) -> bool:
        """Whether a client reads a queue, which need not exist yet."""
        channel = self._connection.channel()
        try:
            return int(channel.queue_declare(queue, passive=True).method.consumer_count) > 0
        except pika.exceptions.ChannelClosedByBroker:
            return False

    def close(self) -> None:
        self._connection.close()


@contextmanager
def rabbit(folder: Path) -> Iterator[Rabbit]:
    """Run one with its own name server and files, since there may be another one on this computer."""
    component("rabbitmq-server")
    names, port = free_port(), free_port()
    (folder / "plugins").write_text("[].")
    environment = {
        "HOME": folder,  # where its cookie is
        "ERL_EPMD_PORT": names,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"p1-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_DIST_PORT": free_port(),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": folder / "mnesia",
        "RABBITMQ_LOG_BASE": folder / "log",
        "RABBITMQ_PID_FILE": folder / "pid",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
        "RABBITMQ_CONF_ENV_FILE": folder / "none",
        "RABBITMQ_CONFIG_FILE": folder / "none",
    }
    with (folder / "rabbitmq.log").open("wb") as log:
        options: dict[str, Any] = {"stdout": log, "stderr": log}
        # Started here, it ends with the test; RabbitMQ would leave one running.
        with program(["epmd", "-port", str(names), "-address", "127.0.0.1"], **options):
            wait_until(lambda: answers(names), "epmd")
            settings = os.environ | {name: str(value) for name, value in environment.items()}
            with program([str(RABBITMQ)], env=settings, **options):
                wait_until(lambda: answers(port), "RabbitMQ", 60)
                server = Rabbit(port)
                yield server
                server.close()
