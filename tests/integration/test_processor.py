"""`telegraf-p1 process` as a process: how it ends, and how it stands still."""

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.programs import PLUGIN, assert_ends_at_once, plugin, read_line, something_to_read

LINES = [b'cpu,host=a load=%d.5,text="a\nb" %d\n' % (number, number) for number in range(20_000)]


def written(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin
    process.stdin.write(data)


@pytest.mark.parametrize("how", ["eof", "SIGTERM", "SIGINT"])
def test_it_ends_at_once(tmp_path: Path, how: str) -> None:
    @contextmanager
    def at_work() -> Iterator[subprocess.Popen[bytes]]:
        with plugin("process", log=tmp_path / "log") as process:
            written(process, LINES[0])
            assert [read_line(process), read_line(process)] == LINES[0].decode().splitlines()
            yield process

    assert_ends_at_once(at_work, how)


def test_what_was_sent_before_the_end_is_written() -> None:
    done = subprocess.run([*PLUGIN, "process"], input=b"".join(LINES) + b"cut off", capture_output=True, check=True)
    assert done.stdout == b"".join(LINES) + b"cut off"
    assert done.stderr == b""


def test_what_lies_in_the_pipe_at_a_signal_is_written(tmp_path: Path) -> None:
    with plugin("process", log=tmp_path / "log") as process:
        written(process, LINES[0])
        assert read_line(process) == 'cpu,host=a load=0.5,text="a'
        process.send_signal(signal.SIGSTOP)
        written(process, b"".join(LINES[1:1000]))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.stdout
        assert process.stdout.read() == b'b" 0\n' + b"".join(LINES[1:1000])
        assert process.wait(10) == 0


def stuck(process: subprocess.Popen[bytes]) -> int:
    """Write until it takes no more, since nobody reads it; give how many bytes it took."""
    assert process.stdin
    os.set_blocking(process.stdin.fileno(), False)
    data, taken = b"".join(LINES), 0
    while select.select([], [process.stdin], [], 1.0)[1]:
        taken += os.write(process.stdin.fileno(), data[taken : taken + 4096])
    return taken


def test_it_reads_no_further_than_telegraf_does_and_loses_nothing(tmp_path: Path) -> None:
    with plugin("process", log=tmp_path / "log") as process:
        taken = stuck(process)
        assert 4096 < taken < 400_000
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        assert process.stdout.read() == b"".join(LINES)[:taken]
        assert process.wait(10) == 0


@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
def test_it_ends_though_nobody_reads(tmp_path: Path, how: str) -> None:
    with plugin("process", log=tmp_path / "log") as process:
        stuck(process)
        assert process.stdin
        if how == "eof":
            process.stdin.close()
        else:
            process.send_signal(signal.SIGTERM)
        assert process.wait(2) == 0
        assert "records were lost" in (tmp_path / "log").read_text()


def test_it_leaves_when_nobody_can_read_any_more(tmp_path: Path) -> None:
    with plugin("process", log=tmp_path / "log") as process:
        written(process, LINES[0])
        assert something_to_read(process, 20)
        assert process.stdout
        process.stdout.close()
        written(process, LINES[1])
        assert process.wait(10) == 0
        assert (tmp_path / "log").read_text() == ""


def test_a_wrong_option_is_said_in_one_line() -> None:
    done = subprocess.run([*PLUGIN, "process", "--timezone", "Mars"], input=b"", capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"E! ")
    assert done.stderr.count(b"\n") == 1
