"""A web server for few and small requests that no client can block, for `http_listen.py`.

Each client has a thread, one request and one deadline for all of it, however slow it is. If too many clients are
sending, or do not close the connection after the answer, the one that has taken longest is disconnected. Python's
http.server parses the requests.
"""

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from telegraf_p1.sources.envelope import LARGEST
from telegraf_p1.sources.incoming import Incoming

if TYPE_CHECKING:
    from socketserver import BaseServer

_LARGEST_HEAD: Final = 16 * 1024
_DEADLINE_S: Final = 10.0
# For a client that is still sending to read our answer, before the connection is closed.
_LINGER_S: Final = 1.0
_MOST_PENDING: Final = 32
_QUEUE: Final = 128  # connections that may wait in the kernel


class Request(NamedTuple):
    """A complete POST request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What a client receives: a status, and a text for people."""

    status: HTTPStatus
    text: str


class Refused(Exception):
    """A request is not accepted; `answer` is what its client receives."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.answer = Answer(status, text)


class Server:
    """Accepts clients until it is closed.

    `take` is called with each request in its client's thread, and returns the answer; it may raise Refused. `fail` is
    called, in any thread, with errors that cannot be handled here. An OSError means that no client can be accepted any
    more. Any other exception is a bug, which costs only its request.
    """

    def __init__(
        self, address: tuple[str, int], take: Callable[[Request], Answer], fail: Callable[[Exception], None]
    ) -> None:
        """Raise OSError if it cannot listen on the address."""
        self.take = take
        self._fail = fail
        self._lock = threading.Lock()
        self._pending: dict[socket.socket, None] = {}  # clients that do not wait for an answer, the oldest first
        self._is_open = True
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._listener = socket.create_server(address, family=family, backlog=_QUEUE)
        threading.Thread(target=self._accept_clients, name="http-listen", daemon=True).start()

    def close(self) -> None:
        """Stop listening, and disconnect the clients that do not wait for an answer."""
        with self._lock:
            self._is_open = False
            while self._pending:
                self._disconnect_oldest()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes up the thread that waits for clients
        self._listener.close()

    def request_received(self, client: socket.socket) -> None:
        """Note that a client has sent all, so that it is not disconnected before it has its answer."""
        with self._lock:
            self._pending.pop(client, None)

    def _note_pending(self, client: socket.socket) -> None:
        with self._lock:
            if len(self._pending) >= _MOST_PENDING:
                self._disconnect_oldest()
            self._pending[client] = None

    def _accept_clients(self) -> None:
        try:
            while True:
                client, address = self._listener.accept()
                self._note_pending(client)
                self._start_thread(client, address)
        except (OSError, RuntimeError) as error:  # no more file descriptors or threads are available
            if self._is_open:
                self._fail(OSError(f"cannot accept connections: {error}"))

    def _start_thread(self, client: socket.socket, address: object) -> None:
        try:
            threading.Thread(target=self._serve, args=(client, address), daemon=True).start()
        except RuntimeError:
            client.close()
            raise

    def _disconnect_oldest(self) -> None:
        client = next(iter(self._pending))
        del self._pending[client]
        with contextlib.suppress(OSError):  # it has disconnected itself
            client.shutdown(socket.SHUT_RDWR)

    def _serve(self, client: socket.socket, address: object) -> None:
        try:
            with client, contextlib.suppress(OSError):  # it has disconnected, or was too slow
                _Handler(client, address, cast("BaseServer", self))
                client.shutdown(socket.SHUT_WR)
                self._note_pending(client)
                # If unread data is left, closing resets the connection, and our answer may be lost.
                rest = Incoming(client, LARGEST, time.monotonic() + _LINGER_S)
                while rest.read(64 * 1024):
                    pass
        except Exception as error:  # noqa: BLE001
            self._fail(error)
        finally:
            self.request_received(client)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # so that `Expect: 100-continue` is answered
    server_version, sys_version = "telegraf_p1", ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        end = time.monotonic() + _DEADLINE_S
        self.rfile = io.BufferedReader(Incoming(self.connection, LARGEST + _LARGEST_HEAD, end))

    def do_POST(self) -> None:
        server = cast("Server", self.server)
        try:
            body = self._body()
            server.request_received(self.connection)
            answer = server.take(Request(self.path.partition("?")[0], cast("Mapping[str, str]", self.headers), body))
        except Refused as refused:
            answer = refused.answer
        self._answer(*answer)

    def _refuse_method(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "POST a telegram here")

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method  # noqa: N815  http.server's names

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the Content-Length header is missing")
        if not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        if len(length) > len(str(LARGEST)) or int(length) > LARGEST:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LARGEST} bytes, and is not a telegram"
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError
        return body

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # http.server then closes it
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the client has its answer."""
