"""Measures the parts of a system: the CPU time and memory of processes, and the lines that plugins write."""

import os
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

Process = subprocess.Popen[bytes]

# In addition to the lines of docs/mqtt.md: with a log of everything, the log would be measured.
QUIET: Final = ("log_type none", "set_tcp_nodelay true")


class Reader(threading.Thread):
    """Reads what a plugin writes, as Telegraf does; `pieces` are times (CLOCK_MONOTONIC, ns) and bytes."""

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
        """Return all bytes."""
        return b"".join(data for _, data in self.pieces)


def seconds_on_cpu(*processes: Process | int) -> float:
    """Return the exact CPU time of processes, given as such or by their ids."""
    used = 0
    for process in processes:
        for task in Path(f"/proc/{_pid(process)}/task").glob("*"):
            with suppress(OSError):  # a thread that has ended
                used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9


def mebibytes(*processes: Process | int) -> float:
    """Return the most memory that the largest of these processes has used, in MiB."""
    return max(_status(process, "VmHWM") for process in processes) / 1024


def resident_bytes(*processes: Process | int) -> int:
    """Return the memory that these processes use now, in bytes."""
    return sum(_status(process, "VmRSS") for process in processes) * 1024


def bytes_on_disk(*places: Path) -> int:
    """Return the disk space of files, and of the files in folders."""
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
