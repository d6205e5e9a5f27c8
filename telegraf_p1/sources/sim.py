"""A meter that is not there: `sim:`, or `sim:?form=be&interval=10s&count=3&seed=7`.

`count=0` never ends; `interval=0` gives all at once.
"""

import time
from functools import partial
from itertools import count as endless

from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.url import Url, UsageError, duration, number, options


def source(url: Url) -> Source:
    """Give telegrams of a simulated meter, in step with the clock."""
    if url.path or url.host:
        raise UsageError(f"source {url.text!r}: write the options after a ?, for example sim:?form=be")
    form, interval, count, seed = options(url, form="nl-5.0", interval=1, count=0, seed=1)
    if form not in FORMS:
        raise UsageError(f"source {url.text!r}: form={form!r} must be one of: {', '.join(FORMS)}")
    meter = Meter(form, int(number(url, "seed", seed, 0)))
    telegrams = int(number(url, "count", count, 0))
    return partial(_Simulated, meter, duration(url, "interval", interval, 0), telegrams)


class _Simulated(Connection):
    keeps = True  # it speaks when it is asked

    def __init__(self, meter: Meter, interval: float, telegrams: int) -> None:
        self._meter, self._interval = meter, interval
        self._numbers = iter(range(telegrams) if telegrams else endless())
        self._start = time.time()

    def read(self) -> list[Event]:
        number = next(self._numbers, None)
        if number is None:
            return []
        due = self._start + number * self._interval
        time.sleep(max(0.0, due - time.time()))
        # Without an interval the meter's clock runs on by a second a telegram.
        return [Data(self._meter.telegram(int(due if self._interval else self._start + number)))]
