"""A serial port behind a network server that sets it up for us: `rfc2217://host:port`.

Options as for a serial port, `timeout` as for TCP, and pyserial's `ign_set_control` for
servers that do not answer to modem lines (ser2net on a pty).
"""

import errno
import time
from collections.abc import Iterator
from typing import Final

import serial
from serial import rfc2217

from telegraf_p1.sources import SEVEN_BITS, Chunk, Silence, Source, Url, host_and_port, number, options, serial_line

_STEP_S: Final = 1.0  # setting pyserial's timeout anew would set up the far port anew


def source(url: Url) -> Source:
    """Read a port by RFC 2217; a closed or a silent one raises OSError."""
    host, port_number = host_and_port(url)
    baudrate, line_format, text, ignore = options(url, baudrate=115200, format="8N1", timeout=30, ign_set_control="no")
    line = serial_line(url, baudrate, line_format)
    timeout = number(url, "timeout", text, 1)
    pyserial_url = f"rfc2217://{host}:{port_number}" + ("" if ignore == "no" else "?ign_set_control")

    def chunks() -> Iterator[Chunk]:
        try:
            port = rfc2217.Serial(pyserial_url, timeout=_STEP_S, **line)  # type: ignore[arg-type]
        except serial.SerialException as error:
            raise OSError(errno.EIO, _advice(str(error))) from None
        try:
            silence = Silence(timeout)
            while True:
                data = _read(port, silence.wait() or 0.0)
                if not data:
                    yield silence.chunk()
                    continue
                silence.over()
                yield Chunk(data.translate(SEVEN_BITS) if line["bytesize"] == 7 else data)
        except OSError:
            port.close()  # sleeps for 0.3 s: when the program ends, the system closes it faster
            raise

    return chunks


def _advice(text: str) -> str:
    """Turn what pyserial says into what to do."""
    if "not seem to support" in text:
        return "the server does not speak RFC 2217: read it as tcp://host:port"
    if "option" in text:
        return f"{text}: add ?ign_set_control, for servers that do not answer to modem lines (ser2net on a pty)"
    return text.rpartition("] ")[2]  # `Could not open port …: [Errno 111] Connection refused`


def _read(port: rfc2217.Serial, seconds: float) -> bytes:
    """Wait for a byte and take what is there already; empty when none came in this time."""
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        first: bytes = port.read(1)
        if first:
            return first + port.read(port.in_waiting)
        if time.monotonic() - now < _STEP_S / 2:
            raise OSError(errno.ECONNRESET, "the other side closed the connection")
    return b""
