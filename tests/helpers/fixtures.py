"""Real parts that many tests need."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from telegraf_p1.forward.spool import Spool
from telegraf_p1.log import Log
from tests.helpers.cable import Cable
from tests.helpers.databases import Influx
from tests.helpers.kafka import Kafka
from tests.helpers.messages import is_known
from tests.helpers.mosquitto import Mosquitto


@pytest.fixture(autouse=True)
def each_line_of_a_log_is_a_known_message(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check in all tests that everything that the program logs is a known message, as in docs/troubleshooting.md."""
    said: set[str] = set()
    put = Log._put  # noqa: SLF001

    def watched(log: Log, level: str, text: str) -> None:
        frame = sys._getframe(1)  # noqa: SLF001
        while frame.f_back and frame.f_globals["__name__"] == Log.__module__:
            frame = frame.f_back
        if frame.f_globals["__name__"].startswith("telegraf_p1"):
            said.add(text)
        put(log, level, text)

    monkeypatch.setattr(Log, "_put", watched)
    yield
    assert [text for text in said if not is_known(text)] == []


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    cable = Cable(tmp_path / "ttyUSB0")
    yield cable
    with suppress(OSError):
        os.close(cable.end)


@pytest.fixture
def closed_queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close each queue on disk that a test makes: Python 3.13 and later warn about those that are still open."""
    made: list[Spool] = []
    begin = Spool.__init__

    def remember(spool: Spool, *arguments: Any) -> None:
        begin(spool, *arguments)
        made.append(spool)

    monkeypatch.setattr(Spool, "__init__", remember)
    yield
    for spool in made:
        spool.close()


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[Influx]:
    folder = tmp_path / "influx"
    folder.mkdir()
    influx = Influx(folder)
    influx.start()
    yield influx
    influx.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path).start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One node for all tests, which use topics of their own; a test that stops it has to start it again."""
    kafka = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        yield kafka.start()
    finally:
        kafka.stop()
