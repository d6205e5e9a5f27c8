"""From MQTT to Kafka by Telegraf, set up as docs/kafka.md says: byte for byte, and nothing is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt import publish

from telegraf_p1.simulator.meter import Meter
from tests.helpers import pages
from tests.helpers.kafka import Kafka
from tests.helpers.mosquitto import Device, Mosquitto, subscribed
from tests.helpers.programs import plugin, read_line
from tests.helpers.telegraf import telegraf
from tests.helpers.telegrams import START

# What a text would not survive: as an encrypted telegram, with zeros and blanks at its ends.
BINARY = b"\0\xdb\x08KFM\x00\x00\x01\xff{{ & < \n \0\r\n\0 "


@pytest.fixture
def topic(kafka: Kafka) -> str:
    return kafka.create()


@contextmanager
def bridge(folder: Path, broker: Mosquitto, kafka: Kafka, topic: str) -> Iterator[object]:
    places = (
        ("127.0.0.1:1883", f"127.0.0.1:{broker.port}"),
        ("127.0.0.1:9092", kafka.brokers),
        ('topic = "p1"', f'topic = "{topic}"'),
    )
    path = folder / "bridge.conf"
    path.write_text(pages.replaced(pages.block("kafka.md", "toml"), *places))
    with telegraf(path) as process:
        yield process


def test_bytes_come_through_unchanged_and_records_are_those_of_mqtt(
    tmp_path: Path, broker: Mosquitto, kafka: Kafka, topic: str
) -> None:
    telegrams = {
        f"p1/{form}/raw": Meter(form).telegram(START)
        for form in ("nl-5.0", "be", "se", "hu", "lt", "at", "nl-2.2", "de")
    }
    dated = {name: telegram for name, telegram in telegrams.items() if name not in ("p1/nl-2.2/raw", "p1/de/raw")}
    device = Device(broker)
    with (
        bridge(tmp_path, broker, kafka, topic),
        plugin("run", broker.url("p1/+/raw"), log=tmp_path / "mqtt.log") as by_mqtt,
    ):
        subscribed(broker, 2)
        for device.topic, telegram in {**telegrams, "p1/binary/raw": BINARY}.items():
            device.publish(telegram)
        found = kafka.messages(topic, len(telegrams) + 1)
        lines = {read_line(by_mqtt) for _ in telegrams}
    assert {(message.key() or b"").decode(): message.value() for message in found} == {
        **telegrams,
        "p1/binary/raw": BINARY,
    }
    with plugin("run", kafka.url(topic), log=tmp_path / "kafka.log") as by_kafka:
        others = {read_line(by_kafka) for _ in telegrams}
    device.stop()
    # Those without a time were dated when they came.
    ends = tuple(f"topic={name} " for name in dated)
    assert {line for line in others if any(end in line for end in ends)} == {
        line for line in lines if any(end in line for end in ends)
    }
    assert {line.rpartition(" ")[0] for line in others} == {line.rpartition(" ")[0] for line in lines}


def test_nothing_is_lost_while_kafka_is_away_and_the_bridge_is_killed(
    tmp_path: Path, broker: Mosquitto, kafka: Kafka, topic: str
) -> None:
    sent: list[bytes] = []

    def send(count: int) -> None:
        more = [f"telegram {len(sent) + n}".encode() for n in range(count)]
        publish.multiple(
            [{"topic": "p1/home/raw", "payload": payload, "qos": 1} for payload in more],
            hostname="127.0.0.1",
            port=broker.port,
        )
        sent.extend(more)

    with bridge(tmp_path, broker, kafka, topic) as process:
        subscribed(broker)
        send(20)
        kafka.messages(topic, 20)
        kafka.nodes[0].kill()
        send(20)
        process.kill()  # type: ignore[attr-defined]
    kafka.restart()
    send(20)
    with bridge(tmp_path, broker, kafka, topic):
        found = kafka.messages(topic, 60)
        while not {message.value() for message in found} >= set(sent):  # some came twice
            found = kafka.messages(topic, len(found) + 1)
