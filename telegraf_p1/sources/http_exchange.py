"""A request over HTTP and its answer, in bounded time: how `http_get.py` asks its device.

http.client parses the answer. The connection is opened here, since one deadline covers all of it: to connect, TLS, the
request, and each byte of the answer. It is kept open for the next request.
"""

import contextlib
import errno
import http.client
import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from telegraf_p1.connect import left
from telegraf_p1.sources.envelope import LARGEST
from telegraf_p1.sources.incoming import Incoming
from telegraf_p1.tls import Trust, connected, wants_tls

if TYPE_CHECKING:
    import socket

_PORTS: Final = {"http": 80, "https": 443}

# What the libraries raise for the answers of a device.
_RAISED: Final = (OSError, http.client.HTTPException, ValueError, ArithmeticError)
# How a connection fails that was kept open, but was closed by the device meanwhile, without and with TLS.
_STALE: Final = (ConnectionError, ssl.SSLError, http.client.BadStatusLine)


class Answer(NamedTuple):
    """An answer with any status: its body, and the address of a redirect."""

    status: int
    body: bytes
    location: str


class Device:
    """A web server, and the connection to it, which is opened when it is needed."""

    def __init__(
        self, host: str, port: int | None, trust: Trust | None, timeout: float, headers: Mapping[str, str]
    ) -> None:
        """Without `trust` there is no TLS; `timeout` is for one request and its whole answer, in s."""
        self._trust = trust
        self._address = (host, port or _PORTS["https" if trust else "http"])
        self._timeout = timeout
        name = f"[{host}]" if ":" in host else host
        self._headers = {"Host": f"{name}:{port}" if port else name, "Accept-Encoding": "identity", **headers}
        self._socket: socket.socket | None = None
        self._has_answered = False

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def get(self, path: str) -> Answer:
        """Request a path, which is ASCII; raise OSError, with the reason as the user should read it."""
        end = time.monotonic() + self._timeout
        was_kept = self._socket is not None
        try:
            try:
                return self._asked(path, end)
            except _STALE:
                if not was_kept:
                    raise
                self.close()
                return self._asked(path, end)
        except _RAISED as error:
            reason = self._reason(error)
            self.close()
            raise reason from None

    def _asked(self, path: str, end: float) -> Answer:
        if self._socket is None:
            self._socket = connected(self._address, self._trust, end)
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in self._headers.items()), "", ""]
        self._socket.settimeout(left(end))
        self._socket.sendall("\r\n".join(lines).encode("ascii"))
        incoming = cast("socket.socket", Incoming(self._socket, LARGEST, end))
        with contextlib.closing(http.client.HTTPResponse(incoming, method="GET")) as answer:
            answer.begin()
            self._has_answered = True
            body = _body(answer)
            if answer.will_close or not answer.isclosed():
                self.close()
        return Answer(answer.status, body, answer.getheader("Location") or "")

    def _reason(self, error: Exception) -> OSError:
        """Return the error that says what to do about an exception of a library."""
        number = errno.EPROTO
        match error:
            case TimeoutError():
                number, text = errno.ETIMEDOUT, "the device does not answer"
                if self._socket:
                    text = f"the device sent no complete answer within {self._timeout:g} s (?timeout= changes that)"
            case ConnectionRefusedError():
                return error
            case http.client.RemoteDisconnected() | ConnectionError() | ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                number, text = errno.ECONNRESET, "the device closed the connection without an answer"
                if not self._has_answered and not self._trust:
                    text = wants_tls("device", "http", b"")
            case http.client.BadStatusLine() if words := wants_tls("device", "http", str(error).encode("latin-1")):
                text = words
            case ssl.SSLError(reason=str(reason)):
                text = f"TLS connection to the device failed: {reason.replace('_', ' ').lower()}"
            case OSError():
                return error
            case _:
                what = f"{type(error).__name__}: {error}"[:100]
                text = f"the device does not answer like a web server ({what!r})"
        return OSError(number, text)


def _body(answer: http.client.HTTPResponse) -> bytes:
    """Return what was received of a body, perhaps not all: the telegram itself shows whether it is complete."""
    try:
        body = answer.read(LARGEST)
    except http.client.IncompleteRead as cut:
        if not cut.partial:
            raise
        return cut.partial
    if not body and answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
    return body
