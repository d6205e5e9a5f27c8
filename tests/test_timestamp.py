import sys
from datetime import UTC, datetime

import pytest

from telegraf_p1.timestamp import Clock, Zone, epoch
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


def test_a_time_may_be_written_out() -> None:
    for text in ("20231231 23:15:10", "2023-12-31 23:15:10", "23-12-31 23:15:10", "31.12.2023 23:15:10"):
        assert utc(text) == "2023-12-31T22:15:10"


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


BRUSSELS = Zone("Europe/Brussels")
# 2025-10-26T00:30:00Z, the first pass of 02:30
FIRST = 1_761_438_600


def seen(*texts: str, received: int | None = None, clock: Clock | None = None) -> list[int]:
    """Give the minutes after 00:30Z that a clock without letters shows."""
    clock = clock or Clock(BRUSSELS)
    return [(found - FIRST) // 60 for text in texts if (found := clock.read(f"2510260{text}00", received))]


def test_a_clock_that_steps_back_by_an_hour_is_in_its_second_pass() -> None:
    assert seen("230", "259", "200", "230", "259", "300", "330") == [0, 29, 30, 60, 89, 90, 120]


def test_a_smaller_step_back_is_one_too() -> None:
    assert seen("215", "245", "215", "245") == [-15, 15, 45, 75]
    assert seen("230", "200") == [0, 30]


def test_what_is_heard_as_it_is_sent_is_settled_by_that() -> None:
    clock = Clock(BRUSSELS)
    assert seen("210", received=FIRST - 1200, clock=clock) == [-20]
    assert seen("220", received=FIRST + 3000 + 5, clock=clock) == [50]


def test_a_gap_in_the_second_pass_does_not_lead_back() -> None:
    assert seen("259", "200", "245") == [29, 30, 75]


def test_what_comes_again_is_in_the_pass_that_it_was_in() -> None:
    assert seen("240", "245", "240", "246") == [10, 15, 10, 16]


def test_a_clock_that_is_seen_for_the_first_time_is_in_the_pass_that_is_nearer() -> None:
    assert seen("230", received=FIRST + 5) == [0]
    assert seen("230", received=FIRST + 3600 - 5) == [60]
    assert seen("230", received=FIRST + 10**7) == [0]  # a recording


def test_a_letter_settles_it() -> None:
    assert seen("230", clock=Clock(BRUSSELS)) == [0]
    clock = Clock(BRUSSELS)
    assert [(clock.read(f"251026023000{letter}", None) or 0) - FIRST for letter in "SW"] == [0, 3600]
