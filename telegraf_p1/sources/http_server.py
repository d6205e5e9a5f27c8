"""A web server for few and small requests that nobody outside can stop, for `http_listen.py`.

Each client has a thread, one request and one deadline for all of it, however slowly it drips; when too many are
heard at the same time, or do not go once they are answered, the one that has dawdled longest is hung up on.
Python's http.server understands the requests.
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
# For a client to take our answer to what it still sends, before the connection is closed.
_LINGER_S: Final = 1.0
_MOST_DAWDLERS: Final = 32
_QUEUE: Final = 128  # of those that the kernel lets wait


class Request(NamedTuple):
    """A whole POST."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What a client is told: a status, and a text for people."""

    status: HTTPStatus
    text: str


class Refused(Exception):
    """The answer to a request that is not taken."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.answer = Answer(status, text)


class Server:
    """Lets clients in until it is closed.

    `take` is called with each request in a thread of its client, and gives the answer; it may raise Refused. `fail` is
    called, in any thread, with what nobody can do anything about here: an OSError once no client can be let in any
    more, any other exception for a bug, which costs its request alone.
    """

    def __init__(
        self, address: tuple[str, int], take: Callable[[Request], Answer], fail: Callable[[Exception], None]
    ) -> None:
        """Raise OSError for an address that cannot be listened on."""
        self.take = take
        self._fail = fail
        self._lock = threading.Lock()
        self._dawdlers: dict[socket.socket, None] = {}  # who waits for nothing from us, the oldest first
        self._is_open = True
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._door = socket.create_server(address, family=family, backlog=_QUEUE)
        threading.Thread(target=self._let_in, name="http-listen", daemon=True).start()

    def close(self) -> None:
        """Listen no more, and hang up on who waits for no answer."""
        with self._lock:
            self._is_open = False
            while self._dawdlers:
                self._hang_up_on_the_oldest()
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for clients
        self._door.close()

    def was_heard(self, client: socket.socket) -> None:
        """Say that a client does not dawdle: it has said all, and waits for its answer."""
        with self._lock:
            self._dawdlers.pop(client, None)

    def _dawdles(self, client: socket.socket) -> None:
        with self._lock:
            if len(self._dawdlers) >= _MOST_DAWDLERS:
                self._hang_up_on_the_oldest()
            self._dawdlers[client] = None

    def _let_in(self) -> None:
        try:
            while True:
                client, address = self._door.accept()
                self._dawdles(client)
                self._start(client, address)
        except (OSError, RuntimeError) as error:  # there are no descriptors or no threads any more
            if self._is_open:
                self._fail(OSError(f"cannot accept connections: {error}"))

    def _start(self, client: socket.socket, address: object) -> None:
        try:
            threading.Thread(target=self._hear, args=(client, address), daemon=True).start()
        except RuntimeError:
            client.close()
            raise

    def _hang_up_on_the_oldest(self) -> None:
        client = next(iter(self._dawdlers))
        del self._dawdlers[client]
        with contextlib.suppress(OSError):  # it went by itself
            client.shutdown(socket.SHUT_RDWR)

    def _hear(self, client: socket.socket, address: object) -> None:
        try:
            with client, contextlib.suppress(OSError):  # it went away, or dawdled
                _Handler(client, address, cast("BaseServer", self))
                client.shutdown(socket.SHUT_WR)
                self._dawdles(client)
                # Closed with something unread the connection would be reset, and our answer perhaps lost.
                rest = Incoming(client, LARGEST, time.monotonic() + _LINGER_S)
                while rest.read(64 * 1024):
                    pass
        except Exception as error:  # noqa: BLE001
            self._fail(error)
        finally:
            self.was_heard(client)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # so that a client who asks whether to go on is answered
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
            server.was_heard(self.connection)
            answer = server.take(Request(self.path.partition("?")[0], cast("Mapping[str, str]", self.headers), body))
        except Refused as refused:
            answer = refused.answer
        self._answer(*answer)

    def _refuse_method(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "POST a telegram here")

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method  # noqa: N815  as http.server asks

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
        self.send_header("Connection", "close")  # which http.server then does
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: who has sent it is answered."""
