"""What `telegraf-p1 forward` makes of its options."""

import argparse
import gc
from contextlib import nullcontext
from pathlib import Path

import pytest

from telegraf_p1.commands import forward
from telegraf_p1.forward import kafka, open_target
from telegraf_p1.forward.letter import Letter
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.kafka_options import OPTIONS, Brokers
from telegraf_p1.log import Log
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.events import Data
from telegraf_p1.timestamp import Zone
from telegraf_p1.url import UsageError, parse
from tests.helpers.programs import free_port, wait_until
from tests.helpers.telegrams import START


def queue(target: str, given: str | None = None) -> Path:
    return forward._queue(argparse.Namespace(queue=given, target=target))  # noqa: SLF001


def test_a_target_has_one_queue_whatever_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    one = queue("mqtts://house@broker.example/p1/{meter}/raw")
    assert one.parent == Path("/state/telegraf_p1")
    assert one.name.startswith("house_broker.example_p1_meter_raw-")
    assert queue("mqtts://house@broker.example/p1/{meter}/raw?ca=/etc/ca.crt") == one
    assert queue("mqtts://other@broker.example/p1/{meter}/raw") != one
    assert queue("mqtts://house@broker.example/p1_{meter}/raw") != one
    assert len(queue("mqtt://host/" + "x/" * 500 + "raw").name) < 100


def test_the_queue_is_where_systemd_says_or_the_user_or_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    target = "mqtt://host/p1/home/raw"
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/p1-forward:/var/lib/more")
    assert queue(target).parent == Path("/var/lib/p1-forward")
    monkeypatch.delenv("STATE_DIRECTORY")
    assert queue(target).parent == Path("/home/me/.local/state/telegraf_p1")
    assert queue(target, "/srv/mine") == Path("/srv/mine")


@pytest.mark.parametrize(
    ("text", "size"), [("64MB", 64e6), ("2M", 2e6), ("1GB", 1e9), ("1500kB", 1.5e6), ("1000000", 1e6)]
)
def test_a_size_is_a_number_with_its_unit(text: str, size: float) -> None:
    assert forward._size(text) == size  # noqa: SLF001


@pytest.mark.parametrize("text", ["", "64 MB", "64MiB", "-1MB", "999kB", "1.5GB", "9" * 13])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="must be a size such as 64MB"):
        forward._size(text)  # noqa: SLF001


def test_a_password_that_cannot_be_one_is_said_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_MQTT_PASSWORD", "two\nlines")
    with pytest.raises(UsageError, match="P1_MQTT_PASSWORD contains a control character"):
        open_target("mqtt://me@host/p1/home/raw", Log(), "queue")


@pytest.mark.parametrize(
    ("source", "target", "is_circle"),
    [
        ("mqtt://host/p1/+/raw", "mqtt://host/p1/home/raw", True),
        ("mqtt://me@host/p1/#", "mqtt://host:1883/p1/{meter}/raw", True),
        ("mqtt://host/p1/#", "mqtt://host:1884/p1/{meter}/raw", False),
        ("mqtt://host/p1/+/raw", "mqtt://host/p2/home/raw", False),
        ("mqtt://host/p1/+/raw", "mqtt://other/p1/home/raw", False),
        ("/dev/ttyUSB0", "mqtt://host/dev/ttyUSB0", False),
        ("mqtt://host/p1/E0043/raw", "mqtt://host/p1/{meter}/raw", True),
        ("mqtt://host/p1/E0043/raw", "mqtt+ws://host:1883/p1/{meter}/raw", True),
        ("mqtt://host/p1/+/+/raw", "mqtt://host/p1/{meter}/raw", False),
        ("kafka://host/p1", "kafka://host:9092/p1", True),
        ("kafka://host/^p", "kafka://host/p1", True),
        ("kafka://host/^p$", "kafka://host/p1", False),
        ("kafka://host/^(", "kafka://host/p1", False),
        ("kafka://host/p1", "mqtt://host:9092/p1", False),
    ],
)
def test_nobody_forwards_to_himself(source: str, target: str, *, is_circle: bool) -> None:
    chosen = argparse.Namespace(source=source, target=target)
    with pytest.raises(UsageError, match="would loop forever") if is_circle else nullcontext():
        forward._check_circle(chosen)  # noqa: SLF001


def test_a_telegram_is_dated_by_its_sender_or_its_meter_when_it_came_late() -> None:
    letters: list[Letter] = []

    class Taker:
        def accept(self, taken: list[Letter]) -> None:
            letters.extend(taken)

    post = forward._Post(Taker())  # type: ignore[arg-type]  # noqa: SLF001
    interpreter = Interpreter(post.listening(Settings("auto", Zone(), host_time=False)), Log(), "meter")
    telegram = Meter().telegram(START)
    late_ns, now_ns = START * 10**9 + 5, (START + 3600) * 10**9
    for event in (Data(telegram), Data(telegram, is_late=True, sent_ns=late_ns), Data(telegram, is_late=True)):
        post.output(interpreter.records(event, now_ns))
    assert [letter.received_ns for letter in letters] == [now_ns, late_ns, START * 10**9]
    assert {letter.telegram for letter in letters} == {telegram.rstrip()}
    assert {letter.meter for letter in letters} == {"E0047010000000011"}


def test_a_forwarder_keeps_its_client_id_and_another_one_has_another() -> None:
    def client_id(who: str) -> str:
        return open_target("mqtt://host/p1/home/raw", Log(), who)._place.client_id  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001

    assert client_id("/a.queue") == client_id("/a.queue") != client_id("/b.queue")


def test_a_producer_that_ends_leaves_no_threads() -> None:
    def tasks() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = tasks()
    log = Log(lambda _text: None)
    brokers = Brokers(parse(f"kafka://127.0.0.1:{free_port()}/p1"), list(OPTIONS.values()))
    connection = kafka._KafkaConnection(brokers, "p1", log)  # noqa: SLF001
    assert connection.offer(1, Letter("E1", b"/", 0))
    assert tasks() > before
    connection.end()
    del connection
    gc.collect()
    wait_until(lambda: tasks() == before, "librdkafka's threads to end")
