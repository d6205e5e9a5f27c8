"""When a telegram that has begun can be complete, so that nobody has to wake up for each piece of it.

A USB adapter gives 62 bytes at a time, a UART eight or so: a telegram of 911 bytes comes in 15 pieces or in a hundred.
Where its end is a source does not know; but a meter speaks in bursts, with silence between them, and what the last ones
took at least, in bytes and in s a byte, the next one takes too. Before that has passed no burst is over.
"""

from collections import deque
from typing import Final

_SILENCE_S: Final = 0.1  # between two bursts
_BURSTS: Final = 20  # that are remembered
# By which a burst may come earlier than those before. A burst whose end was waited for is one wake-up, so that this is
# shorter than a piece of 62 bytes at 115200 baud takes (5.4 ms).
_MARGIN_S: Final = 0.002
_AT_ONCE_S: Final = 0.0003
_FASTER: Final = 0.95  # that a burst may have been whose end we missed


class Rhythm:
    """The bursts of one line. All times are s, of one clock."""

    def __init__(self) -> None:
        # Bytes, and s for each of those behind the first piece.
        self._last_ones: deque[tuple[int, float]] = deque(maxlen=_BURSTS)
        self._is_whole = False  # whether the burst was heard from its first byte on
        self._begun = self._heard_at = self._until = 0.0
        self._first = self._bytes = 0  # in its first piece, and so far
        self._overslept = False

    def rest(self, now: float) -> float:
        """Give the s in which the burst cannot be complete; 0 when it can, or when nothing is known of this line."""
        return max(0.0, self._until - now)

    def heard(self, count: int, now: float, rested: float, waited: float) -> None:
        """Say that so many bytes came: what had come after we `rested`, or else the first after we `waited`, too."""
        if now - rested - self._heard_at > _SILENCE_S:
            self._remember()
            self._is_whole = waited > _SILENCE_S  # if not, we were busy, and it may have begun long ago
            self._begun, self._first, self._bytes = now, count, 0
            self._until = now + self._least(count) - _MARGIN_S if self._is_whole else 0.0
        # What is there at the end of a rest, and is all, may have been complete long before.
        self._overslept = rested > 0 and waited < _AT_ONCE_S
        self._bytes += count
        self._heard_at = now

    def _least(self, count: int) -> float:
        """Give the s that a burst takes on when so many bytes of it have come; less where the last ones differ."""
        if not self._last_ones:
            return 0.0
        paces = sorted(pace for _, pace in self._last_ones)
        fastest, usual = paces[0], paces[len(paces) // 2]
        # How much they differ the fastest does not say: once, perhaps, we were busy when it began.
        second = paces[:2][-1]
        pace = min(fastest, second - (usual - second))
        return max(0, min(size for size, _ in self._last_ones) - count) * pace

    def _remember(self) -> None:
        """Take the burst that is over for a model, if it was heard from its beginning on."""
        more = self._bytes - self._first
        if self._is_whole:
            pace = (self._heard_at - self._begun) / more if more else 0.0
            self._last_ones.append((self._bytes, pace * _FASTER if self._overslept else pace))
