"""Which topics of a real mosquitto carry telegrams, and of brokers that do what no good one does."""

import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from telegraf_p1.check.topics import topics
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import open_source
from telegraf_p1.sources.envelope import LARGEST
from telegraf_p1.sources.events import Data
from tests.helpers.certificates import self_signed
from tests.helpers.fake_broker import CONNACK, fake_broker, publish
from tests.helpers.mosquitto import Device, Mosquitto
from tests.helpers.programs import free_port, wait_until
from tests.helpers.server import serving
from tests.helpers.telegrams import START, encrypt

SECONDS = 1.5
TELEGRAM = Meter().telegram(START)
OTHER = Meter(seed=2).telegram(START)


@contextmanager
def running(folder: Path, *lines: str) -> Iterator[Mosquitto]:
    broker = Mosquitto(folder, *lines).start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[Device]:
    device = Device(broker)
    yield device
    device.stop()


def url(broker: Mosquitto, user: str = "") -> str:
    return f"mqtt://{user}127.0.0.1:{broker.port}"


def publishing(device: Device, *messages: tuple[str, bytes]) -> Callable[[int, int], None]:
    """Give what publishes these whenever the progress is told."""

    def publish_all(_messages: int, _topics: int) -> None:
        for device.topic, payload in messages:
            device.publish(payload)

    return publish_all


def test_the_topics_with_telegrams_are_named_and_run_reads_them(broker: Mosquitto, device: Device) -> None:
    wrapped = json.dumps({"telegram": OTHER.decode()}).encode()
    result = topics(
        url(broker),
        SECONDS,
        publishing(
            device, ("p1/east/raw", TELEGRAM), ("p1/west/raw", wrapped), ("lamp/state", b"on"), ("lux", encrypt(OTHER))
        ),
    )
    assert [(topic.name, topic.right > 0, topic.encrypted > 0) for topic in result.topics] == [
        ("lux", False, True),
        ("p1/east/raw", True, False),
        ("p1/west/raw", True, False),
    ]
    assert all(topic.retained == 0 for topic in result.topics)
    assert result.sources == [f"{url(broker)}/lux", f"{url(broker)}/p1/+/raw"]
    assert result.messages > 4
    assert result.ended == ""
    device.settle()
    with closing(open_source(result.sources[1])()) as connection:
        device.topic = "p1/west/raw"
        device.publish(wrapped)
        events = connection.read()
    assert [event.data for event in events if isinstance(event, Data)] == [OTHER]


def test_a_retained_telegram_is_found_where_nobody_publishes(broker: Mosquitto, device: Device) -> None:
    device.publish(TELEGRAM, retain=True)
    device.settle()
    (topic,) = topics(url(broker), 0.5).topics
    assert (topic.name, topic.right, topic.retained) == (device.topic, 1, 1)
    assert "retained messages only" in topic.text()


def test_it_leaves_nothing_at_the_broker_and_takes_nothing_from_it(broker: Mosquitto) -> None:
    for _ in range(2):
        topics(url(broker), 0.1)
    wait_until(lambda: broker.log.read_text().count("Received DISCONNECT from p1-check-") == 2, "both to say goodbye")
    log = broker.log.read_text()
    clients = re.findall(r"connected from 127\.0\.0\.1:\d+ as (p1-check-\w{12}) \(p2, c(\d),", log)
    assert [clean for _, clean in clients] == ["1", "1"]
    assert clients[0] != clients[1]
    assert "# (QoS 0)" in log
    assert "Received PUBLISH" not in log


def test_where_nothing_is_published_that_is_said(broker: Mosquitto) -> None:
    assert "no telegrams among them\ncheck that the device publishes" in topics(url(broker), 0.1).text()


def test_a_user_needs_the_right_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "reader", "right"], check=True)
    with running(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        monkeypatch.setenv("P1_MQTT_PASSWORD", "SECRET")
        with pytest.raises(OSError, match="refuses user 'reader' with the password in P1_MQTT_PASSWORD") as error:
            topics(url(broker, "reader@"), 0.1)
        assert "SECRET" not in str(error.value)
        with pytest.raises(OSError, match="refuses a client without a user"):
            topics(url(broker), 0.1)
        monkeypatch.setenv("P1_MQTT_PASSWORD", "right")
        assert topics(url(broker, "reader@"), 0.1).ended == ""


def test_a_broker_with_tls_and_one_in_a_websocket_are_listened_to(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path, "broker")
    web = free_port()
    lines = [f"certfile {cert}", f"keyfile {key}", f"listener {web} 127.0.0.1", "protocol websockets"]
    with running(tmp_path, *lines) as broker:
        assert topics(f"mqtts://127.0.0.1:{broker.port}?ca={cert}", 0.1).ended == ""
        assert topics(f"mqtt+ws://127.0.0.1:{web}", 0.1).ended == ""
        with pytest.raises(OSError, match=r"not trusted .* add \?pin="):
            topics(f"mqtts://127.0.0.1:{broker.port}", 0.1)
        with pytest.raises(OSError, match=r"closed the connection.* use mqtts:// if it needs TLS"):
            topics(f"mqtt://127.0.0.1:{broker.port}", 0.1)


def test_what_was_heard_is_kept_when_the_broker_goes(broker: Mosquitto, device: Device) -> None:
    device.publish(TELEGRAM, retain=True)
    device.settle()

    def stop(messages: int, _topics: int) -> None:
        if messages:
            broker.stop()

    result = topics(url(broker), 20, stop)
    assert [topic.right for topic in result.topics] == [1]
    assert "the broker" in result.ended
    assert result.seconds < 20


def test_where_nobody_listens_that_is_said() -> None:
    with pytest.raises(OSError, match="refused"):
        topics(f"mqtt://127.0.0.1:{free_port()}", 0.1)


def test_a_broker_that_breaks_the_rules_is_left() -> None:
    with fake_broker(publish(b"a", TELEGRAM, 1)) as (port, acknowledged):
        result = topics(f"mqtt://127.0.0.1:{port}", 20)
    assert "another QoS than 0" in result.ended
    assert acknowledged == []

    def greet(peer: socket.socket) -> None:
        peer.sendall(b"\xf0\0")  # AUTH, which is MQTT 5
        peer.recv(1)

    with serving(greet) as port, pytest.raises(OSError, match="unexpected packet"):
        topics(f"mqtt://127.0.0.1:{port}", 20)


def subscribed(peer: socket.socket, granted: bytes) -> None:
    """Grant, or refuse, what a client subscribes to."""
    peer.recv(4096)
    peer.sendall(CONNACK)
    subscription = peer.recv(4096)
    peer.sendall(b"\x90\x03" + subscription[2:4] + granted)


def test_a_broker_that_refuses_all_topics_is_told_how_to_go_on() -> None:
    def refuse(peer: socket.socket) -> None:
        subscribed(peer, b"\x80")
        peer.recv(1)

    with serving(refuse) as port, pytest.raises(OSError, match="give the topic"):
        topics(f"mqtt://127.0.0.1:{port}", 20)


def test_a_broker_that_never_ends_is_listened_to_no_longer_than_wanted() -> None:
    telegram, huge = publish_0(b"p1/raw", TELEGRAM), publish_0(b"camera", bytes(8 * LARGEST))

    def flood(peer: socket.socket) -> None:
        subscribed(peer, b"\0")
        while True:
            peer.sendall(huge + 1000 * telegram + publish_0(b"empty", b""))

    with serving(flood) as port:
        result = topics(f"mqtt://127.0.0.1:{port}", 2)
    assert result.sources == [f"mqtt://127.0.0.1:{port}/p1/raw"]
    assert result.seconds < 10


def publish_0(topic: bytes, payload: bytes) -> bytes:
    """Make a PUBLISH packet with QoS 0, which has no number."""
    return publish(topic, payload[2:], int.from_bytes(payload[:2], "big"), qos=0) if payload else b"\x30\x03\0\1e"
