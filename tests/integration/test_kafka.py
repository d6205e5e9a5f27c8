"""The Kafka source against a real Kafka: what was not acknowledged comes again, to whoever is there."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import ResourceType

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import open_source
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event
from tests.helpers.certificates import self_signed
from tests.helpers.kafka import Device, Kafka
from tests.helpers.mosquitto import line
from tests.helpers.programs import PLUGIN, assert_ends_at_once, plugin, program, read_line, wait_until
from tests.helpers.telegrams import START

SECRET = "correct horse"  # noqa: S105


@pytest.fixture
def topic(kafka: Kafka) -> str:
    return kafka.create(partitions=4)


@pytest.fixture
def device(kafka: Kafka, topic: str) -> Device:
    return Device(kafka, topic)


def heard(connection: Connection, count: int) -> list[Data]:
    """Read until so many messages have come, none of them acknowledged."""
    found: list[Event] = []
    while len(found) < count:
        found += [event for event in connection.read() if isinstance(event, Data)]
    return [event for event in found if isinstance(event, Data)]


def read_all(process: subprocess.Popen[bytes], expected: list[str]) -> None:
    """Read all of these lines, each once and in any order: partitions have none."""
    assert sorted(read_line(process) for _ in expected) == sorted(expected)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_source_gives_what_was_sent_and_leaves_nothing_open(kafka: Kafka, device: Device) -> None:
    """What tests/test_sources.py asks of all."""
    source, before = open_source(kafka.url(device.topic)), 0
    for second in range(3):
        connection = source()
        telegram = Meter().telegram(START + second)
        device.send(telegram)
        assert [event.data for event in heard(connection, 1)] == [telegram]
        connection.done()
        connection.close()
        before = before or open_files()  # once it has been used the library has all that it needs
        assert open_files() == before


def test_records_are_those_of_the_same_telegrams_elsewhere_with_the_key_as_topic(
    tmp_path: Path, kafka: Kafka, device: Device
) -> None:
    forms = [Meter(form) for form in ("nl-5.0", "be", "se", "hu", "lt")]
    telegrams = [(f"p1/{n}/raw", meter.telegram(START + n)) for n, meter in enumerate(forms)]
    for key, telegram in telegrams:
        device.publish(telegram, key)
    device.publish(b'{"telegram": "' + telegrams[0][1].replace(b"\r\n", rb"\r\n") + b'"}', "wrapped")
    device.publish(telegrams[0][1])
    expected = [line(telegram, key) for key, telegram in telegrams]
    expected += [line(telegrams[0][1], "wrapped"), line(telegrams[0][1], device.topic)]
    with plugin("run", kafka.url(device.topic), log=tmp_path / "log") as process:
        read_all(process, expected)
    assert (tmp_path / "log").read_text() == ""


def test_a_pattern_is_several_topics(tmp_path: Path, kafka: Kafka, device: Device) -> None:
    other = Device(kafka, kafka.create(f"{device.topic}-other"), "other")
    expected = [device.telegram(), other.telegram()]
    with plugin("run", kafka.url(f"^{device.topic}($|-)"), log=tmp_path / "log") as process:
        read_all(process, expected)


def test_offsets_are_committed_when_it_is_done_and_not_before(kafka: Kafka, device: Device) -> None:
    source = open_source(kafka.url(device.topic))
    for _ in range(20):
        device.telegram()
    device.settle()
    first = source()
    before = heard(first, 20)
    time.sleep(1.2)  # two of the library's rounds
    first.close()
    assert kafka.committed(device.topic, 4) == [0, 0, 0, 0]
    second = source()
    assert sorted(event.data for event in heard(second, 20)) == sorted(event.data for event in before)
    second.done()
    second.close()
    assert sum(kafka.committed(device.topic, 4)) == 20
    device.publish(b"the next one")
    device.settle()
    third = source()
    assert [event.data for event in heard(third, 1)] == [b"the next one"]
    third.close()


def test_what_is_read_and_not_done_is_bounded(kafka: Kafka, device: Device) -> None:
    for _ in range(3000):
        device.telegram()
    device.settle()
    connection = open_source(kafka.url(device.topic))()
    heard(connection, 800)
    after = [len(connection.read()) for _ in range(10)]
    assert after[-3:] == [1, 1, 1], "pauses"
    connection.done()
    assert len(connection.read()) > 1
    connection.close()


def test_long_messages_cost_no_memory(tmp_path: Path, kafka: Kafka, device: Device) -> None:
    for n in range(100):
        device.publish(bytes([n]) * 900_000, partition=n % 4)
        device.publish(bytes([n]) * 250_000, partition=n % 4)
    expected = [device.telegram(partition=n) for n in range(4)]
    device.settle()
    with plugin("run", kafka.url(device.topic), log=tmp_path / "log") as process:
        read_all(process, expected)
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
    assert memory < 64 * 1024
    assert "a message is longer than 256 KiB" in (tmp_path / "log").read_text()


def test_killed_before_telegraf_has_read_it_comes_again(tmp_path: Path, kafka: Kafka, device: Device) -> None:
    """Standard output is full, so that nothing is acknowledged; then the plugin is killed."""
    expected = [device.telegram() for _ in range(300)]
    device.settle()
    with plugin("run", kafka.url(device.topic), log=tmp_path / "log") as process:
        first = read_line(process)
        time.sleep(1)
        process.kill()
        process.wait()
        assert process.stdout
        in_the_pipe = process.stdout.read().decode().splitlines()  # Telegraf reads it all the same
    assert first in expected
    assert sum(kafka.committed(device.topic, 4)) < 300
    with plugin("run", kafka.url(device.topic), log=tmp_path / "log") as process:
        left = set(expected) - {first, *in_the_pipe}
        assert left
        while left:
            left.discard(read_line(process))


def test_what_waited_has_the_time_when_it_was_sent(tmp_path: Path, kafka: Kafka, device: Device) -> None:
    """Telegrams of a meter without a clock: by the header, else by Kafka's own time."""
    telegram, now = Meter("nl-2.2").telegram(START), int(time.time())
    device.publish(telegram, "header", timestamp=(now - 60) * 1000, headers=[("time", f"{now - 90}.25".encode())])
    device.publish(telegram, "kafka", timestamp=(now - 60) * 1000)
    device.publish(telegram, "fresh")
    with plugin("run", kafka.url(device.topic), log=tmp_path / "log") as process:
        lines = [read_line(process) for _ in range(3)]
    found = {line.split("topic=")[1].split(" ")[0]: int(line.split()[-1]) for line in lines}
    assert found["header"] == (now - 90) * 10**9 + 250_000_000
    assert found["kafka"] == (now - 60) * 10**9
    assert abs(found["fresh"] - now * 10**9) < 60 * 10**9


@pytest.mark.parametrize("how", ["SIGTERM", "eof"])
def test_it_ends_at_once_and_others_take_over_at_once(tmp_path: Path, kafka: Kafka, device: Device, how: str) -> None:
    @contextmanager
    def running() -> Iterator[subprocess.Popen[bytes]]:
        with plugin("run", kafka.url(device.topic), log=tmp_path / "log") as process:
            expected = device.telegram()
            device.settle()
            while read_line(process) != expected:
                pass  # what was not acknowledged before it ended
            yield process

    assert_ends_at_once(running, how)
    begun = time.monotonic()
    with running():
        assert time.monotonic() - begun < 5, "it was not said that the other one is gone"
    assert (tmp_path / "log").read_text() == ""


class Members:
    """Plugins of one group, each of which writes its lines to a file."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._command = folder, [*PLUGIN, "run", url]
        self._files: list[Path] = []

    @contextmanager
    def member(self) -> Iterator[subprocess.Popen[bytes]]:
        file = self._folder / f"lines-{len(self._files)}"
        self._files.append(file)
        with (
            file.open("wb") as lines,
            file.with_suffix(".log").open("wb") as log,
            program(self._command, stdin=subprocess.PIPE, stdout=lines, stderr=log) as process,
        ):
            yield process

    def lines(self, number: int) -> set[str]:
        return set(self._files[number].read_text().splitlines())

    def all(self) -> set[str]:
        return {line for number in range(len(self._files)) for line in self.lines(number)}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_members_share_the_partitions_and_one_that_is_gone_is_replaced(
    tmp_path: Path, kafka: Kafka, device: Device, how: signal.Signals
) -> None:
    members, expected = Members(tmp_path, kafka.url(device.topic)), set[str]()

    def send(count: int) -> None:
        expected.update(device.telegram(partition=n % 4) for n in range(count))
        device.settle()

    with members.member() as dying, members.member():

        def both_read() -> bool:
            send(4)
            return all(members.lines(number) for number in (0, 1))

        wait_until(both_read, "both members to read")
        wait_until(lambda: expected <= members.all(), "all that was sent")
        send(40)
        dying.send_signal(how)
        begun = time.monotonic()
        send(40)
        wait_until(lambda: expected <= members.all(), "what the dead one had to read", 15)
        print(f"{how.name}: all is there after {time.monotonic() - begun:.1f} s")


def test_a_broker_that_goes_is_said_once_and_so_is_its_return(tmp_path: Path, kafka: Kafka, device: Device) -> None:
    log = tmp_path / "log"
    with plugin("run", kafka.url(device.topic), log=log) as process:
        expected = device.telegram()
        assert read_line(process) == expected
        wait_until(lambda: sum(kafka.committed(device.topic, 4)) == 1, "the commit")
        kafka.nodes[0].kill()
        wait_until(lambda: "W! " in log.read_text(), "the warning")
        kafka.restart()
        expected = device.telegram()
        assert read_line(process) == expected
        wait_until(lambda: "connection restored" in log.read_text(), "the return")
    lines = log.read_text().splitlines()
    assert "retrying" in lines[0]
    assert len(lines) <= 3, lines  # between them perhaps another reason


def test_a_leader_of_three_that_dies_costs_seconds_and_no_telegram(tmp_path: Path) -> None:
    three = Kafka(tmp_path, 3)
    try:
        topic = three.start().create(partitions=3)
        device, members = Device(three, topic), Members(tmp_path, three.url(topic))
        expected: set[str] = set()

        def send() -> None:
            expected.update(device.telegram(partition=n) for n in range(3))
            device.producer.poll(0)

        with members.member():
            send()
            wait_until(lambda: expected <= members.all(), "the first telegrams", 30)
            leader = three.leaders(topic, 1)[0]
            three.nodes[leader - 1].kill()
            begun = time.monotonic()
            while time.monotonic() < begun + 2:
                send()
                time.sleep(0.1)
            device.settle()
            wait_until(lambda: expected <= members.all(), "all that was sent", 30)
            print(f"all is there {time.monotonic() - begun:.1f} s after the leader died")
        assert "W! " not in (tmp_path / "lines-0.log").read_text(), "the others are there"
    finally:
        three.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kafka, Path]]:
    """A Kafka with TLS, a user, and a topic and a group that he may not read; and its certificate."""
    folder = tmp_path_factory.mktemp("guarded")
    certificate, key = self_signed(folder, "broker")
    store = folder / "store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    login = "org.apache.kafka.common.security"
    kafka = Kafka(
        folder,
        1,
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={store}",
        "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN",
        f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;",
        f"listener.name.sasl_ssl.plain.sasl.jaas.config={login}.plain.PlainLoginModule required "
        f'user_reader="{SECRET}";',
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS",
        "allow.everyone.if.no.acl.found=true",
        more="SASL_SSL",
        scram=[f"SCRAM-SHA-512=[name=reader,password={SECRET}]"],
    )
    try:
        kafka.start().create("open")
        kafka.create("closed")
        kafka.refuse("reader", ResourceType.TOPIC, "closed")
        kafka.refuse("reader", ResourceType.GROUP, "closed")
        yield kafka, certificate
    finally:
        kafka.stop()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_user_reads_over_tls(
    tmp_path: Path, guarded: tuple[Kafka, Path], monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    kafka, certificate = guarded
    device = Device(kafka, "open")
    sent = device.telegram()
    device.settle()
    monkeypatch.setenv("P1_KAFKA_PASSWORD", SECRET)
    place = f"kafkas://reader@127.0.0.1:{kafka.nodes[0].extra_port}/open"
    url = f"{place}?group={mechanism}&sasl={mechanism}&ca={certificate}"
    with plugin("run", url, log=tmp_path / "log") as process:
        assert read_line(process) == sent


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("kafkas://reader@127.0.0.1:TLS/open?CA", "refuses user 'reader' with the password in P1_KAFKA_PASSWORD"),
        ("kafkas://reader@127.0.0.1:TLS/open?sasl=PLAIN&CA", "Invalid username or password"),
        (
            "kafkas://reader@127.0.0.1:TLS/open?",
            "certificate is not trusted (self-signed certificate); add the certificate of its signer",
        ),
        ("kafkas://reader@localhost:TLS/open?CA", "is for '127.0.0.1' and not for 'localhost'; use the name in"),
        (
            "kafkas://127.0.0.1:TLS/open?CA",
            "closes the connection: add ?cert=FILE if it needs a client certificate, or write",
        ),
        (
            "kafka://127.0.0.1:TLS/open?",
            "closes the connection: use kafkas:// if this port needs TLS, or write USER@host",
        ),
        ("kafkas://127.0.0.1:PLAIN/open?CA", "if this port does not use TLS, use kafka://"),
        ("kafkas://good@127.0.0.1:TLS/closed?CA", "closed: Topic authorization failed"),
        ("kafkas://good@127.0.0.1:TLS/open?group=closed&CA", "Group authorization failed"),
        ("kafka://127.0.0.1:PLAIN/nowhere?", "Kafka has no topic 'nowhere': create it, or check its name"),
    ],
)
def test_what_is_refused_is_named_and_the_password_is_not(
    tmp_path: Path, guarded: tuple[Kafka, Path], monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    (kafka, certificate), log = guarded, tmp_path / "log"
    monkeypatch.setenv("P1_KAFKA_PASSWORD", SECRET if "good" in url else "battery staple")
    for name, value in (
        ("good", "reader"),
        (":TLS", f":{kafka.nodes[0].extra_port}"),
        (":PLAIN", f":{kafka.port}"),
        ("CA", f"ca={certificate}"),
    ):
        url = url.replace(name, value)
    with plugin("run", url.removesuffix("?"), log=log):
        wait_until(lambda: "E! " in log.read_text(), "the error")
    assert words in log.read_text()
    assert not set(log.read_text().split()) & {"correct", "horse", "battery", "staple"}
