"""The plugin as a process: start, memory, CPU, wake-ups and the time it takes to end.

A pty stands for the cable; the simulated meter sends one telegram a second.

    make bench
"""

import os
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

COMMAND = [sys.executable, "-m", "telegraf_p1", "run"]
SECONDS, IDLE_SECONDS, ROUNDS = 30, 10, 10


def start(source: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )


def stop(process: subprocess.Popen[bytes]) -> float:
    """Close its stdin, as Telegraf does; give the ms until it has ended."""
    assert process.stdin
    assert process.stdout
    begun = time.perf_counter()
    process.stdin.close()
    process.wait(10)
    process.stdout.close()
    return (time.perf_counter() - begun) * 1e3


def until_port_is_open(process: subprocess.Popen[bytes], device: str) -> None:
    folder = Path(f"/proc/{process.pid}/fd")
    while True:
        for link in folder.iterdir():
            with suppress(FileNotFoundError):
                if str(link.readlink()) == device:
                    return
        time.sleep(0.0005)


def milliseconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    return (time.perf_counter() - begun) * 1e3


def status(task: Path, name: str) -> int:
    """Give a number of /proc/…/status."""
    lines = (task / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def wake_ups(pid: int) -> int:
    """Count how often its threads went to sleep."""
    return sum(status(task, "voluntary_ctxt_switches") for task in Path(f"/proc/{pid}/task").iterdir())


def nanoseconds_on_cpu(pid: int) -> int:
    """Give the exact run time; the ticks of /proc/PID/stat are too coarse for so little work."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def main() -> None:
    end, device_fd = pty.openpty()
    tty.setraw(device_fd)
    device = os.ttyname(device_fd)
    os.close(device_fd)

    plain = median(milliseconds([sys.executable, "-c", "pass"]) for _ in range(ROUNDS))
    starts, stops = [], []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        process = start(device)
        until_port_is_open(process, device)
        starts.append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.2)
        stops.append(stop(process))
    print(f"python -c pass          {plain:8.1f} ms")
    print(f"start until port open   {median(starts):8.1f} ms, {median(starts) / plain:.1f} times that")
    print(f"end after EOF of stdin  {median(stops):8.1f} ms, longest {max(stops):.1f} ms")

    process = start(device)
    until_port_is_open(process, device)
    time.sleep(1)
    meter = Meter()
    before = nanoseconds_on_cpu(process.pid)
    for second in range(SECONDS):
        telegram = meter.telegram(int(time.time()) + second)
        for place in range(0, len(telegram), 62):  # as a USB adapter delivers it
            os.write(end, telegram[place : place + 62])
            time.sleep(62 * 10 / 115200)
        assert process.stdout
        assert select.select([process.stdout], [], [], 5)[0]
        os.read(process.stdout.fileno(), 65536)
        time.sleep(max(0.0, 1 - len(telegram) * 10 / 115200))
    used = nanoseconds_on_cpu(process.pid) - before
    print(f"one telegram a second   {used / SECONDS / 1e7:8.2f} % of one core")
    print(f"memory (VmRSS)          {status(Path(f'/proc/{process.pid}'), 'VmRSS') / 1024:8.1f} MiB")
    time.sleep(SILENCE_S + 1)  # twice it wakes up on the way, to end and to explain the silence
    before = wake_ups(process.pid)
    time.sleep(IDLE_SECONDS)
    print(f"wake-ups without data   {(wake_ups(process.pid) - before) / IDLE_SECONDS:8.1f} a second")
    stop(process)


if __name__ == "__main__":
    main()
