"""The parts of a measured system: what a process takes of CPU and memory, and the lines that plugins write."""

import os
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

Process = subprocess.Popen[bytes]

# Beside the lines of docs/mqtt.md: a log of all that a broker does would be what is measured.
QUIET: Final = ("log_type none", "set_tcp_nodelay true")


class Reader(threading.Thread):
    """Reads what a plugin writes, as Telegraf does; `pieces` has it with the ns of CLOCK_MONOTONIC when it came."""

    def __init__(self, process: Process) -> None:
        super().__init__(daemon=True)
        assert process.stdout
        self._descriptor = os.dup(process.stdout.fileno())  # the process may be replaced before all is read
        self.pieces: list[tuple[int, bytes]] = []
        self.count = 0
        self.start()

    def run(self) -> None:
        """Read until there is no more."""
        while data := os.read(self._descriptor, 65536):
            self.pieces.append((time.monotonic_ns(), data))
            self.count += data.count(b"\n")
        os.close(self._descriptor)

    def data(self) -> bytes:
        """Give all of it."""
        return b"".join(data for _, data in self.pieces)


def seconds_on_cpu(*processes: Process | int) -> float:
    """Give the exact run time of processes, by themselves or their ids."""
    used = 0
    for process in processes:
        for task in Path(f"/proc/{_pid(process)}/task").glob("*"):
            with suppress(OSError):  # a thread that has ended
                used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9


def mebibytes(*processes: Process | int) -> float:
    """Give the most memory that the largest of these has had."""
    return max(_status(process, "VmHWM") for process in processes) / 1024


def resident_bytes(*processes: Process | int) -> int:
    """Give the memory that these have now."""
    return sum(_status(process, "VmRSS") for process in processes) * 1024


def bytes_on_disk(*places: Path) -> int:
    """Give what files, and the files in folders, take of a disk."""
    found = 0
    for place in places:
        for path in (place, *place.rglob("*")):
            with suppress(OSError):  # a file that was merged with others meanwhile
                found += path.stat().st_blocks * 512
    return found


def _pid(process: Process | int) -> int:
    return process if isinstance(process, int) else process.pid


def _status(process: Process | int, name: str) -> int:
    return int(Path(f"/proc/{_pid(process)}/status").read_text().split(f"{name}:")[1].split()[0])
