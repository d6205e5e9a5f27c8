"""The test's own Kafka, with one or three nodes, and a device that writes there."""

import base64
import itertools
import subprocess
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from telegraf_p1.simulator.meter import Meter
from tests.helpers.mosquitto import line
from tests.helpers.programs import component, free_port, program, wait_until
from tests.helpers.telegrams import START

# A JVM that starts quickly and is small.
_JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_LOG = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")
_SETTINGS = """\
process.roles=broker,controller
controller.listener.names=CONTROLLER
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.enable=false
controlled.shutdown.enable=false
"""


def _java() -> list[str]:
    return [component("java"), *_JAVA, *_LOG, "-cp", component("kafka") + "/*"]


_MISSED_SOON = ("broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500")  # as in docs/kafka.md
_numbers = itertools.count(1)


class Node:
    """A node of a cluster: broker and controller."""

    def __init__(self, number: int, folder: Path, controller: int) -> None:
        self.number, self.controller, self.port = number, controller, free_port()
        self.log, self.settings = folder / "log", folder / "server.properties"
        self.extra_port = 0  # of a listener in addition to the plain one
        self._running = ExitStack()

    def start(self) -> None:
        with self.log.open("ab") as log:
            started = program([*_java(), "kafka.Kafka", str(self.settings)], stdout=log, stderr=log)
            self.process = self._running.enter_context(started)

    def stop(self) -> None:
        self._running.close()

    def kill(self) -> None:
        """Kill it, as a power cut does."""
        self.process.kill()
        self.stop()


class Kafka:
    """A cluster with a listener without TLS, and perhaps another one, `more`; `lines` are added to its configuration.

    `more` is the name of a security protocol: `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`. `scram` are users in the format of
    `kafka-storage format --add-scram`.
    """

    def __init__(self, folder: Path, nodes: int = 1, *lines: str, more: str = "", scram: Sequence[str] = ()) -> None:
        self._cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._scram = scram
        self.nodes: list[Node] = []
        for number in range(1, nodes + 1):
            (own := folder / f"kafka-{number}").mkdir(parents=True)
            self.nodes.append(Node(number, own, free_port()))
        voters = ",".join(f"{node.number}@127.0.0.1:{node.controller}" for node in self.nodes)
        replicas = min(nodes, 3)
        for node in self.nodes:
            listeners = {"CONTROLLER": node.controller, "PLAINTEXT": node.port}
            if more:
                node.extra_port = listeners[more] = free_port()
            places = {name: f"{name}://127.0.0.1:{port}" for name, port in listeners.items()}
            brokers = [place for name, place in places.items() if name != "CONTROLLER"]
            protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT"} | ({more: more} if more else {})
            node.settings.write_text(
                _SETTINGS
                + "\n".join(
                    (
                        f"node.id={node.number}",
                        f"controller.quorum.voters={voters}",
                        f"listeners={','.join(places.values())}",
                        f"advertised.listeners={','.join(brokers)}",
                        "inter.broker.listener.name=PLAINTEXT",
                        f"listener.security.protocol.map={','.join(map(':'.join, protocols.items()))}",
                        f"log.dirs={node.settings.parent}/data",
                        f"offsets.topic.replication.factor={replicas}",
                        f"transaction.state.log.replication.factor={replicas}",
                        f"min.insync.replicas={min(nodes, 2)}",
                        *(_MISSED_SOON if nodes > 1 else ()),
                        *lines,
                        "",
                    )
                )
            )

    def start(self) -> "Kafka":
        """Format and start all nodes; wait until they answer."""
        users = [word for user in self._scram for word in ("--add-scram", user)]
        formats = [
            subprocess.Popen(
                [
                    *_java(),
                    "kafka.tools.StorageTool",
                    "format",
                    f"--cluster-id={self._cluster}",
                    "-c",
                    str(node.settings),
                    *users,
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for node in self.nodes
        ]
        for process in formats:
            said = process.communicate(timeout=60)[0]
            assert process.returncode == 0, said.decode()
        for node in self.nodes:
            node.start()
        self.wait()
        return self

    def wait(self) -> None:
        """Wait until the nodes that run know each other."""
        running = sum(node.process.poll() is None for node in self.nodes)
        wait_until(lambda: len(self._known()) == running, "Kafka", 60)

    def _known(self) -> Sequence[int]:
        try:
            return list(self.admin().list_topics(timeout=1).brokers)
        except Exception:  # noqa: BLE001  not ready yet
            return []

    def restart(self) -> None:
        """Restart the nodes that were killed."""
        for node in self.nodes:
            if node.process.poll() is not None:
                node.start()
        self.wait()

    def stop(self) -> None:
        for node in self.nodes:
            if hasattr(node, "process"):
                node.kill()

    @property
    def port(self) -> int:
        return self.nodes[0].port

    @property
    def brokers(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def url(self, topic: str, group: str = "readers") -> str:
        return f"kafka://127.0.0.1:{self.port}/{topic}?group={group}"

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})

    def create(self, topic: str = "", partitions: int = 1) -> str:
        """Make a topic with a copy of each partition on each node, wait until all know it, and return its name."""
        topic = topic or f"p1-{next(_numbers)}"
        new = NewTopic(topic, num_partitions=partitions, replication_factor=min(len(self.nodes), 3))
        admin = self.admin()  # has to exist until the answer comes

        def is_made() -> bool:
            try:
                admin.create_topics([new])[topic].result(20)
            except KafkaException as error:  # such as a connection that was replaced by another one
                return bool(error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS)
            return True

        wait_until(is_made, f"the topic {topic} to be made", 30)
        wait_until(lambda: -1 not in self.leaders(topic, partitions), f"the topic {topic}")
        return topic

    def refuse(self, user: str, kind: ResourceType, name: str) -> None:
        """Deny a user everything with a topic or a group."""
        denied = AclBinding(
            kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation.ALL, AclPermissionType.DENY
        )
        admin = self.admin()
        admin.create_acls([denied])[denied].result(20)

    def leaders(self, topic: str, partitions: int) -> list[int]:
        """Return the node that leads each partition, -1 for none."""
        known = self.admin().list_topics(topic, timeout=10).topics[topic].partitions
        return [known[n].leader if n in known else -1 for n in range(partitions)]

    def messages(self, topic: str, count: int) -> list[Message]:
        """Read `count` messages of a topic with one partition, without joining a group."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "none", "log_level": 0})
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Message] = []
        while len(found) < count:
            message = consumer.poll(20)
            assert message is not None, f"{len(found)} messages in {topic}, and no more for 20 s"
            assert message.error() is None, message.error()
            found.append(message)
        consumer.close()
        return found

    def committed(self, topic: str, partitions: int = 1, group: str = "readers") -> list[int]:
        """Return the offset that a group has committed for each partition; 0 for none."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group, "log_level": 0})
        try:
            wanted = [TopicPartition(topic, n) for n in range(partitions)]
            return [max(0, one.offset) for one in consumer.committed(wanted, timeout=20)]
        finally:
            consumer.close()


class Device:
    """Writes telegrams as a gateway does, with the meter as the key."""

    def __init__(self, kafka: Kafka, topic: str, key: str = "home") -> None:
        self.topic, self.key = topic, key
        self._meter, self._now = Meter(), START
        self.producer = Producer({"bootstrap.servers": kafka.brokers, "log_level": 0, "linger.ms": 0, "acks": "all"})

    def publish(
        self,
        value: bytes | None,
        key: str | bytes | None = None,
        partition: int = -1,
        timestamp: int = 0,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        self.producer.produce(
            self.topic, value, key, partition, headers=list(headers), timestamp=timestamp, on_delivery=_delivered
        )
        self.producer.poll(0)

    def send(self, telegram: bytes) -> None:
        self.publish(telegram, self.key)
        self.settle()

    def telegram(self, key: str = "", partition: int = -1) -> str:
        """Write the next telegram; return the line that it has to become."""
        self._now += 1
        telegram = self._meter.telegram(self._now)
        self.publish(telegram, key or self.key, partition)
        return line(telegram, key or self.key)

    def settle(self) -> None:
        """Wait until Kafka has everything."""
        assert self.producer.flush(30) == 0


def _delivered(error: object, _message: object) -> None:
    assert error is None, error
