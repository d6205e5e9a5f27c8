"""A serial port behind a network server that sets it up for us: `rfc2217://host:port`.

Options as for a serial port, `timeout` as for TCP, and pyserial's `ign_set_control` for
servers that do not answer to modem lines (ser2net on a pty).
"""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import serial
from serial import rfc2217

from telegraf_p1.sources.connection import Connection, Patience, Source
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.sources.serial_settings import Line
from telegraf_p1.url import Url, duration, host_and_port, options

_STEP_S: Final = 1.0  # setting pyserial's timeout anew would set up the far port anew


def source(url: Url) -> Source:
    """Read a port by RFC 2217; a closed or a silent one raises OSError."""
    host, port_number = host_and_port(url)
    baudrate, line_format, timeout, ignore = options(
        url, baudrate=115200, format="8N1", timeout=30, ign_set_control="no"
    )
    pyserial_url = f"rfc2217://{host}:{port_number}" + ("" if ignore == "no" else "?ign_set_control")
    line = Line(url, baudrate, line_format)
    return partial(_FarPort, pyserial_url, line, duration(url, "timeout", timeout, 1))


class _FarPort(Connection):
    def __init__(self, pyserial_url: str, line: Line, timeout: float) -> None:
        with _translated():
            self._port = rfc2217.Serial(pyserial_url, timeout=_STEP_S, **line.settings)  # type: ignore[arg-type]
        self._line = line
        self._patience = Patience(timeout)

    def read(self) -> list[Event]:
        with _translated():
            data = self._wait(self._patience.wait() or 0.0)
        if not data:
            return [self._patience.event()]
        self._patience.renew()
        return [Data(self._line.characters(data))]

    def _wait(self, seconds: float) -> bytes:
        """Wait for a byte and take what is there already; empty when none came in this time."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            first: bytes = self._port.read(1)
            if first:
                return first + self._port.read(self._port.in_waiting)
            if time.monotonic() - now < _STEP_S / 2:
                raise OSError(errno.ECONNRESET, "the other side closed the connection")
        return b""

    def close(self) -> None:
        self._port.close()  # sleeps for 0.3 s


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what pyserial raises into OSError, whatever the server has answered."""
    try:
        yield
    except serial.SerialException as error:
        raise OSError(errno.EIO, _advice(str(error))) from None
    except BrokenPipeError as error:
        text = "the server hangs up: is its port in use (in ser2net, max-connections lets more than one client in)?"
        raise OSError(error.errno, text) from None
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  ValueError and others, for answers that nobody expects
        raise OSError(errno.EPROTO, _advice(str(error))) from None


def _advice(text: str) -> str:
    """Turn what pyserial says into what to do."""
    if "not seem to support" in text:
        return "the server does not speak RFC 2217: read it as tcp://host:port"
    if "rejected value" in text and "control" not in text:
        return f"the server refuses our settings ({text}): give it its own as ?baudrate= and ?format="
    if "option" in text:
        return f"{text}: add ?ign_set_control, for servers that do not answer to modem lines (ser2net on a pty)"
    return (
        text.rpartition("] ")[2] or "the server answers as no RFC 2217 server does"
    )  # `Could not open port …: [Errno 111] Connection refused`
