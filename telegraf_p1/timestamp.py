"""The meter's clock: `YYMMDDhhmmssX` in local time to UTC.

X is S while daylight saving is active and W otherwise (DSMR 5.0.2 P1 Companion Standard,
section 6.4, TST), so UTC needs the region's standard offset and no time-zone database.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from telegraf_p1.values import Unreadable

DEFAULT_ZONE: Final = "Europe/Amsterdam"

_TST: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SWsw]?)")
_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  naive on purpose: offsets are added by hand
# Meters whose clock was never set send 000101…, 700101… or 632525252525; the first
# P1 port is of 2008.
_FIRST_YEAR: Final = 2008


class Zone:
    """A region: its standard offset from UTC, and its rules for times without a letter."""

    def __init__(self, name: str = DEFAULT_ZONE) -> None:
        """Raise ValueError when `name` is no zone of the time-zone database."""
        self._name = name
        self._rules: tzinfo | None = None
        self.standard = _HOUR
        if name != DEFAULT_ZONE:
            january = datetime(2024, 1, 15, tzinfo=self.rules())
            self.standard = january.utcoffset() or timedelta(0)

    def rules(self) -> tzinfo:
        """Load the database, which is needed only for times without a letter; raise ValueError."""
        if self._rules is None:
            try:
                from zoneinfo import ZoneInfo  # 3 ms and 1 MB that most never need

                self._rules = ZoneInfo(self._name)
            except (ImportError, KeyError, ValueError, OSError):
                raise Unreadable(
                    f"time zone {self._name!r} is not known here: use a name such as Europe/Vilnius,"
                    " and check that the package tzdata is installed"
                ) from None
        return self._rules


@lru_cache(64)  # most times are those of the telegram before
def epoch(text: str, zone: Zone) -> int | None:
    """UTC of a meter's time in seconds since 1970; None for what is no valid time.

    With a letter: standard offset of `zone`, and one hour more for S, which also settles
    the hour that October has twice. Without one: the rules of `zone`; raise Unreadable when
    there is no time-zone database to look them up.
    """
    match = _TST.fullmatch(text)
    if match is None:
        return None
    *digits, letter = match.groups()
    year, *rest = map(int, digits)
    try:
        local = datetime((2000 if year < 70 else 1900) + year, *rest)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    if local.year < _FIRST_YEAR:
        return None
    if not letter:
        return int(local.replace(tzinfo=zone.rules()).astimezone(UTC).timestamp())
    offset = zone.standard + _HOUR if letter in "Ss" else zone.standard
    return int((local - offset - _EPOCH).total_seconds())


def tst(epoch: int, standard: int = 1) -> str:
    """Write UTC seconds as a meter in the EU does: `191023120000S`; `standard` is its offset in h."""
    utc = datetime.fromtimestamp(epoch, UTC)
    summer = _last_sunday(utc.year, 3) <= utc < _last_sunday(utc.year, 10)
    return f"{utc + timedelta(hours=standard + summer):%y%m%d%H%M%S}{'S' if summer else 'W'}"


def _last_sunday(year: int, month: int) -> datetime:
    """When the clocks change in the EU: 01:00 UTC of a month of 31 days (directive 2000/84/EC)."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)
