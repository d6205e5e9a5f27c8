"""A target that keeps a connection in a thread of its own: what the targets for MQTT and Kafka share."""

import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from telegraf_p1.backoff import LONGEST_WAIT_S, STEADY_S, Backoff
from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.target import Target, Told
from telegraf_p1.log import Log, where
from telegraf_p1.outage import Outage
from telegraf_p1.url import UsageError

_LAST_WORD_S: Final = 1.0


class Line(Protocol):
    """A connection that sends letters; `has_delivered` says whether one has arrived."""

    has_delivered: bool

    def offer(self, number: int, letter: Letter) -> bool:
        """Accept a letter if there is room for it; called by the forwarder's thread."""

    def wake(self) -> None:
        """Make `serve` look at once at what there is to do; called from any thread."""

    def serve(self, told: Told, closes: threading.Event, arrives: Callable[[], None]) -> None:
        """Send what is offered until `closes` is set; raise OSError when the connection is lost."""

    def end(self) -> None:
        """Disconnect, and forget what was on its way."""


AnyLine = TypeVar("AnyLine", bound=Line)


class Threaded(Target, Generic[AnyLine]):
    """Opens a line, again and again when it is lost, and offers it letters while it is open."""

    def __init__(self, log: Log, name: str) -> None:
        self.log, self.outage = log, Outage(log, name, "telegrams are queued until the connection is restored")
        self.closes = threading.Event()
        self._backoff = Backoff()
        self._line: AnyLine | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def open(self, meter: str) -> AnyLine:
        """Return a connected line, or raise OSError with the reason."""

    def lost(self, error: OSError, line: AnyLine | None, *, was_steady: bool) -> float:
        """Log why a line was lost or could not be opened; return the s to wait before the next."""
        self.outage.begins(str(error.strerror or error), self.log.warning_for)
        return self._backoff.after(error, was_good=line is not None and (was_steady or line.has_delivered))

    def _keep(self, told: Told, meter: str) -> None:
        wait_s = 0.0
        while not self.closes.wait(wait_s):
            begun, line = time.monotonic(), None
            try:
                line = self._line = self.open(meter)
                told.there()
                line.serve(told, self.closes, self.outage.ends)
            except OSError as error:
                wait_s = self.lost(error, line, was_steady=time.monotonic() - begun > STEADY_S)
            except Exception as error:  # noqa: BLE001  the next connection may work, and nobody else would try it
                wait_s = LONGEST_WAIT_S
                reason = str(error) if isinstance(error, UsageError) else f"the connection failed with {where(error)}"
                self.outage.begins(reason, self.log.warning_for)
            finally:
                self._line = None
                if line:
                    line.end()
                told.gone()

    def start(self, told: Told, meter: str) -> None:
        """Start to connect, in the background."""
        self._thread = threading.Thread(target=self._keep, args=(told, meter), name="target", daemon=True)
        self._thread.start()

    def send(self, number: int, letter: Letter) -> bool:
        """Accept a letter, if there is a connection with room for it."""
        line = self._line
        return line is not None and line.offer(number, letter)

    def close(self) -> None:
        """Close the connection, after a moment for what is left to say."""
        self.closes.set()
        if line := self._line:
            line.wake()
        if self._thread:
            self._thread.join(_LAST_WORD_S)
