"""A simulated meter: `sim:`, or `sim:?form=be&interval=10s&count=3&seed=7`.

`count=0` never ends; `interval=0` does not wait. `since=31d` begins with the past 31 days. `encrypted=yes`: with the
keys in the environment.
"""

import time
from collections.abc import Iterator
from functools import partial
from itertools import count as endless
from itertools import islice
from typing import Final

from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.encrypted import keys_of_the_meter
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.url import Url, UsageError, duration, number, options

# Which part of the past counts as recent, and the time between telegrams: graphs of a day connect points a minute
# apart.
_RECENT_S: Final = 2 * 86400
_STEP_S: Final = 300
_RECENT_STEP_S: Final = 60


def source(url: Url) -> Source:
    """Return a source with the telegrams of a simulated meter, in step with the clock."""
    if url.path or url.host:
        raise UsageError(f"source {url.text!r}: write the options after a ?, for example sim:?form=be")
    form, interval, count, seed, since, encrypted = options(
        url, form="nl-5.0", interval=1, count=0, seed=1, since=0, encrypted="no"
    )
    if form not in FORMS:
        raise UsageError(f"source {url.text!r}: form={form!r} must be one of: {', '.join(FORMS)}")
    if encrypted not in ("yes", "no"):
        raise UsageError(f"source {url.text!r}: encrypted={encrypted!r} must be yes or no")
    try:
        keys = keys_of_the_meter() if encrypted == "yes" else None
    except ValueError as error:
        raise UsageError(f"source {url.text!r}: {error}") from None
    meter = Meter(form, int(number(url, "seed", seed, 0)), keys=keys)
    telegrams = int(number(url, "count", count, 0))
    past = duration(url, "since", since, 0)
    return partial(_Simulated, meter, duration(url, "interval", interval, 0), telegrams, past)


class _Simulated(Connection):
    keeps = True  # a telegram is made when it is read

    def __init__(self, meter: Meter, interval: float, telegrams: int, past: float) -> None:
        self._meter, self._interval = meter, interval
        self._start = time.time()
        self._dues = islice(self._clock(int(past)), telegrams or None)

    def _clock(self, past: int) -> Iterator[tuple[float, float]]:
        """Yield when telegrams are due, and what the meter's clock shows then (both UTC, s since 1970)."""
        ago = past
        while ago > 0:
            yield self._start, self._start - ago
            ago -= _RECENT_STEP_S if ago <= _RECENT_S else _STEP_S
        for nth in endless():
            # Without an interval the meter's clock advances by a second per telegram.
            yield self._start + nth * self._interval, self._start + nth * (self._interval or 1)

    def read(self) -> list[Event]:
        due = next(self._dues, None)
        if due is None:
            return []
        at, shown = due
        time.sleep(max(0.0, at - time.time()))
        return [Data(self._meter.telegram(int(shown)))]
