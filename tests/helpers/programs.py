"""Programs that tests start: which are required, how they start and end, and how to wait for what they do."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

PLUGIN = [sys.executable, "-m", "telegraf_p1"]


def find(name: str) -> str | None:
    """Return the path of a program or library: where P1_NAME says, or where such things are."""
    path = os.environ.get(f"P1_{name.upper()}") or shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    path = path or next(map(str, Path("/usr/lib").glob(f"*/{name}.so")), None)
    return path if path and Path(path).exists() else None


def component(name: str) -> str:
    """Return the path of a program or library; skip the test without it, or fail it if P1_REQUIRE names it."""
    if path := find(name):
        return path
    if name in required():
        pytest.fail(f"P1_REQUIRE asks for {name}, which is not installed")
    pytest.skip(f"{name} is not installed")


def required() -> list[str]:
    return [name for name in os.environ.get("P1_REQUIRE", "").split(",") if name]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    """Wait until a condition holds, and return its value; fail with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s for: {what}")
        time.sleep(0.02)
    return value


def answers(port: int) -> bool:
    """Whether a program listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def program(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program and end it, by its process id, whatever happens."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@contextmanager
def plugin(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `telegraf-p1` as Telegraf does, with pipes as stdin and stdout, and its log in a file."""
    with (
        log.open("wb") as stderr,
        program(
            [*PLUGIN, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0
        ) as process,
    ):
        yield process


def something_to_read(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process writes to its stdout, or closes it, within this time."""
    assert process.stdout
    return bool(select.select([process.stdout], [], [], seconds)[0])


def read_line(process: subprocess.Popen[bytes]) -> str:
    """Return the next record; fail if none comes within 20 s."""
    assert process.stdout
    line = b""
    while not line.endswith(b"\n"):
        assert something_to_read(process, 20), "no record came for 20 s"
        byte = process.stdout.read(1)
        assert byte, "the plugin closed its stdout"
        line += byte
    return line.decode()[:-1]


@contextmanager
def _unmeasured() -> Iterator[None]:
    """Start programs without coverage."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COV")]:
            patch.delenv(name)
        yield


def assert_ends_at_once(running: Callable[[], AbstractContextManager[subprocess.Popen[bytes]]], how: str) -> None:
    """Stop the plugin, by `eof` or the name of a signal: it has to end within 0.2 s, with exit code 0.

    It has three attempts, since CI may be busy. Coverage is not measured, since saving it would take longer.
    """
    took: list[float] = []
    while not took or (min(took) > 0.2 and len(took) < 3):
        with _unmeasured(), running() as process:
            begun = time.monotonic()
            if how == "eof":
                assert process.stdin
                process.stdin.close()
            else:
                process.send_signal(signal.Signals[how])
            assert process.wait(10) == 0
            took.append(time.monotonic() - begun)
    assert min(took) <= 0.2
