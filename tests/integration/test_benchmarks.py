"""The benchmarks run, with few telegrams; what they take is not looked at."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import district, frames
from benchmarks.telegrams import FORMS, different, file_of, unseen, usual
from benchmarks.transports import MosquittoTransport
from tests.helpers.programs import PLUGIN, component
from tests.helpers.telegrams import ROOT

pytestmark = pytest.mark.integration
COUNT = 30


def lines(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.splitlines()


def test_the_benchmarks_write_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name in ("frames", "file", "garbage"):
        lines(sys.executable, "-m", f"benchmarks.{name}", "--smoke", str(results))
    (results / "mqtt.txt").write_text("12,345/s\n")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "performance.md", tmp_path / "docs")
    lines("scripts/write-performance", str(results), str(tmp_path))
    written = (tmp_path / "docs" / "performance.md").read_text()
    for name in ("frames", "ways", "file", "garbage"):
        for row in json.loads((results / f"{name}.json").read_text())["rows"]:
            assert f"| {' | '.join(row)} |\n" in written
    assert "```\n12,345/s\n```\n" in written
    assert "benchmarks/process.py`; not in this run." in written
    rate = json.loads((results / "file.json").read_text())["figures"]["rate"]
    assert f"**{rate} telegrams a second**" in written


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [usual, different, unseen])
def test_what_is_measured_reads_all_telegrams(make: frames.Make, form: str) -> None:
    path = file_of(make, form, COUNT)
    assert len(lines(*PLUGIN, "decode", str(path))) == COUNT
    assert len(set(path.read_bytes().split(b"/")[1:])) == COUNT


@pytest.mark.parametrize("form", FORMS)
def test_the_loop_in_c_writes_the_lines_that_the_program_writes(form: str, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    lines(component("cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(loop), "benchmarks/readers/loop.c")
    path = str(file_of(usual, form, COUNT))
    assert lines(str(loop), "read", path) == lines(*PLUGIN, "decode", path)


def test_a_district_of_few_meters_loses_nothing_when_plugins_are_killed() -> None:
    few = district.SHORT._replace(meters=40, warm_s=2)
    found = district.kills(MosquittoTransport, few, 2, 1, 2)
    assert (found["published"], found["lost"]) == (24, 0)
    assert found["delay_longest_s"] > 0.5, "nobody waited for the one that was killed"


def test_a_reader_that_reads_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    path, ours = file_of(usual, "nl-5.0", COUNT), frames.OURS
    right = frames.readings(ours, path)
    wrong = [reading | {"gas_m3": 0.0} for reading in right]
    monkeypatch.setattr(frames, "readings", lambda reader, _: wrong if reader.name == "theirs" else right)
    assert frames.differences(ours._replace(name="theirs"), "nl-5.0", path) == {"gas_m3"}
    assert frames.differences(ours, "nl-5.0", path) == set()
