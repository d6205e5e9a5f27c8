"""A simulated meter: `sim:`, or `sim:?form=be&interval=10s&count=3&seed=7`.

`count=0` never ends; `interval=0` does not wait. `since=31d` begins with the past 31 days. From `until` to now the
meter lives without sending, so that a past between two fixed times is the same at each start. `encrypted=yes`: with the
keys in the environment.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count as endless
from itertools import islice
from typing import Final
from urllib.parse import urlencode

from telegraf_p1 import durations
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.encrypted import keys_of_the_meter
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.url import Url, UsageError, duration, number, options, parse

# Which part of the past counts as recent, and the time between telegrams: graphs of a day connect points a minute
# apart.
_RECENT_S: Final = 2 * 86400
_STEP_S: Final = 300
_RECENT_STEP_S: Final = 60
_FIRST_YEAR: Final = 1990
_NOTHING: Final = "0"  # how long ago: no past

# Returns the beginning and the end of the past (UTC, s since 1970) for the current time.
Past = Callable[[float], tuple[int, int]]


def source(url: Url) -> Source:
    """Return a source with the telegrams of a simulated meter, in step with the clock."""
    if url.path or url.host:
        raise UsageError(f"source {url.text!r}: write the options after a ?, for example sim:?form=be")
    form, interval, count, seed, since, until, encrypted = options(
        url, form="nl-5.0", interval=1, count=0, seed=1, since=_NOTHING, until=_NOTHING, encrypted="no"
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
    past = partial(_past, url, since, until)
    past(time.time())
    return partial(_Simulated, meter, duration(url, "interval", interval, 0), telegrams, past)


def fixed(text: str) -> str:
    """Return a source whose past, if it has one, is between two times in whole minutes: the same at each start."""
    url = parse(text)
    if "since" not in url.query:
        return text
    times = _past(url, url.query["since"], url.query.get("until", _NOTHING), time.time())
    since, until = (datetime.fromtimestamp(at // 60 * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in times)
    return _with(url.query | {"since": since, "until": until})


def without_past(text: str) -> str:
    """Return a source that begins now."""
    return _with({name: value for name, value in parse(text).query.items() if name not in ("since", "until")})


def _with(query: dict[str, str]) -> str:
    return f"sim:?{urlencode(query, safe=':')}" if query else "sim:"


def _past(url: Url, since: str, until: str, now: float) -> tuple[int, int]:
    """Return the beginning and the end of the past (UTC, s since 1970); raise UsageError."""
    begin, end = (_when(url, name, text, now) for name, text in (("since", since), ("until", until)))
    if since == _NOTHING and until != _NOTHING:
        raise UsageError(f"source {url.text!r}: until={until!r} needs a since, such as since=31d")
    if begin > end:
        raise UsageError(f"source {url.text!r}: until={until!r} is before since={since!r}")
    return begin, end


def _when(url: Url, name: str, text: str, now: float) -> int:
    """Return a time (UTC, s since 1970) that is written as such, or as how long ago it was."""
    try:
        return int(now - durations.seconds(text))
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if not when or not when.tzinfo or when.year < _FIRST_YEAR:
        raise UsageError(
            f"source {url.text!r}: {name}={text!r} must be a time such as 2026-10-30T18:05:00Z, "
            "or how long ago: 5m, 31d"
        )
    if when.timestamp() > now:
        raise UsageError(f"source {url.text!r}: {name}={text!r} is in the future")
    return int(when.timestamp())


class _Simulated(Connection):
    keeps = True  # a telegram is made when it is read

    def __init__(self, meter: Meter, interval: float, telegrams: int, past: Past) -> None:
        self._meter, self._interval = meter, interval
        self._start = time.time()
        self._dues = islice(self._clock(*past(self._start)), telegrams or None)

    def _clock(self, begin: int, end: int) -> Iterator[tuple[float, float]]:
        """Yield when telegrams are due, and what the meter's clock shows then (both UTC, s since 1970)."""
        ago = end - begin
        while ago > 0:
            yield self._start, end - ago
            ago -= _RECENT_STEP_S if ago <= _RECENT_S else _STEP_S
        for silent in range(end, int(self._start), _RECENT_STEP_S):
            self._meter.live(silent)
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
