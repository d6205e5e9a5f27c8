"""Where telegrams come from: one file per kind of source, chosen by the scheme of a URL.

To add one: a file with a function `source(url)` that checks the URL and returns a source as `connection.py` describes
it, and a line in `_KINDS`. `tests/test_sources.py` checks that all of them keep the contract.
"""

import re
from typing import Final, NamedTuple, cast

from telegraf_p1.advice import BRIDGE, DEVICE, LINE, Advice
from telegraf_p1.loaded import loaded
from telegraf_p1.sources.connection import Source
from telegraf_p1.url import UsageError, parse


class _Kind(NamedTuple):
    """The module of a kind of source, an example of its URL, and where its users should look for a fault.

    `needs` is a package that it needs in addition to those we install. One that `asks` requests each telegram, as often
    as its option `every` says.
    """

    module: str
    example: str
    advice: Advice
    needs: str = ""
    asks: bool = False


# By scheme. A module is loaded when it is used, so that its libraries cost nothing elsewhere.
_KINDS: Final = {
    "serial": _Kind("serial_port", "/dev/ttyUSB0", LINE),
    "auto": _Kind("auto", "auto:", LINE),
    "tcp": _Kind("tcp", "tcp://host:port", BRIDGE),
    "rfc2217": _Kind("rfc2217", "rfc2217://host:port", LINE),
    "p0": _Kind("p0", "p0:///dev/ttyUSB0", LINE, asks=True),
    "p0+tcp": _Kind("p0", "p0:///dev/ttyUSB0", LINE, asks=True),
    "p0+rfc2217": _Kind("p0", "p0:///dev/ttyUSB0", LINE, asks=True),
    "mqtt": _Kind("mqtt", "mqtt://host/topic", DEVICE),
    "mqtts": _Kind("mqtt", "mqtt://host/topic", DEVICE),
    "mqtt+ws": _Kind("mqtt", "mqtt://host/topic", DEVICE),
    "mqtt+wss": _Kind("mqtt", "mqtt://host/topic", DEVICE),
    "http": _Kind("http_get", "http://host/path", DEVICE, asks=True),
    "https": _Kind("http_get", "http://host/path", DEVICE, asks=True),
    "http-listen": _Kind("http_listen", "http-listen://127.0.0.1:port", DEVICE),
    "ws": _Kind("websocket", "ws://host/path", DEVICE, "websockets>=13"),
    "wss": _Kind("websocket", "ws://host/path", DEVICE, "websockets>=13"),
    "kafka": _Kind("kafka", "kafka://host/topic", DEVICE, "confluent-kafka>=2.6"),
    "kafkas": _Kind("kafka", "kafka://host/topic", DEVICE, "confluent-kafka>=2.6"),
    "file": _Kind("file", "file:NAME", LINE),
    "sim": _Kind("sim", "sim:", LINE),
}
_HOST_AND_PORT: Final = re.compile(r"[\w.-]+:\d+")
EXAMPLES: Final = tuple(dict.fromkeys(kind.example for kind in _KINDS.values()))


def open_source(text: str, **more: str) -> Source:
    """Return the source for the URL `text`, checked but not connected; raise UsageError.

    `more` are options in addition to those in its query.
    """
    url = parse(text)
    url.query.update(more)
    if url.scheme not in _KINDS:
        if _HOST_AND_PORT.fullmatch(text):
            raise UsageError(f"source {text!r}: did you mean tcp://{text}?")
        known = ", ".join(sorted(_KINDS))
        raise UsageError(
            f"source {text!r}: write a device such as /dev/ttyUSB0, file:NAME, or a URL with one of: {known}"
        )
    kind = _KINDS[url.scheme]
    module = loaded(f"{__name__}.{kind.module}", kind.needs, f"source {text!r}")
    return cast("Source", module.source(url))


def asks(text: str) -> bool:
    """Whether a source requests each telegram, as often as `--every` says."""
    kind = _KINDS.get(parse(text).scheme)
    return kind is not None and kind.asks


def advice(text: str) -> Advice:
    """Return the advice on where to look for the faults of a source."""
    kind = _KINDS.get(parse(text).scheme)
    return kind.advice if kind else LINE
