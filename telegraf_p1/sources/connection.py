"""The contract of all sources, and the clock that most of them need.

A source is a function that opens a connection, or raises OSError when trying again may help.
What it opens is read until it gives nothing more:

    connection = source()
    while events := connection.read():
        ...                  # records of them are written
        connection.done()    # now the sender may forget them

`read` waits until there is something to tell, and gives all that there is: a hundred messages that
have come meanwhile are a hundred events. Where a line can fall silent it tells of a pause and of a silence
(PAUSE_S, SILENCE_S). It gives an empty list when there will never be more, and raises OSError when trying
again may help.
A source knows no telegrams, no retry and no log.
"""

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable

from telegraf_p1.sources import events
from telegraf_p1.sources.events import Event, Pause, Silence


class Connection(ABC):
    """A source while it is open.

    `keeps` says that nothing is lost when we stand still while Telegraf does, as with a file. `acknowledges` says that
    `done` may come later, once all is written, and that `read` goes on meanwhile: it gives an event now and then as
    long as something is not done.
    """

    keeps = False
    acknowledges = False

    @abstractmethod
    def read(self) -> list[Event]:
        """Wait for what comes next; an empty list says that there will never be more.

        Raise OSError when the connection is lost, with the reason as the user should read it.
        """

    def want(self, is_wanted: bool) -> None:  # noqa: B027, FBT001  most meters speak unasked
        """Say whether a telegram is wanted now: a meter that is asked for each is not asked meanwhile."""

    def done(self) -> None:  # noqa: B027  most senders want to hear nothing
        """Say that all events given so far are dealt with: they may be acknowledged."""

    def close(self) -> None:  # noqa: B027  many have nothing to close
        """End the connection, before another one is tried; the end of the program does not wait for it."""

    def leave(self) -> None:  # noqa: B027  who is gone is missed at once by most
        """Say at the end of the program that we are gone, in a tenth of a second at most."""


Source = Callable[[], Connection]


class Patience:
    """How long a source waits until it says that nothing came, with `advice`, or gives up at `limit` (s)."""

    def __init__(self, limit: float | None = None, advice: str = events.PORT) -> None:
        self._limit, self._advice = limit, advice
        self._times = [s for s in (events.PAUSE_S, events.SILENCE_S) if limit is None or s < limit]
        if limit is not None:
            self._times.append(limit)
        self._passed = 0
        self._ever = False  # whether a byte came

    def wait(self) -> float | None:
        """Give the s to wait from now on; None: for ever, all has been said."""
        if self._passed == len(self._times):
            return None
        return self._times[self._passed] - (self._times[self._passed - 1] if self._passed else 0.0)

    def event(self) -> Event:
        """Give the event that says that nothing came; raise OSError at the limit."""
        passed = self._times[self._passed]
        self._passed += 1
        if passed == self._limit:
            text = f"no data for {passed:g} s"
            raise OSError(errno.ETIMEDOUT, text if self._ever else f"connected, but {text}")
        return Silence(passed, self._advice) if passed >= events.SILENCE_S else Pause(passed)

    def renew(self) -> None:
        """Say that a byte came."""
        self._passed, self._ever = 0, True
