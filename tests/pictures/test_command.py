"""What `make picture` says before it draws."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.telegrams import ROOT

pytestmark = pytest.mark.integration


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "P1_CHROMIUM"}
    return subprocess.run(
        [sys.executable, "-m", "tests.pictures", *arguments],
        env=inherited | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    nothing = command(str(tmp_path), "--check", "--from", "http://127.0.0.1:1", PATH=str(tmp_path))
    lines = nothing.stderr.splitlines()
    assert [line.split(" needed")[0] for line in lines[:3]] == [
        "install-grafana-data: Node.js 20 or later is",
        "install-grafana-data: npm is",
        "Chromium is",
    ]
    assert lines[3].startswith("no InfluxDB 1 answers at http://127.0.0.1:1 (")
    assert (nothing.returncode, len(lines)) == (1, 4)
