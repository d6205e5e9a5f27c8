"""A serial port on a network server that can change its settings: `rfc2217://host:port`.

The options are those of a serial port, `timeout` as for TCP, and pyserial's `ign_set_control` for servers that do not
answer to modem lines (ser2net on a pty).
"""

import errno
import queue
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import serial
from serial import rfc2217

from telegraf_p1.sources.connection import Connection, SilenceTimer, Source
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.sources.serial_settings import Line, request_line
from telegraf_p1.url import Url, duration, host_and_port, options

_MOST_COMMANDS: Final = 64 * 1024  # bytes of commands between two bytes of the meter


def source(url: Url) -> Source:
    """Return a source that reads a port by RFC 2217; it raises OSError when it is closed or silent."""
    host, port_number = host_and_port(url)
    baudrate, line_format, timeout, request, ignore = options(
        url, baudrate=115200, format="8N1", timeout=30, request="always", ign_set_control="no"
    )
    pyserial_url = f"rfc2217://{host}:{port_number}" + ("" if ignore == "no" else "?ign_set_control")
    line = Line(url, baudrate, line_format)
    timeout_s = duration(url, "timeout", timeout, 1)
    return partial(_FarPort, pyserial_url, line, timeout_s, request_line(url, request))


class _FarPort(Connection):
    def __init__(self, pyserial_url: str, line: Line, timeout: float, request: str) -> None:
        with translated():
            self._port = Port(pyserial_url, **line.settings)  # type: ignore[arg-type]
        self._line = line
        self._timeout, self._request = timeout, request
        self._silence_timer = SilenceTimer(timeout)
        self._is_wanted = True

    def read(self) -> list[Event]:
        while True:
            data = self._port.received(self._silence_timer.wait() if self._is_wanted else None)
            if data is None:
                return [self._silence_timer.event()]
            if data:
                self._silence_timer.renew()
                return [Data(self._line.characters(data))]
            self._silence_timer = SilenceTimer(self._timeout)  # woken up by `want`

    def want(self, is_wanted: bool) -> None:  # noqa: FBT001
        if not self._request or is_wanted == self._is_wanted:
            return
        self._is_wanted = is_wanted
        with suppress(OSError, ValueError):  # if the server is gone, `read` reports it
            setattr(self._port, self._request, is_wanted)
        self._port.wake_up()

    def close(self) -> None:
        self._port.close()  # sleeps for 0.3 s


class _Received(queue.Queue[bytes | None]):
    """The bytes of the meter, put here by pyserial's thread, and None at the end."""

    commands = 0  # bytes of commands since the last byte of the meter

    def put(self, item: bytes | None, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        self.commands = 0
        super().put(item, block, timeout)


class _Bounded:
    """A socket for pyserial that limits commands: pyserial would keep in memory a command that does not end."""

    def __init__(self, opened: socket.socket, received: _Received) -> None:
        self._opened, self._received = opened, received

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)

    def recv(self, size: int) -> bytes:
        data = self._opened.recv(size)
        self._received.commands += len(data)
        if self._received.commands > _MOST_COMMANDS:
            raise ValueError("the server sends commands without end, and no data of the meter")
        return data

    def shutdown(self, how: int) -> None:
        with suppress(OSError):  # pyserial would leave it open
            self._opened.shutdown(how)


class Port(rfc2217.Serial):
    """pyserial's port. What ends its thread is raised by `received`, once everything before it is read."""

    _socket: Any
    _trouble: OSError | None = None

    def open(self) -> None:
        """Open the port; if its thread has failed meanwhile, raise the reason."""
        try:
            super().open()
        except Exception:
            if self._trouble:
                raise self._trouble from None
            raise

    def _telnet_read_loop(self) -> None:
        self._read_buffer = _Received()
        self._socket = _Bounded(self._socket, self._read_buffer)
        try:
            with translated():
                super()._telnet_read_loop()  # type: ignore[misc]
        except OSError as error:
            self._trouble = error
        self._read_buffer.put(None)

    def wake_up(self) -> None:
        """Make `received` return now."""
        self._read_buffer.put(b"")

    def received(self, seconds: float | None) -> bytes | None:
        """Wait at most so many s (None: without limit) and return what was received; None if nothing came.

        It is empty after `wake_up`. Raise OSError at the end.
        """
        try:
            found = [self._read_buffer.get(timeout=seconds)]
        except queue.Empty:
            return None
        found += [self._read_buffer.get() for _ in range(self._read_buffer.qsize())]
        if found[0] is None:
            raise self._trouble or OSError(errno.ECONNRESET, "the other side closed the connection")
        if None in found:
            self._read_buffer.put(None)
        return b"".join(filter(None, found))


@contextmanager
def translated() -> Iterator[None]:
    """Turn all that pyserial raises into OSError, whatever the server has answered."""
    try:
        yield
    except serial.SerialException as error:
        cause = error.__context__  # of `Could not open port …`
        if isinstance(cause, OSError) and not isinstance(cause, serial.SerialException):
            raise cause from None
        raise OSError(errno.EIO, _advice(str(error))) from None
    except BrokenPipeError as error:
        text = (
            "the server closes the connection: check that its port is free (in ser2net, "
            "max-connections allows more than one client)"
        )
        raise OSError(error.errno, text) from None
    except OSError:
        raise
    except ValueError as error:
        raise OSError(errno.EPROTO, _advice(str(error))) from None
    except Exception:  # noqa: BLE001  whatever it raises for unexpected answers
        raise OSError(errno.EPROTO, _advice("")) from None


def _advice(text: str) -> str:
    """Turn pyserial's message into advice."""
    if "not seem to support" in text:
        return "the server does not support RFC 2217: use tcp://host:port"
    if "rejected value" in text and "control" not in text:
        return f"the server rejects the serial settings ({text}): set its own with ?baudrate= and ?format="
    if "option" in text:
        return f"{text}: add ?ign_set_control, for servers that do not answer to modem lines (ser2net on a pty)"
    return text or "the server does not answer like an RFC 2217 server"
