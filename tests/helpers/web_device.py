"""A web server that answers like devices with an HTTP interface."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.telegrams import START, records


class Device:
    """A web server with a meter behind it."""

    def __init__(self, certificate: tuple[Path, Path] | None = None, token: str = "") -> None:
        self.meter, self.now = Meter(), START
        self.status, self.body = 503, b'{"error": "telegram:no-telegram-received"}'
        self.headers: dict[str, str] = {}
        self.token = token
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.clients: set[int] = set()
        self.connections: list[socket.socket] = []
        device = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                device.connections.append(self.connection)

            def do_GET(self) -> None:
                device.seen.append((self.path, dict(self.headers)))
                device.clients.add(self.client_address[1])
                refused = device.token and self.headers.get("Authorization") != device.token
                self.send_response(401 if refused else device.status)
                for name, value in {"Content-Length": str(len(device.body)), **device.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(device.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/api/v1/telegram"

    def show(self, telegram: bytes) -> None:
        """Answer with this telegram from now on."""
        self.status, self.body = 200, telegram

    def telegram(self) -> str:
        """Let the meter make a telegram; return the line that it has to become."""
        self.now += 1
        telegram = self.meter.telegram(self.now)
        self.show(telegram)
        return lineproto.line(records(telegram)[0])


@contextmanager
def running(device: Device) -> Iterator[Device]:
    """Run it; at the end, close the connections that it has kept open."""
    thread = threading.Thread(target=device.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield device
    finally:
        device.server.shutdown()
        for connection in device.connections:
            with suppress(OSError):  # closed by the other side
                connection.shutdown(socket.SHUT_RDWR)
        device.server.server_close()


class Speaker:
    """A server whose answers `speak` determines byte for byte; with a certificate, over TLS."""

    def __init__(self, speak: Callable[[socket.socket, int], None], certificate: tuple[Path, Path] | None) -> None:
        self.accepted = 0
        self.ended = 0  # how often `speak` has returned, and the connection was closed
        self._speak, self._certificate = speak, certificate
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._server.getsockname()[1]
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/telegram"

    def accept(self) -> None:
        with suppress(OSError):  # closed at the end
            while True:
                connection = self._server.accept()[0]
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection, self.accepted), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), self._ready(connection) as ready:
            self._open.append(ready)
            self._speak(ready, number)
        self.ended += 1

    def _ready(self, connection: socket.socket) -> socket.socket:
        if not self._certificate:
            return connection
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._certificate)
        with connection:  # TLS takes over the socket, or it is closed
            return context.wrap_socket(connection, server_side=True)

    def close(self) -> None:
        for one in [self._server, *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._server.close()


@contextmanager
def speaking(
    speak: Callable[[socket.socket, int], None], certificate: tuple[Path, Path] | None = None
) -> Iterator[Speaker]:
    """Run `speak(connection, number)` for each client, in a thread of its own."""
    speaker = Speaker(speak, certificate)
    threading.Thread(target=speaker.accept, daemon=True).start()
    try:
        yield speaker
    finally:
        speaker.close()


def question(connection: socket.socket) -> bytes:
    """Wait for a request and return it; empty if the other side has closed the connection."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        more = connection.recv(4096)
        if not more:
            return b""
        heard += more
    return heard


def ok(body: bytes, *headers: str) -> bytes:
    """Return the bytes of an answer."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
