"""`--publish`: values on topics of their own, against a real mosquitto."""

import contextlib
import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from telegraf_p1.log import Log
from telegraf_p1.outputs.mapping import LONGEST_TOPIC, Mapping
from telegraf_p1.outputs.mqtt import Publisher
from telegraf_p1.record import Record
from tests.helpers import pages
from tests.helpers.cable import Cable, open_files
from tests.helpers.certificates import self_signed
from tests.helpers.fake_broker import CONNACK, publish
from tests.helpers.mosquitto import Mosquitto
from tests.helpers.programs import PLUGIN, free_port, plugin, read_line, wait_until
from tests.helpers.server import serving
from tests.helpers.telegraf import telegraf
from tests.helpers.telegrams import ROOT


class Listener:
    """Remembers the last message of each topic."""

    def __init__(self, broker: Mosquitto, topic: str = "#") -> None:
        self.messages: dict[str, str] = {}
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _c, _d, message: self.messages.update({message.topic: message.payload.decode()})
        self._topic = topic
        self.client.on_connect = self._subscribe
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def _subscribe(self, *_: object) -> None:
        self.client.subscribe(self._topic, qos=1)  # also after a restart of the broker

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker)
    yield listener
    listener.stop()


def wait_while_reading(process: subprocess.Popen[bytes], condition: Callable[[], object], what: str) -> None:
    """Wait as Telegraf would let it: a plugin whose records nobody reads stops, and publishes nothing more."""
    wait_until(lambda: read_line(process) and condition(), what)


def test_what_is_let_go_is_not_published(tmp_path: Path, broker: Mosquitto, listener: Listener, cable: Cable) -> None:
    published: list[str] = []
    listener.client.message_callback_add(
        "home/power_import_kw", lambda _client, _data, message: published.append(message.payload.decode())
    )
    passed: set[str] = set()
    let_go: set[str] = set()

    def power(line: str) -> str:
        return line.partition("power_import_kw=")[2].partition(",")[0]

    with plugin(
        "run", str(cable.link), "--every", "10s", "--publish", broker.url("home"), log=tmp_path / "l"
    ) as process:
        wait_until(lambda: cable.device in open_files(process.pid), "the port")

        def one_is_published() -> bool:
            cable.now += 9 - cable.now % 10  # the next one begins a period
            line = cable.send()
            passed.add(power(line))
            assert read_line(process) == line
            let_go.update(power(cable.send()) for _ in range(3))
            return len(published) > 5

        wait_until(one_is_published, "values on their topic")
    assert let_go - passed
    assert set(published) <= passed


def test_values_are_published_on_topics_of_their_own(tmp_path: Path, broker: Mosquitto, listener: Listener) -> None:
    log = tmp_path / "log"
    command = ["run", "sim:?interval=0.1", "--publish", broker.url("home/{meter}")]
    with plugin(*command, log=log) as process:
        root = "home/E0047010000000011"
        wait_while_reading(process, lambda: f"{root}/power_import_kw" in listener.messages, "a value")
        assert listener.messages[f"{root}/p1_version"] == "50"
        broker.stop()
        wait_while_reading(process, lambda: "connection to the broker lost" in log.read_text(), "the warning")
        broker.start()
        wait_while_reading(process, lambda: "connection restored" in log.read_text(), "the good news")
        listener.messages.clear()
        wait_while_reading(process, lambda: f"{root}/power_import_kw" in listener.messages, "values once more")
    late = Listener(broker)
    wait_until(lambda: f"{root}/p1_version" in late.messages, "a retained value")
    late.stop()
    assert log.read_text().count("retrying") == log.read_text().count("connection restored") == 1


def test_a_value_is_published_when_it_has_changed(tmp_path: Path, broker: Mosquitto) -> None:
    counts: Counter[str] = Counter()
    listener = Listener(broker, "x/#")
    listener.client.on_message = lambda _client, _data, message: counts.update([message.topic])
    with plugin("run", "sim:?interval=0.05", "--publish", broker.url("x"), log=tmp_path / "log") as process:
        wait_while_reading(process, lambda: counts["x/voltage_l1_v"] > 10, "changing values")
    listener.stop()
    assert counts["x/p1_version"] == 1


def test_metertrekker_topics_are_published_without_a_root(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    example = ROOT / "examples" / "metertrekker.toml"
    publish = f"mqtt://127.0.0.1:{broker.port}"
    command = ["run", "sim:?interval=0.1", "--definitions", str(example), "--publish", publish]
    with plugin(*command, log=tmp_path / "log") as process:
        lines = [read_line(process) for _ in range(4)]
        wait_while_reading(process, lambda: "/energy/gas/reading" in listener.messages, "a value")
    assert [line.partition(",")[0] for line in lines].count("gas") == 1
    assert "/energy/mains/power/L3_redelivery" in listener.messages


def test_an_identifier_that_is_hashed_stands_in_no_topic_and_no_value(
    tmp_path: Path, broker: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P1_HASH_KEY", "0123456789abcdef")
    command = ["run", "sim:?interval=0.1", "--meter-tag", "hash", "--publish", broker.url("home/{meter}")]
    with plugin(*command, log=tmp_path / "log") as process:
        meter = re.match("p1,meter=([0-9a-f]{16}) ", read_line(process))
        assert meter
        wait_while_reading(process, lambda: f"home/{meter[1]}/gas_meter_id" in listener.messages, "a value")
    assert "0047010000000011" not in "".join((*listener.messages, *listener.messages.values()))


@contextlib.contextmanager
def publisher(url: str) -> Iterator[tuple[Callable[[str, str], None], list[str]]]:
    """Give what publishes the value `n` of a meter, and what is said."""
    said: list[str] = []
    publisher = Publisher(url, Mapping(), Log(said.append))
    publisher.start()
    try:
        yield lambda meter, text: publisher.publish([Record({"meter": meter}, {"n": text}, 0, [])]), said
    finally:
        client = publisher._client  # noqa: SLF001  the program never stops it
        client.disconnect()
        client.loop_stop()


def test_no_name_and_no_value_of_a_meter_cuts_the_others_off(broker: Mosquitto, listener: Listener) -> None:
    # mosquitto hangs up for a topic with U+FFFE or a control character in it.
    evil = ("A\ufffe", "B\x07", "C\ud800", "D/+#\0", "\xa0", "E" * LONGEST_TOPIC)
    with publisher(broker.url("out/{meter}")) as (publish, said):

        def all_are_there() -> bool:
            for name in (*evil, "good"):
                publish(name, "5")
            publish("bad", "\ud800")
            publish("last", "6")
            return "out/last/n" in listener.messages

        wait_until(all_are_there, "the values")
        assert [line for line in said if "would be longer than 65535 bytes" in line]
        assert [line for line in said if "a value is left out: UnicodeEncodeError" in line]
        assert len(said) == 2
    topics = {f"out/{name}/n" for name in ("A_", "B_", "C_", "D____", "_", "good", "last")}
    assert {topic for topic in listener.messages if topic.startswith("out/")} == topics


def test_what_paho_does_not_expect_is_one_line_and_values_come_again(
    broker: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [ValueError("secret"), UnicodeError("secret")]
    resolve = socket.getaddrinfo

    def getaddrinfo(*arguments: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with publisher(broker.url("out")) as (publish, said):
        wait_until(lambda: publish("", "5") or "out/n" in listener.messages, "a value")
        assert not failures
        assert len(said) == 2
        assert "the connection failed with UnicodeError at test_mqtt_output.py:" in said[0]
        assert "connection restored" in said[1]
        assert "secret" not in "".join(said)


def test_a_broker_that_hangs_up_each_second_is_said_once() -> None:
    hung_up = []

    def hang_up(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = server.accept()
                with peer:
                    peer.recv(100)
                    peer.sendall(b"\x20\x02\x00\x00")
                    hung_up.append(peer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        with publisher(f"mqtt://127.0.0.1:{server.getsockname()[1]}/x") as (_, said):
            wait_until(lambda: len(hung_up) >= 4, "four connections")
    assert [line for line in said if "connection to the broker lost" in line] == said[:1]
    assert [line for line in said if "connection restored" in line] == said[1:]
    assert len(said) == 2


def test_why_tls_with_the_broker_fails_is_said(tmp_path: Path, broker: Mosquitto) -> None:
    cert, key = self_signed(tmp_path, "broker")
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text())).hexdigest()
    folder = tmp_path / "tls"
    folder.mkdir()
    with_tls = Mosquitto(folder, f"certfile {cert}", f"keyfile {key}").start()
    try:
        cure = f"if this is your broker, add ?pin={pin}"
        for url, why in (
            (
                f"mqtts://127.0.0.1:{with_tls.port}/x",
                f"not trusted (self-signed certificate); {cure}",
            ),
            (
                f"mqtts://localhost:{with_tls.port}/x?ca={cert}",
                f"for '127.0.0.1' and not for 'localhost'; {cure}",
            ),
            (f"mqtts://127.0.0.1:{with_tls.port}/x?pin={'00' * 32}", f"does not match the pin: its SHA-256 is {pin}"),
            (f"mqtts://127.0.0.1:{broker.port}/x", "if this port does not use TLS"),
            (f"mqtt://127.0.0.1:{free_port()}/x", "Connection refused"),
        ):
            with publisher(url) as (_, said):
                wait_until(lambda said=said: said, "the reason")  # type: ignore[misc]
            assert f"{url[:200]}: the broker is unreachable: " in said[0]
            assert why in said[0]
        with publisher(f"mqtts://127.0.0.1:{with_tls.port}/x?pin={pin}") as (_, said):
            wait_until(lambda: "Sending CONNACK to" in with_tls.log.read_text(), "the connection")
            assert not said
    finally:
        with_tls.stop()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_broker_that_sends_messages_costs_no_memory(tmp_path: Path, qos: int) -> None:
    """Nobody has subscribed to anything."""

    def serve(peer: socket.socket) -> None:
        peer.recv(100)
        peer.sendall(CONNACK)
        for number in range(1, 200):
            peer.sendall(publish(b"x", bytes(1_000_000), number, qos))

    log = tmp_path / "log"
    with (
        serving(serve) as port,
        plugin("run", "sim:?interval=0.1", "--publish", f"mqtt://127.0.0.1:{port}/x", log=log) as process,
    ):
        wait_while_reading(process, lambda: "unexpected packet (type 3)" in log.read_text(), "the message")
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        assert memory < 40 * 1024


def test_what_a_broker_does_not_take_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads nothing, and says that it is there."""
    monkeypatch.setattr("telegraf_p1.mqtt_client._MOST_UNSENT", 20)
    done = threading.Event()

    def serve(peer: socket.socket) -> None:
        peer.recv(100)
        peer.sendall(CONNACK)
        done.wait(20)

    with serving(serve) as port, publisher(f"mqtt://127.0.0.1:{port}/x") as (publish, said):
        wait_until(lambda: publish("", os.urandom(100_000).hex()) or said, "the message")
        assert "accepts values more slowly" in said[0]
        done.set()


def test_telegraf_publishes_as_the_documentation_says(tmp_path: Path, broker: Mosquitto, listener: Listener) -> None:
    output = pages.block("publish.md", "toml", holding="outputs.mqtt")
    path = tmp_path / "telegraf.conf"
    command = json.dumps([*PLUGIN, "run", "sim:"])
    path.write_text(
        '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n'
        f'[[inputs.execd]]\n  command = {command}\n  signal = "none"\n  data_format = "influx"\n'
        + output.replace("127.0.0.1:1883", f"127.0.0.1:{broker.port}")
    )
    with telegraf(path):
        wait_until(lambda: "home/E0047010000000011/power_import_kw" in listener.messages, "a value")
