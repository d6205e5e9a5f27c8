from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telegraf_p1.log import Log
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.outputs.mqtt import Publisher
from telegraf_p1.sources import open_source
from telegraf_p1.url import Url, UsageError, duration, host_and_port, number, options, parse, without_password


def test_a_url_is_taken_apart() -> None:
    assert parse("mqtt://me@host:1884/p1/%2B/raw?share=a&client=b%20c") == Url(
        "mqtt://me@host:1884/p1/%2B/raw?share=a&client=b%20c",
        "mqtt", "host", 1884, "me", "/p1/+/raw", {"share": "a", "client": "b c"},
    )  # fmt: skip
    assert parse("/dev/ttyUSB0?format=7E1")[1:] == ("serial", "", None, "", "/dev/ttyUSB0", {"format": "7E1"})


@given(st.from_regex(r"/[A-Za-z0-9/._:@+,-]*", fullmatch=True))
@example("/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0")
@example("//host:1@/x")
def test_a_device_is_the_same_with_and_without_its_scheme(device: str) -> None:
    assert parse(device)[1:] == parse(f"serial://{device}")[1:] == ("serial", "", None, "", device, {})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("tcp://host:99999", "from 1 to 65535"),
        ("tcp://host:0", "0 is not a valid port"),
        ("tcp://[::1:2000", "IPv6"),
        ("sim:?form=be&form=lu", "is given twice"),
        ("http://host/" + "x" * 5000, "too long"),
        ("http://host/x\r\nX-Evil: 1", "only printable characters"),
        ("http://host/x%0d%0aX-Evil:1", "only printable characters"),
        ("http://u%00@host/x", "only printable characters"),
        ("mqtt://host/x?client=%00", "only printable characters"),
        ("mqtt://host/\udcff", "only printable characters"),
        ("mqtt://host/%EF%BF%BE", "only printable characters"),
    ],
)
def test_what_is_none_is_refused(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        parse(text)


@pytest.mark.parametrize(
    "host", ["a..b", ".a", "a" * 70, ("a" * 60 + ".") * 5, "exa mple", "a%2fb", "ho\u2100st", "a\\b"]
)
@pytest.mark.parametrize("scheme", ["http", "https", "mqtt", "mqtts", "tcp", "rfc2217", "file", "other"])
def test_a_host_that_no_name_server_knows_is_refused_by_every_scheme(scheme: str, host: str) -> None:
    with pytest.raises(UsageError, match=r"host name|netloc"):
        parse(f"{scheme}://{host}:1/x")


def test_a_host_comes_in_ascii() -> None:
    hosts = ["ünï.example", "a_b.local.", "[fe80::1%25eth0]", "192.168.1.20"]
    assert [parse(f"tcp://{host}:1").host for host in hosts] == [
        "xn--n-nga1b.example", "a_b.local.", "fe80::1%25eth0", "192.168.1.20"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "mqtt://me:SECRET@host/x",
        "mqtt://me:SECRET@host:99999/x",
        "mqtt://me:SEC/RET@host/x",
        "mqtt://me:SEC[RET@host/x",
        "mqtt://me:SEC?RET@host/x",
        "mqtt://me:SECRET@a..b/x",
        "mqtt://me:SECRET@ho\u2100st/x",
        "mqtt://me:SECRET@host/x?a=1&a=2",
        "mqtt:me:SECRET@host/x",
        "me:SECRET@host/x",
        "http://host/x?token=SECRET",
        "http://host:99999/x?token=SECRET",
        "http://host/x?%74oken=SECRET",
        "http://host/x?a=1&token=SECRET&token=SECRET",
        "http://host/x?api_key=SECRET",
        "http://host/x?Api-Key=SECRET",
        "http://host/x?access_token=SECRET",
        "https://host/x?key=SECRET",
        "http://host/x?auth=SECRET",
        "tcp://host:1?password=SECRET",
        "mqtt://host/x?password=SECRET",
        "file:x?pwd=SECRET",
    ],
)
def test_a_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="P1_MQTT_PASSWORD or P1_HTTP_TOKEN") as caught:
        parse(text)
    assert "SEC" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("http://host/x?pin=" + "ab" * 32, "https://"),
        ("http://host/x?pin=", "https://"),
        ("http://host/x?ca=/some/file", "https://"),
        ("https://host/x?pin=abc", "64 hex digits"),
        ("https://host/x?ca=/some/file&pin=" + "ab" * 32, "ca or pin"),
        ("https://host/x?ca=/no/such/file", "No such file"),
        ("http://host/x?timeout=0", "timeout"),
        ("mqtt://host/x?ca=/some/file", "mqtts://"),
        ("mqtt://host/x?cert=/some/file", "mqtts://"),
        ("mqtts://host/x?key=/some/file", "cert=FILE"),
    ],
)
def test_tls_that_was_asked_for_is_used_or_refused(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        open_source(text)


@pytest.mark.parametrize(
    "text", ["mqtt://host/x?ca=/f", "mqtt://host/x?key=/f", "mqtts://host/x?key=/f", "mqtt://a..b/x"]
)
def test_a_broker_to_publish_on_is_checked_as_one_to_read_from(text: str) -> None:
    with pytest.raises(UsageError, match=r"mqtts://|cert=FILE|host name"):
        Publisher(text, Mapping("p1"), Log())


PIECES = st.sampled_from(
    [*"://@?&=[]%#\\.+ \0\r\n\t", "http", "https", "mqtt", "mqtts", "tcp", "rfc2217", "serial", "file", "sim", "host",
     "::1", "%00", "%ff", "a..b", "1", "99999", "-5", "1e9", "nan", "²", "ü", "℀", "\udcff", "x" * 70, "pin", "ca",
     "cert", "every", "timeout", "baudrate", "format", "7E1", "form", "interval", "count", "seed", "share", "client",
     "member"]
)  # fmt: skip
SCHEMES = st.sampled_from(
    ["http://", "https://", "mqtt://", "mqtts://", "tcp://", "rfc2217://", "/", "file:", "sim:", ""]
)


@given(SCHEMES, st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
@example("http://", "a..b/x")
@example("http://", "h/\udcff")
@example("https://", "host/x?ca=%00")
@example("", "http://[")
@example("serial://", "/dev/x?baudrate=nan")
def test_what_cannot_be_read_from_is_a_usage_error_whatever_was_written(scheme: str, rest: str) -> None:
    with suppress(UsageError):
        open_source(scheme + rest)


def test_options_have_defaults_and_no_others() -> None:
    url = parse("tcp://host:1?timeout=1m")
    assert options(url, timeout=30, speed=1) == ["1m", "1"]
    with pytest.raises(UsageError, match="unknown option 'timeout'; supported: speed"):
        options(url, speed=1)


def test_numbers_and_durations_of_the_query_name_the_option() -> None:
    url = parse("tcp://host:1")
    assert (number(url, "count", "3", 0), duration(url, "timeout", "1m", 1)) == (3, 60)
    with pytest.raises(UsageError, match=r"source 'tcp://host:1': count='x' must be a number, at least 0"):
        number(url, "count", "x", 0)
    with pytest.raises(UsageError, match=r"source 'tcp://host:1': timeout='x' must be a time such as 60s"):
        duration(url, "timeout", "x", 1)


@pytest.mark.parametrize(("text", "word"), [("tcp://host", "port"), ("tcp://:1", "host")])
def test_a_host_and_a_port_are_needed(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        host_and_port(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        *(f"http://host/x?{name}=SECRET" for name in ("pass", "pw", "psk", "sig", "jwt", "credential", "Auth")),
        "mqtt://host/x?pass=SECRET",
        "http://me%3ASECRET@host/",
        "http://host/x;token=SECRET",
        "http://host/x#token=SECRET",
        "mqtt+ws://host/x?path=/m?token=SECRET",
        "http://host:SECRET/x",
    ],
)
def test_a_secret_is_refused_and_not_repeated_wherever_it_stands(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(text)
    assert "SECRET" not in str(caught.value)


def test_a_password_in_a_url_is_taken_out_of_a_message() -> None:
    told = "unrecognized arguments: mqtt://me:SECRET@host/x mqtt://me@host/x"
    assert without_password(told) == "unrecognized arguments: mqtt://...@host/x mqtt://me@host/x"


@pytest.mark.parametrize("address", ["192.168.1.20:2000", "p1-reader.local:23"])
def test_an_address_without_a_scheme_is_taken_for_a_bridge(address: str) -> None:
    with pytest.raises(UsageError, match=rf"did you mean tcp://{address}\?"):
        open_source(address)
