"""Reconnects to a source; the only place where a source is tried again."""

import contextlib
import errno
import threading
import time
from collections.abc import Callable

from telegraf_p1.backoff import STEADY_S, Backoff
from telegraf_p1.log import Log
from telegraf_p1.outage import Outage
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Event, Lost


class Reconnecting(Connection):
    """Opens a source, and opens it again whenever it is lost; an OSError becomes the event `Lost`.

    It logs a line when the connection is lost and one when telegrams come again, at most once a minute. The waiting
    time grows to 5 s, or to a minute where access is refused. It is reset when a connection has lasted, or has brought
    telegrams: `accepted` returns the number of accepted telegrams so far.
    """

    def __init__(self, source: Source, log: Log, name: str, accepted: Callable[[], int]) -> None:
        self._source, self._log, self._accepted = source, log, accepted
        self._connection: Connection | None = None
        self._opened_at = 0.0
        self._accepted_before = 0
        self._backoff = Backoff()
        self._wait = 0.0
        self._outage = Outage(log, name, "retrying")
        self._ever_read = False
        self._is_wanted = True
        self._wanting = threading.Lock()  # held while the open connection is told what is wanted

    def read(self) -> list[Event]:
        """Return the events of the source; `Lost` if it could not be opened or was lost."""
        self._say_that_it_is_back()
        try:
            found = self._opened().read()
        except OSError as error:
            self._lose(error)
            return [Lost()]
        self._ever_read |= bool(found)
        return found

    def _opened(self) -> Connection:
        if self._connection is None:
            time.sleep(self._wait)
            self._accepted_before = self._accepted()
            self._opened_at = time.monotonic()
            self._connection = self._source()
            with self._wanting:
                if not self._is_wanted:
                    self._connection.want(False)
            self.keeps, self.acknowledges = self._connection.keeps, self._connection.acknowledges
        return self._connection

    def _say_that_it_is_back(self) -> None:
        if self._connection and self._accepted() > self._accepted_before:
            self._outage.ends("connection restored" if self._accepted_before else "connected")

    def _lose(self, error: OSError) -> None:
        reason = str(error.strerror or error)
        self._say_that_it_is_back()
        is_steady = self._connection is not None and time.monotonic() - self._opened_at > STEADY_S
        is_good = is_steady or self._accepted() > self._accepted_before
        self._wait = self._backoff.after(error, was_good=is_good)
        if is_good and error.errno == errno.ETIMEDOUT:
            self._wait = 0.0  # it was silent, and may send again at any moment
        self.close()
        self._outage.begins(reason, self._log.warning_for if self._ever_read else self._log.error_for)

    def want(self, is_wanted: bool) -> None:  # noqa: FBT001
        """Pass it on to the connection, and to those that are opened later; any thread may call it."""
        with self._wanting:
            self._is_wanted = is_wanted
            if self._connection:
                with contextlib.suppress(OSError):  # it is lost: `read` reports that, too
                    self._connection.want(is_wanted)

    def done(self) -> None:
        """Acknowledge all events; those of a lost connection will be sent again."""
        if self._connection:
            self._connection.done()

    def leave(self) -> None:
        """Tell the other side that the program ends, if the connection is open."""
        if self._connection:
            self._connection.leave()

    def close(self) -> None:
        """Close the connection, if it is open."""
        with self._wanting:
            if self._connection:
                with contextlib.suppress(OSError):  # it is lost anyway
                    self._connection.close()
            self._connection = None


def opened_now(source: Source) -> Source:
    """Open a source now; return a source whose first call gives this connection or error, and later ones a new one."""
    outcomes: list[Connection | OSError] = []
    try:
        outcomes.append(source())
    except OSError as error:
        outcomes.append(error)

    def opened() -> Connection:
        outcome = outcomes.pop() if outcomes else source()
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    return opened
