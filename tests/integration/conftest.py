from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Influx
from stack import Mosquitto
from stored import Stored, stored_households


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
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with stored_households(tmp_path_factory.mktemp("stored")) as stored:
        yield stored
