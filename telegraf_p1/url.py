"""Parses and checks a URL that the user wrote: a source, or a broker to publish to."""

import re
from typing import Final, NamedTuple

from telegraf_p1 import durations


class UsageError(ValueError):
    """The user's input cannot work; the text says what to write."""


class Url(NamedTuple):
    """The parts of a URL; `text` is the whole of it, `query` its options."""

    text: str
    scheme: str
    host: str
    port: int | None
    user: str
    path: str
    query: dict[str, str]


_LONGEST: Final = 4096
_DEVICE: Final = re.compile(r"/[A-Za-z0-9/._:@+,-]*")  # without options: there is nothing to parse
_SECRET: Final = re.compile(
    r"token|pass|pwd|secret|api.?key|auth|credential|^(?:pw|psk|sig|signature|jwt|sid|session)$", re.IGNORECASE
)
_NO_SECRETS: Final = (
    "a source cannot contain a {}, since everyone can read it there: use P1_KAFKA_PASSWORD, "
    "P1_MQTT_PASSWORD or P1_HTTP_TOKEN"
)
# A colon and later an @, after the scheme if there is one; for texts that cannot be parsed.
_USER: Final = re.compile(r"//[^/@\s]*+@")
_MAY_HOLD_PASSWORD: Final = re.compile(r"(?!file:|serial:|/)(?:[^:/]*://)?[^:]*:.*@", re.DOTALL)
_NAMES: Final = re.compile(r"[?&;#]([A-Za-z_.-]{1,40})=")
# A name, or an IPv6 address, perhaps with its interface.
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{0,253}|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?")


def parse(text: str) -> Url:
    """Parse a URL; raise UsageError if it is not valid, contains a secret, or has parts that libraries do not accept.

    The host is converted to ASCII. All characters of the parts are printable: there are no control characters, and no
    bytes that are not UTF-8.
    """
    if len(text) > _LONGEST:
        raise UsageError(f"a source of {len(text)} characters is too long: at most {_LONGEST} are supported")
    if _DEVICE.fullmatch(text):
        return Url(text, "serial", "", None, "", text, {})
    from urllib.parse import parse_qsl, unquote, urlsplit  # imported here: 5 % of the start-up time

    pairs = parse_qsl(text.partition("?")[2], keep_blank_values=True)
    # Options may also follow a semicolon or a #; and a path may contain a query of its own.
    more = _NAMES.findall(unquote(text))
    _check_names([*more, *(name for name, _ in pairs)], text.partition(":")[0].lower())
    try:
        parts = urlsplit(f"serial://{text}" if text.startswith("/") else text, allow_fragments=False)
        port = parts.port
    except ValueError as error:
        # A password with a / or a [ in it causes such an error, too. A port that is not valid may be part of a
        # password, so it is not repeated.
        reason = f"source {text!r}: {error}"
        if _MAY_HOLD_PASSWORD.match(text):
            reason = _NO_SECRETS.format("password")
        elif "Port" in str(error):
            reason = "the port of a source must be a number from 1 to 65535, after the host and a colon"
        raise UsageError(reason) from None
    if (
        parts.password is not None
        or ":" in unquote(parts.username or "")
        or (not parts.netloc and _MAY_HOLD_PASSWORD.match(text))
    ):
        raise UsageError(_NO_SECRETS.format("password"))
    if len(dict(pairs)) < len(pairs):
        raise UsageError(f"source {text!r}: an option is given twice")
    if port == 0:
        raise UsageError(f"source {text!r}: 0 is not a valid port")
    user, path = unquote(parts.username or ""), unquote(parts.path)
    if not all(part.isprintable() for part in (text, user, path, *(part for pair in pairs for part in pair))):
        raise UsageError(f"source {text!r}: only printable characters are allowed, not %0A and the like")
    return Url(text, parts.scheme, _host(text, parts.hostname or ""), port, user, path, dict(pairs))


def without_password(text: str) -> str:
    """Return a text, in which there may be a URL, without what is in the place of a URL's password."""
    return _USER.sub(lambda user: "//...@" if ":" in user[0] else user[0], text)


def _check_names(names: list[str], scheme: str) -> None:
    """Raise UsageError for an option that contains a secret, judging by its name."""
    for name in names:
        # For a broker `key` is a file; elsewhere it is the secret itself.
        if _SECRET.search(name) or (name.lower() == "key" and not scheme.startswith(("mqtt", "kafka"))):
            raise UsageError(_NO_SECRETS.format(name))


def _host(text: str, host: str) -> str:
    """Return a host name in ASCII; raise UsageError if it is not valid."""
    if not host:
        return ""  # avoids a codec that takes long to load
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        name = "?"
    if not _HOST.fullmatch(name):
        raise UsageError(f"source {text!r}: {host!r} is not a valid host name")
    return name


def options(url: Url, **defaults: str | float | bool) -> list[str]:
    """Return the query's values in the order of `defaults`; raise UsageError for an unknown name."""
    if unknown := url.query.keys() - defaults.keys():
        raise UsageError(f"source {url.text!r}: unknown option {min(unknown)!r}; supported: {', '.join(defaults)}")
    return [url.query.get(name, str(default)) for name, default in defaults.items()]


_MOST: Final = 1e9


def number(url: Url, name: str, value: str, least: float) -> float:
    """Return a number of the query; raise UsageError if it is not one, or under `least`."""
    try:
        result = float(value)
    except ValueError:
        result = float("nan")
    if not least <= result <= _MOST:
        raise UsageError(f"source {url.text!r}: {name}={value!r} must be a number, at least {least:g}")
    return result


def duration(url: Url, name: str, value: str, least: float) -> float:
    """Return a duration of the query, such as `30s`, in s; raise UsageError if it is not one, or under `least`."""
    try:
        return durations.seconds(value, least)
    except ValueError as error:
        raise UsageError(f"source {url.text!r}: {name}={error}") from None


def host_and_port(url: Url) -> tuple[str, int]:
    """Return both; raise UsageError if one is missing."""
    if not url.host or not url.port:
        raise UsageError(
            f"source {url.text!r}: host and port are required, for example {url.scheme}://192.168.1.20:2000"
        )
    return url.host, url.port
