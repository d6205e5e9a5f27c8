import sys
from datetime import UTC, datetime

import pytest

from telegraf_p1.timestamp import Zone, epoch
from telegraf_p1.values import Unreadable


def utc(text: str, zone: str = "Europe/Amsterdam") -> str | None:
    seconds = epoch(text, Zone(zone))
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def test_the_letter_settles_utc() -> None:
    assert utc("230715120000S") == "2023-07-15T10:00:00"
    assert utc("230115120000W") == "2023-01-15T11:00:00"
    assert utc("230715120000s") == "2023-07-15T10:00:00"


def test_the_hour_that_october_has_twice_is_two_hours() -> None:
    assert utc("231029023000S") == "2023-10-29T00:30:00"
    assert utc("231029023000W") == "2023-10-29T01:30:00"


def test_sweden_may_stay_on_normal_time_all_year() -> None:
    assert utc("230715120000W", "Europe/Stockholm") == "2023-07-15T11:00:00"


def test_the_zone_gives_the_standard_offset() -> None:
    assert utc("230715120000S", "Europe/Vilnius") == "2023-07-15T09:00:00"
    assert utc("230115120000W", "Asia/Jerusalem") == "2023-01-15T10:00:00"


def test_a_time_without_a_letter_follows_the_rules_of_the_zone() -> None:
    assert utc("230715120000") == "2023-07-15T10:00:00"
    assert utc("230115120000") == "2023-01-15T11:00:00"
    assert utc("230715120000", "Europe/Helsinki") == "2023-07-15T09:00:00"


@pytest.mark.parametrize(
    "text",
    [
        "000101000000W",
        "700101010000W",
        "632525252525S",
        "250000000000W",
        "213112235959W",
        "230230120000W",
        "23011512000",
        "",
        "x",
    ],
)
def test_void_times_are_none(text: str) -> None:
    assert utc(text) is None


def test_an_unknown_zone_is_refused_with_advice() -> None:
    for name in ("Europe/Nowhere", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="tzdata"):
            Zone(name)


def test_without_a_time_zone_database_only_times_without_a_letter_are_lost() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "zoneinfo", None)
        zone = Zone()
        assert epoch("230715120000S", zone) == 1_689_415_200
        with pytest.raises(Unreadable, match="tzdata"):
            epoch("230715120000", zone)
