"""The demand that a Belgian meter measures: the current quarter of an hour, and the highest one of each month."""

from collections import deque
from typing import Final, NamedTuple

QUARTER_S: Final = 900
_BEFORE: Final = ((21 * 86400 + 33300, 4329), (18 * 86400 + 66600, 5102))  # peaks of past months: s in month, W


class Peak(NamedTuple):
    """The highest quarter of a month: the ends of month and quarter (UTC, s since 1970), and its mean power in W."""

    month_end: int
    time: int
    watt: int


class Demand:
    """Demand of a meter installed two months ago: this quarter in W s, this month's peak, the peaks of past months."""

    def __init__(self) -> None:
        self.quarter_ws = 0
        self.peak_w = 1_500
        self.peak_time = 0
        self.months: deque[Peak] = deque(maxlen=12)

    def begin(self, now: int, months: tuple[int, int, int]) -> None:
        """Start at `now`; `months` are the starts of the last two months and of the current one (UTC, s since 1970)."""
        self.peak_time = now // QUARTER_S * QUARTER_S
        for begin, end, (after, watt) in zip(months[:-1], months[1:], _BEFORE, strict=True):
            self.months.append(Peak(end, begin + after, watt))

    def begin_month(self, begin: int) -> None:
        """Start a new month, without a peak."""
        self.months.append(Peak(begin, self.peak_time, self.peak_w))
        self.peak_w, self.peak_time = 0, begin

    def count(self, now: int, seconds: int, watt: int) -> None:
        """Count an import of `watt` W, from `now` on, for `seconds`."""
        last, end = now + seconds, now // QUARTER_S * QUARTER_S + QUARTER_S
        if last < end:
            self.quarter_ws += watt * seconds
            return
        self._end_quarter(end, (self.quarter_ws + watt * (end - now)) // QUARTER_S)
        if last >= end + QUARTER_S:
            self._end_quarter(last // QUARTER_S * QUARTER_S, watt)
        self.quarter_ws = watt * (last % QUARTER_S)

    def _end_quarter(self, end: int, watt: int) -> None:
        if watt > self.peak_w:
            self.peak_w, self.peak_time = watt, end
