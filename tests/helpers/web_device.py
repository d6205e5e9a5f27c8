"""A web server that answers as the devices with an HTTP interface do."""

import socket
import ssl
import threading
from collections.abc import Iterator
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
        """Let the meter speak; give the line it has to become."""
        self.now += 1
        telegram = self.meter.telegram(self.now)
        self.show(telegram)
        return lineproto.line(records(telegram)[0])


@contextmanager
def running(device: Device) -> Iterator[Device]:
    """Let it answer; its end closes the connections that it has kept open."""
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
