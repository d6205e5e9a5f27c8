"""The contract of all sources, and the timeouts that most of them need.

A source is a function that opens a connection, or raises OSError if trying again may help. The connection is read until
it returns nothing more:

    connection = source()
    while events := connection.read():
        ...                  # write their records
        connection.done()    # now the sender may forget them

`read` waits until there are events, and returns all that there are: a hundred messages that have arrived are a hundred
events. A source that can become silent reports a pause and a silence (PAUSE_S, SILENCE_S). It returns an empty list if
there will never be more, and raises OSError if trying again may help. A source does not parse telegrams, does not try
again, and does not log.
"""

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable

from telegraf_p1.sources import events
from telegraf_p1.sources.events import Event, Pause, Silence


class Connection(ABC):
    """A source while it is open.

    `keeps`: nothing is lost if reading stops while Telegraf is stalled, as with a file. `acknowledges`: `done` may be
    called later, once everything is written, and `read` is called meanwhile. It then returns an event now and then, as
    long as there is something to acknowledge.
    """

    keeps = False
    acknowledges = False

    @abstractmethod
    def read(self) -> list[Event]:
        """Wait for the next events; an empty list means that there will never be more.

        Raise OSError when the connection is lost, with the reason as the user should read it.
        """

    def want(self, is_wanted: bool) -> None:  # noqa: B027, FBT001  most meters send unasked
        """Tell whether a telegram is wanted now: if not, a meter that sends on request is not asked."""

    def done(self) -> None:  # noqa: B027  most senders need no acknowledgement
        """Tell that all events returned so far are processed: they may be acknowledged."""

    def close(self) -> None:  # noqa: B027  many have nothing to close
        """Close the connection before another one is opened; the program may end without calling it."""

    def leave(self) -> None:  # noqa: B027  most notice a closed connection at once
        """Tell the other side at the end of the program that we leave, in a tenth of a second at most."""


Source = Callable[[], Connection]


class SilenceTimer:
    """How long a source waits before it reports that no data came, with `advice`, or gives up at `limit` (s)."""

    def __init__(self, limit: float | None = None, advice: str = events.PORT) -> None:
        self._limit, self._advice = limit, advice
        self._times = [s for s in (events.PAUSE_S, events.SILENCE_S) if limit is None or s < limit]
        if limit is not None:
            self._times.append(limit)
        self._passed = 0
        self._ever = False  # whether any data came

    def wait(self) -> float | None:
        """Return the s to wait from now on; None: without limit, since everything was reported."""
        if self._passed == len(self._times):
            return None
        return self._times[self._passed] - (self._times[self._passed - 1] if self._passed else 0.0)

    def event(self) -> Event:
        """Return the event that reports that no data came; raise OSError at the limit."""
        passed = self._times[self._passed]
        self._passed += 1
        if passed == self._limit:
            text = f"no data for {passed:g} s"
            raise OSError(errno.ETIMEDOUT, text if self._ever else f"connected, but {text}")
        return Silence(passed, self._advice) if passed >= events.SILENCE_S else Pause(passed)

    def renew(self) -> None:
        """Note that data came."""
        self._passed, self._ever = 0, True
