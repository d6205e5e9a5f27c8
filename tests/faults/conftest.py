import os
from pathlib import Path

import pytest

from tests.faults.matrix import Row


@pytest.fixture
def row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Row:
    """Begin a row, whose plugin is measured without what counts the lines that run."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)
    return Row(tmp_path)
