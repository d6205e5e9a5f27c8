"""What sources say besides bytes: pauses and silence."""

import os
import pty
import socket
from collections.abc import Iterator

import pytest

from telegraf_p1 import run, sources
from telegraf_p1.log import Log
from telegraf_p1.run import Reader, Settings
from telegraf_p1.simulator import Meter
from telegraf_p1.sources import Chunk, Silence, open_source
from telegraf_p1.timestamp import Zone


def waits(limit: float | None) -> list[float | None]:
    """Give how long a source waits each time, until it is told to wait for ever or gives up."""
    silence, found = Silence(limit), []
    while True:
        found.append(silence.wait())
        if found[-1] is None:
            return found
        try:
            silence.chunk()
        except OSError:
            return found


def test_a_source_speaks_twice_and_then_sleeps() -> None:
    assert waits(None) == [2, 13, None]
    assert [Silence().chunk().silence] == [2]


def test_a_connection_is_given_up_at_its_limit() -> None:
    assert waits(30) == [2, 13, 15]
    assert waits(10) == [2, 8]
    assert waits(2) == [2]
    assert waits(1) == [1]


def test_a_byte_begins_it_anew() -> None:
    silence = Silence()
    silence.chunk()
    silence.over()
    assert silence.wait() == 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PAUSE_S", 0.05)
    monkeypatch.setattr(sources, "SILENCE_S", 0.1)
    monkeypatch.setattr(run, "SILENCE_S", 0.1)


@pytest.fixture
def cable() -> Iterator[tuple[int, str]]:
    end, device = pty.openpty()
    yield end, os.ttyname(device)
    os.close(end)
    os.close(device)


@pytest.mark.usefixtures("impatient")
def test_a_serial_port_tells_of_silence_once_after_each_byte(cable: tuple[int, str]) -> None:
    end, name = cable
    chunks = open_source(name)()
    for _ in range(2):
        assert [next(chunks).silence for _ in range(2)] == [0.05, 0.1]
        os.write(end, b"/")
        assert next(chunks) == Chunk(b"/")


@pytest.mark.usefixtures("impatient")
def test_silence_over_tcp_is_explained_and_then_the_connection_given_up() -> None:
    log: list[str] = []
    reader = Reader(Settings("auto", Zone(), host_time=False), Log(log.append), "bridge")

    def read(chunks: Iterator[Chunk]) -> None:
        for chunk in chunks:
            list(reader.records(chunk, 1))

    with socket.create_server(("127.0.0.1", 0)) as server:
        chunks = open_source(f"tcp://127.0.0.1:{server.getsockname()[1]}?timeout=1")()
        assert next(chunks).silence == 0.05
        with server.accept()[0] as peer:
            peer.sendall(Meter().telegram(1_700_000_000)[:100])
            with pytest.raises(OSError, match="nothing came for 1 s"):
                read(chunks)
    (line,) = log
    assert "a telegram was cut off after 100 bytes, and nothing came for 0.1 s since" in line
