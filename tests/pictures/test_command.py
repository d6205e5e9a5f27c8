"""What `make picture` says before it draws."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.helpers.databases import Influx, send
from tests.helpers.telegrams import ROOT
from tests.helpers.zone import zone_of_this_computer

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
    nothing = command(str(tmp_path), "--check", "--from", "http://127.0.0.1:1", "--zone", "Mars", PATH=str(tmp_path))
    lines = nothing.stderr.splitlines()
    assert [line.split(" needed")[0] for line in lines[:3]] == [
        "install-grafana-data: Node.js 20 or later is",
        "install-grafana-data: npm is",
        "Chromium is",
    ]
    assert lines[3].startswith("no InfluxDB 1 answers at http://127.0.0.1:1 (")
    assert lines[4].startswith("there is no time zone 'Mars':")
    assert (nothing.returncode, len(lines)) == (1, 5)


def test_the_time_zone_is_that_of_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":America/New_York")
    assert zone_of_this_computer() == "America/New_York"
    monkeypatch.setenv("TZ", "/usr/share/zoneinfo/Europe/Brussels")
    assert zone_of_this_computer() == "Europe/Brussels"
    monkeypatch.delenv("TZ")
    here = zone_of_this_computer()
    assert subprocess.check_output(["date", "+%z"]) == subprocess.check_output(["date", "+%z"], env={"TZ": here})


def test_a_database_that_has_no_telegrams_is_named(tmp_path: Path) -> None:
    influx = Influx(tmp_path)
    influx.start()
    try:
        asked = (str(tmp_path), "--from", influx.url)
        for statement, fault in (
            ("", "no database 'p1':"),
            ("CREATE DATABASE p1", "no measurement p1 in its database 'p1':"),
        ):
            send(f"{influx.url}/query?q={quote(statement or 'SHOW DATABASES')}", b"")
            told = command(*asked)
            assert (told.returncode, told.stderr.count("\n")) == (1, 1)
            assert told.stderr.startswith(f"the InfluxDB at {influx.url} has {fault} either Telegraf has not written")
        send(f"{influx.url}/write?db=p1", b"p1 power_import_kw=0.5")
        assert "the InfluxDB" not in command(*asked, "--check").stderr
    finally:
        influx.stop()
