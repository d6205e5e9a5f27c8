from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.databases import Influx
from tests.helpers.mosquitto import Mosquitto


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
