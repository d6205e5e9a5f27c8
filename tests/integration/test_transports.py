"""Telegrams from Telegraf's own inputs, set up as docs/transports.md says, with real brokers."""

import base64
import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.metrics import Lines, Metric, tags
from telegraf_p1.simulator.meter import Meter
from tests.helpers.brokers import Nats, Rabbit, nats, rabbit
from tests.helpers.pages import block, replaced, texts
from tests.helpers.programs import PLUGIN, answers, component, free_port, program, wait_until
from tests.helpers.telegraf import children
from tests.helpers.telegrams import KEY, START, encrypt, records

PAGE = "transports.md"
AGENT = """
[agent]
  interval = "1s"
  flush_interval = "200ms"
  hostname = "house"
  skip_processors_after_aggregators = true
"""


class Transports:
    """Telegraf with the inputs of docs/transports.md, its brokers, and a file with what comes out."""

    def __init__(self, folder: Path, nats: Nats, rabbit: Rabbit) -> None:
        self.nats, self.rabbit, self.port = nats, rabbit, free_port()
        self.folder, self.tailed = folder, folder / "tailed"
        self.tailed.mkdir()
        self._out, self._log, self._config = (folder / name for name in ("out", "telegraf.log", "telegraf.conf"))
        self._meter, self._now = Meter("nl-5.0"), START
        self._running = ExitStack()
        command = json.dumps([*PLUGIN, "process"])
        places = {
            '["/opt/telegraf_p1/bin/telegraf-p1", "process"]': command,
            "127.0.0.1:4222": f"127.0.0.1:{nats.port}",
            "127.0.0.1:5672": f"127.0.0.1:{rabbit.port}",
            "127.0.0.1:8080": f"127.0.0.1:{self.port}",
            "/var/log/p1": str(self.tailed),
            "saved-or-end": "beginning",
        }
        text = "".join(texts(PAGE, "toml"))
        assert {old: text.count(old) for old in places} == dict.fromkeys(places, 1)
        text = replaced(text, *places.items())
        self._config.write_text(f'{AGENT}{text}[[outputs.file]]\n  files = ["{self._out}"]\n')

    def start(self) -> None:
        log = self._running.enter_context(self._log.open("ab"))
        command = [component("telegraf"), "--config", str(self._config)]
        self.process = self._running.enter_context(program(command, stdout=log, stderr=log))
        wait_until(lambda: answers(self.port), "Telegraf's inputs")
        wait_until(lambda: self.nats.is_subscribed("p1.*.raw"), "the subscription")
        wait_until(lambda: self.rabbit.is_read("p1"), "the consumer")

    def stop(self) -> None:
        self._running.close()

    def telegram(self) -> bytes:
        self._now += 1
        return self._meter.telegram(self._now)

    def output(self) -> bytes:
        return self._out.read_bytes() if self._out.exists() else b""

    def out(self) -> list[str]:
        return self.output().decode(errors="replace").splitlines()

    def log(self) -> str:
        return self._log.read_text()

    def starts(self) -> int:
        return self.log().count("Starting process")

    def failures(self) -> int:
        return self.log().count("error writing to process stdin")


@pytest.fixture(scope="module")
def transports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transports]:
    component("telegraf")
    folder = tmp_path_factory.mktemp("transports")
    with rabbit(folder) as amqp, nats(folder) as subjects:
        found = Transports(folder, subjects, amqp)
        found.start()
        yield found
        found.stop()


def post(port: int, path: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", body)) as answer:
        assert answer.status == 204


def line(telegram: bytes, **tags: str) -> str:
    (record,) = records(telegram)
    return lineproto.line(record._replace(tags=record.tags | {"host": "house"} | tags))


def time_of(written: str) -> str:
    return written.rpartition(" ")[2]


def fields(written: str) -> tuple[str, list[str]]:
    """Take a line apart: Telegraf writes tags in the order of their names, and floats without zeros at their end."""
    head, rest = re.split(r"(?<!\\) ", written, maxsplit=1)
    values, _, time_ns = rest.rpartition(" ")
    each = re.findall(r'(?:[^=,"]+)=(?:"(?:[^"\\]|\\.)*"|[^,]+)', values)
    return f"{sorted(head.split(','))} {time_ns}", [re.sub(r"(\.\d*?)0+\Z", r"\1", one).rstrip(".") for one in each]


def assert_comes_out(transports: Transports, wanted: str) -> None:
    found = fields(wanted)
    wait_until(lambda: found in map(fields, transports.out()), wanted)


def test_telegrams_come_from_each_transport_with_the_tags_of_it(transports: Transports) -> None:
    subject, queue, answer, tailed = (transports.telegram() for _ in range(4))
    transports.nats.publish("p1.home.raw", subject)
    transports.rabbit.publish("p1", "p1.home", queue)
    post(transports.port, "/p1/home", answer)
    growing = transports.tailed / "meter.txt"
    with growing.open("ab", buffering=0) as file:
        for piece in tailed.splitlines(keepends=True):
            file.write(piece)
    assert_comes_out(transports, line(subject, subject="p1.home.raw"))
    assert_comes_out(transports, line(queue))
    assert_comes_out(transports, line(answer, http_listener_v2_path="/p1/home"))
    assert_comes_out(transports, line(tailed, path=str(growing)))


def test_what_is_no_telegram_passes_through_telegraf_and_us_to_the_byte(transports: Transports) -> None:
    texts = [
        b'say "on\\off"\n/usr/bin',
        b"a" + bytes(range(256)) + b"z",
        b'\\\\"\\" value="x" 1\nb c=1',
        "ä€😀".encode(),
        b"x,y=z \r\n" * 40_000 + b"!",
    ]
    for number, text in enumerate(texts):
        transports.nats.publish(f"p1.text{number}.raw", text)

    def found() -> list[bytes | None]:
        read = [one for one in Lines().feed(transports.output()) if isinstance(one, Metric)]
        return [
            one.text(b"value")
            for n in range(len(texts))
            for one in read
            if tags(one.head).get("subject") == f"p1.text{n}.raw"
        ]

    wait_until(lambda: found() == texts, "the metrics")


def test_a_stop_of_telegraf_loses_nothing(transports: Transports) -> None:
    sent = [transports.telegram() for _ in range(1000)]
    before = len(transports.out())
    for telegram in sent:
        transports.rabbit.publish("p1", "p1.home", telegram)
    wait_until(lambda: len(transports.out()) > before, "some of them")
    transports.process.terminate()
    assert transports.process.wait(20) == 0
    transports.start()
    wanted = {time_of(line(telegram)) for telegram in sent}
    wait_until(lambda: wanted <= set(map(time_of, transports.out()[before:])), "all of them")


def test_a_processor_that_is_killed_while_it_empties_a_queue_costs_some_hundred_telegrams(
    transports: Transports,
) -> None:
    before, starts, failures = len(transports.out()), transports.starts(), transports.failures()
    sent = [transports.telegram() for _ in range(2000)]
    for telegram in sent:
        transports.rabbit.publish("p1", "p1.home", telegram)
    wait_until(lambda: len(transports.out()) > before, "some of them")
    (child,) = children(transports.process.pid)
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: transports.starts() > starts, "another processor")
    last = transports.telegram()
    transports.rabbit.publish("p1", "p1.home", last)
    wait_until(lambda: time_of(line(last)) in map(time_of, transports.out()), "the next telegram")
    found = set(map(time_of, transports.out()[before:]))
    lost = [telegram for telegram in sent if time_of(line(telegram)) not in found]
    failures = transports.failures() - failures
    # The others were in the pipes, or between them.
    assert failures <= len(lost) <= failures + 300
    assert len(lost) < 1000


def test_encrypted_telegrams_come_through_base64(tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "out"
    processor = block(PAGE, "toml", holding="[[processors.execd")
    listener = block(PAGE, "toml", holding="[[inputs.http")
    command = json.dumps([*PLUGIN, "process", "--base64"])
    processor = processor.replace('["/opt/telegraf_p1/bin/telegraf-p1", "process"]', command)
    listener = listener.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace('"string"', '"base64"')
    config = tmp_path / "telegraf.conf"
    config.write_text(f'{AGENT}{processor}{listener}[[outputs.file]]\n  files = ["{out}"]\n')
    environment = {**os.environ, "P1_DECRYPTION_KEY": KEY.hex()}
    telegram = Meter("nl-5.0").telegram(START)
    # One that ends in white space, which a text would lose.
    encrypted = next(one for one in (encrypt(telegram, counter=n) for n in range(10_000)) if one.endswith(b"\n"))
    with (
        (tmp_path / "log").open("wb") as log,
        program([component("telegraf"), "--config", str(config)], env=environment, stdout=log, stderr=log),
    ):
        wait_until(lambda: answers(port), "Telegraf's input")
        post(port, "/p1/home", b"\0 online \r\n")
        post(port, "/p1/home", encrypted)
        wanted = fields(line(telegram, http_listener_v2_path="/p1/home"))
        wait_until(lambda: out.exists() and wanted in map(fields, out.read_text().splitlines()), "the record")
        assert base64.b64encode(b"\0 online \r\n").decode() in out.read_text()
