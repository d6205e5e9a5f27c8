"""A port without settings finds them, and one with settings keeps them: the plugin as a process, on a pty.

A pty has a speed and no format; the tests write what a UART with that speed would have received.
"""

import subprocess
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.cable import Cable, open_files
from tests.helpers.programs import plugin, read_line, something_to_read, wait_until
from tests.helpers.telegrams import START, records


def line_of(telegram: bytes) -> str:
    """Give the line of a telegram, without its time if that is the host's."""
    return lineproto.line(records(telegram)[0]).rpartition(" ")[0]


def wait_for_port(process: subprocess.Popen[bytes], cable: Cable) -> None:
    wait_until(lambda: cable.device in open_files(process.pid) and cable.speed(), "the port")


def speak_until_read(
    process: subprocess.Popen[bytes], cable: Cable, form: str, speed: int, line_format: str
) -> tuple[str, set[str]]:
    """Let a meter speak until a record comes; give it, and the lines of all that was sent."""
    sent: set[str] = set()

    def answered() -> bool:
        telegram = Meter(form).telegram(START + len(sent))
        sent.add(line_of(telegram))
        cable.speak(telegram, speed, line_format)
        return something_to_read(process, 0.3)

    wait_until(answered, "a record")
    return read_line(process).rpartition(" ")[0], sent


@pytest.mark.parametrize(("speed", "line_format"), [(9600, "7E1"), (115200, "7E1"), (9600, "8N1")])
def test_the_settings_are_found_and_said_once(speed: int, line_format: str, tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    with plugin("run", str(cable.link), log=log) as process:
        wait_for_port(process, cable)
        assert cable.speed() == 115200
        for _ in range(3):
            line, sent = speak_until_read(process, cable, "nl-2.2", speed, line_format)
            assert line in sent
        assert cable.speed() == speed
        said = log.read_text()
    options = f"?baudrate={speed}&format={line_format}"
    settled = f"I! {cable.link}: detected {speed} {line_format}: write {options} in the source"
    assert said.count(settled) == 1
    assert "W! " not in said
    assert "E! " not in said


def test_the_first_settings_that_are_right_are_not_worth_a_word(tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    with plugin("run", str(cable.link), log=log) as process:
        wait_for_port(process, cable)
        telegram = Meter().telegram(START)
        cable.write(telegram)
        assert read_line(process) == lineproto.line(records(telegram)[0])
    assert log.read_text() == ""


def test_what_was_found_outlives_the_cable_and_noise(tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    with plugin("run", str(cable.link), log=log) as process:
        wait_for_port(process, cable)
        speak_until_read(process, cable, "nl-2.2", 9600, "7E1")
        cable.pull_out()
        wait_until(lambda: "retrying" in log.read_text(), "the message")
        cable.plug_in()
        wait_for_port(process, cable)
        assert cable.speed() == 9600
        cable.write(b"\x00\xf8\x80" * 2000)
        # The first one that is whole: nothing is searched.
        telegram = Meter("nl-2.2").telegram(START + 100)
        cable.speak(telegram, 9600, "7E1")
        while read_line(process).rpartition(" ")[0] != line_of(telegram):
            pass
        assert cable.speed() == 9600
    assert log.read_text().count("detected") == 1


def test_settings_that_are_given_stay_though_they_are_wrong(tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    with plugin("run", f"{cable.link}?baudrate=115200&format=8N1", log=log) as process:
        wait_for_port(process, cable)

        def warned() -> bool:
            cable.speak(Meter("nl-2.2").telegram(START), 9600, "7E1")
            return "W! " in log.read_text()

        wait_until(warned, "the diagnosis")
        for _ in range(5):
            warned()
        assert cable.speed() == 115200
        assert "?baudrate=9600" in log.read_text()
        assert not something_to_read(process, 0)


def test_a_line_that_is_not_inverted_is_diagnosed_after_a_round(tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    with plugin("run", str(cable.link), log=log) as process:
        wait_for_port(process, cable)

        def warned() -> bool:
            cable.speak(Meter().telegram(START), 115200, "8N1", inverted=True)
            return "W! " in log.read_text()

        wait_until(warned, "the diagnosis", 30)
        assert "the signal is not inverted: a P1 port needs a cable with an inverter" in log.read_text()
