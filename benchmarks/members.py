"""Plugins that share what meters send, the readers of their lines, and when the line of each telegram came."""

import time
from array import array
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from benchmarks.crowd import numbers
from benchmarks.parts import Process, Reader
from benchmarks.transports import Transport
from tests.helpers.programs import plugin


class Members:
    """Several plugins, each a process."""

    def __init__(self, stack: ExitStack, folder: Path, transport: Transport, count: int) -> None:
        self._stack, self._folder, self._transport, self._count = stack, folder, transport, count
        self.processes: list[Process] = []
        self.readers: list[Reader] = []
        for member in range(count):
            self.processes.append(self._started(member))

    def kill(self, member: int) -> int:
        """Kill one (kill -9); return when, in ns of CLOCK_MONOTONIC."""
        self.processes[member].kill()
        self.processes[member].wait()
        return time.monotonic_ns()

    def start_again(self, member: int) -> None:
        """Start one again, as Telegraf does."""
        self.processes[member] = self._started(member)

    def lines(self) -> int:
        """Count the lines that have come."""
        return sum(reader.count for reader in self.readers)

    def wait_for(self, count: int, patience_s: float = 30) -> None:
        """Wait for `count` lines, or until none has come for some time."""
        before, end = -1, 0.0
        while self.lines() < count:
            if self.lines() != before:
                before, end = self.lines(), time.monotonic() + patience_s
            elif time.monotonic() > end:
                break
            time.sleep(0.01)

    def _started(self, member: int) -> Process:
        source = self._transport.source(member, self._count)
        log = self._folder / f"plugin-{member}-{len(self.readers)}.log"
        process = self._stack.enter_context(plugin("run", source, log=log))
        self.readers.append(Reader(process))
        return process


class HasRead(Protocol):
    """The part of a reader that `arrivals` needs."""

    pieces: list[tuple[int, bytes]]


def arrivals(readers: Iterable[HasRead], count: int, meters: int, interval: int) -> tuple["array[int]", int]:
    """Return when the line of each telegram first came (0: never), and how many came again."""
    first, again = array("q", bytes(8 * count)), 0
    for reader in readers:
        rest = b""
        for when, data in reader.pieces:
            whole, end, rest = (rest + data).rpartition(b"\n")
            for number in numbers(whole + end, meters, interval):
                again += first[number] > 0
                first[number] = min(first[number] or when, when)
    return first, again
