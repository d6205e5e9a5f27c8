"""A question over HTTP and its answer, in a bounded time: how `http_get.py` asks its device.

http.client understands the answer. The connection is ours, since one deadline is for all of it: to connect, for TLS,
the question, and each byte of the answer. It is kept open for the next question.
"""

import contextlib
import errno
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple, cast

from telegraf_p1.sources.envelope import LARGEST
from telegraf_p1.sources.incoming import Incoming, left
from telegraf_p1.tls import Trust, is_plain

_CONNECT_S: Final = 5.0  # for one address of a name: the next one may be the one that answers
_PORTS: Final = {"http": 80, "https": 443}
_TLS_ALERT: Final = "\x15\x03"

# What the libraries raise for what a device says.
_RAISED: Final = (OSError, http.client.HTTPException, ValueError, ArithmeticError)
# How a connection fails that was kept open and that the device has closed meanwhile, plain and with TLS.
_STALE: Final = (ConnectionError, ssl.SSLError, http.client.BadStatusLine)


class Answer(NamedTuple):
    """An answer with any status: its body, and where it says to go."""

    status: int
    body: bytes
    location: str


class Device:
    """A web server, and the connection to it, which is opened when it is needed."""

    def __init__(
        self, host: str, port: int | None, trust: Trust | None, timeout: float, headers: Mapping[str, str]
    ) -> None:
        """Without `trust` the connection is plain; `timeout` is for one question and its whole answer, in s."""
        self._trust = trust
        self._address = (host, port or _PORTS["https" if trust else "http"])
        self._timeout = timeout
        name = f"[{host}]" if ":" in host else host
        self._headers = {"Host": f"{name}:{port}" if port else name, "Accept-Encoding": "identity", **headers}
        self._socket: socket.socket | None = None
        self._has_answered = False

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def get(self, path: str) -> Answer:
        """Ask for a path, which is ASCII; raise OSError, with the reason as the user should read it."""
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
            self._socket = self._open(end)
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

    def _open(self, end: float) -> socket.socket:
        if not self._trust:
            return self._connect(end)
        try:
            return self._connect_tls(self._trust.context, end)
        except ssl.SSLCertVerificationError as error:
            look = partial(self._connect_tls, end=end)
            raise self._trust.distrusted(error, self._address[0], look) from None

    def _connect(self, end: float) -> socket.socket:
        return socket.create_connection(self._address, min(_CONNECT_S, left(end)))

    def _connect_tls(self, context: ssl.SSLContext, end: float) -> ssl.SSLSocket:
        with self._connect(end) as plain:  # TLS takes it over, or it is closed
            plain.settimeout(left(end))
            return context.wrap_socket(plain, server_hostname=self._address[0])

    def _reason(self, error: Exception) -> OSError:
        """Turn what a library raised into what to do."""
        number = errno.EPROTO
        match error:
            case TimeoutError():
                number, text = errno.ETIMEDOUT, "the device does not answer"
                if self._socket:
                    text = f"the device gave no whole answer within {self._timeout:g} s (?timeout= changes that)"
            case ConnectionRefusedError():
                return error
            case http.client.BadStatusLine() if str(error).startswith(_TLS_ALERT):
                text = "the device speaks TLS on this port: write https://"
            case ssl.SSLError() if is_plain(error):
                text = "the device speaks no TLS on this port: write http://, or the port on which it does"
            case ConnectionError() | ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                number, text = errno.ECONNRESET, "the device closed the connection without an answer"
                if not self._has_answered:
                    text += f"; perhaps it wants {'http' if self._trust else 'https'}:// on this port"
            case ssl.SSLError(reason=str(reason)):
                text = f"TLS with the device fails: {reason.replace('_', ' ').lower()}"
            case OSError():
                return error
            case _:
                what = f"{type(error).__name__}: {error}"[:100]
                text = f"the device does not answer as a web server does ({what!r})"
        return OSError(number, text)


def _body(answer: http.client.HTTPResponse) -> bytes:
    """Give what came of a body, perhaps not all: a telegram says itself whether it is whole."""
    try:
        body = answer.read(LARGEST)
    except http.client.IncompleteRead as cut:
        if not cut.partial:
            raise
        return cut.partial
    if not body and answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
    return body
