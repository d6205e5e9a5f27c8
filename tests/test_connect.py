"""A connection is opened in a bounded time, whatever the other side does."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from telegraf_p1 import connect
from telegraf_p1.sources import open_source
from tests.helpers.programs import free_port
from tests.helpers.server import serving

DEADLINE_S = 1.0
A_RECORD = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"  # the begin of TLS's ServerHello, of 16 KiB


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that takes no connection and refuses none: its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Let a name have several addresses, which differ in their port here."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_deadline_is_for_all_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_port() as port:
        resolve_to(monkeypatch, *[port] * 5)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            connect.reached(("name", port), begun + DEADLINE_S)
        assert time.monotonic() - begun < 2 * DEADLINE_S


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_ONE_ADDRESS_S", 0.2)
    with silent_port() as silent, socket.create_server(("127.0.0.1", 0)) as server:
        resolve_to(monkeypatch, silent, free_port(), server.getsockname()[1])
        with connect.reached(("name", 1), time.monotonic() + 5) as opened:
            assert opened.getpeername() == server.getsockname()


@pytest.mark.parametrize(
    "source", ["mqtts://{}/t", "mqtt+wss://{}/t", "mqtt+ws://{}/t", "ws://{}/", "wss://{}/", "https://{}/?timeout=1s"]
)
@pytest.mark.parametrize("first", [A_RECORD, b"HTTP/1.1 101 Switching Protocols\r\nX: "])
def test_a_handshake_that_drips_is_given_up(source: str, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mqtt_client", "sources.websocket"):
        monkeypatch.setattr(f"telegraf_p1.{module}._CONNECT_S", DEADLINE_S)

    def drip(peer: socket.socket) -> None:
        peer.recv(4096)
        for byte in first + bytes(200):
            with suppress(BlockingIOError):
                peer.sendall(bytes([byte or 0x58]))
            time.sleep(0.02 if byte else 0.1)

    with serving(drip) as port:
        begun = time.monotonic()
        with pytest.raises(OSError, match=r"the (device|broker) ") as caught:
            open_source(source.format(f"127.0.0.1:{port}"))().read()
        assert caught.value.strerror
        assert time.monotonic() - begun < 2 * DEADLINE_S


@pytest.mark.parametrize("source", ["mqtt+ws://{}/t", "ws://{}/"])
@pytest.mark.parametrize("piece", [b"x" * 1000, b"X: y\r\n" * 100])
def test_an_answer_without_end_is_given_up_at_once(source: str, piece: bytes) -> None:
    def flood(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            peer.sendall(piece)

    with serving(flood) as port:
        begun = time.monotonic()
        with pytest.raises(OSError, match="WebSocket"):
            open_source(source.format(f"127.0.0.1:{port}"))()
        assert time.monotonic() - begun < 2
