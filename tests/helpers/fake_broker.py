"""A broker that does what no good one does: it speaks MQTT 3.1.1 only, and sends what it is told to."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers.server import serving


def publish(topic: bytes, payload: bytes, number: int) -> bytes:
    """Make a PUBLISH packet of QoS 1 (MQTT 3.1.1, 3.3)."""
    body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + payload
    left, length = len(body), b""
    while left > 0x7F:
        length += bytes([left & 0x7F | 0x80])
        left >>= 7
    return b"\x32" + length + bytes([left]) + body


@contextmanager
def fake_broker(*packets: bytes, answer_to_5: bytes = b"") -> Iterator[tuple[int, list[int]]]:
    """Send these packets to each subscriber; give the port, and the numbers that are acknowledged.

    A greeting in MQTT 5 gets `answer_to_5`, and the connection is closed.
    """
    acknowledged: list[int] = []

    def serve(peer: socket.socket) -> None:
        hello = peer.recv(4096)
        if hello[hello.index(b"MQTT") + 4] != 4:
            peer.sendall(answer_to_5)
            return
        peer.sendall(b"\x20\x02\x00\x00")
        subscription = peer.recv(70_000)
        number_at = 2 if subscription[1] < 0x80 else 3
        peer.sendall(b"\x90\x03" + subscription[number_at : number_at + 2] + b"\x01")
        for packet in packets:
            peer.sendall(packet)
        while answer := peer.recv(4):
            if answer[0] == 0x40:
                acknowledged.append(int.from_bytes(answer[2:4], "big"))
            elif answer[0] == 0xC0:
                peer.sendall(b"\xd0\x00")

    with serving(serve) as port:
        yield port, acknowledged
