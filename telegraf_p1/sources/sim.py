"""A meter that is not there: `sim:`, or `sim:?form=be&interval=10&count=3&seed=7`.

`count=0` never ends; `interval` is in s, 0 gives all at once.
"""

import time
from collections.abc import Iterator
from itertools import count as endless

from telegraf_p1.forms import FORMS
from telegraf_p1.simulator import Meter
from telegraf_p1.sources import Chunk, Source, Url, UsageError, number, options


def source(url: Url) -> Source:
    """Give telegrams of a simulated meter, in step with the clock."""
    if url.path or url.host:
        raise UsageError(f"source {url.text!r}: options follow a ?, for example sim:?form=be")
    form, interval_text, count_text, seed_text = options(url, form="nl-5.0", interval=1, count=0, seed=1)
    if form not in FORMS:
        raise UsageError(f"source {url.text!r}: form={form!r} has to be one of: {', '.join(FORMS)}")
    interval = number(url, "interval", interval_text, 0)
    count = int(number(url, "count", count_text, 0))
    meter = Meter(form, int(number(url, "seed", seed_text, 0)))

    def chunks() -> Iterator[Chunk]:
        start = time.time()
        for n in range(count) if count else endless():
            due = start + n * interval
            time.sleep(max(0.0, due - time.time()))
            # Without an interval the meter's clock runs on by a second a telegram.
            yield Chunk(meter.telegram(int(due if interval else start + n)))

    return chunks
