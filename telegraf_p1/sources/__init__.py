"""Where telegrams come from: one file per kind, chosen by the scheme of a URL.

The contract of a source: a call connects and gives chunks; it returns when there will never be
more, and raises OSError when trying again may help. It gives an empty chunk when nothing came for
PAUSE_S and for SILENCE_S. A chunk counts as dealt with when the next one is asked for. A source
knows no telegrams, no retry and no log.

To add one: a file with a function `source(url)`, and a line in `_SCHEMES`.
"""

import errno
import importlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, cast
from urllib.parse import parse_qsl, unquote, urlsplit


class Chunk(NamedTuple):
    """Bytes of a stream. `origin` keeps streams apart; `complete` says that a message ends here.

    `stale` bytes were sent at another time than they came. Without bytes: what a source noticed.
    `silence` is the time in s in which no byte came, `remark` a trouble that does not end the
    connection.
    """

    data: bytes
    origin: str = ""
    complete: bool = False
    stale: bool = False
    silence: float = 0.0
    remark: str = ""


PAUSE_S: Final = 2.0  # between two telegrams of meters that send each 10 s
SILENCE_S: Final = 15.0  # longer than the interval of any meter


class Silence:
    """How long a source has to wait until it says that nothing came, or gives up at `limit` s."""

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._times = [s for s in (PAUSE_S, SILENCE_S) if limit is None or s < limit]
        if limit is not None:
            self._times.append(limit)
        self._passed = 0

    def wait(self) -> float | None:
        """Give the s to wait from now on; None: for ever, all has been said."""
        if self._passed == len(self._times):
            return None
        return self._times[self._passed] - (self._times[self._passed - 1] if self._passed else 0.0)

    def chunk(self) -> Chunk:
        """Give the empty chunk that says so; raise OSError at the limit."""
        passed = self._times[self._passed]
        self._passed += 1
        if passed == self._limit:
            raise OSError(errno.ETIMEDOUT, f"connected, but nothing came for {passed:g} s")
        return Chunk(b"", silence=passed)

    def over(self) -> None:
        """Say that a byte came."""
        self._passed = 0


Source = Callable[[], Iterator[Chunk]]


class UsageError(ValueError):
    """What the user wrote cannot work; the text says what to write."""


class Url(NamedTuple):
    """A source as the user wrote it, taken apart."""

    text: str
    scheme: str
    host: str
    port: int | None
    user: str
    path: str
    query: dict[str, str]


# Scheme → module; loaded when it is used, so that nobody pays for another's library.
_SCHEMES: Final = {
    "serial": "serial_port",
    "tcp": "tcp",
    "rfc2217": "rfc2217",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
    "http": "http_get",
    "https": "http_get",
    "file": "file",
    "sim": "sim",
}


def open_source(text: str, **more: str) -> Source:
    """Give the source that `text` names, checked but not connected; raise UsageError.

    `more` are options as if they stood in its query.
    """
    url = parse(text)
    url.query.update(more)
    if url.scheme not in _SCHEMES:
        known = ", ".join(sorted(_SCHEMES))
        raise UsageError(
            f"source {text!r}: write a device such as /dev/ttyUSB0, file:NAME, or a URL with one of: {known}"
        )
    module = importlib.import_module(f"{__name__}.{_SCHEMES[url.scheme]}")
    return cast("Source", module.source(url))


def parse(text: str) -> Url:
    """Take a source apart; raise UsageError for what is no URL, and for a password in it."""
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


def host_and_port(url: Url) -> tuple[str, int]:
    """Give both; raise UsageError when one is missing."""
    if not url.host or not url.port:
        raise UsageError(f"source {url.text!r}: host and port are needed, for example {url.scheme}://192.168.1.20:2000")
    try:
        url.host.encode("idna")
    except UnicodeError:
        raise UsageError(f"source {url.text!r}: {url.host!r} is no host name") from None
    return url.host, url.port


def serial_line(url: Url, baudrate: str, line_format: str) -> dict[str, object]:
    """Give pyserial's arguments for a line such as 115200 and `8N1`; raise UsageError."""
    data_bits, parity, stop_bits = line_format[:1], line_format[1:2].upper(), line_format[2:]
    if not (data_bits in ("7", "8") and parity in ("N", "E", "O") and stop_bits in ("1", "2")):
        raise UsageError(f"source {url.text!r}: format={line_format!r} has to be 8N1 or 7E1, or the like")
    return {
        "baudrate": int(number(url, "baudrate", baudrate, 50)),
        "bytesize": int(data_bits),
        "parity": parity,
        "stopbits": int(stop_bits),
    }


SEVEN_BITS: Final = bytes(byte & 0x7F for byte in range(256))
