"""A device that sends over WebSockets, as the Homey Energy Dongle does."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.helpers.programs import wait_until


class WebSocketDevice:
    """A WebSocket server; `clients` are connected, `closed` are the close codes of those that have left."""

    def __init__(self, certificate: tuple[Path, Path] | None = None, port: int = 0) -> None:
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        self.clients: list[ServerConnection] = []
        self.closed: list[int | None] = []
        self.paths: list[str] = []
        self.refusal: tuple[int, str] | None = None  # a close code and its reason
        self.server = serve(self._handle, "127.0.0.1", port, ssl=context, close_timeout=0.5)
        self.port = self.server.socket.getsockname()[1]
        self.url = f"{'wss' if certificate else 'ws'}://127.0.0.1:{self.port}/ws"

    def _handle(self, client: ServerConnection) -> None:
        assert client.request
        self.paths.append(client.request.path)
        if self.refusal:
            client.close(*self.refusal)
            return
        self.clients.append(client)
        try:
            client.recv()
        except ConnectionClosed:
            self.clients.remove(client)
            self.closed.append(client.close_code)

    def client(self) -> ServerConnection:
        """Wait for a client, and return the latest one."""
        wait_until(lambda: self.clients, "a client")
        return self.clients[-1]

    def send(self, message: bytes | str) -> None:
        self.client().send(message)


@contextmanager
def listening(device: WebSocketDevice) -> Iterator[WebSocketDevice]:
    """Run it; at the end, close its connections."""
    thread = threading.Thread(target=device.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield device
    finally:
        for client in device.clients.copy():
            client.close(1001)
        device.server.shutdown()
        thread.join(10)
