"""A TCP bridge: `tcp://host:port`, as ser2net or a Wi-Fi dongle offers it.

`?timeout=30`: s without a byte after which the connection counts as dead. A peer that loses its
power says nothing, so silence is the only sign.
"""

import errno
import socket
from collections.abc import Iterator

from telegraf_p1.sources import Chunk, Silence, Source, Url, host_and_port, number, options

_CONNECT_S = 10.0
# TCP's own look after a silent peer; socket option → value in s, or a count.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


def source(url: Url) -> Source:
    """Read a TCP connection; a closed or a silent one raises OSError."""
    address = host_and_port(url)
    (text,) = options(url, timeout=30)
    timeout = number(url, "timeout", text, 1)

    def chunks() -> Iterator[Chunk]:
        with socket.create_connection(address, _CONNECT_S) as connection:
            _keep_alive(connection)
            silence = Silence(timeout)
            while True:
                connection.settimeout(silence.wait())
                try:
                    data = connection.recv(4096)
                except TimeoutError:
                    yield silence.chunk()
                    continue
                if not data:
                    raise OSError(errno.ECONNRESET, "the other side closed the connection")
                silence.over()
                yield Chunk(data)

    return chunks


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
