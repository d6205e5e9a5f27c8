"""How long to wait before a source or a target that failed is tried again."""

import errno
import os
from typing import Final

STEADY_S: Final = 10.0  # a connection that lasted this long resets the waiting time
LONGEST_WAIT_REFUSED_S: Final = 60.0
# Frequent attempts cost little while the other side is unavailable, and telegrams sent meanwhile are lost. A peer that
# refuses us will do so until the user changes something: it is tried less often.
LONGEST_WAIT_S: Final = 5.0
_SHORTEST_WAIT_S: Final = 0.5
_REFUSED: Final = (errno.EACCES, errno.EPERM)


class Backoff:
    """The waiting times between attempts: from 0.5 s to 5 s, or to a minute where access is refused."""

    def __init__(self) -> None:
        self._attempt = 0

    def after(self, error: OSError, *, was_good: bool) -> float:
        """Return the seconds to wait after an attempt that ended with `error`; `was_good` resets the waiting time."""
        self._attempt = 0 if was_good else self._attempt + 1
        return waiting_time(self._attempt, LONGEST_WAIT_REFUSED_S if error.errno in _REFUSED else LONGEST_WAIT_S)


def waiting_time(attempt: int, longest: float) -> float:
    """Return the seconds to wait: 0.5, doubled with each attempt up to `longest`, minus up to a quarter at random."""
    wait = min(_SHORTEST_WAIT_S * 2.0 ** min(attempt, 10), longest)
    return max(_SHORTEST_WAIT_S, wait * (1 - os.urandom(1)[0] / 1024))
