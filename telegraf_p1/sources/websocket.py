"""A device that sends the data of its meter over a WebSocket: `ws://192.168.1.20/ws`, `wss://…` with TLS.

For example the Homey Energy Dongle. A message is a piece of the stream, cut anywhere, or contains a telegram (in JSON,
hex).

Options: `timeout`, the time without a message after which the connection counts as lost (30s); `member` (of JSON, with
the telegram); `ca` (a file) or `pin` (SHA-256 of the certificate, in hex) for wss.
"""

import contextlib
import errno
import logging
import socket
import time
from typing import Final
from urllib.parse import quote

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, PayloadTooBig
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI

from telegraf_p1 import __version__
from telegraf_p1.sources.connection import Connection, SilenceTimer, Source
from telegraf_p1.sources.envelope import LARGEST, unwrap
from telegraf_p1.sources.events import DEVICE, Data, Dropped, Event
from telegraf_p1.tls import connected, trust, wants_tls
from telegraf_p1.url import Url, UsageError, duration, host_and_port, options

_PORTS: Final = {"ws": 80, "wss": 443}
# For the connection with its handshakes, and for sending.
_CONNECT_S: Final = 10.0
_POLICY_VIOLATION: Final = 1008
_BEGINNING: Final = 8  # bytes
# Our errors contain what the library would write to stderr.
logging.getLogger("websockets").addHandler(logging.NullHandler())


def source(url: Url) -> Source:
    """Return a source that reads a WebSocket; it raises OSError when it is closed or silent."""
    timeout, member, ca, pin = options(url, timeout=30, member="", ca="", pin="")
    if not url.host:
        raise UsageError(f"source {url.text!r}: write the address, for example ws://192.168.1.20/ws")
    timeout_s = duration(url, "timeout", timeout, 1)
    address = host_and_port(url._replace(port=url.port or _PORTS[url.scheme]))
    whom = trust(url, "device", ca=ca, pin=pin)
    uri = WebSocketURI(whom is not None, *address, quote(url.path or "/"), "")

    def connect() -> _Stream:
        end = time.monotonic() + _CONNECT_S
        try:
            peer = _Peer(connected(address, whom, end), uri)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "the device does not answer") from None
        try:
            peer.shake_hands(end)
        except OSError:
            peer.close()
            raise
        return _Stream(peer, member, timeout_s)

    return connect


class _Stream(Connection):
    def __init__(self, peer: "_Peer", member: str, timeout: float) -> None:
        self._peer, self._member = peer, member
        self._silence_timer = SilenceTimer(timeout, DEVICE)

    def read(self) -> list[Event]:
        messages = self._peer.messages_until(time.monotonic() + (self._silence_timer.wait() or 0.0))
        if not messages:
            event = self._silence_timer.event()
            self._peer.ping()  # so that a lost connection is noticed, and routers in between keep it open
            return [event]
        self._silence_timer.renew()
        return [_data(message, self._member) for message in messages]

    def close(self) -> None:
        self._peer.close()


def _data(message: bytes, member: str) -> Event:
    """Return what a message contains: the meter's bytes as they are, or extracted from an envelope."""
    data, is_whole, trouble = unwrap(message, member)
    if trouble:
        return Dropped(trouble)
    if data.removesuffix(b"\r\n") == message.removesuffix(b"\r\n"):
        return Data(message)  # its end means nothing: it may be in a line, or in the CRC
    return Data(data, ends_message=is_whole)


class _Peer:
    """The other side, by the library's protocol, which does no I/O itself."""

    def __init__(self, opened: socket.socket, uri: WebSocketURI) -> None:
        self._socket = opened
        self._protocol = ClientProtocol(uri, max_size=LARGEST)
        self._begun = bytearray()  # the beginning of a message in several frames
        self._messages: list[bytes] = []
        self._over: OSError | None = None
        self._is_plain = not uri.secure
        self._answer = b""  # its first bytes, by which a port for TLS is recognized

    def shake_hands(self, end: float) -> None:
        """Make the handshake before `end` (monotonic, s); raise OSError with the answer if it is not a WebSocket's."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = f"telegraf_p1/{__version__}"
        self._protocol.send_request(request)
        self._send()
        while self._protocol.state is State.CONNECTING:
            if not self._receive(end):
                raise OSError(errno.ETIMEDOUT, "connected, but the device does not answer like a WebSocket server")
            if error := self._protocol.handshake_exc:
                words = wants_tls("device", "ws", self._answer) if self._is_plain else ""
                raise OSError(errno.EPROTO, words or _refusal(error))

    def messages_until(self, end: float) -> list[bytes]:
        """Return what has come, empty at `end` (monotonic, s); raise OSError once the connection is over."""
        while not self._messages:
            if self._over:
                raise self._over
            if not self._receive(end):
                return []
        found = self._messages.copy()
        self._messages.clear()
        return found

    def ping(self) -> None:
        """Send a ping, which the other side has to answer."""
        self._protocol.send_ping(b"")
        self._send()

    def close(self) -> None:
        """Close the WebSocket properly, so that the device serves another client at once."""
        with contextlib.suppress(OSError):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._send()
        self._socket.close()

    def _receive(self, end: float) -> bool:
        """Receive once, which may complete messages or not; return False if nothing came until `end`."""
        left = end - time.monotonic()
        if left <= 0:
            return False
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(64 * 1024)
        except TimeoutError:
            return False
        except ConnectionResetError:
            data = b""
        self._answer = self._answer or data[:_BEGINNING]
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        if self._protocol.parser_exc and not self._over:
            self._over = _broken(self._protocol.parser_exc)
        self._send()
        return True

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._begun += frame.data
            if frame.fin and self._begun:  # an empty one is no data of the meter
                self._messages.append(bytes(self._begun))
                self._begun.clear()
        elif frame.opcode is Opcode.CLOSE:
            self._over = _closed(Close.parse(frame.data))

    def _send(self) -> None:
        """Send what the protocol has to send: a pong, the echo of a close."""
        self._socket.settimeout(_CONNECT_S)
        try:
            self._socket.sendall(b"".join(self._protocol.data_to_send()))
        except OSError as error:
            # What was received before is read first, and perhaps the reason.
            self._over = self._over or OSError(
                errno.ECONNRESET, f"connection to the device lost: {error.strerror or error}"
            )


def _refusal(error: Exception) -> str:
    if not isinstance(error, InvalidStatus):
        return f"the device does not answer like a WebSocket server: {error}"
    answer = error.response
    where = f", with a redirect to {answer.headers['Location']!r}" if "Location" in answer.headers else ""
    return f"the device answers {answer.status_code} {answer.reason_phrase}, and does not open a WebSocket{where}"


def _broken(error: Exception) -> OSError:
    if isinstance(error, EOFError):
        return OSError(errno.ECONNRESET, "the other side closed the connection")
    if isinstance(error, PayloadTooBig):
        return OSError(errno.EMSGSIZE, f"a message is longer than {LARGEST} bytes, and is not a telegram")
    return OSError(errno.EPROTO, f"the device violates the WebSocket protocol: {error}")


def _closed(close: Close) -> OSError:
    if close.code == _POLICY_VIOLATION:
        cure = "a Homey Energy Dongle accepts two clients at most, and needs its local API switched on in the Homey app"
        return OSError(errno.EACCES, f"the device refuses the connection ({close}): {cure}")
    return OSError(errno.ECONNRESET, f"the device closed the connection ({close})")
