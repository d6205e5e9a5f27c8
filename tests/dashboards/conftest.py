from collections.abc import Iterator

import pytest

from tests.dashboards.stored import Stored, stored_households


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with stored_households(tmp_path_factory.mktemp("stored")) as stored:
        yield stored
