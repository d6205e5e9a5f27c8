"""What a device with an HTTP interface may answer in place of a telegram."""

import socket
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from tests.faults.matrix import PACE, Row, either, fault
from tests.helpers.certificates import self_signed
from tests.helpers.programs import wait_until
from tests.helpers.web_device import ok, question, speaking

PART = "HTTP"
Answer = Callable[[socket.socket], None]
LAST_ONLY = "telegrams while the device did not answer: it keeps the last one only"


class Device:
    """Answers with its last telegram, or as it is told to."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.closes = False  # after each answer, without a word
        self.questions = 0  # that got the other answer
        self._last = self._given = b""

    def speak(self, connection: socket.socket, _number: int) -> None:
        while question(connection):
            if answer := self.answer:
                self.questions += 1
                answer(connection)
            else:
                telegram = self._last
                connection.sendall(ok(telegram))
                self._given = telegram
                if self.closes:
                    return

    def show(self, telegram: bytes) -> None:
        """Answer with this telegram, until somebody has asked for it."""
        self._last = telegram
        wait_until(lambda: self._given == telegram, "a question", 90)


@pytest.fixture
def device() -> Device:
    return Device()


def _answers(row: Row, device: Device, answer: Answer) -> None:
    row.wire = device.show
    with speaking(device.speak) as speaker, row.plugin("run", f"{speaker.url}?every=100ms{either('&timeout=1s', '')}"):
        row.steady()
        device.answer = answer
        with row.unheard():
            row.wire = lambda _: None
            row.send(either(20, 60), PACE)
            wait_until(lambda: device.questions > 1, "questions", 60)
        device.answer = None
        row.wire = device.show
        row.recovered()
        row.steady()


def _sends(begin: bytes, more: Iterator[bytes], pace: float = 0.0) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(begin)
        for piece in more:
            connection.sendall(piece)
            time.sleep(pace)

    return answer


@fault(PART, "very slow answer: a byte every 4 s", LAST_ONLY, within=20)
def test_drip(row: Row, device: Device) -> None:
    _answers(row, device, _sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", repeat(b"/"), either(0.2, 4.0)))


@fault(PART, "endless answer", LAST_ONLY, within=20)
def test_endless_body(row: Row, device: Device) -> None:
    _answers(row, device, _sends(b"HTTP/1.1 200 OK\r\n\r\n", repeat(b"x" * 4096)))


@fault(PART, "`100 Continue` repeated forever", LAST_ONLY, within=20)
def test_endless_continue(row: Row, device: Device) -> None:
    _answers(row, device, _sends(b"", repeat(b"HTTP/1.1 100 Continue\r\n\r\n")))


@fault(PART, "no answer", LAST_ONLY, within=20)
def test_no_answer(row: Row, device: Device) -> None:
    def wait_for_its_end(connection: socket.socket) -> None:
        connection.recv(1)

    _answers(row, device, wait_for_its_end)


@fault(PART, "chunk size -5", LAST_ONLY, within=20)
def test_negative_chunk(row: Row, device: Device) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n"
    _answers(row, device, lambda connection: connection.sendall(chunked))


@fault(
    PART,
    "403: the local API is switched off",
    f"{LAST_ONLY}; retry after a minute at most",
    within=70,
)
def test_forbidden(row: Row, device: Device) -> None:
    body = b'{"error": {"id": 202, "description": "API not enabled"}}'
    forbidden = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    _answers(row, device, lambda connection: connection.sendall(forbidden))
    assert "switch" in row.log()


@fault(PART, "the device closes idle connections")
def test_closes_idle_connections(row: Row, device: Device) -> None:
    row.wire, device.closes = device.show, True
    with speaking(device.speak) as speaker, row.plugin("run", f"{speaker.url}?every=100ms"):
        row.steady(either(10, 60))
    assert not row.log()


@fault(PART, "the device closes idle TLS connections")
def test_closes_idle_tls_connections(row: Row, device: Device, tmp_path: Path) -> None:
    row.wire, device.closes = device.show, True
    certificate = self_signed(tmp_path, "device")
    with (
        speaking(device.speak, certificate) as speaker,
        row.plugin("run", f"{speaker.url}?every=100ms&ca={certificate[0]}"),
    ):
        row.steady(either(10, 60))
    assert not row.log()
