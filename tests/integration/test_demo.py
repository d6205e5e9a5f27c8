"""`make demo`: the simulated meter, live on a terminal, as records elsewhere, from Telegraf if it is there."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers.programs import component, program, read_line, wait_until
from tests.helpers.telegrams import ROOT
from tests.helpers.terminal import terminal

COMMAND = [str(ROOT / "scripts" / "demo"), str(Path(sys.executable).with_name("telegraf-p1"))]


def without_telegraf(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Give the environment with a PATH that has what the script needs, and no telegraf."""
    for name in ("sh", "mktemp", "mkfifo", "rm"):
        (folder / name).symlink_to(component(name))
    return environment | {"PATH": str(folder)}


def with_telegraf(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Give the environment with a PATH that has telegraf."""
    (folder / "telegraf").symlink_to(component("telegraf"))
    return {**environment, "PATH": f"{folder}:{environment['PATH']}"}


@pytest.mark.parametrize("in_path", [with_telegraf, without_telegraf])
def test_on_a_terminal_it_shows_the_meter_live(
    in_path: Callable[[dict[str, str], Path], dict[str, str]], tmp_path: Path
) -> None:
    with (
        terminal() as (screen, environment),
        program(
            COMMAND,
            stdin=screen.device,
            stdout=screen.device,
            stderr=screen.device,
            env=in_path(environment, tmp_path),
        ) as process,
    ):
        wait_until(lambda: screen.shows("A simulated meter, live"), "what it shows")
        wait_until(lambda: screen.shows("L3.*[█░]{3}"), "the bars")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_in_a_pipe_it_writes_records(tmp_path: Path) -> None:
    chosen = without_telegraf(dict(os.environ), tmp_path)
    with program(COMMAND, env=chosen, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0) as process:
        assert all(read_line(process).startswith("p1,meter=E00") for _ in range(2))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_in_a_pipe_with_telegraf_on_the_path_it_reads_the_meter_under_telegraf(tmp_path: Path) -> None:
    chosen = with_telegraf(os.environ, tmp_path)
    with program(
        COMMAND, env=chosen, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
    ) as process:
        line = read_line(process)
        assert line.startswith("p1,")
        assert ",host=" in line  # Telegraf's own tag
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        assert process.wait(20) == 0
