"""A TCP bridge: `tcp://host:port`, as ser2net or a Wi-Fi dongle offers it.

`?timeout=30s`: the time without data after which the connection counts as lost. A peer without power sends nothing
more, so silence is the only sign.
"""

import errno
import socket
import time

from telegraf_p1.connect import reached
from telegraf_p1.sources.connection import Connection, SilenceTimer, Source
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.url import Url, duration, host_and_port, options

_CONNECT_S = 10.0
_LAST_WORDS = 200  # bytes, fewer than a telegram
# How TCP itself checks a silent peer: socket option → value in s, or a count.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


def source(url: Url) -> Source:
    """Return a source that reads a TCP connection; it raises OSError when it is closed or silent."""
    address = host_and_port(url)
    (timeout,) = options(url, timeout=30)
    timeout_s = duration(url, "timeout", timeout, 1)
    return lambda: _Bridge(reached(address, time.monotonic() + _CONNECT_S), timeout_s)


class _Bridge(Connection):
    def __init__(self, opened: socket.socket, timeout: float) -> None:
        self._socket = opened
        self._silence_timer = SilenceTimer(timeout)
        self._first = b""  # the first bytes: a bridge may send why it closes the connection
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if hasattr(socket, name):
                self._socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def read(self) -> list[Event]:
        self._socket.settimeout(self._silence_timer.wait())
        try:
            data = self._socket.recv(4096)
        except TimeoutError:
            return [self._silence_timer.event()]
        if not data:
            raise OSError(errno.ECONNRESET, f"the other side closed the connection{_last_words(self._first)}")
        self._first += data[: _LAST_WORDS - len(self._first)]
        self._silence_timer.renew()
        return [Data(data)]

    def close(self) -> None:
        self._socket.close()


def _last_words(first: bytes) -> str:
    """Return what was received on this connection, if it was not a telegram: `Port already in use` (ser2net)."""
    if not first or len(first) == _LAST_WORDS or first.startswith(b"/") or b"(" in first:
        return ""
    advice = "; in ser2net, max-connections allows more than one client" if b"in use" in first else ""
    return f" after sending {first.decode('ascii', 'backslashreplace').strip()!r}{advice}"
