"""A day of a house: what is used on it, as steps of power and flow."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

L1, L2, L3, GAS, WATER = range(5)  # what is used: W of a phase, or ml per second


class Use(NamedTuple):
    """Something that is used: from which second of the day on, for how many seconds, what, and how much of it."""

    start: int
    seconds: int
    what: int
    amount: int


class Day:
    """A day in steps; seconds count from its start."""

    def __init__(self, uses: Iterable[Use]) -> None:
        changes = sorted(
            change
            for use in uses
            for change in ((use.start, use.what, use.amount), (use.start + use.seconds, use.what, -use.amount))
        )
        now, levels, totals = 0, [0] * 5, (0, 0)
        self._times, self._levels, self._totals = [0], [tuple(levels)], [totals]
        for second, what, change in changes:
            if second > now:
                totals = self._after(totals, levels, second - now)
                self._times.append(now := second)
                self._levels.append(())
                self._totals.append(totals)
            levels[what] += change
            self._levels[-1] = tuple(levels)

    @staticmethod
    def _after(totals: tuple[int, int], levels: Sequence[int], seconds: int) -> tuple[int, int]:
        return totals[0] + levels[GAS] * seconds, totals[1] + levels[WATER] * seconds

    def watts(self, second: int) -> tuple[int, ...]:
        """Return the power of each phase, in W."""
        return self._levels[bisect_right(self._times, second) - 1][:GAS]

    def used_ml(self, second: int) -> tuple[int, int]:
        """Return how much gas and water were used since the day began."""
        step = bisect_right(self._times, second) - 1
        return self._after(self._totals[step], self._levels[step], second - self._times[step])
