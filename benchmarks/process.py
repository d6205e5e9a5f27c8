"""The plugin as a process: start, memory, CPU, wake-ups, latency, and the time that it takes to end.

A pty replaces the cable; the simulated meter sends one telegram per second, in pieces like those of a USB adapter.

    make bench

It starts what pip has installed beside this Python. With an editable install (.venv), even `python -c pass` loads half
of the standard library first, so that the time of the start says little.
"""

import os
import platform
import pty
import select
import subprocess
import sys
import time
import tty
from contextlib import suppress
from pathlib import Path
from statistics import median

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.events import SILENCE_S

ROUNDS, SECONDS, IDLE_SECONDS = 21, 60, 10
HOUR = 3600  # telegrams
PIECE = 62  # bytes in a USB packet of FTDI, which is sent as soon as it is full
BYTE_S = 10 / 115200
SETTLED_MS = 5  # after which the port is set up, and its old data are discarded
_NS = 1_000_000_000


class Plugin:
    """`run` on a pty, and the meter at its other end."""

    def __init__(self) -> None:
        self.end, device_fd = pty.openpty()
        tty.setraw(device_fd)
        self.device = os.ttyname(device_fd)
        os.close(device_fd)
        self._meter = Meter()
        self._now = 1_700_000_000

    def start(self) -> float:
        """Start it; return the ms until the port is open."""
        begun = time.perf_counter()
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("telegraf-p1"), "run", self.device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
        )
        self.pid = self._process.pid
        descriptors = Path(f"/proc/{self.pid}/fd")
        while self._process.poll() is None:
            for link in descriptors.iterdir():
                with suppress(OSError):
                    if str(link.readlink()) == self.device:
                        return (time.perf_counter() - begun) * 1e3
            time.sleep(0.0003)
        raise ChildProcessError("the plugin has ended")

    def stop(self) -> float:
        """Close its stdin, as Telegraf does; return the ms until it has ended."""
        assert self._process.stdin
        assert self._process.stdout
        begun = time.perf_counter()
        self._process.stdin.close()
        self._process.wait(10)
        ended = time.perf_counter()
        self._process.stdout.close()
        return (ended - begun) * 1e3

    def send(self, *, in_pieces: bool = True) -> float:
        """Send a telegram; return the ms from its last bytes to its line."""
        self._now += 1
        telegram = self._meter.telegram(self._now)
        begun = sent = time.perf_counter()
        if not in_pieces:
            os.write(self.end, telegram)
        for place in range(0, len(telegram) if in_pieces else 0, PIECE):
            piece = telegram[place : place + PIECE]
            time.sleep(max(0.0, begun + (place + len(piece)) * BYTE_S - time.perf_counter()))
            sent = time.perf_counter()
            os.write(self.end, piece)
        self.line()
        return (time.perf_counter() - sent) * 1e3

    def line(self) -> None:
        """Wait for a line."""
        assert self._process.stdout
        assert select.select([self._process.stdout], [], [], 5)[0]
        assert os.read(self._process.stdout.fileno(), 65536).endswith(b"\n")

    def wake_ups(self) -> int:
        """Count how often its threads went to sleep."""
        return sum(status(task, "voluntary_ctxt_switches") for task in self._tasks())

    def seconds_on_cpu(self) -> float:
        """Return the exact CPU time; the ticks of /proc/PID/stat are too coarse for so little work."""
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self._tasks()) / _NS

    def memory(self) -> float:
        """Return the RSS in MiB."""
        return status(Path(f"/proc/{self.pid}"), "VmRSS") / 1024

    def _tasks(self) -> list[Path]:
        return list(Path(f"/proc/{self.pid}/task").iterdir())


def status(task: Path, name: str) -> int:
    """Return a number in /proc/…/status."""
    lines = (task / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def milliseconds(*command: str) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    return (time.perf_counter() - begun) * 1e3


def show(what: str, value: float, unit: str) -> None:
    print(f"{what:32} {value:8.2f} {unit}", flush=True)


def measure_start(plugin: Plugin) -> None:
    passes, starts, firsts, stops = [], [], [], []
    for _ in range(ROUNDS):
        passes.append(milliseconds(sys.executable, "-c", "pass"))
        opened = plugin.start()
        time.sleep(SETTLED_MS / 1e3)
        first = opened + SETTLED_MS + plugin.send(in_pieces=False)
        time.sleep(0.1)
        stops.append(plugin.stop())
        starts.append(opened)
        firsts.append(first)
    plain = median(passes)
    show("python -c pass", plain, "ms")
    show("start until port open", median(starts), f"ms, {median(starts) / plain:.2f} times that")
    show("start until first line", median(firsts), f"ms, of a telegram that comes {SETTLED_MS} ms after that")
    show("end after EOF of stdin", median(stops), f"ms, longest {max(stops):.1f} ms")


def measure_a_telegram_a_second(plugin: Plugin) -> None:
    for _ in range(3):
        plugin.send()
        time.sleep(1)
    used, woken, late = plugin.seconds_on_cpu(), plugin.wake_ups(), []
    begun = time.perf_counter()
    for second in range(1, SECONDS + 1):
        late.append(plugin.send())
        time.sleep(max(0.0, begun + second - time.perf_counter()))
    used, woken = plugin.seconds_on_cpu() - used, plugin.wake_ups() - woken
    late.sort()
    show("one telegram a second, CPU", used / SECONDS * 100, f"% of one core, {used / SECONDS * 1e3:.2f} ms a telegram")
    show("wake-ups a telegram", woken / SECONDS, "")
    show(
        "last byte until line",
        median(late),
        f"ms, 99 % {late[int(len(late) * 0.99)]:.2f} ms, longest {late[-1]:.2f} ms",
    )


def measure_memory(plugin: Plugin) -> None:
    for _ in range(HOUR // 10):
        plugin.send(in_pieces=False)
    begun = plugin.memory()
    for _ in range(HOUR):
        plugin.send(in_pieces=False)
    show("memory after an hour (VmRSS)", plugin.memory(), f"MiB, {plugin.memory() - begun:+.2f} within it")


def measure_silence(plugin: Plugin) -> None:
    time.sleep(SILENCE_S + 1)  # until then it wakes up twice, to end a telegram and to report the silence
    woken = plugin.wake_ups()
    time.sleep(IDLE_SECONDS)
    show("wake-ups without data", (plugin.wake_ups() - woken) / IDLE_SECONDS, "a second")


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's plugin is compiled
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores of {platform.machine()}")
    plugin = Plugin()
    plugin.start()  # compiles it
    plugin.stop()
    measure_start(plugin)
    plugin.start()
    measure_a_telegram_a_second(plugin)
    measure_memory(plugin)
    measure_silence(plugin)
    plugin.stop()


if __name__ == "__main__":
    main()
