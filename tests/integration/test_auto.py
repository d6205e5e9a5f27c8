"""`run auto:` as a process: it finds the port where a meter speaks, and finds it again."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.cable import Cable, open_files
from tests.helpers.programs import plugin, read_line, something_to_read, wait_until
from tests.helpers.telegrams import START, records


@pytest.fixture
def cables(tmp_path: Path) -> Iterator[Callable[[str], Cable]]:
    plugged: list[Cable] = []

    def plug_in(name: str) -> Cable:
        plugged.append(Cable(tmp_path / name))
        return plugged[-1]

    yield plug_in
    for cable in plugged:
        with suppress(OSError):
            cable.pull_out()


def speak_until_read(process: subprocess.Popen[bytes], cable: Cable, speed: int, line_format: str) -> None:
    """Let an old meter speak on this cable until its record comes."""
    sent: set[str] = set()

    def answered() -> bool:
        telegram = Meter("nl-2.2").telegram(START + len(sent))
        sent.add(lineproto.line(records(telegram)[0]).rpartition(" ")[0])
        if cable.speed() and cable.device in open_files(process.pid):
            cable.speak(telegram, speed, line_format)
        return something_to_read(process, 0.3)

    wait_until(answered, "a record", 40)
    assert read_line(process).rpartition(" ")[0] in sent


def test_the_port_where_a_meter_speaks_is_taken_and_found_again(tmp_path: Path, cables: Callable[[str], Cable]) -> None:
    log = tmp_path / "log"
    with plugin("run", f"auto:{tmp_path}/ttyUSB*", log=log) as process:
        waits = f"no port matches {tmp_path}/ttyUSB*: plug the cable in"
        wait_until(lambda: waits in log.read_text(), "what it waits for")
        silent = cables("ttyUSB0")
        wait_until(lambda: silent.device in open_files(process.pid), "the port that is there")
        meter = cables("ttyUSB1")
        speak_until_read(process, meter, 9600, "7E1")
        wait_until(lambda: silent.device not in open_files(process.pid), "the other port to be free")
        assert f"meter found on {meter.link} (9600 7E1): reading this port" in log.read_text()
        meter.pull_out()
        wait_until(
            lambda: f"{meter.link}: device disconnected: check that the cable is plugged in" in log.read_text(), "that"
        )
        elsewhere = cables("ttyUSB7")
        speak_until_read(process, elsewhere, 9600, "7E1")
        wait_until(lambda: f"auto:{tmp_path}/ttyUSB*: connection restored" in log.read_text(), "the good news")
        said = log.read_text()
    assert f"meter found on {elsewhere.link} (9600 7E1): reading this port" in said
    assert said.count(waits) == 1
    assert "the speed" not in said


def test_a_port_that_is_busy_is_named_and_the_other_is_read(tmp_path: Path, cables: Callable[[str], Cable]) -> None:
    busy, meter = cables("ttyUSB0"), cables("ttyUSB1")
    log = tmp_path / "log"
    with plugin("run", str(busy.link), log=tmp_path / "other") as other:
        wait_until(lambda: busy.device in open_files(other.pid) and busy.speed(), "the other reader")
        with plugin("run", f"auto:{tmp_path}/ttyUSB*", log=log) as process:
            speak_until_read(process, meter, 115200, "8N1")
            said = log.read_text()
    assert said.count(f"{busy.link}: port in use by another program") == 1
    assert f"meter found on {meter.link} (115200 8N1)" in said
