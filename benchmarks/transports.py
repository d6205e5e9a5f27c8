"""Carries telegrams from meters to plugins: mosquitto with a shared subscription, or Kafka, with the same interface."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol
from unittest.mock import patch

from benchmarks.parts import QUIET, Process
from tests.helpers import pages
from tests.helpers.mosquitto import Mosquitto
from tests.helpers.programs import plugin

_SUBSCRIBED_S: Final = 1.5  # for a plugin to subscribe
_PARTITIONS: Final = 12
_JAVA: Final = ("-Xms1g", "-Xmx1g", "-XX:+UseG1GC")  # as Kafka's own scripts start it: the tests use less memory


class Transport(Protocol):
    """A broker, or several."""

    nodes: list[Process]
    data: list[Path]  # its files on disk
    target: str  # where publishers publish

    def source(self, member: int, members: int, /) -> str:
        """Return the URL that a plugin reads."""

    def introduce(self, members: int, /) -> None:
        """Store what comes from now on for this number of plugins, which do not run yet."""

    def settle(self) -> None:
        """Make it write its data to disk."""


class MosquittoTransport:
    """One mosquitto, set up as docs/mqtt.md says."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._broker = Mosquitto(folder, *QUIET).start()
        stack.callback(self._broker.stop)
        self.nodes, self.data = [self._broker.process], [folder / "mosquitto.db"]
        self._folder = folder
        self.target = self._broker.url("")

    def source(self, member: int, members: int) -> str:
        """Return the URL for a member of a group; a single plugin needs no group."""
        share = "share=readers&" if members > 1 else ""
        return self._broker.url(f"p1/+/raw?{share}client=reader-{member}")

    def introduce(self, members: int) -> None:
        """Let each plugin subscribe once: the broker stores for it what comes from then on."""
        with ExitStack() as stack:
            for member in range(members):
                log = self._folder / f"first-{member}"
                stack.enter_context(plugin("run", self.source(member, members), log=log))
            time.sleep(_SUBSCRIBED_S)

    def settle(self) -> None:
        """Make it save now, as it does every `autosave_interval`."""
        self._broker.save()


class KafkaTransport:
    """Kafka with one node, or with three and a copy of each partition on every node."""

    def __init__(self, stack: ExitStack, folder: Path, nodes: int = 1) -> None:
        from tests.helpers import kafka

        lines = pages.block("kafka.md", "properties")  # a dead broker is noticed soon
        self._kafka = kafka.Kafka(folder, nodes, *lines.splitlines())
        stack.callback(self._kafka.stop)
        with patch.object(kafka, "_JAVA", _JAVA):
            self._kafka.start().create("p1", _PARTITIONS)
        self.nodes = [node.process for node in self._kafka.nodes]
        self.data = [node.settings.parent / "data" for node in self._kafka.nodes]
        self.target = f"kafka://{self._kafka.brokers}/p1"

    def source(self, _member: int, _members: int) -> str:
        """Return the same URL for all members: Kafka assigns the partitions."""
        return self._kafka.url("p1")

    def introduce(self, _members: int) -> None:
        """Do nothing: a new group reads from the beginning."""

    def settle(self) -> None:
        """Do nothing: it writes at once."""

    def count(self) -> int:
        """Count its messages."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self._kafka.brokers, "group.id": "counts"})
        try:
            places = (TopicPartition("p1", number) for number in range(_PARTITIONS))
            return sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
        finally:
            consumer.close()
