"""What the user may write for an optical port, and when its meter is asked."""

import pytest

from telegraf_p1.sources import open_source
from telegraf_p1.sources.p0 import _Schedule
from telegraf_p1.url import UsageError


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("p0://dev/ttyUSB0", "three slashes"),
        ("p0:ttyUSB0", "three slashes"),
        ("p0+tcp://host", "host and port are required"),
        ("p0:///dev/ttyUSB0?mode=D", r"auto, A, B, C; .*\?baudrate=2400&format=7E1"),
        ("p0:///dev/ttyUSB0?speed=1234", "must be one of 300, 600"),
        ("p0:///dev/ttyUSB0?medium=gas", "electricity or heat"),
        ("p0:///dev/ttyUSB0?address=a!b", "32 letters and digits"),
        ("p0:///dev/ttyUSB0?attempts=0", "at least 1"),
        ("p0:///dev/ttyUSB0?every=10ms", "at least 1s"),
        ("p0:///dev/ttyUSB0?format=9X1", "8N1, 7E1"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write(source: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_source(source)


def test_a_meter_is_asked_each_time_that_was_set_and_soon_again_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("telegraf_p1.sources.p0.time.monotonic", lambda: now)
    schedule = _Schedule(900)
    assert schedule.due == now
    now += 20  # that the readout took
    schedule.read()
    assert schedule.due == 1900
    assert [schedule.failed() for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    assert schedule.due == now + 900
    schedule.read()
    assert schedule.failed() == 60
