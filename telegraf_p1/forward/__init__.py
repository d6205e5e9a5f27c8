"""Telegrams that go on as they came: to a broker, by way of the disk while it is away.

Where they go is chosen by the scheme of a URL. To add one: a file with a function `target(url, log, who)` that checks
the URL and gives a target as `target.py` describes it, and a line in `_KINDS`.
"""

import re
from typing import Final, NamedTuple, cast

from telegraf_p1.forward.target import Target
from telegraf_p1.loaded import loaded
from telegraf_p1.log import Log
from telegraf_p1.url import UsageError, parse

_OF_SOURCES: Final = re.compile(r"\A(a )?source\b")


class _Kind(NamedTuple):
    """The module of a kind of target, how its URL looks, and a package that it needs beside those we install."""

    module: str
    example: str
    needs: str = ""


# By scheme. A module is loaded when it is used, so that nobody pays for another's library.
_KINDS: Final = {
    "mqtt": _Kind("mqtt", "mqtt://host/p1/{meter}/raw"),
    "mqtts": _Kind("mqtt", "mqtts://host/p1/{meter}/raw"),
    "mqtt+ws": _Kind("mqtt", "mqtts://host/p1/{meter}/raw"),
    "mqtt+wss": _Kind("mqtt", "mqtts://host/p1/{meter}/raw"),
    "kafka": _Kind("kafka", "kafka://host/topic", "confluent-kafka>=2.6"),
    "kafkas": _Kind("kafka", "kafka://host/topic", "confluent-kafka>=2.6"),
}
EXAMPLES: Final = tuple(dict.fromkeys(kind.example for kind in _KINDS.values()))


def open_target(text: str, log: Log, who: str) -> Target:
    """Give the target that `text` names, checked but not connected; raise UsageError.

    `who` tells the forwarders of one computer apart.
    """
    try:
        return _target(text, log, who)
    except UsageError as error:  # sources have most of the rules, too
        raise UsageError(_OF_SOURCES.sub(r"\1target", str(error))) from None


def _target(text: str, log: Log, who: str) -> Target:
    url = parse(text)
    if url.scheme not in _KINDS:
        known = ", ".join(sorted(_KINDS))
        raise UsageError(f"target {text!r}: write a URL such as {EXAMPLES[0]}; supported schemes: {known}")
    kind = _KINDS[url.scheme]
    module = loaded(f"{__name__}.{kind.module}", kind.needs, f"target {text!r}")
    return cast("Target", module.target(url, log, who))
