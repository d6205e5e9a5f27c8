"""Reads from a socket with limits on time and size, however slowly data comes; for both sides of HTTP."""

import errno
import io
import socket
from typing import TYPE_CHECKING

from telegraf_p1.connect import left

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Incoming(io.RawIOBase):
    """The bytes that are received: `room` of them at most, until `end` (of the monotonic clock, s)."""

    def __init__(self, opened: socket.socket, room: int, end: float) -> None:
        self._socket, self._room, self._end = opened, room, end

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Wait for some bytes; raise TimeoutError after `end`, and another OSError when the room is used up."""
        if self._room <= 0:
            raise OSError(errno.EMSGSIZE, "the data is too long to be a telegram: check the address")
        self._socket.settimeout(left(self._end))
        count = self._socket.recv_into(memoryview(buffer)[: self._room])
        self._room -= count
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Take the place of the socket, as http.client uses it."""
        return io.BufferedReader(self)
