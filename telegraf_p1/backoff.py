"""How long to wait before what failed is tried again: a source, or a target."""

import errno
import os
from typing import Final

STEADY_S: Final = 10.0  # a connection that lasted so long may be opened again at once
LONGEST_WAIT_REFUSED_S: Final = 60.0
# Asking often costs nothing where somebody is away, and what the meter says until the next attempt is lost. Who refuses
# us, until the user changes something, is left in peace.
LONGEST_WAIT_S: Final = 5.0
_SHORTEST_WAIT_S: Final = 0.5
_REFUSED: Final = (errno.EACCES, errno.EPERM)


class Backoff:
    """The waiting times between the attempts at one thing: from 0.5 s to 5 s, to a minute where we are refused."""

    def __init__(self) -> None:
        self._attempt = 0

    def after(self, error: OSError, *, was_good: bool) -> float:
        """Give the s to wait after an attempt that ended with an error; one that was good for something starts anew."""
        self._attempt = 0 if was_good else self._attempt + 1
        return waiting_time(self._attempt, LONGEST_WAIT_REFUSED_S if error.errno in _REFUSED else LONGEST_WAIT_S)


def waiting_time(attempt: int, longest: float) -> float:
    """Give the s to wait before an attempt: doubled with each up to `longest`, up to a quarter less by chance."""
    wait = min(_SHORTEST_WAIT_S * 2.0 ** min(attempt, 10), longest)
    return max(_SHORTEST_WAIT_S, wait * (1 - os.urandom(1)[0] / 1024))
