"""Passwords, tokens and keys: they are read from the environment, checked, and never logged.

They are also removed from texts of others: a device may repeat our token in a header, and its answer is logged.
"""

from collections.abc import Mapping
from typing import Final

from telegraf_p1.url import UsageError

# Longer than any token. MQTT allows 65,535 bytes, and web servers a header of about 8 KiB.
_LONGEST: Final = 4096
# Shorter ones would match parts of ordinary log lines by chance.
_SHORTEST_HIDDEN: Final = 6
_read: set[str] = set()


def read(environment: Mapping[str, str], name: str) -> str:
    """Return the secret in a variable, without surrounding white space; empty if there is none.

    Raise UsageError, without the secret in its text, for one that cannot be sent: with control characters, with bytes
    that are not UTF-8, or too long.
    """
    text = environment.get(name, "").strip()  # a file with Windows line ends adds a CR
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
    """Return a text in which `***` replaces each secret of six characters or more that was read."""
    for secret in _read:
        text = text.replace(secret, "***")
    return text
