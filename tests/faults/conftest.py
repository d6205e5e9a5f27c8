from pathlib import Path

import pytest

from tests.faults.matrix import Row


@pytest.fixture
def row(tmp_path: Path) -> Row:
    return Row(tmp_path)
