"""Connections that are opened in a bounded time: one deadline is for all the steps until a peer may be spoken to."""

import socket
import time
from typing import Final

_ONE_ADDRESS_S: Final = 5.0  # of a name: the next one may be the one that answers


def left(end: float) -> float:
    """Give the s that are left until `end` (of the monotonic clock); raise TimeoutError when there are none."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


def reached(address: tuple[str, int], end: float) -> socket.socket:
    """Open a TCP connection until `end` (of the monotonic clock), whichever address of the name answers.

    Raise OSError. How long the name server may take is a matter of this computer's resolver.
    """
    trouble: OSError | None = None
    for family, kind, protocol, _, where in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        opened = None
        try:
            opened = socket.socket(family, kind, protocol)
            opened.settimeout(min(_ONE_ADDRESS_S, left(end)))
            opened.connect(where)
        except OSError as error:
            trouble = error
            if opened:
                opened.close()
        else:
            return opened
    raise trouble or OSError(f"{address[0]!r} has no IP address")
