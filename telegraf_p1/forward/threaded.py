"""A target that keeps a connection in a thread of its own: what the targets for MQTT and Kafka share."""

import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from telegraf_p1.backoff import LONGEST_WAIT_S, STEADY_S, Backoff
from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.target import Target, TargetListener
from telegraf_p1.log import Log, where
from telegraf_p1.outage import Outage
from telegraf_p1.url import UsageError

_CLOSE_TIMEOUT_S: Final = 1.0


class TargetConnection(Protocol):
    """A connection that sends letters; `has_delivered` says whether one has arrived."""

    has_delivered: bool

    def offer(self, number: int, letter: Letter) -> bool:
        """Accept a letter if there is room for it; called by the forwarder's thread."""

    def wake(self) -> None:
        """Make `serve` look at once at what there is to do; called from any thread."""

    def serve(self, listener: TargetListener, closes: threading.Event, arrives: Callable[[], None]) -> None:
        """Send what is offered until `closes` is set; raise OSError when the connection is lost."""

    def end(self) -> None:
        """Disconnect, and forget what was on its way."""


AnyConnection = TypeVar("AnyConnection", bound=TargetConnection)


class Threaded(Target, Generic[AnyConnection]):
    """Opens a connection, again and again when it is lost, and offers it letters meanwhile."""

    def __init__(self, log: Log, name: str) -> None:
        self.log, self.outage = log, Outage(log, name, "telegrams are queued until the connection is restored")
        self.closes = threading.Event()
        self._backoff = Backoff()
        self._connection: AnyConnection | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def open(self, meter: str) -> AnyConnection:
        """Return an open connection, or raise OSError with the reason."""

    def lost(self, error: OSError, connection: AnyConnection | None, *, was_steady: bool) -> float:
        """Log why a connection was lost or could not be opened; return the s to wait before the next."""
        self.outage.begins(str(error.strerror or error), self.log.warning_for)
        return self._backoff.after(error, was_good=connection is not None and (was_steady or connection.has_delivered))

    def _keep(self, listener: TargetListener, meter: str) -> None:
        wait_s = 0.0
        while not self.closes.wait(wait_s):
            begun, connection = time.monotonic(), None
            try:
                connection = self._connection = self.open(meter)
                listener.available()
                connection.serve(listener, self.closes, self.outage.ends)
            except OSError as error:
                wait_s = self.lost(error, connection, was_steady=time.monotonic() - begun > STEADY_S)
            except Exception as error:  # noqa: BLE001  the next connection may work, and nobody else would try it
                wait_s = LONGEST_WAIT_S
                reason = str(error) if isinstance(error, UsageError) else f"the connection failed with {where(error)}"
                self.outage.begins(reason, self.log.warning_for)
            finally:
                self._connection = None
                if connection:
                    connection.end()
                listener.unavailable()

    def start(self, listener: TargetListener, meter: str) -> None:
        """Start to connect, in the background."""
        self._thread = threading.Thread(target=self._keep, args=(listener, meter), name="target", daemon=True)
        self._thread.start()

    def send(self, number: int, letter: Letter) -> bool:
        """Accept a letter, if there is a connection with room for it."""
        connection = self._connection
        return connection is not None and connection.offer(number, letter)

    def close(self) -> None:
        """Close the connection, after a moment for what is left to say."""
        self.closes.set()
        if connection := self._connection:
            connection.wake()
        if self._thread:
            self._thread.join(_CLOSE_TIMEOUT_S)
