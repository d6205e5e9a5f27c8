"""What happens to a broker, to its disk, and to a plugin that reads from it.

The device keeps what the broker has not taken, as QoS 1 asks of it.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from telegraf_p1.simulator.meter import Meter
from tests.faults.matrix import PACE, Row, either, fault, line
from tests.helpers.mosquitto import TOPIC, Device, Mosquitto, subscribed
from tests.helpers.programs import wait_until
from tests.helpers.telegrams import START

PART = "MQTT"


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[Device]:
    with publishing(broker) as device:
        yield device


@contextmanager
def publishing(broker: Mosquitto) -> Iterator[Device]:
    device = Device(broker)
    device.client.reconnect_delay_set(1, 1)
    yield device
    device.stop()


def session(row: Row, broker: Mosquitto) -> None:
    """Let a plugin subscribe once: from then on the broker keeps what comes."""
    before = broker.log.read_text().count("Sending SUBACK")
    with row.plugin("run", broker.url(TOPIC)):
        subscribed(broker, before + 1)


@fault(PART, "broker killed (SIGKILL) and restarted while the plugin reads", within=10)
def test_broker_killed(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    with row.plugin("run", broker.url(TOPIC)):
        subscribed(broker)
        row.steady()
        broker.save()  # who subscribes, among other things
        broker.process.kill()
        broker.stop()
        row.send(either(10, 60), PACE)
        broker.start()
        begun = time.monotonic()
        row.wait_for_all()
        row.took(begun)
        row.steady()
        row.said("connection restored")
    assert row.log().count("retrying") == row.log().count("connection restored") == 1


@fault(PART, "broker suspended (SIGSTOP)")
def test_broker_frozen(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    with row.plugin("run", broker.url(TOPIC)):
        subscribed(broker)
        row.steady()
        broker.process.send_signal(signal.SIGSTOP)
        row.send(either(20, 120), PACE)
        broker.process.send_signal(signal.SIGCONT)
        begun = time.monotonic()
        row.wait_for_all(90)
        row.took(begun)
        row.steady()


@fault(PART, "broker with `persistence true` restarted while telegrams are queued for the plugin")
def test_broker_restarted(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    session(row, broker)
    row.send(200)
    device.settle()
    broker.stop()
    broker.start()
    with row.plugin("run", broker.url(TOPIC)):
        begun = time.monotonic()
        row.wait_for_all()
        row.took(begun)


@fault(
    PART,
    "broker with `persistence false` restarted while telegrams are queued for the plugin",
    "queued telegrams: the broker drops them, after it has acknowledged them to the device",
)
def test_broker_without_persistence(row: Row) -> None:
    broker = Mosquitto(row.folder, "persistence false").start()
    try:
        with publishing(broker) as device:
            row.wire, row.topic = device.send, TOPIC
            session(row, broker)
            with row.unheard():
                row.send(200)
                device.settle()
            broker.stop()
            broker.start()
            _reads_again(row, broker)
    finally:
        broker.stop()


def _reads_again(row: Row, broker: Mosquitto) -> None:
    before = broker.log.read_text().count("Sending SUBACK")
    begun = time.monotonic()
    with row.plugin("run", broker.url(TOPIC)):
        subscribed(broker, before + 1)
        row.steady(1)
        row.took(begun)
        row.steady()


@fault(
    PART,
    "broker killed (SIGKILL) while telegrams are queued, half of them saved (`autosave_interval`)",
    "telegrams since the broker's last save: they were in memory only",
)
def test_broker_killed_before_it_saved(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    session(row, broker)
    row.send(100)
    device.settle()
    broker.save()
    with row.unheard():
        row.send(100)
        device.settle()
    broker.process.kill()
    broker.stop()
    broker.start()
    _reads_again(row, broker)


@fault(PART, "the broker's disk is full while telegrams are queued for the plugin")
def test_broker_with_a_full_disk(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    session(row, broker)
    row.send(100)
    device.settle()
    broker.fill_disk()
    row.send(200)
    device.settle()
    broker.process.send_signal(signal.SIGUSR1)
    with row.plugin("run", broker.url(TOPIC)):
        begun = time.monotonic()
        row.wait_for_all()
        row.took(begun)
        row.steady()


@fault(PART, "plugin killed (SIGKILL), 100 times")
def test_plugin_killed(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    session(row, broker)
    for n in range(100):
        row.send(30)
        with row.plugin("run", broker.url(TOPIC)) as process:
            # In the middle: after another number of records each time.
            enough = row.count() + n % 10 + 1
            wait_until(lambda enough=enough: row.count() >= enough, "records")  # type: ignore[misc]
            process.kill()
    _reads_again(row, broker)


@fault(PART, "two plugins with the same client id, which disconnect each other")
def test_twins(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    source = broker.url(TOPIC) + "?client=twin"
    with row.plugin("run", source):
        subscribed(broker)
        row.steady()
        with row.plugin("run", source):
            subscribed(broker, 2)
            row.send(either(60, 120), PACE)
            row.said("another client with the same ?client=NAME")
        begun = time.monotonic()
        row.steady(1)
        row.took(begun)
        row.steady()


@fault(PART, "10,000 telegrams queued for the plugin", within=20)
def test_ten_thousand_wait(row: Row, broker: Mosquitto, device: Device) -> None:
    row.wire, row.topic = device.send, TOPIC
    session(row, broker)
    row.send(10_000)
    device.settle()
    with row.plugin("run", broker.url(TOPIC)):
        begun = time.monotonic()
        row.wait_for_all(60)
        row.took(begun)


@fault(PART, "12,000 topics, each with an incomplete telegram and then a complete one", within=20, memory=64)
def test_half_a_telegram_on_each_of_many_topics(row: Row, broker: Mosquitto, device: Device) -> None:
    telegram = Meter().telegram(START)
    with row.plugin("run", broker.url("p1/+/raw")):
        subscribed(broker)
        begun = time.monotonic()
        for part in (telegram[:450], telegram):
            for n in range(12_000):
                device.topic = f"p1/{n}/raw"
                device.publish(part)
                if part == telegram:
                    row.expect(line(telegram, device.topic))
            device.settle()
            begun = time.monotonic()
        row.wait_for_all(60)
        row.took(begun)
