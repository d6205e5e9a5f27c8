"""A URL as the user wrote it, taken apart and checked: a source, or a broker to publish on."""

from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from telegraf_p1 import durations


class UsageError(ValueError):
    """What the user wrote cannot work; the text says what to write."""


class Url(NamedTuple):
    """The parts of a URL; `text` is the whole of it, `query` its options."""

    text: str
    scheme: str
    host: str
    port: int | None
    user: str
    path: str
    query: dict[str, str]


def parse(text: str) -> Url:
    """Take a URL apart; raise UsageError for what is none, and for a password in it."""
    try:
        parts = urlsplit(f"serial://{text}" if text.startswith("/") else text, allow_fragments=False)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"source {text!r}: {error}") from None
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(pairs)
    if len(query) < len(pairs):
        raise UsageError(f"source {text!r}: an option stands there twice")
    if parts.password is not None:
        raise UsageError(
            "a source holds no password, since everybody can read it there: use P1_MQTT_PASSWORD or P1_HTTP_TOKEN"
        )
    user = unquote(parts.username or "")
    return Url(text, parts.scheme, parts.hostname or "", port, user, unquote(parts.path), query)


def options(url: Url, **defaults: str | float | bool) -> list[str]:
    """Give the query's values in the order of `defaults`; raise UsageError for an unknown name."""
    if unknown := url.query.keys() - defaults.keys():
        raise UsageError(f"source {url.text!r}: unknown option {min(unknown)!r}; there are: {', '.join(defaults)}")
    return [url.query.get(name, str(default)) for name, default in defaults.items()]


_MOST: Final = 1e9


def number(url: Url, name: str, value: str, least: float) -> float:
    """Read a number of the query; raise UsageError when it is none or under `least`."""
    try:
        result = float(value)
    except ValueError:
        result = float("nan")
    if not least <= result <= _MOST:
        raise UsageError(f"source {url.text!r}: {name}={value!r} has to be a number, {least:g} or more")
    return result


def duration(url: Url, name: str, value: str, least: float) -> float:
    """Read a time of the query, such as `30s`, in s; raise UsageError when it is none or under `least`."""
    try:
        return durations.seconds(value, least)
    except ValueError as error:
        raise UsageError(f"source {url.text!r}: {name}={error}") from None


def host_and_port(url: Url) -> tuple[str, int]:
    """Give both; raise UsageError when one is missing."""
    if not url.host or not url.port:
        raise UsageError(f"source {url.text!r}: host and port are needed, for example {url.scheme}://192.168.1.20:2000")
    try:
        url.host.encode("idna")
    except UnicodeError:
        raise UsageError(f"source {url.text!r}: {url.host!r} is no host name") from None
    return url.host, url.port
