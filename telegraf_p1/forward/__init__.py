"""Forwards telegrams unchanged to a broker, with a queue on disk while it is unavailable.

The scheme of a URL chooses the kind of target. To add one: write a file with a function `target(url, log, who)` that
checks the URL and returns a target as `target.py` describes it, and add a line to `_KINDS`.
"""

import re
from typing import Final, NamedTuple, cast

from telegraf_p1.forward.target import Target
from telegraf_p1.loaded import loaded
from telegraf_p1.log import Log
from telegraf_p1.url import UsageError, parse

_OF_SOURCES: Final = re.compile(r"\A(a )?source\b")


class _Kind(NamedTuple):
    """A kind of target: its module, an example of its URL, and the optional package that it needs, if any."""

    module: str
    example: str
    needs: str = ""


# By scheme. A module is loaded only when it is used, since its library takes time and memory.
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
    """Return the target of a URL, checked but not connected; raise UsageError if the URL is invalid.

    `who` distinguishes the forwarders of one computer.
    """
    try:
        return _target(text, log, who)
    except UsageError as error:  # checks that sources share say `source`
        raise UsageError(_OF_SOURCES.sub(r"\1target", str(error))) from None


def _target(text: str, log: Log, who: str) -> Target:
    url = parse(text)
    if url.scheme not in _KINDS:
        known = ", ".join(sorted(_KINDS))
        raise UsageError(f"target {text!r}: write a URL such as {EXAMPLES[0]}; supported schemes: {known}")
    kind = _KINDS[url.scheme]
    module = loaded(f"{__name__}.{kind.module}", kind.needs, f"target {text!r}")
    return cast("Target", module.target(url, log, who))
