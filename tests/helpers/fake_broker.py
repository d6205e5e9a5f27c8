"""A broker that misbehaves: it supports only MQTT 3.1.1, and sends whatever it is told to."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.helpers.server import serving

CONNACK = b"\x20\x02\x00\x00"
CONNACK_5 = b"\x20\x03\x00\x00\x00"
ONLY_3_1_1 = b"\x20\x02\x00\x01"  # CONNACK: unacceptable protocol version


def publish(topic: bytes, payload: bytes, number: int, qos: int = 1) -> bytes:
    """Make a PUBLISH packet (MQTT 3.1.1, 3.3)."""
    body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + payload
    left, length = len(body), b""
    while left > 0x7F:
        length += bytes([left & 0x7F | 0x80])
        left >>= 7
    return bytes([0x30 | qos << 1]) + length + bytes([left]) + body


class Broker:
    """Sends these packets to each subscriber, if hasty before it has subscribed; remembers which are acknowledged.

    A CONNECT of MQTT 5 gets `answer_to_5`, and the connection is closed.
    """

    def __init__(self, *packets: bytes, answer_to_5: bytes = b"", is_hasty: bool = False) -> None:
        self.acknowledged: list[int] = []
        self._packets, self._answer_to_5, self._is_hasty = packets, answer_to_5, is_hasty

    def serve(self, peer: socket.socket) -> None:
        hello = peer.recv(4096)
        if hello[hello.index(b"MQTT") + 4] != 4:
            peer.sendall(self._answer_to_5)
            return
        peer.sendall(CONNACK)
        subscription = peer.recv(70_000)
        number_at = 2 if subscription[1] < 0x80 else 3
        granted = b"\x90\x03" + subscription[number_at : number_at + 2] + b"\x01"
        for packet in (*self._packets, granted) if self._is_hasty else (granted, *self._packets):
            peer.sendall(packet)
        while answer := peer.recv(4):
            if answer[0] == 0x40:
                self.acknowledged.append(int.from_bytes(answer[2:4], "big"))
            elif answer[0] == 0xC0:
                peer.sendall(b"\xd0\x00")


@contextmanager
def fake_broker(*packets: bytes, answer_to_5: bytes = b"", is_hasty: bool = False) -> Iterator[tuple[int, list[int]]]:
    """Run such a broker; yield its port, and the numbers that are acknowledged."""
    broker = Broker(*packets, answer_to_5=answer_to_5, is_hasty=is_hasty)
    with serving(broker.serve) as port:
        yield port, broker.acknowledged


class _InFrames:
    """A WebSocket with the methods of a socket; what is sent becomes a message in frames of `size`."""

    def __init__(self, client: ServerConnection, size: int | None) -> None:
        self._client, self._size = client, size
        self._left = b""  # the rest of a message, which may contain several packets

    def recv(self, count: int) -> bytes:
        try:
            data = self._left or cast("bytes", self._client.recv())
        except ConnectionClosed:
            return b""
        self._left = data[count:]
        return data[:count]

    def sendall(self, data: bytes) -> None:
        size = self._size or len(data)
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        self._client.send(pieces if len(pieces) > 1 else data)
        assert self._client.ping().wait(10)


@contextmanager
def websocket_server(one: Callable[[ServerConnection], None]) -> Iterator[int]:
    """Let `one` serve each client over a WebSocket for MQTT; yield the port."""

    def handle(client: ServerConnection) -> None:
        with suppress(ConnectionClosed, OSError):
            one(client)

    with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol("mqtt")], compression=None) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join(10)


@contextmanager
def fake_websocket_broker(*packets: bytes, size: int | None = None) -> Iterator[tuple[int, list[int]]]:
    """Do the same over WebSocket, with a ping after each message."""
    broker = Broker(*packets)
    with websocket_server(lambda client: broker.serve(cast("socket.socket", _InFrames(client, size)))) as port:
        yield port, broker.acknowledged
