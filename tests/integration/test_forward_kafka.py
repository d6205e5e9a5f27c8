"""Letters to a real Kafka: what arrives is said, and what does not arrive is not."""

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from telegraf_p1.forward.kafka import target
from telegraf_p1.forward.letter import Letter
from telegraf_p1.log import Log
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.url import parse
from tests.helpers.kafka import Kafka
from tests.helpers.mosquitto import line
from tests.helpers.programs import PLUGIN, plugin, read_line, wait_until
from tests.helpers.telegrams import START, records

LETTER = Letter("E0001", b"/telegram\r\n!\r\n", 1_700_000_000_123_456_789)


class Listener:
    """What a target reports."""

    def __init__(self) -> None:
        self.is_available = False
        self.arrived: set[int] = set()

    def available(self) -> None:
        self.is_available = True

    def unavailable(self) -> None:
        self.is_available = False

    def acknowledged(self, numbers: Iterable[int]) -> None:
        self.arrived.update(numbers)


class Forwarding:
    """A target that was started, and what it says."""

    def __init__(self, url: str) -> None:
        self.said: list[str] = []
        self.listener = Listener()
        self.target = target(parse(url), Log(self.said.append), "")
        self.target.start(self.listener, "")

    def send(self, number: int, letter: Letter = LETTER) -> None:
        wait_until(lambda: self.target.send(number, letter), "room")

    def arrived(self, *numbers: int) -> None:
        wait_until(lambda: set(numbers) <= self.listener.arrived, f"{numbers} to arrive", 30)


def test_a_recording_goes_through_kafka_and_becomes_the_same_records(tmp_path: Path, kafka: Kafka) -> None:
    topic, log = kafka.create(partitions=4), tmp_path / "log"
    telegrams = [Meter("be").telegram(START + n) for n in range(50)]
    (tmp_path / "recording").write_bytes(b"".join(telegrams))
    queue = str(tmp_path / "queue")
    target = f"kafka://127.0.0.1:{kafka.port}/{topic}"
    forward = [*PLUGIN, "forward", f"file:{tmp_path}/recording", target, "--queue", queue]
    subprocess.run(forward, check=True, timeout=30)
    expected = []
    for telegram in telegrams:
        (record,) = records(telegram)
        expected.append(line(telegram, str(record.tags["meter"])))
    with plugin("run", kafka.url(topic), log=log) as process:
        assert [read_line(process) for _ in telegrams] == expected, "one meter is one partition, and in order"


def test_a_topic_that_is_read_is_not_forwarded_to() -> None:
    place = "kafka://127.0.0.1:9092/p1"
    found = subprocess.run([*PLUGIN, "forward", place, place], check=False, capture_output=True, timeout=30)
    assert found.returncode == 2
    assert b"the source reads this topic too" in found.stderr


def test_letters_arrive_with_their_meter_and_time_and_wait_for_topic_and_broker(kafka: Kafka) -> None:
    forwarding = Forwarding(f"kafka://127.0.0.1:{kafka.port}/forwarded")
    wait_until(lambda: forwarding.said, "the trouble")
    assert "Kafka has no topic 'forwarded'" in forwarding.said[0]
    assert not forwarding.target.send(1, LETTER)
    kafka.create("forwarded")
    forwarding.send(1)
    forwarding.arrived(1)
    (message,) = kafka.messages("forwarded", 1)
    assert (message.value(), message.key()) == (LETTER.telegram, b"E0001")
    assert message.headers() == [("time", b"1700000000.123456789")]
    forwarding.send(2, LETTER._replace(telegram=bytes(2_000_000)))
    forwarding.arrived(2)  # or nothing behind it would
    wait_until(lambda: forwarding.said[1:], "the words")
    assert "connection restored" in forwarding.said[1]
    assert "rejects a telegram, which is dropped: Unable to produce message" in forwarding.said[2]
    kafka.nodes[0].kill()
    wait_until(lambda: not forwarding.listener.is_available, "the broker to be missed")
    assert not forwarding.target.send(3, LETTER)
    kafka.restart()
    forwarding.send(4)
    forwarding.arrived(4)
    assert [message.value() for message in kafka.messages("forwarded", 2)] == [LETTER.telegram] * 2
    assert "connection to the broker lost" in forwarding.said[3] or "no broker is available" in forwarding.said[3]
    begun = time.monotonic()
    forwarding.target.close()
    assert time.monotonic() - begun < 1
    assert not forwarding.target.send(5, LETTER)
