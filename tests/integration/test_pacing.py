"""`--every` and `--emit signal`, of the plugin as a process and under the real Telegraf."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from telegraf_p1.simulator.meter import Meter
from tests.helpers import pages
from tests.helpers.cable import Cable, open_files
from tests.helpers.programs import (
    PLUGIN,
    answers,
    component,
    free_port,
    plugin,
    program,
    read_line,
    something_to_read,
    wait_until,
)
from tests.helpers.telegraf import telegraf
from tests.helpers.telegrams import START
from tests.helpers.web_device import Device, running

INTERVAL_S = 4  # of Telegraf, and a period


def ask(process: subprocess.Popen[bytes], how: str) -> None:
    """Ask for metrics as Telegraf does."""
    assert process.stdin
    if how == "STDIN":
        process.stdin.write(b"\n")
    else:
        process.send_signal(signal.Signals[how])


@contextmanager
def reading(cable: Cable, log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the plugin, and wait until it reads the cable."""
    with plugin("run", str(cable.link), "--stats", "1s", *options, log=log) as process:
        wait_until(lambda: cable.device in open_files(process.pid), "the port")
        yield process


def until_accepted(process: subprocess.Popen[bytes], count: int) -> None:
    """Wait until it has counted so many telegrams, and has written no record meanwhile."""
    while f"accepted={count}i," not in (line := read_line(process)):
        assert line.startswith("p1_stats,")


def next_record(process: subprocess.Popen[bytes]) -> str:
    while (line := read_line(process)).startswith("p1_stats,"):
        pass
    return line


@pytest.mark.parametrize("how", ["STDIN", "SIGUSR1"])
def test_a_signal_brings_the_newest_telegram_and_each_one_once(how: str, tmp_path: Path, cable: Cable) -> None:
    with reading(cable, tmp_path / "log", "--emit", "signal") as process:
        sent = [cable.send() for _ in range(3)]
        until_accepted(process, 3)
        ask(process, how)
        assert next_record(process) == sent[2]
        ask(process, how)  # nothing new
        until_accepted(process, 3)
        sent.append(cable.send())  # which that one takes
        assert next_record(process) == sent[3]
        cable.send()
        until_accepted(process, 5)
    assert (tmp_path / "log").read_text() == ""


@pytest.mark.parametrize("how", ["STDIN", "SIGUSR1"])
def test_without_the_option_a_signal_changes_nothing(how: str, tmp_path: Path, cable: Cable) -> None:
    with reading(cable, tmp_path / "log") as process:
        for _ in range(2):
            ask(process, how)
            line = cable.send()
            assert next_record(process) == line
        assert process.poll() is None


def test_with_http_it_is_the_time_between_two_questions_and_no_more(tmp_path: Path) -> None:
    with running(Device()) as device, plugin("run", device.url, "--every", "2s", log=tmp_path / "log") as process:
        for second in (0, 1):  # of the same two of the meter's clock
            device.show(Meter().telegram(START + second))
            assert read_line(process).endswith(f" {START + second}000000000")


def block(way: str, source: str, interval_s: int) -> str:
    """Give what telegraf.conf says of a meter; `way` is "every" or a signal."""
    is_every = way == "every"
    options = ["--every", f"{INTERVAL_S}s"] if is_every else ["--emit", "signal"]
    return f"""
[[inputs.execd]]
  command = {json.dumps([*PLUGIN, "run", source, *options])}
  signal = "{"none" if is_every else way}"
  restart_delay = "1s"
  data_format = "influx"
  [inputs.execd.tags]
    way = "{way}"
    meter = "{interval_s}s"
"""


def seconds_of(lines: Path, way: str, interval_s: int) -> list[int]:
    """Give the times of the records of a meter in the order in which they came."""
    text = lines.read_text() if lines.exists() else ""
    return [int(s) for s in re.findall(rf"meter={interval_s}s,.*way={way} .* (\d+)0{{9}}$", text, re.MULTILINE)]


def test_under_telegraf_meters_of_1_s_and_of_10_s_give_as_many_records_as_are_wanted(tmp_path: Path) -> None:
    """Two meters behind bridges, each read in all three ways at the same time."""
    lines, path = tmp_path / "lines", tmp_path / "telegraf.conf"
    ports = {interval_s: free_port() for interval_s in (1, 10)}
    ways = ("STDIN", "SIGUSR1", "every")
    path.write_text(
        f'[agent]\n  interval = "{INTERVAL_S}s"\n  flush_interval = "1s"\n[[outputs.file]]\n  files = ["{lines}"]\n'
        + "".join(block(way, f"tcp://127.0.0.1:{port}", s) for way in ways for s, port in ports.items())
    )
    meters = [
        [*PLUGIN, "simulate", f"tcp-listen://127.0.0.1:{port}", "--interval", f"{s}s", "--form", "se"]
        for s, port in ports.items()
    ]
    with program(meters[0], stderr=subprocess.DEVNULL), program(meters[1], stderr=subprocess.DEVNULL):
        wait_until(lambda: all(answers(port) for port in ports.values()), "the meters")
        with telegraf(path):
            wait_until(lambda: all(len(seconds_of(lines, way, 10)) >= 4 for way in ways), "four records of each", 90)
    for way in ways:
        slow, fast = seconds_of(lines, way, 10), seconds_of(lines, way, 1)
        assert {after - before for before, after in pairwise(slow)} == {10}, way  # each of its telegrams, once
        gaps = [after - before for before, after in pairwise(fast)]
        assert min(gaps[1:]) >= INTERVAL_S - 1, (way, gaps)
        assert sum(gaps) / len(gaps) == pytest.approx(INTERVAL_S, abs=1), (way, gaps)
    assert {second % INTERVAL_S for second in seconds_of(lines, "every", 1)[1:]} == {0}


def test_telegraf_test_shows_one_telegram_of_a_meter_that_it_asks(tmp_path: Path) -> None:
    page = pages.block("databases.md", "toml", holding="# One record each time Telegraf gathers")
    command = '"/opt/telegraf_p1/bin/telegraf-p1", "run", "/dev/ttyUSB0"'
    assert command in page
    path = tmp_path / "telegraf.conf"
    path.write_text(page.replace(command, ", ".join(map(json.dumps, [*PLUGIN, "run", "sim:"]))))
    done = subprocess.run(
        [component("telegraf"), "--config", str(path), "--test", "--test-wait", "4"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert len(re.findall("^> p1,", done.stdout, re.MULTILINE)) == 1


def test_it_ends_quietly_when_nobody_reads_what_a_signal_brings(tmp_path: Path, cable: Cable) -> None:
    with plugin("run", str(cable.link), "--emit", "signal", log=tmp_path / "log") as process:
        ask(process, "STDIN")

        def answered() -> bool:
            cable.send()
            return something_to_read(process, 0.3)

        wait_until(answered, "a record")
        assert process.stdout
        process.stdout.close()

        def ended() -> bool:
            cable.send()
            if process.poll() is None:
                ask(process, "SIGUSR1")
            return process.poll() is not None

        wait_until(ended, "its end")
        assert process.returncode == 0
    assert (tmp_path / "log").read_text() == ""


def test_a_stdout_that_cannot_be_written_at_a_signal_is_an_error(cable: Cable) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        program(
            [*PLUGIN, "run", str(cable.link), "--emit", "signal"],
            stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE, bufsize=0,
        ) as process,
    ):  # fmt: skip

        def ended() -> bool:
            cable.send()
            if process.poll() is None:
                process.send_signal(signal.SIGUSR1)
            return process.poll() is not None

        wait_until(lambda: cable.device in open_files(process.pid), "the port")
        wait_until(ended, "its end")
        assert process.returncode == 1
        assert process.stderr
        assert process.stderr.read() == b"E! cannot write to stdout: No space left on device\n"


def test_it_ends_at_once_while_a_record_waits_for_a_signal(tmp_path: Path, cable: Cable) -> None:
    with reading(cable, tmp_path / "log", "--emit", "signal") as process:
        cable.send()
        until_accepted(process, 1)
        assert process.stdin
        begun = time.monotonic()
        process.stdin.close()
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 1
        assert something_to_read(process, 1)
        assert process.stdout
        assert b"p1,meter=" not in process.stdout.read()
