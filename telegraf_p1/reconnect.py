"""A source that never gives up: the only place where a source is tried again."""

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
    """Opens a source, and opens it again for ever when it is lost; OSError becomes the event `Lost`.

    It logs a line when the connection goes and one when telegrams come again, at most once a minute. The waiting
    time grows to 5 s, to a minute where we are refused, until `accepted`, the number of accepted telegrams so far, has
    grown on a connection, or one has lasted.
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
        self._wanting = threading.Lock()  # held while what is wanted is told to what is open

    def read(self) -> list[Event]:
        """Give what the source tells; `Lost` when it could not be opened or broke."""
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
            self._wait = 0.0  # it was silent, and may speak again at any moment
        self.close()
        self._outage.begins(reason, self._log.warning_for if self._ever_read else self._log.error_for)

    def want(self, is_wanted: bool) -> None:  # noqa: FBT001
        """Pass it on, now and to what is opened later; any thread may say it."""
        with self._wanting:
            self._is_wanted = is_wanted
            if self._connection:
                with contextlib.suppress(OSError):  # it is lost: reading says so, too
                    self._connection.want(is_wanted)

    def done(self) -> None:
        """Acknowledge; what was lost since will come again by itself."""
        if self._connection:
            self._connection.done()

    def leave(self) -> None:
        """Say that we are gone, if it is open."""
        if self._connection:
            self._connection.leave()

    def close(self) -> None:
        """End the connection that is open."""
        with self._wanting:
            if self._connection:
                with contextlib.suppress(OSError):  # it is lost anyway
                    self._connection.close()
            self._connection = None


def opened_now(source: Source) -> Source:
    """Open a source now; the first call of what is given brings what came of that, and later ones open it anew."""
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
