"""Passwords, tokens and keys: they come from the environment, are checked there, and are never repeated.

What others say of them neither: a device may answer with our own token in a header, and an answer stands in the log.
"""

from collections.abc import Mapping
from typing import Final

from telegraf_p1.url import UsageError

# More than any token; MQTT carries 65,535 bytes, and web servers take a header of 8 KiB or so.
_LONGEST: Final = 4096
# Shorter ones stand in every other line by chance.
_SHORTEST_HIDDEN: Final = 6
_read: set[str] = set()


def read(environment: Mapping[str, str], name: str) -> str:
    """Give the secret in a variable, without blanks and line ends around it; empty when there is none.

    Raise UsageError, which does not repeat it, for one that cannot be sent as it is: with control characters
    or bytes that are no UTF-8 in it, or too long.
    """
    text = environment.get(name, "").strip()  # a file with Windows line ends leaves a CR there
    if not text.isprintable():
        raise UsageError(
            f"{name} contains a control character, a line break or another invisible character: copy it again"
        )
    if len(text) > _LONGEST:
        raise UsageError(f"{name} has {len(text)} characters, more than the allowed {_LONGEST}: copy it again")
    if len(text) >= _SHORTEST_HIDDEN:
        _read.add(text)
    return text


def hidden(text: str) -> str:
    """Give a text for people, in which `***` stands for each secret of six characters or more that was read."""
    for secret in _read:
        text = text.replace(secret, "***")
    return text
