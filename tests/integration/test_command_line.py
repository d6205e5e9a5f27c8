"""The examples of `--help` run as they stand; man and shells understand what is made of the parser."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from tests.helpers.cable import Cable
from tests.helpers.mosquitto import Mosquitto
from tests.helpers.programs import component, program, read_line, something_to_read, wait_until
from tests.helpers.telegrams import ROOT
from tests.test_command_line import examples

MANUAL = ROOT / "deploy" / "man" / "telegraf-p1.1"
COMPLETION = ROOT / "deploy" / "completion"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder of the test's own, with the command in the path."""
    command = tmp_path / "bin" / "telegraf-p1"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m telegraf_p1 "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pasted(line: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run a line as a shell does."""
    return program(["sh", "-c", f"exec {line}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


@pytest.mark.parametrize("line", [*examples("decode"), *examples("fields"), examples("simulate")[0]])
def test_an_example_that_ends_prints_something(line: str, here: Path) -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=here, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_the_example_of_check_writes_a_file_that_starts_run(here: Path) -> None:
    find, write = examples("check")
    assert find == "telegraf-p1 check"  # which opens the ports of this computer
    assert subprocess.run(["sh", "-c", write], capture_output=True, timeout=60, check=False).returncode == 0
    assert '"run", "sim:"]' in (here / "p1.conf").read_text()


@pytest.mark.usefixtures("here")
def test_the_examples_of_run_write_records(cable: Cable) -> None:
    simulated, serial = examples("run")
    with pasted(simulated) as process:
        assert read_line(process).startswith("p1,meter=")
    with pasted(serial.replace("/dev/ttyUSB0", str(cable.link))) as process:

        def answered() -> bool:
            cable.send()
            return something_to_read(process, 0.3)

        wait_until(answered, "a record")


def test_the_example_of_simulate_is_a_port_that_run_reads(here: Path) -> None:
    _, line = examples("simulate")
    port = here / "ttyP1"
    with pasted(line.replace("/tmp", str(here))):  # noqa: S108
        wait_until(port.exists, "the port")
        with pasted(f"telegraf-p1 run {port}") as process:
            assert read_line(process).startswith("p1,meter=")


@pytest.mark.usefixtures("here")
def test_the_example_of_forward_publishes_telegrams(broker: Mosquitto) -> None:
    (line,) = examples("forward")
    host = f"127.0.0.1:{broker.port}"
    with pasted(line.replace("127.0.0.1", host)), pasted(f"telegraf-p1 run mqtt://{host}/p1/+/raw") as process:
        assert ",topic=p1/E0047010000000011/raw " in read_line(process)


def test_man_and_mandoc_have_nothing_to_say_against_the_manual(tmp_path: Path) -> None:
    for checker in (["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-ww", "-z"]):
        done = subprocess.run(
            [component(checker[0]), *checker[1:], MANUAL], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wrong = tmp_path / "wrong.1"
    wrong.write_text(MANUAL.read_text().replace(".SH EXAMPLES", ".SH EXAMPLES\n.unknown"))
    assert subprocess.run(["mandoc", "-T", "lint", "-W", "warning", wrong], capture_output=True, check=False).stdout


def test_the_manual_shows_what_was_meant() -> None:
    command = [component("mandoc"), "-T", "ascii", "-O", "width=78", str(MANUAL)]
    text = re.sub(".\b", "", subprocess.check_output(command, text=True))
    titles = "NAME SYNOPSIS DESCRIPTION COMMANDS ENVIRONMENT EXIT EXAMPLES SEE"
    assert [line.split()[0] for line in text.splitlines()[1:-1] if line[:1].isupper()] == titles.split()
    assert "'/dev/ttyUSB0?baudrate=9600&format=7E1'" in text
    for line in (*examples("decode"), *examples("run"), *examples("process")):
        assert f"           {line}\n" in text


# What stands in for the program: it says with which arguments it was started.
STAND_IN = """#!/bin/sh
printf '%s|' "$@" >"$ARGUMENTS.new"
mv "$ARGUMENTS.new" "$ARGUMENTS"
"""
SET_UP = {
    "bash": "source {file}",
    "zsh": "fpath=({folder} $fpath); autoload -Uz compinit; compinit -D -u",
}
START = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}
READY = "ready> "


def typed(shell: str, text: str, folder: Path) -> list[str]:
    """Type a line into a shell on a terminal; give the arguments with which the program was started then."""
    file = folder / "_telegraf-p1"  # the name that zsh asks for
    shutil.copy(COMPLETION / f"telegraf-p1.{shell}", file)
    arguments, command = folder / "arguments", folder / "bin" / "telegraf-p1"
    command.parent.mkdir()
    command.write_text(STAND_IN)
    command.chmod(0o755)
    environment = {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "ARGUMENTS": str(arguments),
        "PS1": READY,
        "HOME": str(folder),
        "TERM": "dumb",
    }
    ours, theirs = pty.openpty()
    shown = b""

    def has_shown(what: str) -> bool:
        nonlocal shown
        if select.select([ours], [], [], 0.1)[0]:
            with suppress(OSError):
                shown += os.read(ours, 4096)
        return what.encode() in shown

    with program(
        [component(shell), *START[shell]],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        cwd=folder,
        start_new_session=True,
    ) as process:
        wait_until(lambda: has_shown(READY), "the prompt")
        # The second prompt: its text stands not in what was typed.
        for line in ("PS1=again'> '", SET_UP[shell].format(file=file, folder=file.parent)):
            shown = b""
            os.write(ours, f"{line}\n".encode())
            wait_until(lambda: has_shown("again> "), "the next prompt")
        os.write(ours, f"{text}\n".encode())
        wait_until(lambda: has_shown("") and arguments.exists(), f"{text!r} to be run; the shell shows: {shown!r}")
        os.write(ours, b"exit\n")  # an interactive shell ignores SIGTERM
        wait_until(lambda: has_shown("") and process.poll() is not None, "the end of the shell")
    os.close(ours)
    os.close(theirs)
    return arguments.read_text().split("|")[:-1]


@pytest.mark.parametrize("shell", SET_UP)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r\t", ["run"]),
        ("run --cr\t", ["run", "--crc"]),
        ("run --crc req\t", ["run", "--crc", "require"]),
        ("run tty\t", ["run", "ttyUSB0"]),
        ("check --write tty\t", ["check", "--write", "ttyUSB0"]),
        ("decode --js\ttty\t", ["decode", "--json", "ttyUSB0"]),
        ("run tcp://127.0.0.1:2000 --cr\t", ["run", "tcp://127.0.0.1:2000", "--crc"]),
        ("run --every 10s tty\t", ["run", "--every", "10s", "ttyUSB0"]),
        ("simulate --form nl-4\t", ["simulate", "--form", "nl-4.2"]),
    ],
)
def test_a_tab_completes_commands_options_values_and_files(
    shell: str, text: str, expected: list[str], tmp_path: Path
) -> None:
    (tmp_path / "ttyUSB0").touch()
    assert typed(shell, f"telegraf-p1 {text}", tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r", "run"),
        ("run --cr", "--crc"),
        ("run --crc req", "require"),
        ("simulate --form nl-4", "nl-4.2"),
        ("run tty", "ttyUSB0"),
        ("check --write tty", "ttyUSB0"),
        ("decode tty", "ttyUSB0"),
    ],
)
def test_fish_completes_commands_options_values_and_files(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").touch()
    script = f"source {COMPLETION}/telegraf-p1.fish; complete --do-complete 'telegraf-p1 {text}'"
    command = [component("fish"), "--no-config", "--command", script]
    offered = subprocess.check_output(command, cwd=tmp_path, text=True, env=os.environ | {"HOME": str(tmp_path)})
    assert [line.split("\t")[0] for line in offered.splitlines()] == [expected]
