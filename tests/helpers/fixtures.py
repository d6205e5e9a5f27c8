"""Real parts that many tests begin with."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from telegraf_p1.forward.spool import Spool
from tests.helpers.cable import Cable
from tests.helpers.databases import Influx
from tests.helpers.kafka import Kafka
from tests.helpers.mosquitto import Mosquitto


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    cable = Cable(tmp_path / "ttyUSB0")
    yield cable
    with suppress(OSError):
        os.close(cable.end)


@pytest.fixture
def closed_queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close each queue on disk that a test makes: Python 3.13 and later warn of those that are open at the end."""
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
    """One node for all tests, each with a topic of its own; who stops it starts it again."""
    kafka = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        yield kafka.start()
    finally:
        kafka.stop()
