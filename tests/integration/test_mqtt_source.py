"""The MQTT source against a real mosquitto: what the broker held is never lost."""

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from websockets.sync.server import ServerConnection

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import open_source
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event, Silence
from telegraf_p1.url import UsageError
from tests.helpers.cable import waiting_in
from tests.helpers.certificates import self_signed
from tests.helpers.databases import Influx
from tests.helpers.fake_broker import (
    CONNACK,
    CONNACK_5,
    ONLY_3_1_1,
    fake_broker,
    fake_websocket_broker,
    publish,
    websocket_server,
)
from tests.helpers.mosquitto import TOPIC, Device, Mosquitto, line, subscribed
from tests.helpers.programs import (
    PLUGIN,
    assert_ends_at_once,
    free_port,
    plugin,
    program,
    read_line,
    something_to_read,
    wait_until,
)
from tests.helpers.server import serving
from tests.helpers.telegraf import MeterAtWork, assert_stored, config, telegraf
from tests.helpers.telegrams import START, with_crc


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[Device]:
    device = Device(broker)
    yield device
    device.stop()


def read_until(process: subprocess.Popen[bytes], last: str) -> list[str]:
    lines = [read_line(process)]
    while lines[-1] != last:
        lines.append(read_line(process))
    return lines


def test_a_message_becomes_a_record_with_its_topic(tmp_path: Path, broker: Mosquitto) -> None:
    topic = 'p1/my, "own" = home/raw'
    with ExitStack() as stack:
        process = stack.enter_context(plugin("run", broker.url("p1/+/raw"), log=tmp_path / "log"))
        subscribed(broker)
        device = Device(broker, topic)
        stack.callback(device.stop)
        sent = device.telegram()
        assert read_line(process) == sent
        assert "rejected" not in (tmp_path / "log").read_text()


def test_messages_that_wait_come_together_and_come_again_unless_they_are_done(
    broker: Mosquitto, device: Device
) -> None:
    source = open_source(broker.url(TOPIC))
    source().close()  # makes the session, in which the broker keeps them
    telegrams = [Meter().telegram(START + n) for n in range(20)]
    for telegram in telegrams:
        device.send(telegram)
    device.settle()

    def waiting() -> tuple[Connection, list[Event]]:
        connection = source()
        found: list[Event] = []
        while len(found) < len(telegrams):
            found += connection.read()
        return connection, found

    connection, found = waiting()
    assert [event.data for event in found if isinstance(event, Data)] == telegrams
    connection.close()  # as if it had been killed before the records were written
    connection, found = waiting()
    assert [event.data for event in found if isinstance(event, Data)] == telegrams
    connection.done()
    wait_until(
        lambda: broker.log.read_text().count("Received PUBACK from p1-") == len(telegrams), "the acknowledgements"
    )
    connection.close()
    connection = source()
    acknowledged = broker.log.read_text().count("Sending PUBLISH to p1-")
    for telegram in telegrams:
        device.send(telegram)
    wait_until(lambda: broker.log.read_text().count("Sending PUBLISH to p1-") >= acknowledged + 20, "the messages")
    found = connection.read()
    assert len(found) > 1
    while len(found) < len(telegrams):
        found += connection.read()
    connection.done()
    device.send(b"the next one")
    assert [event.data for event in connection.read() if isinstance(event, Data)] == [b"the next one"]
    connection.close()


def test_retained_telegrams_count_when_they_carry_their_time(tmp_path: Path, broker: Mosquitto, device: Device) -> None:
    new, old = Meter().telegram(START), Meter("nl-2.2").telegram(START)
    device.publish(new, retain=True)
    log = tmp_path / "log"
    with plugin("run", broker.url(TOPIC), log=log) as process:
        assert read_line(process) == line(new)
    device.topic = "p1/old/raw"
    device.publish(old, retain=True)
    device.settle()
    with plugin("run", broker.url("p1/old/raw"), log=log) as process:
        wait_until(lambda: "left out" in log.read_text(), "the remark")
        device.publish(old)
        assert read_line(process).startswith("p1,meter=E0001010000000011,topic=p1/old/raw ")


def test_what_waited_at_the_broker_has_no_time_of_reception(tmp_path: Path, broker: Mosquitto, device: Device) -> None:
    """Telegrams of a meter without a clock, queued while nobody read: stamped when they come they would be wrong."""
    meter, log = Meter("nl-2.2"), tmp_path / "log"
    with plugin("run", broker.url(TOPIC), log=log):
        subscribed(broker)
    for n in range(60):
        device.publish(meter.telegram(START + n))
    dated = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    dated.UserProperty = ("time", f"{START + 60}.25")
    device.client.publish(TOPIC, meter.telegram(START + 60), qos=1, properties=dated)
    device.settle()
    with plugin("run", broker.url(TOPIC), log=log) as process:
        assert read_line(process).endswith(f" {START + 60}250000000")
        wait_until(lambda: "left out" in log.read_text(), "the remark")
        time.sleep(0.5)  # a live one comes alone
        device.publish(meter.telegram(START + 61))
        now = int(read_line(process).rpartition(" ")[2])
        assert abs(now - time.time_ns()) < 2e9
    assert log.read_text().count("left out") == 1


def test_a_topic_that_is_no_utf_8_costs_its_message(tmp_path: Path) -> None:
    """Mosquitto refuses such a topic; other brokers do not."""
    log, telegram = tmp_path / "log", Meter().telegram(START)
    packets = publish(b"p1/\xff\xfe/raw", b"x", 1), publish(TOPIC.encode(), telegram, 2)
    with (
        fake_broker(*packets) as (port, acknowledged),
        plugin("run", f"mqtt://127.0.0.1:{port}/p1/%23", "--stats", "1s", log=log) as process,
    ):
        read_until(process, line(telegram))
        wait_until(lambda: acknowledged == [1, 2], "both acknowledgements")
        assert "rejected=1i,rejected_message=1i" in read_line(process)
    assert log.read_text().count("is UTF-8") == 1


def test_a_packet_of_any_length_costs_no_memory(tmp_path: Path) -> None:
    """A broker that ignores the size we ask for, or knows MQTT 3.1.1 only."""
    log, telegram = tmp_path / "log", Meter().telegram(START)
    packets = publish(TOPIC.encode(), bytes(150_000_000), 1), publish(TOPIC.encode(), telegram, 2)
    with (
        fake_broker(*packets) as (port, acknowledged),
        plugin("run", f"mqtt://127.0.0.1:{port}/p1/%23", log=log) as process,
    ):
        assert read_line(process) == line(telegram)
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        assert memory < 40 * 1024
        wait_until(lambda: acknowledged == [1, 2], "both acknowledgements")
    assert log.read_text().count("longer than 256 KiB") == 1


@pytest.mark.parametrize("is_hasty", [False, True])
@pytest.mark.parametrize("size", [1_000_000, 250_000])
def test_many_long_messages_at_once_cost_no_memory(tmp_path: Path, size: int, *, is_hasty: bool) -> None:
    log, telegram = tmp_path / "log", Meter().telegram(START)
    packets = [publish(TOPIC.encode(), bytes(size), number) for number in range(1, 301)]
    last = publish(TOPIC.encode(), telegram, 301)
    with (
        fake_broker(*packets, last, answer_to_5=ONLY_3_1_1, is_hasty=is_hasty) as (port, acknowledged),
        plugin("run", f"mqtt://127.0.0.1:{port}/p1/%23", log=log) as process,
    ):
        assert read_line(process) == line(telegram)
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        assert memory < 40 * 1024
        wait_until(lambda: acknowledged == list(range(1, 302)), "the acknowledgements")


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (publish(b"p1", b"x", 7, qos=2), "a message with QoS 2 instead of 1"),
        (b"\x62\x02\x00\x07", "an unexpected packet (type 6)"),  # PUBREL
        (b"\xc0\x00", "an unexpected packet (type 12)"),  # PINGREQ
    ],
)
def test_what_nobody_asked_for_is_not_kept(packet: bytes, said: str) -> None:
    with (
        fake_broker(packet, answer_to_5=ONLY_3_1_1) as (port, _),
        closing(in_3_1_1(port)) as connection,
        pytest.raises(OSError, match=re.escape(said)),
    ):
        connection.read()


@pytest.mark.parametrize("end", [b"\x62\x02\x00\x07", b"\xff", b""])
@pytest.mark.parametrize("qos", [0, 1])
def test_what_came_before_the_connection_broke_counts(end: bytes, qos: int) -> None:
    """Else what the broker sends again and again would never be got over."""
    body = b"\x00\x02p1" + b"\x00\x07" * qos + b"/"
    packet = bytes([0x30 | qos << 1, len(body)]) + body

    def serve(peer: socket.socket) -> None:
        hello = peer.recv(100)
        if hello[hello.index(b"MQTT") + 4] != 4:
            peer.sendall(ONLY_3_1_1)
            return
        peer.sendall(CONNACK)
        peer.sendall(b"\x90\x03" + peer.recv(100)[2:4] + b"\x01")
        peer.sendall(packet * 20 + end)

    with serving(serve) as port, closing(in_3_1_1(port)) as connection:
        found = 0

        def go_on() -> None:
            nonlocal found
            for _ in range(100):
                found += sum(isinstance(event, Data) for event in connection.read())

        with pytest.raises(OSError, match=r"broker|answers"):
            go_on()
        assert found == 20


def test_acknowledgements_that_the_broker_does_not_read_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraf_p1.mqtt_client._MOST_UNSENT", 20)

    def serve(peer: socket.socket) -> None:
        hello = peer.recv(100)
        if hello[hello.index(b"MQTT") + 4] != 4:
            peer.sendall(ONLY_3_1_1)
            return
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        peer.sendall(CONNACK)
        peer.sendall(b"\x90\x03" + peer.recv(100)[2:4] + b"\x01")
        while True:
            peer.sendall(publish(b"p1", b"", 1) * 1000)

    with serving(serve) as port:
        connection = in_3_1_1(port)
        opened = connection._broker.client.socket()  # type: ignore[attr-defined]  # noqa: SLF001
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # so that it is full soon

        def go_on() -> None:
            for _ in range(100_000):
                connection.read()
                connection.done()

        with pytest.raises(OSError, match="does not read the acknowledgements"):
            go_on()


def test_a_head_with_thousands_of_properties_costs_its_message(
    tmp_path: Path, broker: Mosquitto, device: Device
) -> None:
    """Mosquitto passes them on; paho would need seconds for each such message."""
    log = tmp_path / "log"
    many = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    many.UserProperty = [("", "")] * 40_000
    with plugin("run", broker.url(TOPIC), "--stats", "1s", log=log) as process:
        subscribed(broker)
        device.client.publish(TOPIC, b"x", qos=1, properties=many)
        read_until(process, device.telegram())
        while "rejected_message=1i" not in read_line(process):
            pass
    assert log.read_text().count("longer than 16 KiB") == 1


def test_a_message_whose_head_breaks_the_rules_costs_itself(tmp_path: Path, broker: Mosquitto, device: Device) -> None:
    """Mosquitto passes such properties on; paho raises for them, before anybody sees the message."""
    log = tmp_path / "log"
    with plugin("run", broker.url(TOPIC), "--stats", "1s", log=log) as process:
        subscribed(broker)
        # CONNECT in MQTT 5, and a PUBLISH of QoS 1 with a user property of a byte order mark.
        pair = b"\x26\x00\x01a\x00\x03\xef\xbb\xbf"
        body = len(TOPIC).to_bytes(2, "big") + TOPIC.encode() + b"\x00\x01" + bytes([len(pair)]) + pair + b"x"
        hello = b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01z"
        with socket.create_connection(("127.0.0.1", broker.port), 20) as rude:
            rude.sendall(b"\x10" + bytes([len(hello)]) + hello)
            assert rude.recv(100)[:1] == b"\x20"
            rude.sendall(b"\x32" + bytes([len(body)]) + body)
            assert rude.recv(100)[:1] == b"\x40"
        read_until(process, device.telegram())
        while "rejected_message=1i" not in read_line(process):
            pass
    assert log.read_text().count("has an invalid header") == 1
    assert "retrying" not in log.read_text()


def test_while_telegraf_stands_still_what_nobody_keeps_is_read_on(
    tmp_path: Path, broker: Mosquitto, device: Device
) -> None:
    """Telegrams of QoS 0, of a meter without a clock, one each 10 ms: more than stdout and the broker would hold."""
    meter, log = Meter("nl-2.2"), tmp_path / "log"
    with plugin("run", broker.url(TOPIC), "--stats", "1s", log=log) as process:
        subscribed(broker)
        for n in range(400):
            device.client.publish(TOPIC, meter.telegram(START + n), qos=0)
            time.sleep(0.01)
        found = [line for line in (read_line(process) for _ in range(401)) if not line.startswith("p1_stats")]
        while len(found) < 400:
            found.append(read_line(process))
    times = [int(line.rpartition(" ")[2]) for line in found[:400]]
    assert times == sorted(set(times))
    assert times[-1] - times[0] > 3e9  # each has the time at which it came
    assert "dropped" not in log.read_text()


def test_nothing_is_acknowledged_that_is_not_written(tmp_path: Path) -> None:
    telegrams = [Meter().telegram(START + n) for n in range(150)]
    packets = [publish(TOPIC.encode(), telegram, n) for n, telegram in enumerate(telegrams, 1)]
    with (
        fake_broker(*packets, answer_to_5=b"\x20\x02\x00\x01") as (port, acknowledged),
        plugin("run", f"mqtt://127.0.0.1:{port}/{TOPIC}", log=tmp_path / "log") as process,
    ):
        assert process.stdout
        descriptor = process.stdout.fileno()
        wait_until(lambda: waiting_in(descriptor) > 40_000, "a full pipe")
        time.sleep(1)
        assert len(acknowledged) < 100
        assert [read_line(process) for _ in telegrams] == [line(telegram) for telegram in telegrams]
        wait_until(lambda: acknowledged == list(range(1, 151)), "all acknowledgements")


def test_nothing_is_lost_of_what_a_broker_sends_that_does_not_wait(tmp_path: Path) -> None:
    """Mosquitto 2.0.11 sends all that waits, whatever was asked for, once some 1000 messages are acknowledged."""
    count, log, telegram = 12_000, tmp_path / "log", Meter().telegram(START)
    packets = b"".join(publish(b"p1/%d/raw" % n, telegram, n) for n in range(1, count + 1))
    with (
        fake_broker(packets, answer_to_5=ONLY_3_1_1) as (port, acknowledged),
        plugin("run", f"mqtt://127.0.0.1:{port}/p1/%2B/raw", log=log) as process,
    ):
        assert process.stdout
        descriptor = process.stdout.fileno()
        wait_until(lambda: waiting_in(descriptor) > 40_000, "a full pipe")
        time.sleep(3)  # while Telegraf stands still; 12,000 would have come by now
        assert len(acknowledged) < 200
        data = b""
        while data.count(b"\n") < count and something_to_read(process, 20):
            data += os.read(descriptor, 1 << 20)
        topics = [line.partition(b"topic=")[2].partition(b" ")[0] for line in data.splitlines()]
        assert topics == [b"p1/%d/raw" % n for n in range(1, count + 1)]
        wait_until(lambda: acknowledged == list(range(1, count + 1)), "all acknowledgements")
    assert "dropped" not in log.read_text()


def test_a_broker_that_is_not_up_yet_is_spoken_to_in_mqtt_5_once_it_is(tmp_path: Path) -> None:
    """A proxy in front of it lets us in, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(20)
        source = f"mqtt://127.0.0.1:{proxy.getsockname()[1]}/{TOPIC}"
        with plugin("run", source, log=tmp_path / "log"):
            proxy.accept()[0].close()
            with proxy.accept()[0] as client:
                client.settimeout(20)
                hello = client.recv(100)
                assert hello[hello.index(b"MQTT") + 4] == 5


@pytest.mark.parametrize("answer", [b"", b"\x20\x02\x00\x01", b"\x20\x02\x00\x84", b"\x20\x03\x00\x84\x00"])
def test_a_broker_that_hangs_up_on_mqtt_5_is_spoken_to_in_3_1_1(answer: bytes, tmp_path: Path) -> None:
    with fake_broker(publish(TOPIC.encode(), Meter().telegram(START), 1), answer_to_5=answer) as (port, acknowledged):
        with plugin("run", f"mqtt://127.0.0.1:{port}/{TOPIC}", log=tmp_path / "log") as process:
            assert read_line(process) == line(Meter().telegram(START))
            wait_until(lambda: acknowledged == [1], "the acknowledgement")
        assert "3.1.1" in (tmp_path / "log").read_text()


def test_a_topic_on_which_nothing_comes_is_said(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraf_p1.sources.mqtt._SILENCE_S", 0.2)
    connection = open_source(broker.url("p1/wrong/raw"))()
    (event,) = connection.read()
    assert isinstance(event, Silence)
    assert "sends no message on 'p1/wrong/raw'" in event.advice
    connection.close()


def test_what_comes_after_a_silence_came_just_now(
    broker: Mosquitto, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telegraf_p1.sources.mqtt._SILENCE_S", 0.2)
    monkeypatch.setattr("telegraf_p1.sources.mqtt._INATTENTION_S", 0.1)
    connection = open_source(broker.url(TOPIC))()
    assert isinstance(connection.read()[0], Silence)
    device.telegram()
    (event,) = connection.read()
    assert isinstance(event, Data)
    assert not event.is_late
    connection.close()


def test_names_that_are_too_long_are_refused() -> None:
    for url in (f"mqtt://127.0.0.1/{'x' * 65_536}", f"mqtt://127.0.0.1/p1/raw?client={'x' * 65_536}"):
        with pytest.raises(UsageError, match="too long"):
            open_source(url)


def test_a_poisoned_payload_costs_itself(tmp_path: Path, broker: Mosquitto, device: Device) -> None:
    with plugin("run", broker.url(TOPIC), log=tmp_path / "log") as process:
        subscribed(broker)
        device.publish(b"/" + b"x" * 10_000_000)
        device.publish(b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" * 10)
        device.publish(b'{"a":' * 50_000)
        device.publish(rb'{"a":"\ud800"}')
        device.publish(b"A" * 8 + b"\n" * 150_000 + b"!")
        device.publish(b'{"SerialReceived":"' + b" " * 200_000 + b"x")
        device.publish(with_crc(b"/ABC5\r\n\r\n1-0:1.8.1(1" + b" " * 16_000 + b"~)\r\n!"))
        device.publish(b"")
        assert read_until(process, device.telegram())
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        assert memory < 64 * 1024


def test_a_message_with_several_telegrams_is_told_of_once_with_the_cure(
    tmp_path: Path, broker: Mosquitto, device: Device
) -> None:
    log, text = tmp_path / "log", Meter().telegram(START).decode()
    message = json.dumps({"now": text, "before": text.replace("SIM", "OLD")}).encode()
    with plugin("run", broker.url(TOPIC), log=log) as process:
        subscribed(broker)
        device.publish(message)
        device.publish(message)
        telegram = device.telegram()
        assert read_line(process) == telegram
    (said,) = [line for line in log.read_text().splitlines() if line.startswith("W!")]
    assert "?member=NAME" in said


@pytest.mark.parametrize("state", ["subscribed", "silent broker", "no broker"])
@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
def test_it_ends_at_once(state: str, how: str, tmp_path: Path, broker: Mosquitto) -> None:
    log = tmp_path / "log"

    @contextmanager
    def running() -> Iterator[subprocess.Popen[bytes]]:
        with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as stack:
            ports = {"subscribed": broker.port, "silent broker": silent.getsockname()[1], "no broker": free_port()}
            before = broker.log.read_text().count("Sending SUBACK")
            process = stack.enter_context(plugin("run", f"mqtt://127.0.0.1:{ports[state]}/p1/raw", log=log))
            if state == "subscribed":
                subscribed(broker, before + 1)
            elif state == "silent broker":
                stack.enter_context(silent.accept()[0])
            else:
                wait_until(lambda: "retrying" in log.read_text(), "the warning")
            yield process

    assert_ends_at_once(running, how)


def test_a_wrong_password_is_said_once_and_not_hammered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "reader", "right"], check=True)
    broker = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}").start()
    log = tmp_path / "log"
    source = f"mqtt://reader@127.0.0.1:{broker.port}/{TOPIC}"
    try:
        monkeypatch.setenv("P1_MQTT_PASSWORD", "SECRET")
        with plugin("run", source, log=log):
            wait_until(lambda: broker.log.read_text().count("Client connection") >= 0 and log.read_text(), "the error")
            time.sleep(3)
        text = log.read_text()
        (line,) = re.findall("^.*the broker refuses.*$", text, re.MULTILINE)
        assert line.startswith(f"E! {source}: the broker refuses user 'reader' with the password in P1_MQTT_PASSWORD")
        assert "SECRET" not in text
        assert broker.log.read_text().count("not authorised") <= 3
        monkeypatch.setenv("P1_MQTT_PASSWORD", "right")
        with plugin("run", source, log=log):
            subscribed(broker)
    finally:
        broker.stop()


def test_a_password_in_the_source_is_refused() -> None:
    done = subprocess.run([*PLUGIN, "run", "mqtt://me:SECRET@host/x"], capture_output=True, timeout=20, check=False)
    assert done.returncode == 2
    assert b"P1_MQTT_PASSWORD" in done.stderr
    assert b"SECRET" not in done.stderr


def test_a_refused_topic_is_said(tmp_path: Path) -> None:
    # The dynamic security plugin is the one that refuses a subscription, and not only its messages.
    nothing = dict.fromkeys(("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"), False)
    (tmp_path / "security.json").write_text(
        json.dumps({"defaultACLAccess": nothing, "clients": [], "groups": [], "roles": []})
    )
    broker = Mosquitto(
        tmp_path,
        "plugin /usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so",
        f"plugin_opt_config_file {tmp_path}/security.json",
    ).start()
    log = tmp_path / "log"
    try:
        with plugin("run", broker.url(TOPIC), log=log):
            wait_until(lambda: "E! " in log.read_text(), "the error")
        assert f"the broker refuses the topic '{TOPIC}'" in log.read_text()
    finally:
        broker.stop()


class Authority:
    """A certificate authority of the test's own, with a certificate for 127.0.0.1 and one for a client."""

    def __init__(self, folder: Path, name: str) -> None:
        self.ca, self._key = folder / f"{name}.crt", folder / f"{name}.key"
        self._openssl(f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {self._key} -out {self.ca}")
        self.cert, self.key = self._issue(folder / f"{name}-server", "subjectAltName=IP:127.0.0.1")
        self.client_cert, self.client_key = self._issue(folder / f"{name}-client", "extendedKeyUsage=clientAuth")

    def _issue(self, path: Path, extension: str) -> tuple[Path, Path]:
        cert, key, request, extensions = (path.with_suffix(end) for end in (".crt", ".key", ".csr", ".ext"))
        extensions.write_text(extension)
        self._openssl(f"req -newkey rsa:2048 -nodes -subj /CN={path.name} -keyout {key} -out {request}")
        signed = f"-CA {self.ca} -CAkey {self._key} -CAcreateserial -days 2 -extfile {extensions}"
        self._openssl(f"x509 -req -in {request} {signed} -out {cert}")
        return cert, key

    @staticmethod
    def _openssl(arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], check=True, capture_output=True)


def test_tls_checks_the_broker_and_shows_who_we_are(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    broker = Mosquitto(
        tmp_path, f"cafile {ours.ca}", f"certfile {ours.cert}", f"keyfile {ours.key}", "require_certificate true"
    ).start()
    source = f"mqtts://127.0.0.1:{broker.port}/{TOPIC}"
    log = tmp_path / "log"
    try:
        for query, said in (
            (f"?ca={other.ca}&cert={ours.client_cert}&key={ours.client_key}", "certificate is not trusted"),
            (f"?cert={ours.client_cert}&key={ours.client_key}", "certificate is not trusted"),
            (f"?ca={ours.ca}", "retrying"),
        ):
            with plugin("run", source + query, log=log):
                wait_until(lambda: "E! " in log.read_text(), "the error")
            assert said in log.read_text()
            assert "SUBACK" not in broker.log.read_text()
        with plugin("run", f"{source}?ca={ours.ca}&cert={ours.client_cert}&key={ours.client_key}", log=log):
            subscribed(broker)
    finally:
        broker.stop()


def test_a_certificate_that_nobody_has_signed_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = self_signed(tmp_path, "broker")
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text())).hexdigest()
    broker = Mosquitto(tmp_path, f"certfile {cert}", f"keyfile {key}").start()
    source, log = f"mqtts://me@127.0.0.1:{broker.port}/{TOPIC}", tmp_path / "log"
    monkeypatch.setenv("P1_MQTT_PASSWORD", "SECRET")
    try:
        for query, said in (
            ("", f"not trusted (self-signed certificate); if this is your broker, add ?pin={pin}"),
            (f"?pin={'00' * 32}", f"does not match the pin: its SHA-256 is {pin}"),
        ):
            with plugin("run", source + query, log=log):
                wait_until(lambda: "E! " in log.read_text(), "the error")
            assert said in log.read_text()
            assert "CONNECT" not in broker.log.read_text()  # nothing was said on it
        with plugin("run", f"{source}?pin={pin}", log=log):
            subscribed(broker)
    finally:
        broker.stop()


def test_a_certificate_for_another_name_names_both(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    broker = Mosquitto(tmp_path, f"certfile {ours.cert}", f"keyfile {ours.key}").start()
    log = tmp_path / "log"
    try:
        with plugin("run", f"mqtts://localhost:{broker.port}/{TOPIC}?ca={ours.ca}", log=log):
            wait_until(lambda: "E! " in log.read_text(), "the error")
    finally:
        broker.stop()
    assert "is for '127.0.0.1' and not for 'localhost'" in log.read_text()
    assert "add ?pin=" in log.read_text()


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_tls_and_plain_ports_are_told_apart(tmp_path: Path, scheme: str) -> None:
    cert, key = self_signed(tmp_path, "broker")
    lines = (f"certfile {cert}", f"keyfile {key}") if scheme == "mqtt" else ()
    broker, log = Mosquitto(tmp_path, *lines).start(), tmp_path / "log"
    said = {"mqtt": "use mqtts:// if this port needs TLS", "mqtts": "use mqtt://"}[scheme]
    try:
        with plugin("run", f"{scheme}://127.0.0.1:{broker.port}/{TOPIC}", log=log):
            wait_until(lambda: said in log.read_text(), said)
    finally:
        broker.stop()


def test_three_plugins_share_a_topic_tree_and_none_is_needed(tmp_path: Path, broker: Mosquitto) -> None:
    def member(n: int) -> list[str]:
        return ["run", broker.url("p1/+/raw") + f"?share=readers&client=reader-{n}"]

    with ExitStack() as stack:
        processes = [stack.enter_context(plugin(*member(n), log=tmp_path / f"log{n}")) for n in range(3)]
        subscribed(broker, 3)
        devices = [Device(broker, f"p1/{n}/raw") for n in range(30)]
        for device in devices:
            stack.callback(device.stop)
        sent = [device.telegram() for _ in range(5) for device in devices]
        written: list[list[str]] = [[], [], []]
        while sum(map(len, written)) < len(sent):
            for process, lines in zip(processes, written, strict=True):
                while something_to_read(process, 0.05):
                    lines.append(read_line(process))
        assert sorted(line for lines in written for line in lines) == sorted(sent)
        assert all(written)

        processes[1].kill()
        processes[1].wait(10)
        later = [device.telegram() for _ in range(5) for device in devices]
        for device in devices:
            device.settle()
        assert processes[1].poll() is not None
        processes[1] = stack.enter_context(plugin(*member(1), log=tmp_path / "log1"))
        found: set[str] = set()
        while found < set(later):
            for process in processes:
                while something_to_read(process, 0.05):
                    found.add(read_line(process))
        assert found == set(later)


def in_3_1_1(port: int) -> Connection:
    """Connect to a broker that refuses MQTT 5."""
    source = open_source(f"mqtt://127.0.0.1:{port}/p1/%23")
    with pytest.raises(OSError, match=r"3\.1\.1"):
        source()
    return source()


class OldBroker(threading.Thread):
    """A broker that knows MQTT 3.1.1 only, as far as one subscriber needs it."""

    def __init__(self, telegram: bytes) -> None:
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self._telegram = telegram
        self.answer = b""

    def run(self) -> None:
        while True:
            with self.server.accept()[0] as peer:
                connect = peer.recv(4096)
                if connect[connect.index(b"MQTT") + 4] != 4:
                    peer.sendall(ONLY_3_1_1)
                    continue
                peer.sendall(b"\x20\x02\x00\x00")
                subscribe = peer.recv(4096)
                peer.sendall(b"\x90\x03" + subscribe[2:4] + b"\x01")  # SUBACK
                body = len(TOPIC).to_bytes(2, "big") + TOPIC.encode() + b"\x00\x01" + self._telegram
                peer.sendall(b"\x32" + bytes([len(body) % 128 | 128, len(body) // 128]) + body)  # PUBLISH
                self.answer = peer.recv(4)
                peer.recv(1)


def test_a_broker_that_knows_mqtt_3_1_1_only_is_spoken_to_so(tmp_path: Path) -> None:
    telegram = Meter().telegram(START)
    broker = OldBroker(telegram)
    broker.start()
    with broker.server, plugin("run", f"mqtt://127.0.0.1:{broker.port}/{TOPIC}", log=tmp_path / "log") as process:
        assert read_line(process) == line(telegram)
        wait_until(lambda: broker.answer, "the acknowledgement")
    assert broker.answer == b"\x40\x02\x00\x01"  # PUBACK of message 1
    assert "using MQTT 3.1.1" in (tmp_path / "log").read_text()


def websockets(port: int) -> list[str]:
    """Give the lines that open another port, for WebSockets: mosquitto 2.0 does not start with that alone."""
    return [f"listener {port} 127.0.0.1", "protocol websockets"]


def test_mqtt_in_a_websocket_is_as_any_other(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    broker = Mosquitto(tmp_path, *websockets(port)).start()
    source = f"mqtt+ws://127.0.0.1:{port}/p1/+/raw"
    device = Device(broker)
    try:
        with plugin("run", source, log=log) as process:
            subscribed(broker)
            first = device.telegram()
            assert read_line(process) == first
        waiting = [device.telegram() for _ in range(300)]
        device.settle()
        with plugin("run", source, log=log) as process:
            # The first may come twice: its plugin ended when it was written, and perhaps not acknowledged.
            assert [line for line in read_until(process, waiting[-1]) if line != first] == waiting
            broker.stop()
            wait_until(lambda: "retrying" in log.read_text(), "the warning")
            broker.start()
            last = device.telegram()
            assert last in read_until(process, last)
            wait_until(lambda: "connection restored" in log.read_text(), "the good news")
    finally:
        device.stop()
        broker.stop()


def test_mqtt_in_a_websocket_with_tls(tmp_path: Path) -> None:
    port, log, ours = free_port(), tmp_path / "log", Authority(tmp_path, "ours")
    broker = Mosquitto(tmp_path, *websockets(port), f"certfile {ours.cert}", f"keyfile {ours.key}").start()
    source = f"mqtt+wss://127.0.0.1:{port}/{TOPIC}"
    try:
        with plugin("run", source, log=log):
            wait_until(lambda: "certificate is not trusted" in log.read_text(), "the error")
        with plugin("run", f"{source}?ca={ours.ca}&path=/any", log=log):
            subscribed(broker)
    finally:
        broker.stop()


@pytest.mark.parametrize("size", [None, 100_000, 333])
def test_frames_of_any_length_cost_no_memory(tmp_path: Path, size: int | None) -> None:
    log, telegram = tmp_path / "log", Meter().telegram(START)
    long, other = (
        publish(TOPIC.encode(), bytes(150_000_000 if size != 333 else 600_000), 1),
        Meter("be").telegram(START),
    )
    packets = publish(TOPIC.encode(), telegram, 2) + publish(TOPIC.encode(), other, 3)  # two in one frame
    with (
        fake_websocket_broker(long, packets, size=size) as (port, acknowledged),
        plugin("run", f"mqtt+ws://127.0.0.1:{port}/p1/%23", log=log) as process,
    ):
        assert [read_line(process), read_line(process)] == [line(telegram), line(other)]
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        assert memory < 40 * 1024
        wait_until(lambda: acknowledged == [1, 2, 3], "the acknowledgements")
    assert log.read_text().count("longer than 256 KiB") == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"\x81\x01x",  # a text
        b"\xc2\x01x",  # with a bit that nobody has spoken of
        b"\x82\x81abcdx",  # masked
        b"\x89\x7e\xff\xff",  # a long ping
    ],
)
def test_a_frame_that_breaks_the_rules_is_named(frame: bytes) -> None:
    def serve(client: ServerConnection) -> None:
        client.recv()
        client.send(CONNACK_5)
        client.socket.sendall(frame)
        client.recv()

    with websocket_server(serve) as port, pytest.raises(OSError, match="violates the WebSocket protocol"):
        open_source(f"mqtt+ws://127.0.0.1:{port}/{TOPIC}?client=x")()


def test_frames_without_anything_in_them_keep_nobody_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraf_p1.mqtt_broker._CONNECT_S", 0.5)

    def serve(client: ServerConnection) -> None:
        client.recv()
        client.send(CONNACK_5)
        while True:
            client.socket.sendall(b"\x82\x00\x8a\x00" * 1000)

    with websocket_server(serve) as port, pytest.raises(OSError, match="connected, but the broker does not answer"):
        open_source(f"mqtt+ws://127.0.0.1:{port}/{TOPIC}")()


def test_a_websocket_that_was_meant_to_have_tls_is_named(tmp_path: Path) -> None:
    port, log, (cert, key) = free_port(), tmp_path / "log", self_signed(tmp_path, "broker")
    broker = Mosquitto(tmp_path, *websockets(port), f"certfile {cert}", f"keyfile {key}").start()
    try:
        for source, said in (
            (f"mqtt+ws://127.0.0.1:{port}/{TOPIC}", "mqtt+wss://"),
            (f"mqtt+wss://127.0.0.1:{broker.port}/{TOPIC}", "use mqtt+ws://"),
            (f"mqtt+ws://127.0.0.1:{broker.port}/{TOPIC}", "or use the port of its WebSockets"),
        ):
            with plugin("run", source, log=log):
                wait_until(lambda: "E! " in log.read_text(), "the error")
            assert said in log.read_text()
    finally:
        broker.stop()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"", b"sec-websocket-accept\xff\n\n"])
def test_a_port_without_websockets_is_named(tmp_path: Path, answer: bytes) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as server:
        with plugin("run", f"mqtt+ws://127.0.0.1:{server.getsockname()[1]}/{TOPIC}", log=log):
            with server.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(answer)
            wait_until(lambda: "E! " in log.read_text(), "the error")
        words = "check ?path=/mqtt" if answer else "the broker closed the connection without an answer"
        assert f"cannot open a WebSocket: {words}" in log.read_text()


@pytest.mark.parametrize(
    ("source", "word"),
    [("mqtt://host/x?path=/mqtt", "unknown option 'path'"), ("mqtt+ws://host/x?path=", "must begin with /")],
)
def test_a_path_is_for_websockets(source: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        open_source(source)


def test_a_thousand_simulated_meters_are_read(tmp_path: Path, broker: Mosquitto) -> None:
    with plugin("run", broker.url("p1/+/raw"), log=tmp_path / "log") as process:
        subscribed(broker)
        target = broker.url("p1/{n}/raw")
        simulate = [*PLUGIN, "simulate", target, "--meters", "1000", "--interval", "1s", "--count", "2"]
        with program(simulate) as meters:
            lines = [read_line(process) for _ in range(2000)]
            assert meters.wait(20) == 0
    assert len({line.partition(" ")[0] for line in lines}) == 1000
    assert "rejected" not in (tmp_path / "log").read_text()


def test_from_the_device_to_the_database_whatever_breaks(
    tmp_path: Path, broker: Mosquitto, device: Device, influx: Influx
) -> None:
    meter = MeterAtWork(device)
    path = config(tmp_path, influx.url, "run", broker.url("p1/+/raw"))
    with telegraf(path) as process:
        subscribed(broker)
        meter.send(20)
        wait_until(lambda: influx.count() >= 20, "the first records")
        broker.stop()
        broker.start()
        meter.send(20)
        wait_until(lambda: influx.count() >= 40, "what was sent to the new broker")
    meter.send(20)  # neither Telegraf nor the plugin runs
    with telegraf(path) as process:
        wait_until(lambda: influx.count() >= 60, "what the broker held")
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert influx.count() == len(meter.sent) == 60
    assert_stored(influx, meter.sent)
