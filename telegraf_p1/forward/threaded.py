"""A target that keeps a connection in a thread of its own: what those for MQTT and for Kafka have in common."""

import threading
from abc import abstractmethod
from typing import Final, Protocol

from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.target import Target, Told
from telegraf_p1.log import Log
from telegraf_p1.outage import Outage

_LAST_WORD_S: Final = 1.0


class Line(Protocol):
    """A connection on which letters go."""

    def offer(self, number: int, letter: Letter) -> bool:
        """Take a letter if there is room for it; the forwarder's thread asks."""

    def wake(self) -> None:
        """Let it look at once at what there is to do; from any thread."""


class Threaded(Target):
    """Runs `keep`, which opens a line again and again, and offers it letters while `line` is one."""

    def __init__(self, log: Log, name: str) -> None:
        self.log, self.outage = log, Outage(log, name, "telegrams wait until it is there")
        self.line: Line | None = None
        self.closes = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def keep(self, told: Told, meter: str) -> None:
        """Keep a connection until `closes` is set."""

    def start(self, told: Told, meter: str) -> None:
        """Begin to connect, in the background."""
        self._thread = threading.Thread(target=self.keep, args=(told, meter), name="target", daemon=True)
        self._thread.start()

    def send(self, number: int, letter: Letter) -> bool:
        """Take a letter, if there is a connection with room."""
        line = self.line
        return line is not None and line.offer(number, letter)

    def close(self) -> None:
        """End the connection, with a last word."""
        self.closes.set()
        if line := self.line:
            line.wake()
        if self._thread:
            self._thread.join(_LAST_WORD_S)
