"""A stdout that is full: records wait, in order, within a bound; whoever has them kept waits too."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers.programs import program

# Writes as many records as it is told, says on stderr that it went on, and waits for the end of stdin.
_SAY = """
import sys, time
from telegraf_p1.log import Log
from telegraf_p1.pipe import Pipe
pipe = Pipe(Log(), int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    pipe.write([f"p1 n={number}i,text=\\"{chr(120) * int(sys.argv[3])}\\"\\n".encode()])
print("went on", file=sys.stderr, flush=True)
if sys.argv[4] == "flush":
    pipe.flush()
    print("flushed", file=sys.stderr, flush=True)
sys.stdin.read()
pipe.drain()
"""

# Writes records together, and says on stderr how many bytes went out at once.
_SAY_TOGETHER = """
import os, sys
from telegraf_p1.log import Log
from telegraf_p1.pipe import Pipe
write = os.write
def told(fd, data):
    if fd == 1:
        print(len(data), data[:1], data[-1:], file=sys.stderr, flush=True)
    return write(fd, data)
os.write = told
lines = [b"p1 n=%di,text=\\"%b\\"\\n" % (n, b"x" * (n * 37 % 1500)) for n in range(500)]
pipe = Pipe(Log())
pipe.write(lines[:200])
pipe.write([])
pipe.write([b"p1 n=200i,text=\\"" + b"x" * 5000 + b"\\"\\n", *lines[201:]])
pipe.flush()
pipe.drain()
"""


@contextmanager
def writer(most_bytes: int, count: int, length: int, how: str = "") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _SAY, *map(str, (most_bytes, count, length)), how]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with program(command, bufsize=0, **pipes) as process:
        yield process


def next_message(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr
    return process.stderr.readline().decode().rstrip()


def numbers(output: bytes) -> list[int]:
    return [int(line.partition(b"n=")[2].partition(b"i")[0]) for line in output.splitlines()]


def test_an_hour_of_telegrams_waits_for_telegraf_in_order() -> None:
    """3600 of the longest records that the simulated meters make, 1.4 KB each."""
    with writer(7 * 1024 * 1024, 3600, 1400) as process:
        assert next_message(process) == "went on"
        output, log = process.communicate(timeout=20)
    assert numbers(output) == list(range(3600))
    assert log == b""


def test_beyond_the_bound_the_oldest_are_dropped_and_counted() -> None:
    with writer(1024 * 1024, 5000, 1000) as process:
        assert next_message(process) == "went on"
        output, log = process.communicate(timeout=20)
    found = numbers(output)
    assert found == sorted(set(found))
    assert found[0] == 0  # those that were in the pipe already
    assert found[-1] == 4999
    assert f"the oldest {5000 - len(found)} were dropped".encode() in log
    assert 900 < len(found) < 1100  # 1 MiB, and 64 KiB in the pipe


def test_a_record_longer_than_a_pipe_takes_at_once_stays_whole() -> None:
    with writer(7 * 1024 * 1024, 30, 20_000) as process:
        assert next_message(process) == "went on"
        output, _ = process.communicate(timeout=20)
    assert numbers(output) == list(range(30))
    assert all(line.endswith(b'x"') and len(line) > 20_000 for line in output.splitlines())


def test_records_that_come_together_go_out_together_whole_and_in_order() -> None:
    done = subprocess.run([sys.executable, "-c", _SAY_TOGETHER], capture_output=True, check=True, timeout=20)
    assert numbers(done.stdout) == list(range(500))
    writes = [line.split() for line in done.stderr.decode().splitlines()]
    assert all(int(size) <= select.PIPE_BUF for size, *_ in writes)
    cut = [(begins, ends) for _, begins, ends in writes if (begins, ends) != ("b'p'", "b'\\n'")]
    assert cut == [("b'p'", "b'x'"), ("b'x'", "b'\\n'")]  # the one that is too long to be written at once
    assert len(writes) < 200


def test_flush_waits_until_all_is_written() -> None:
    with writer(7 * 1024 * 1024, 200, 1000, "flush") as process:
        assert next_message(process) == "went on"
        assert process.stdout
        assert process.stderr
        os.set_blocking(process.stderr.fileno(), False)
        assert process.stderr.read() is None
        os.set_blocking(process.stderr.fileno(), True)
        data = b""
        while data.count(b"\n") < 200:
            data += process.stdout.read(65536)
        assert next_message(process) == "flushed"


def test_a_reader_that_is_gone_ends_it() -> None:
    with writer(7 * 1024 * 1024, 200, 1000) as process:
        assert next_message(process) == "went on"
        assert process.stdout
        process.stdout.close()
        assert process.wait(10) == -15  # this script has no handler; `run` ends with exit code 0


def test_at_the_end_a_slow_reader_is_waited_for() -> None:
    with writer(7 * 1024 * 1024, 400, 1000) as process:
        assert next_message(process) == "went on"
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.close()
        data = b""
        while piece := process.stdout.read(64 * 1024):
            data += piece
            time.sleep(0.15)
        assert numbers(data) == list(range(400))
        assert process.stderr.read() == b""


def test_at_the_end_what_nobody_reads_is_told_of() -> None:
    with writer(7 * 1024 * 1024, 400, 1000) as process:
        assert next_message(process) == "went on"
        assert process.stdin
        assert process.stderr
        process.stdin.close()
        assert process.wait(10) == 0
        assert b"records were lost" in process.stderr.read()
