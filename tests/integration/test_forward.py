"""`telegraf-p1 forward` against a real mosquitto: whatever goes away, each telegram arrives, and is dated right."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import open_source
from tests.helpers.certificates import self_signed
from tests.helpers.fake_broker import CONNACK, ONLY_3_1_1
from tests.helpers.mosquitto import Device, Mosquitto, line, subscribed
from tests.helpers.programs import PLUGIN, free_port, plugin, program, read_line, wait_until
from tests.helpers.server import serving
from tests.helpers.telegrams import KEY, LUXEMBOURG, ROOT, START, encrypt

TOPIC = "p1/E0047010000000011/raw"
STATUS = "p1/E0047010000000011/status"
METER = "p1/{meter}/raw"


class Reader:
    """Reads all that comes, in a session that the broker keeps; remembers each time that was said."""

    def __init__(self, port: int, user: str = "", password: str = "", name: str = "reader") -> None:
        self.telegrams: list[bytes] = []
        self.times: list[Decimal] = []
        self.status: list[str] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda client, *_: client.subscribe("p1/#", qos=1)
        self.client.on_message = self._hear
        self.client.reconnect_delay_set(1, 1)
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = 3600
        self.client.connect("127.0.0.1", port, clean_start=False, properties=kept)
        self.client.loop_start()

    def _hear(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/status"):
            self.status.append(message.payload.decode())
            return
        self.telegrams.append(bytes(message.payload))
        self.times += [
            Decimal(value) for name, value in getattr(message.properties, "UserProperty", ()) if name == "time"
        ]

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def reader(broker: Mosquitto) -> Iterator[Reader]:
    reader = Reader(broker.port)
    yield reader
    reader.stop()


@contextmanager
def forwarding(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run it as systemd does: /dev/null is its stdin."""
    with (folder / "log").open("ab") as log:
        command = [*PLUGIN, "forward", *arguments, "--queue", str(folder / "queue")]
        with program(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log) as process:
            yield process


def said(folder: Path) -> str:
    return (folder / "log").read_text()


class House:
    """A meter behind a TCP bridge, and what it sent: each telegram without its line end, as a frame has it."""

    def __init__(self, server: socket.socket, form: str = "nl-5.0") -> None:
        self.source = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        self.meter = Meter(form)
        self.sent: list[bytes] = []
        self._server = server
        self._peers: list[socket.socket] = []

    def meet(self) -> None:
        """Wait until somebody reads."""
        self._peers.append(self._server.accept()[0])

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            telegram = self.meter.telegram(START + len(self.sent))
            self._peers[-1].sendall(telegram)
            self.sent.append(telegram.rstrip(b"\r\n"))

    def leave(self) -> None:
        for peer in self._peers:
            peer.close()


@pytest.fixture
def house() -> Iterator[House]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        house = House(server)
        yield house
        house.leave()


def on_disk(folder: Path) -> int:
    """Give the bytes of the queue's log and database, which grow with what is on disk."""
    return sum(path.stat().st_size for path in folder.glob("queue*"))


def test_telegrams_arrive_as_they_were_with_the_time_they_came(
    tmp_path: Path, broker: Mosquitto, reader: Reader, house: House
) -> None:
    before = time.time()
    with forwarding(tmp_path, house.source, broker.url(METER)) as process:
        house.meet()
        house.send(3)
        wait_until(lambda: len(reader.telegrams) == 3, "the telegrams")
        assert reader.status == ["online"]
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 2
    assert reader.telegrams == house.sent
    assert all(before < at < time.time() for at in reader.times)
    assert len(reader.times) == 3
    wait_until(lambda: reader.status == ["online", "offline"], "the last status")
    assert said(tmp_path) == ""


def test_what_came_while_the_broker_was_away_arrives_in_order_and_dated_right(
    tmp_path: Path, broker: Mosquitto, reader: Reader, house: House
) -> None:
    with forwarding(tmp_path, house.source, broker.url(METER)):
        house.meet()
        house.send(2)
        wait_until(lambda: len(reader.telegrams) == 2, "the first telegrams")
        broker.stop()
        wait_until(lambda: "telegrams are queued until the connection is restored" in said(tmp_path), "the warning")
        away: list[tuple[float, float]] = []
        for _ in range(5):
            begun = time.time()
            house.send()
            time.sleep(0.2)
            away.append((begun, time.time()))
        broker.start()
        wait_until(lambda: len(reader.telegrams) == 7, "what had waited")
        house.send(2)
        wait_until(lambda: len(reader.telegrams) == 9, "what came later")
    assert reader.telegrams == house.sent
    assert all(begun < at < end for at, (begun, end) in zip(reader.times[2:7], away, strict=True))
    assert (
        said(tmp_path).count("connection restored")
        == said(tmp_path).count("are queued until the connection is restored")
        == 1
    )


def test_a_topic_that_nobody_has_subscribed_to_is_named_once(tmp_path: Path, broker: Mosquitto, house: House) -> None:
    with forwarding(tmp_path, house.source, broker.url(METER)):
        house.meet()
        house.send()
        wait_until(lambda: f"nobody has subscribed to '{TOPIC}'" in said(tmp_path), "the warning")
        house.send(2)
        wait_until(lambda: broker.log.read_text().count("Sending PUBACK") == 3, "the acknowledgements")
    assert said(tmp_path).count("nobody has subscribed") == 1


def test_run_dates_what_had_waited_by_the_property(tmp_path: Path, house: House) -> None:
    """A meter without a clock: the record's time is when its telegram came, not when the broker was back."""
    broker = Mosquitto(tmp_path).start()
    open_source(broker.url("p1/+/raw"))().close()  # makes the session, in which the broker keeps them
    broker.stop()
    house.meter = Meter("nl-2.2")
    with forwarding(tmp_path, house.source, broker.url("p1/home/raw")):
        house.meet()
        empty = on_disk(tmp_path)
        begun = time.time_ns()
        house.send()
        time.sleep(1)  # the pause ends what has no CRC
        house.send()
        came = time.time_ns()
        wait_until(lambda: on_disk(tmp_path) > empty, "the first on disk")
        time.sleep(1)
        broker.start()
        try:
            with plugin("run", broker.url("p1/+/raw"), log=tmp_path / "run.log") as running:
                at = int(read_line(running).rpartition(" ")[2])
        finally:
            broker.stop()
    assert begun < at < came


def test_nothing_on_disk_is_lost_by_a_kill(tmp_path: Path, broker: Mosquitto, house: House) -> None:
    broker.stop()
    with forwarding(tmp_path, house.source, broker.url(METER)) as process:
        house.meet()
        empty = on_disk(tmp_path)
        house.send(20)
        wait_until(lambda: on_disk(tmp_path) > empty, "telegrams on disk")
        time.sleep(1)
        process.kill()
        process.wait(10)
    broker.start()
    reader = Reader(broker.port)
    subscribed(broker)
    with forwarding(tmp_path, house.source, broker.url(METER)):
        wait_until(lambda: len(reader.telegrams) == 20, "what was on disk")
    reader.stop()
    assert reader.telegrams == house.sent
    assert "telegrams waiting on disk, which are sent first: 20" in said(tmp_path)


def test_its_end_keeps_what_the_broker_did_not_acknowledge(
    tmp_path: Path, broker: Mosquitto, reader: Reader, house: House
) -> None:
    with forwarding(tmp_path, house.source, broker.url(METER)) as process:
        house.meet()
        house.send()
        wait_until(lambda: reader.telegrams, "the first telegram")
        broker.process.send_signal(signal.SIGSTOP)
        house.send(5)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 3
        broker.process.send_signal(signal.SIGCONT)
    with forwarding(tmp_path, house.source, broker.url(METER)):
        wait_until(lambda: set(reader.telegrams) >= set(house.sent), "all of them")
    assert list(dict.fromkeys(reader.telegrams)) == house.sent


def test_a_forwarder_that_is_killed_is_offline_by_its_last_will(
    tmp_path: Path, broker: Mosquitto, reader: Reader, house: House
) -> None:
    with forwarding(tmp_path, house.source, broker.url(METER)) as process:
        house.meet()
        house.send()
        wait_until(lambda: reader.status == ["online"], "the status")
        process.kill()
        wait_until(lambda: reader.status == ["online", "offline"], "the last will")
    late = Reader(broker.port, name="late")
    wait_until(lambda: late.status == ["offline"], "the status that the broker keeps")
    late.stop()


def test_a_recording_ends_it_once_all_has_arrived(tmp_path: Path, broker: Mosquitto, reader: Reader) -> None:
    meter = Meter()
    telegrams = [meter.telegram(START + n) for n in range(300)]
    (tmp_path / "recording").write_bytes(b"".join(telegrams))
    broker.stop()
    with forwarding(tmp_path, f"file:{tmp_path}/recording", broker.url(METER)) as process:
        wait_until(lambda: on_disk(tmp_path) > 60_000, "the queue")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        broker.start()
        assert process.wait(20) == 0
    wait_until(lambda: len(reader.telegrams) == 300, "the telegrams")
    assert reader.telegrams == [telegram.rstrip(b"\r\n") for telegram in telegrams]


def test_a_recording_waits_where_the_queue_has_no_more_room(tmp_path: Path, broker: Mosquitto, reader: Reader) -> None:
    meter = Meter()
    telegrams = [meter.telegram(START + n) for n in range(4000)]
    (tmp_path / "recording").write_bytes(b"".join(telegrams))
    broker.stop()
    arguments = (f"file:{tmp_path}/recording", broker.url(METER), "--queue-size", "1MB")
    with forwarding(tmp_path, *arguments) as process:
        wait_until(lambda: "reading pauses" in said(tmp_path), "the queue to be full")
        broker.start()
        assert process.wait(60) == 0
    wait_until(lambda: len(reader.telegrams) >= len(telegrams), "the telegrams")
    assert list(dict.fromkeys(reader.telegrams)) == [telegram.rstrip(b"\r\n") for telegram in telegrams]


def test_an_encrypted_telegram_stays_encrypted(
    tmp_path: Path, broker: Mosquitto, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted = [encrypt(Meter("lu").telegram(START + n), counter=n + 1) for n in range(2)]
    (tmp_path / "recording").write_bytes(b"".join(encrypted))
    arguments = (f"file:{tmp_path}/recording", broker.url("p1/home/raw"))
    with forwarding(tmp_path, *arguments) as process:
        assert process.wait(20) == 0
    assert "P1_DECRYPTION_KEY" in said(tmp_path)
    assert reader.telegrams == []
    monkeypatch.setenv("P1_DECRYPTION_KEY", KEY.hex())
    monkeypatch.setenv("P1_AUTHENTICATION_KEY", LUXEMBOURG.hex())
    with forwarding(tmp_path, *arguments) as process:
        assert process.wait(20) == 0
    wait_until(lambda: len(reader.telegrams) == 2, "the telegrams")
    assert reader.telegrams == encrypted
    assert KEY.hex() not in said(tmp_path)


def test_a_broker_is_acknowledged_once_the_other_has_it(tmp_path: Path, broker: Mosquitto) -> None:
    folder = tmp_path / "far"
    folder.mkdir()
    far = Mosquitto(folder)
    # A disk that takes nothing: only the other broker can make it safe.
    (tmp_path / "file").touch()
    command = [
        *PLUGIN,
        "forward",
        broker.url("p1/+/raw"),
        far.url("p1/home/raw"),
        "--queue",
        str(tmp_path / "file" / "q"),
    ]
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("wb"))
        stack.enter_context(program(command, stdin=subprocess.DEVNULL, stderr=log))
        subscribed(broker)
        device = Device(broker)
        stack.callback(device.stop)
        lines = [device.telegram() for _ in range(3)]
        device.settle()
        wait_until(lambda: "are kept in memory" in said(tmp_path), "the error")
        assert "Received PUBACK from p1-" not in broker.log.read_text()
        far.start()
        stack.callback(far.stop)
        reader = Reader(far.port)
        stack.callback(reader.stop)
        wait_until(lambda: broker.log.read_text().count("Received PUBACK from p1-") == 3, "the acknowledgements")
        wait_until(lambda: len(reader.telegrams) == 3, "the telegrams")
    assert [line(telegram) for telegram in reader.telegrams] == lines


def with_users(folder: Path, *more: str, users: tuple[str, ...] = ("house",)) -> Mosquitto:
    """Give a broker where each user's password is `right-NAME`."""
    passwords = folder / "passwords"
    passwords.touch()
    passwords.chmod(0o600)
    for user in users:
        subprocess.run(
            ["mosquitto_passwd", "-b", str(passwords), user, f"right-{user}"], check=True, capture_output=True
        )
    return Mosquitto(folder, "allow_anonymous false", f"password_file {passwords}", *more).start()


def test_a_wrong_password_is_said_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = with_users(tmp_path)
    monkeypatch.setenv("P1_MQTT_PASSWORD", "wrong-secret")
    try:
        with forwarding(tmp_path, "sim:", broker.url("p1/house/raw").replace("//", "//house@")):
            wait_until(lambda: "refuses user 'house' with the password in P1_MQTT_PASSWORD" in said(tmp_path), "it")
            wait_until(lambda: on_disk(tmp_path), "the queue")
            time.sleep(2)
        assert said(tmp_path).count("refuses") == 1
        assert "wrong-secret" not in said(tmp_path)
    finally:
        broker.stop()


def test_what_the_acl_refuses_waits_until_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, house: House
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("user reader\ntopic read p1/#\nuser house\ntopic write p1/+/status\n")
    acl.chmod(0o600)
    broker = with_users(tmp_path, f"acl_file {acl}", users=("house", "reader"))
    monkeypatch.setenv("P1_MQTT_PASSWORD", "right-house")
    reader = Reader(broker.port, "reader", "right-reader")
    try:
        target = broker.url(METER).replace("//", "//house@")
        with forwarding(tmp_path, house.source, target) as process:
            house.meet()
            house.send(3)
            refusal = f"refuses the topic '{TOPIC}': this user is not allowed to write there"
            wait_until(lambda: refusal in said(tmp_path), "the refusal")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        with acl.open("a") as file:
            file.write("topic write p1/#\n")
        broker.process.send_signal(signal.SIGHUP)
        with forwarding(tmp_path, house.source, target):
            wait_until(lambda: len(reader.telegrams) == 3, "what had waited")
    finally:
        reader.stop()
        broker.stop()
    assert reader.telegrams == house.sent
    assert said(tmp_path).count("refuses") == 1


def test_tls_and_a_client_certificate(tmp_path: Path) -> None:
    (cert, key), (own, own_key) = self_signed(tmp_path, "broker"), self_signed(tmp_path, "house")
    port = free_port()
    broker = Mosquitto(
        tmp_path,
        f"listener {port} 127.0.0.1",
        f"certfile {cert}",
        f"keyfile {key}",
        f"cafile {own}",
        "require_certificate true",
    ).start()
    reader = Reader(broker.port)
    (tmp_path / "recording").write_bytes(Meter().telegram(START))
    try:
        target = f"mqtts://127.0.0.1:{port}/{METER}?ca={cert}&cert={own}&key={own_key}"
        with forwarding(tmp_path, f"file:{tmp_path}/recording", target) as process:
            assert process.wait(20) == 0
        wait_until(lambda: reader.telegrams, "the telegram")
    finally:
        reader.stop()
        broker.stop()


def test_a_broker_with_websockets_only(tmp_path: Path) -> None:
    port = free_port()
    broker = Mosquitto(tmp_path, f"listener {port} 127.0.0.1", "protocol websockets").start()
    reader = Reader(broker.port)
    (tmp_path / "recording").write_bytes(b"".join(Meter().telegram(START + n) for n in range(500)))
    try:
        with forwarding(tmp_path, f"file:{tmp_path}/recording", f"mqtt+ws://127.0.0.1:{port}/{METER}") as process:
            assert process.wait(20) == 0
        wait_until(lambda: len(reader.telegrams) == 500, "the telegrams")
    finally:
        reader.stop()
        broker.stop()


def packet(stream: BinaryIO) -> tuple[int, bytes]:
    """Read an MQTT packet: its type and flags, and its body; 0 at the end."""
    if not (head := stream.read(1)):
        return 0, b""
    length = shift = 0
    while (byte := stream.read(1)[0]) & 0x80:
        length, shift = length | (byte & 0x7F) << shift, shift + 7
    return head[0], stream.read(length | byte << shift)


class OldBroker:
    """A broker that knows MQTT 3.1.1 alone, and acknowledges all."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []

    def serve(self, peer: socket.socket) -> None:
        stream = peer.makefile("rb")
        while True:
            kind, body = packet(stream)
            if not kind:
                return
            if kind == 0x10:
                is_old = body[6] == 4
                peer.sendall(CONNACK if is_old else ONLY_3_1_1)
                if not is_old:
                    return
            elif kind & 0xF0 == 0x30:
                size = 2 + int.from_bytes(body[:2], "big")
                qos = kind >> 1 & 3
                self.published.append((body[2:size].decode(), body[size + 2 * bool(qos) :]))
                if qos:
                    peer.sendall(b"\x40\x02" + body[size : size + 2])


def test_a_broker_that_knows_no_mqtt_5_gets_the_telegrams_alone(tmp_path: Path) -> None:
    old, telegram = OldBroker(), Meter().telegram(START)
    (tmp_path / "recording").write_bytes(telegram)
    with serving(old.serve) as port:
        with forwarding(tmp_path, f"file:{tmp_path}/recording", f"mqtt://127.0.0.1:{port}/{METER}") as process:
            assert process.wait(20) == 0
        wait_until(lambda: len(old.published) == 3, "the last status")
    assert old.published == [(STATUS, b"online"), (TOPIC, telegram.rstrip()), (STATUS, b"offline")]
    assert "using MQTT 3.1.1" in said(tmp_path)


def test_a_broker_gets_no_more_at_once_than_it_says(tmp_path: Path) -> None:
    most, on_their_way = [0], [0]
    (tmp_path / "recording").write_bytes(b"".join(Meter().telegram(START + n) for n in range(50)))

    def serve(peer: socket.socket) -> None:
        stream = peer.makefile("rb")
        numbers: list[bytes] = []
        peer.settimeout(0.2)
        while True:
            try:
                kind, body = packet(stream)
            except TimeoutError:
                stream = peer.makefile("rb")
                for number in numbers:
                    peer.sendall(b"\x40\x02" + number)
                on_their_way[0] = 0
                numbers.clear()
                continue
            if not kind:
                return
            if kind == 0x10:
                peer.sendall(b"\x20\x06\x00\x00\x03\x21\x00\x07")  # receive maximum: 7
            elif kind == 0x32:
                size = 2 + int.from_bytes(body[:2], "big")
                numbers.append(body[size : size + 2])
                on_their_way[0] += 1
                most[0] = max(most[0], on_their_way[0])

    with (
        serving(serve) as port,
        forwarding(tmp_path, f"file:{tmp_path}/recording", f"mqtt://127.0.0.1:{port}/{METER}") as process,
    ):
        assert process.wait(30) == 0
    assert most[0] == 7


def test_a_telegram_that_the_broker_will_never_take_holds_up_no_other(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "max_packet_size 700").start()
    reader = Reader(broker.port)
    small, large = Meter("at").telegram(START), Meter().telegram(START)
    assert len(small) < 600
    assert len(large) > 700
    (tmp_path / "recording").write_bytes(large + small)
    try:
        with forwarding(tmp_path, f"file:{tmp_path}/recording", broker.url("p1/home/raw")) as process:
            assert process.wait(20) == 0
        wait_until(lambda: reader.telegrams, "the small one")
    finally:
        reader.stop()
        broker.stop()
    assert reader.telegrams == [small.rstrip()]
    assert "is dropped: the broker accepts" in said(tmp_path)


def test_a_second_one_on_one_queue_is_refused(tmp_path: Path, broker: Mosquitto, house: House) -> None:
    with forwarding(tmp_path, house.source, broker.url(METER)) as process:
        house.meet()
        with forwarding(tmp_path, "sim:", broker.url(METER)) as second:
            assert second.wait(10) == 2
        assert process.poll() is None
    assert "another process uses it" in said(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sim:", "mqtt://host/p1/+/raw"], "a topic to write to cannot contain"),
        (["sim:", "mqtt://host"], "write host and topic"),
        (["sim:", "mqtt://host/p1/status"], "status is reserved"),
        (["sim:", "mqtt://me:secret-word@host/x"], "P1_MQTT_PASSWORD"),
        (["sim:", "ftp://host/x"], "write a URL such as mqtt://"),
        (["sim:", "mqtt://host/x/raw", "--queue-size", "5"], "at least 1MB"),
        (["sim:", "mqtt://host/x/raw?keep=1h"], "unknown option 'keep'"),
        (["sim:", "mqtt://host/x/raw?pin=0"], "target 'mqtt://host/x/raw?pin=0': "),
        (["sim:", "mqtt://host/{naam}/raw"], "{meter} is the only name in braces"),
        (["nothing", "mqtt://host/x/raw"], "write a device such as"),
    ],
)
def test_what_cannot_work_is_said_at_once(arguments: list[str], words: str, tmp_path: Path) -> None:
    command = [*PLUGIN, "forward", *arguments]
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret-word" not in done.stderr


def test_its_queue_is_where_systemd_says(tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    with program([*PLUGIN, "forward", "sim:", broker.url(METER)], stdin=subprocess.DEVNULL):
        queue = wait_until(lambda: list((tmp_path / "state").glob("*.queue")), "the queue")[0]
    assert "p1_meter_raw" in queue.name


def test_the_command_of_the_service_forwards(tmp_path: Path, broker: Mosquitto, reader: Reader) -> None:
    (words,) = re.findall(r"^ExecStart=\S+ (.+)$", (ROOT / "deploy" / "p1-forward.service").read_text(), re.MULTILINE)
    (tmp_path / "recording").write_bytes(Meter().telegram(START))
    environment = {
        **os.environ,
        "P1_SOURCE": f"file:{tmp_path}/recording",
        "P1_TARGET": broker.url("p1/house/raw"),
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }
    arguments = [environment[word.strip("${}")] if "$" in word else word for word in words.split()]
    subprocess.run([*PLUGIN, *arguments], stdin=subprocess.DEVNULL, env=environment, timeout=30, check=True)
    wait_until(lambda: reader.telegrams, "the telegram")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_it_ends_at_once_also_while_nobody_is_there(how: str, tmp_path: Path) -> None:
    with forwarding(tmp_path, "tcp://127.0.0.1:1", f"mqtt://127.0.0.1:{free_port()}/p1/home/raw") as process:
        wait_until(lambda: "telegrams are queued until" in said(tmp_path), "the warning")
        process.send_signal(signal.Signals[how])
        assert process.wait(3) == 0
