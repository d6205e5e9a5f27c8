"""An RFC 2217 server that answers wrongly."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers.server import serving

IAC, SE, SB, WILL, WONT, DO, DONT, COM_PORT = b"\xff", b"\xf0", b"\xfa", 251, 252, 253, 254, b"\x2c"
_COMMAND = re.compile(rb"\xff(?:([\xfb-\xfe])(.)|\xfa\x2c(.)((?:[^\xff]|\xff\xff)*)\xff\xf0)", re.DOTALL)
BAUDRATE, PARITY, CONTROL, PURGE = 1, 3, 5, 12
# Its answers to values that it is asked to set; other values are returned unchanged.
WRONG = {
    "another speed": {BAUDRATE: (9600).to_bytes(4, "big")},
    "another parity": {PARITY: b"\x03"},
    "another purge": {PURGE: b"\x09"},
    "another control": {CONTROL: b"\x13"},
    "empty values": dict.fromkeys(range(16), b""),
}
GARBAGE = (
    IAC + SB + b"\x4d\1\2" + IAC + SE + IAC + SB + COM_PORT + b"\x6a\xff\xff" + IAC + SE
    + IAC + SB + IAC + SE + IAC + SE + IAC + SB + COM_PORT + IAC + SE + IAC + b"\xf1" + IAC + b"\x63"
)  # fmt: skip
MODES = ["right", "leaves", "refuses", "hangs up", "garbage", *WRONG]


def _answers(received: bytes, mode: str, controls: list[int]) -> bytes:
    """Answer pyserial's requests (RFC 854, RFC 2217), and note which modem lines it sets."""
    found = b""
    for verb, option, command, value in _COMMAND.findall(received):
        if verb:
            agreed, refused = {DO: (WILL, WONT), WILL: (DO, DONT)}.get(verb[0], (0, 0))
            if agreed:
                found += IAC + bytes([refused if mode == "refuses" else agreed]) + option
        else:
            if command[0] == CONTROL:
                controls.append(value[0])
            answer = WRONG.get(mode, {}).get(command[0], value)
            found += IAC + SB + COM_PORT + bytes([100 + command[0]]) + answer + IAC + SE
    return found + (GARBAGE if mode == "garbage" else b"")


@contextmanager
def far_port(mode: str, telegram: bytes, controls: list[int] | None = None) -> Iterator[int]:
    """Answer in this mode, and send the telegram repeatedly (with `leaves`, once); yield the port.

    The values that are set for the modem lines are added to `controls`.
    """
    set_lines = [] if controls is None else controls

    def serve(peer: socket.socket) -> None:
        peer.settimeout(0.2)
        while True:
            try:
                received = peer.recv(4096)
            except TimeoutError:
                peer.sendall(telegram)
                if mode == "leaves":
                    return
                continue
            if not received or mode == "hangs up":
                return
            peer.sendall(_answers(received, mode, set_lines))

    with serving(serve) as port:
        yield port
