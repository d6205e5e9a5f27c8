"""paho's MQTT client for brokers that are not trusted: bounded in time and memory; plain, with TLS, in a WebSocket.

paho has a timeout for each step of opening a connection, and none for the handshake of a WebSocket. It keeps packets
and frames of any length, and accepts packets that are not expected. It also makes several system calls for each packet
that it reads, and one for each that it sends. These cost more than all other processing of a telegram.
"""

import errno
import struct
import time
from collections.abc import Iterable, Mapping
from socket import socket
from types import SimpleNamespace
from typing import Any, ClassVar, Final, cast

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode

from telegraf_p1.connect import left
from telegraf_p1.tls import Trust, connected, wants_tls

_CONNECT_S: Final = 10.0  # until MQTT can be used
_LONGEST_ANSWER: Final = 16 * 1024  # bytes: of a packet without a message, and of a WebSocket's handshake
_PIECE: Final = 64 * 1024  # bytes in one read
_MOST_UNSENT: Final = 10_000  # packets, some 600 bytes each, or 1 KB with a hundred acknowledgements
_MOST_PACKETS: Final = 1000  # that are read before other work is done
_LONGEST_CONTROL: Final = 125  # bytes in a WebSocket's ping or close
_PUBACK: Final = struct.Struct("!BBH")  # type, length, number
_NO_FRAME: Final = "the broker violates the WebSocket protocol"


class ProtocolError(Exception):
    """A broker violates a protocol; the text says how. It is not an OSError, since paho would swallow it."""


class Client(mqtt.Client):
    """paho's client, protected against unexpected packets and messages."""

    # The packets that a broker may send to a client that only publishes, and how many bytes of each are kept.
    packets: ClassVar[Mapping[int, int]] = dict.fromkeys(
        (MessageType.CONNACK, MessageType.PINGRESP, MessageType.DISCONNECT), _LONGEST_ANSWER
    )

    def __init__(self, whom: Trust | None, path: str = "", **options: Any) -> None:
        """Take paho's options; with a `path`, MQTT is used in a WebSocket. Without `whom` there is no TLS."""
        super().__init__(CallbackAPIVersion.VERSION2, **options)
        self._whom, self._path = whom, path

    def is_behind(self) -> bool:
        """Whether too many packets wait to be sent, because the broker does not read them."""
        return len(self._out_packet) > _MOST_UNSENT

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Acknowledge messages with QoS 1, all at once: paho's `ack` sends one packet for each."""
        if packets := b"".join(_PUBACK.pack(MessageType.PUBACK, 2, number) for number in numbers):
            self._packet_queue(MessageType.PUBACK, packets, 0, 1)

    def is_full(self) -> bool:
        """Whether what was read has to be processed before more is read."""
        return False

    def loop_read(self, max_packets: int = _MOST_PACKETS) -> MQTTErrorCode:
        """Read all packets that have arrived: paho reads one, and polls the socket before the next one."""
        for _ in range(max_packets):
            result = super().loop_read()
            opened = cast("_ReadAhead | None", self._sock)
            if result or not opened or not opened.pending() or self.is_full():
                break
        return result

    def _create_socket(self) -> Any:
        return _ReadAhead(self._opened())

    def _opened(self) -> Any:
        """Open the connection; raise OSError, with the reason as the user should read it."""
        end = time.monotonic() + _CONNECT_S
        try:
            opened = connected((self._host, self._port), self._whom, end)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "the broker does not answer") from None
        if not self._path:
            return opened
        try:
            return _WebSocket(opened, self._host, self._port, self._path, end, is_plain=not self._whom)
        except OSError:
            opened.close()
            raise

    def _sock_recv(self, bufsize: int) -> bytes:
        data: bytes = super()._sock_recv(bufsize)
        del self._in_packet["packet"][self.packets.get(self._in_packet["command"] & 0xF0, 0) :]
        return data

    def _packet_handle(self) -> MQTTErrorCode:
        kind = self._in_packet["command"] & 0xF0
        if kind not in self.packets:
            raise ProtocolError(f"the broker sends an unexpected packet (type {kind >> 4})")
        return super()._packet_handle()


class _ReadAhead:
    """A buffered connection: paho asks for a byte or two at a time."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        self._data, self._at = b"", 0

    def recv(self, length: int) -> bytes:
        """Return bytes that have arrived, empty at the end; raise BlockingIOError if there are none."""
        if self._at == len(self._data):
            self._data, self._at = self._opened.recv(_PIECE), 0
        data = self._data[self._at : self._at + length]
        self._at += len(data)
        return data

    def pending(self) -> int:
        """Count the bytes that have arrived, but are not seen by `select`."""
        inner = getattr(self._opened, "pending", None)
        return len(self._data) - self._at or (inner() if inner else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)


class _WebSocket(mqtt._WebsocketWrapper):  # noqa: SLF001  paho has no public class for it
    """paho's WebSocket with a bounded handshake; it keeps nothing of the frames that it reads."""

    def __init__(self, opened: socket, host: str, port: int, path: str, end: float, *, is_plain: bool) -> None:
        """Make the handshake before `end` (monotonic clock); raise OSError."""
        self._end, self._is_plain = end, is_plain
        self._head = bytearray()  # the header of a frame, or the whole of one without MQTT
        self._left = 0  # bytes of MQTT in this frame that have not been read
        super().__init__(opened, f"[{host}]" if ":" in host else host, port, not is_plain, path, None)

    def _do_handshake(self, extra_headers: Any) -> None:
        opened, answer = self._socket, b""

        def receive(count: int) -> bytes:
            nonlocal answer
            if len(answer) >= _LONGEST_ANSWER:
                raise mqtt.WebsocketConnectionError
            opened.settimeout(left(self._end))
            data = opened.recv(count)
            answer += data
            return data

        self._socket = cast("socket", SimpleNamespace(send=opened.send, recv=receive))
        try:
            super()._do_handshake(extra_headers)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "connected, but the broker does not open a WebSocket") from None
        except (ConnectionError, UnicodeDecodeError, IndexError):  # all that paho raises for other answers
            raise OSError(errno.EPROTO, f"cannot open a WebSocket: {self._why(answer)}") from None
        finally:
            self._socket = opened

    def _why(self, answer: bytes) -> str:
        words = wants_tls("broker", "mqtt+ws", answer) if self._is_plain else ""
        if words and not answer:
            words += ", or use the port of its WebSockets"
        return words or "check ?path=/mqtt, and that this is the broker's port for WebSockets"

    def recv(self, length: int) -> bytes:
        """Return MQTT that has arrived, empty at the end; raise BlockingIOError if there is none."""
        if not self._left:
            self._begin_frame()
        data = self._socket.recv(min(length, self._left))
        self._left -= len(data)
        return data

    def _begin_frame(self) -> None:
        """Read the header of a frame, and answer a frame without MQTT."""
        self._fill(2)
        opcode, length = self._head[0], self._head[1]
        if size := {126: 2, 127: 8}.get(length, 0):
            self._fill(2 + size)
            length = int.from_bytes(self._head[2:], "big")
        kind = opcode & 0x0F
        is_control = kind in (self.OPCODE_CONNCLOSE, self.OPCODE_PING, self.OPCODE_PONG)
        if not is_control and kind not in (self.OPCODE_BINARY, self.OPCODE_CONTINUATION):
            raise ProtocolError(_NO_FRAME)
        if opcode & 0x70 or self._head[1] & 0x80 or (is_control and length > _LONGEST_CONTROL):
            raise ProtocolError(_NO_FRAME)
        if is_control:
            self._fill(2 + length)
            self._answer(kind, self._head[2:])
        else:
            self._left = length
        self._head.clear()
        if not self._left:
            raise BlockingIOError  # so that an endless series of empty frames does not block

    def _fill(self, count: int) -> None:
        while len(self._head) < count:
            data = self._socket.recv(count - len(self._head))
            if not data:
                raise ConnectionAbortedError
            self._head += data

    def _answer(self, kind: int, payload: bytearray) -> None:
        answer = {self.OPCODE_PING: self.OPCODE_PONG, self.OPCODE_CONNCLOSE: self.OPCODE_CONNCLOSE}.get(kind)
        if answer and not self._sendbuffer:  # never in the middle of another frame
            self._socket.send(self._create_frame(answer, payload))
