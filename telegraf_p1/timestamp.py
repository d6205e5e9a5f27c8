"""The meter's clock: `YYMMDDhhmmssX` in local time to UTC.

X is S while daylight saving is active and W otherwise (DSMR 5.0.2 P1 Companion Standard, section 6.4, TST). So UTC
needs the region's standard offset and no time-zone database.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from telegraf_p1.values import Unreadable

DEFAULT_ZONE: Final = "Europe/Amsterdam"

_TST: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SWsw]?)")
# Denmark: `20250703 16:20:10`; there may be other separators, or none.
_WRITTEN_OUT: Final = re.compile(
    r"20(\d\d)[-./]?(\d\d)[-./]?(\d\d)[T ]{0,2}(\d\d):?(\d\d):?(\d\d) ?([SWsw]?)"
    r"|(\d\d)[-./](\d\d)[-./](\d\d)[T ]{1,2}(\d\d):(\d\d):(\d\d) ?([SWsw]?)"
)
_DAY_FIRST: Final = re.compile(r"(\d\d)[-./](\d\d)[-./](20\d\d)(?=[T ])")  # 31.12.2025 23:15:00
# What meters send if there is no time.
_VOID: Final = re.compile(r"6325\d*[SWsw]?|0{6}\d*[SWsw]?|000101\d*[SWsw]?|700101\d*[SWsw]?")
_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  naive on purpose: offsets are added by hand
# Meters whose clock was never set send 000101…, 700101… or 632525252525; the first P1 port dates from 2008.
_FIRST_YEAR: Final = 2008
# A clock that is set back shows a time that is an hour earlier, less the time between two telegrams. Telegrams that are
# sent again after a lost connection are only some minutes old.
_STEP_S: Final = 600
_NEAR_S: Final = 2 * 3600
_LAG_S: Final = 120  # the error of a clock and the delay of a telegram, at most
_SOON_S: Final = 900  # from one telegram to the next, at most


class Zone:
    """A region: its standard offset from UTC, and its rules for times without a letter."""

    def __init__(self, name: str = DEFAULT_ZONE) -> None:
        """Raise ValueError if `name` is not in the time-zone database."""
        self._name = name
        self._rules: tzinfo | None = None
        self.standard = _HOUR
        if name != DEFAULT_ZONE:
            january = datetime(2024, 1, 15, tzinfo=self.rules())
            self.standard = january.utcoffset() or timedelta(0)

    def rules(self) -> tzinfo:
        """Return the zone's rules from the database, which only times without a letter need; raise Unreadable."""
        if self._rules is None:
            try:
                from zoneinfo import ZoneInfo  # imported here: 3 ms and 1 MB that few meters need

                self._rules = ZoneInfo(self._name)
            except (ImportError, KeyError, ValueError, OSError):
                raise Unreadable(
                    f"time zone {self._name!r} is unknown: use a name such as Europe/Vilnius, and check that "
                    "the package tzdata is installed"
                ) from None
        return self._rules


@lru_cache(64)
def digits(text: str) -> str | None:
    """Return a meter's time as YYMMDDhhmmss and its letter, however it is written; None if it is not a time."""
    if _TST.fullmatch(text):
        return text
    if written_out := _WRITTEN_OUT.fullmatch(_DAY_FIRST.sub(r"\3-\2-\1", text)):
        return "".join(filter(None, written_out.groups()))
    text = text.replace(" ", "")
    return text if _TST.fullmatch(text) else None


@lru_cache(64)  # most times are the same as in the telegram before
def epoch(text: str, zone: Zone, *, second_pass: bool = False) -> int | None:
    """Return a meter's time as UTC in s since 1970; None if it is not a valid time.

    With a letter: the standard offset of `zone`, and one hour more for S. So the hour that occurs twice in October is
    unambiguous. Without a letter: the rules of `zone`, and in that hour its first pass unless `second_pass` is set.
    Raise Unreadable if there is no time-zone database.
    """
    match = _TST.fullmatch(digits(text) or "")
    if match is None:
        return None
    *numbers, letter = match.groups()
    year, *rest = map(int, numbers)
    try:
        local = datetime((2000 if year < 70 else 1900) + year, *rest)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    if local.year < _FIRST_YEAR:
        return None
    if not letter:
        return int(local.replace(tzinfo=zone.rules(), fold=second_pass).astimezone(UTC).timestamp())
    offset = zone.standard + _HOUR if letter in "Ss" else zone.standard
    return int((local - offset - _EPOCH).total_seconds())


def is_void(text: str) -> bool:
    """Whether a time means that there is none: `632525252525W`."""
    return _VOID.fullmatch(text) is not None


class Clock:
    """The clock of one meter, on which an hour may occur twice if it has no letter (s, UTC since 1970)."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.last: int | None = None  # the last time that was read
        self._in_second_pass = False

    def read(self, text: str, received: int | None) -> int | None:
        """Return a time of this clock in UTC; `received` is when it was received, None if that is unknown.

        A clock that steps back by about an hour is in the second pass of the hour that occurs twice. If it is read in
        that hour for the first time, the pass that is nearer to `received` is taken, or the first one if both are far
        off.
        """
        if text[-1:].isalpha():  # the letter settles it
            self.set_time(time := epoch(text, self.zone))
            return time
        first, second = (epoch(text, self.zone, second_pass=is_second) for is_second in (False, True))
        if first is None or second is None:
            return None
        self._in_second_pass = first != second and self._is_second(first, second, received)
        self.last = second if self._in_second_pass else first
        return self.last

    def set_time(self, time: int | None) -> None:
        """Store a time that was read with a letter; None for one that is not valid."""
        self.last, self._in_second_pass = time, False

    def _is_second(self, first: int, second: int, received: int | None) -> bool:
        if self._in_second_pass:
            return True
        off_first, off_second = (_NEAR_S if received is None else abs(received - time) for time in (first, second))
        if min(off_first, off_second) < _LAG_S:
            return off_second < off_first
        if self.last is not None and 0 <= first - self.last < _SOON_S:
            return False
        if min(off_first, off_second) < _NEAR_S / 2:
            return off_second < off_first
        return self.last is not None and _STEP_S < self.last - first < _NEAR_S


def tst(epoch: int, standard: int = 1) -> str:
    """Write UTC in s since 1970 as a meter in the EU does: `191023120000S`; `standard` is its standard offset in h."""
    utc = datetime.fromtimestamp(epoch, UTC)
    summer = is_summer(utc)
    return f"{utc + timedelta(hours=standard + summer):%y%m%d%H%M%S}{'S' if summer else 'W'}"


def is_summer(utc: datetime) -> bool:
    """Whether daylight saving time is active in the EU."""
    return _last_sunday(utc.year, 3) <= utc < _last_sunday(utc.year, 10)


def _last_sunday(year: int, month: int) -> datetime:
    """When the clocks change in the EU: 01:00 UTC on the last Sunday of a 31-day month (directive 2000/84/EC)."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)
