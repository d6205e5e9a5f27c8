"""Connections that are opened in bounded time: one deadline covers all the steps until they can be used."""

import socket
import time
from typing import Final

_ONE_ADDRESS_S: Final = 5.0  # for each address of a host name: the next one may answer


def left(end: float) -> float:
    """Return the seconds left until `end` (monotonic clock); raise TimeoutError if there are none."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


def reached(address: tuple[str, int], end: float) -> socket.socket:
    """Open a TCP connection before `end` (monotonic clock), trying each address of the host name.

    Raise OSError. The time of the name lookup depends on this computer's resolver, and is not bounded here.
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
