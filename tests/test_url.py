import pytest

from telegraf_p1.url import Url, UsageError, duration, host_and_port, number, options, parse


def test_a_url_is_taken_apart() -> None:
    assert parse("mqtt://me@host:1884/p1/%2B/raw?share=a&client=b%20c") == Url(
        "mqtt://me@host:1884/p1/%2B/raw?share=a&client=b%20c",
        "mqtt", "host", 1884, "me", "/p1/+/raw", {"share": "a", "client": "b c"},
    )  # fmt: skip
    assert parse("/dev/ttyUSB0?format=7E1")[1:] == ("serial", "", None, "", "/dev/ttyUSB0", {"format": "7E1"})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("tcp://host:99999", "Port"),
        ("tcp://[::1:2000", "IPv6"),
        ("sim:?form=be&form=lu", "stands there twice"),
        ("mqtt://me:SECRET@host/x", "P1_MQTT_PASSWORD"),
    ],
)
def test_what_is_none_is_refused(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        parse(text)
    assert "SECRET" not in str(caught.value)


def test_options_have_defaults_and_no_others() -> None:
    url = parse("tcp://host:1?timeout=1m")
    assert options(url, timeout=30, speed=1) == ["1m", "1"]
    with pytest.raises(UsageError, match="unknown option 'timeout'; there are: speed"):
        options(url, speed=1)


def test_numbers_and_durations_of_the_query_name_the_option() -> None:
    url = parse("tcp://host:1")
    assert (number(url, "count", "3", 0), duration(url, "timeout", "1m", 1)) == (3, 60)
    with pytest.raises(UsageError, match=r"source 'tcp://host:1': count='x' has to be a number, 0 or more"):
        number(url, "count", "x", 0)
    with pytest.raises(UsageError, match=r"source 'tcp://host:1': timeout='x' has to be a time such as 60s"):
        duration(url, "timeout", "x", 1)


@pytest.mark.parametrize(
    ("text", "word"), [("tcp://host", "port"), ("tcp://:1", "host"), ("tcp://a..b:1", "host name")]
)
def test_a_host_and_a_port_are_needed(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        host_and_port(parse(text))
