"""What happens to the plugin's pipes and to the computer that it runs on.

How it ends, by which signal and in which state, is tested in tests/integration/test_process.py.
"""

import fcntl
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

from tests.faults.matrix import PACE, Row, either, fault
from tests.helpers.cable import Cable, open_files, waiting_in
from tests.helpers.programs import wait_until

PIPES, COMPUTER = "stdin, stdout, stderr", "The computer"
AN_HOUR = 3600
REJECTED = b"/TST5\r\n\r\n1-0:1.7.0(00.519*kW)\r\n!1234\r\n"


@fault(PIPES, "stdout not read for an hour of telegrams", within=10)
def test_stdout_unread(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    reading = Event()
    reading.set()
    with row.plugin("run", str(cable.link), reading=reading):
        row.begin()
        reading.clear()
        row.send(AN_HOUR)
        reading.set()
        begun = time.monotonic()
        row.wait_for_all()
        row.took(begun)
        row.steady()
    assert "dropped" not in row.log()


@fault(
    PIPES,
    "stdout not read for three hours of telegrams",
    "the oldest telegrams: memory holds 7 MiB of records; the log has their number",
    within=10,
)
def test_stdout_unread_for_too_long(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    reading = Event()
    reading.set()
    with row.plugin("run", str(cable.link), reading=reading):
        row.begin()
        reading.clear()
        with row.unheard():
            row.send(2 * AN_HOUR)
        row.send(AN_HOUR)
        reading.set()
        begun = time.monotonic()
        row.wait_for_all()
        row.took(begun)
        row.steady()
    (dropped,) = re.findall(r"the oldest (\d+) were dropped", row.log())
    assert int(dropped) == row.lost()


@fault(PIPES, "stderr closed")
def test_stderr_closed(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    with row.plugin("run", str(cable.link), prefix=("sh", "-c", 'exec "$@" 2>&-', "sh")):
        row.begin()
        cable.write(REJECTED)  # what would be said of this goes nowhere
        row.steady(either(10, 60))


@fault(PIPES, "stderr full and not read")
def test_stderr_blocked(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    read, write = os.pipe()
    size = fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.write(write, bytes(size))
    with row.plugin("run", str(cable.link), prefix=("sh", "-c", f'exec "$@" 2>/dev/fd/{write}', "sh"), fds=(write,)):
        row.begin()
        cable.write(REJECTED)
        row.steady(either(10, 60))
        assert waiting_in(read) == size
        os.read(read, size)
        cable.write(REJECTED.replace(b"!1234", b""))
        row.steady(1)
        assert b"log lines were dropped" in os.read(read, size)
    os.close(read)
    os.close(write)


@fault(PIPES, "stdin closed (Telegraf stops the plugin) with records that were not read yet")
def test_stdin_closed(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    reading = Event()
    reading.set()
    with row.plugin("run", str(cable.link), reading=reading) as process:
        row.begin()
        reading.clear()
        row.send(50)
        assert process.stdout
        stdout = process.stdout.fileno()
        # What is still in the port when the plugin is stopped it has never read.
        wait_until(lambda: waiting_in(stdout) >= row.bytes_missing() > 0, "the records")
    row.wait_for_all()


@fault(COMPUTER, "no free file descriptor", "telegrams while the port could not be opened")
def test_out_of_descriptors(row: Row, cable: Cable) -> None:
    row.wire = cable.write_at_once
    with row.plugin("run", str(cable.link), prefix=("prlimit", "--nofile=5:100")) as process:
        row.said("Too many open files")
        with row.unheard():
            row.send(either(10, 60), PACE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (100, 100))
        row.recovered()
        row.steady()


@fault(COMPUTER, "home, temporary and working directory are read-only")
def test_read_only_home(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    # Where not even root may write.
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), "/proc")
    root = str(Path(__file__).parent.parent.parent)
    with row.plugin("run", str(cable.link), env={**places, "PYTHONPATH": root}, cwd="/proc") as process:
        row.begin()
        row.steady()
        files = [file for file in open_files(process.pid) if file.startswith("/") and not file.startswith("/dev/")]
        assert files == [str(row.folder / "log0")]


# Debian 12's libfaketime makes time.sleep of Python 3.11 fail, so the clock is turned in the process.
_TURNED_CLOCK = """
import pathlib, time
right = time.time_ns
time.time_ns = lambda: right() + int(pathlib.Path({!r}).read_text()) * 10**9
time.time = lambda: time.time_ns() / 1e9
"""


@fault(COMPUTER, "the computer's clock jumps an hour ahead and back, repeatedly")
def test_clock_jumps(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    turned_by = row.folder / "turned by"
    turned_by.write_text("0")
    (row.folder / "sitecustomize.py").write_text(_TURNED_CLOCK.format(str(turned_by)))
    env = {"PYTHONPATH": str(row.folder)}
    with row.plugin("run", f"{cable.link}?timeout=3s", env=env):
        row.begin()
        for n in range(either(6, 12)):
            turned_by.write_text(str(3600 * (n % 2)))
            row.steady()
    shown = subprocess.check_output([sys.executable, "-c", "import time; print(time.time())"], env=os.environ | env)
    assert float(shown) > time.time() + 3000
    assert not row.log()
