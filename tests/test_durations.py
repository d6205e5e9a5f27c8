import pytest

from telegraf_p1.durations import seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5s", 5),
        ("5", 5),
        ("0.5", 0.5),
        ("1.5s", 1.5),
        ("100ms", 0.1),
        ("2m", 120),
        ("1h", 3600),
        ("0", 0),
        ("2d", 172_800),
        ("0s", 0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "s", "soon", "5 parsecs", "5sm", "-1s", "inf", "nan", "1e300", "1w"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 60s, 1m or 500ms"):
        seconds(text)


def test_one_that_is_too_short_is_refused_with_the_least() -> None:
    with pytest.raises(ValueError, match="at least 1s"):
        seconds("999ms", least=1)
