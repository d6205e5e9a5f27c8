"""The WebSocket source in the plugin, against a real WebSocket server."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.programs import assert_ends_at_once, free_port, plugin, read_line, wait_until
from tests.helpers.telegrams import START, records
from tests.helpers.websocket_device import WebSocketDevice, listening


def pieces(telegram: bytes, size: int = 100) -> list[bytes]:
    return [telegram[place : place + size] for place in range(0, len(telegram), size)]


def test_a_dongle_that_restarts_is_read_again(tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    meter = Meter()
    with plugin("run", f"ws://127.0.0.1:{port}/ws", log=log) as process:
        wait_until(lambda: "Connection refused" in log.read_text(), "the first attempt")
        for second in range(2):
            telegram = meter.telegram(START + second)
            with listening(WebSocketDevice(port=port)) as device:
                for piece in pieces(telegram):
                    device.send(piece)
                assert read_line(process) == lineproto.line(records(telegram)[0])
                good_news = "connection restored" if second else ": connected"
                device.send(telegram[:10])  # it is said when something more is read
                wait_until(lambda words=good_news: words in log.read_text(), good_news)  # type: ignore[misc]
    assert "closed the connection (1001 (going away))" in log.read_text()


def test_a_dongle_with_two_clients_already_is_named_once_and_asked_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    telegram = Meter().telegram(START)
    with listening(WebSocketDevice()) as device:
        device.refusal = 1008, "Connection limit reached"
        with plugin("run", device.url, log=log) as process:
            wait_until(lambda: len(device.paths) >= 2, "two attempts")
            device.refusal = None
            device.send(telegram)
            assert read_line(process) == lineproto.line(records(telegram)[0])
    assert log.read_text().count("accepts two clients at most") == 1


@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
def test_it_ends_at_once(tmp_path: Path, how: str) -> None:
    with listening(WebSocketDevice()) as device:

        @contextmanager
        def connected() -> Iterator[subprocess.Popen[bytes]]:
            before = len(device.paths)
            with plugin("run", device.url, log=tmp_path / "log") as process:
                wait_until(lambda: len(device.paths) > before, "the client")
                yield process

        assert_ends_at_once(connected, how)
