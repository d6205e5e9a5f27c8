"""Finds out when a telegram that has begun can be complete, so that the program does not wake up for each piece.

A USB adapter delivers 62 bytes at a time, a UART about eight: a telegram of 911 bytes comes in 15 pieces or in a
hundred. A source does not know where it ends, but a meter sends in bursts, with silence between them. The next burst
has at least the bytes, and takes at least the time per byte, of the shortest and fastest of the last ones. Before that
time has passed it cannot be over.
"""

from collections import deque
from typing import Final

_SILENCE_S: Final = 0.1  # between two bursts
_BURSTS: Final = 20  # that are remembered
# By which a burst may end earlier than those before. A burst whose end is waited for costs only one wake-up, so this
# has to be shorter than a piece of 62 bytes takes at 115200 baud (5.4 ms).
_MARGIN_S: Final = 0.002
_AT_ONCE_S: Final = 0.0003
_FASTER: Final = 0.95  # factor for the time per byte of a burst whose end was missed


class Rhythm:
    """The bursts of one line. All times are s, of one clock."""

    def __init__(self) -> None:
        # Bytes, and s for each byte after the first piece.
        self._last_ones: deque[tuple[int, float]] = deque(maxlen=_BURSTS)
        self._is_whole = False  # whether the burst was received from its first byte on
        self._begun = self._heard_at = self._until = 0.0
        self._first = self._bytes = 0  # bytes in its first piece, and so far
        self._overslept = False

    def rest(self, now: float) -> float:
        """Return the s for which the burst cannot be complete; 0 if it can be, or nothing is known of this line."""
        return max(0.0, self._until - now)

    def heard(self, count: int, now: float, rested: float, waited: float) -> None:
        """Note that `count` bytes were read at `now`, after sleeping `rested` s and then waiting `waited` s."""
        if now - rested - self._heard_at > _SILENCE_S:
            self._remember()
            self._is_whole = waited > _SILENCE_S  # if not, we were busy, and it may have begun long before
            self._begun, self._first, self._bytes = now, count, 0
            self._until = now + self._least(count) - _MARGIN_S if self._is_whole else 0.0
        # If the whole burst is there after the sleep, it may have been complete long before.
        self._overslept = rested > 0 and waited < _AT_ONCE_S
        self._bytes += count
        self._heard_at = now

    def _least(self, count: int) -> float:
        """Return the s that a burst takes at least after its first `count` bytes; less if the last ones differ."""
        if not self._last_ones:
            return 0.0
        paces = sorted(pace for _, pace in self._last_ones)
        fastest, usual = paces[0], paces[len(paces) // 2]
        # The fastest does not show how much they differ: perhaps we were busy once when it began.
        second = paces[:2][-1]
        pace = min(fastest, second - (usual - second))
        return max(0, min(size for size, _ in self._last_ones) - count) * pace

    def _remember(self) -> None:
        """Store the burst that is over, if it was received from its beginning on."""
        more = self._bytes - self._first
        if self._is_whole:
            pace = (self._heard_at - self._begun) / more if more else 0.0
            self._last_ones.append((self._bytes, pace * _FASTER if self._overslept else pace))
