"""A serial port behind a network server that sets it up for us: `rfc2217://host:port`.

Options as for a serial port, `timeout` as for TCP, and pyserial's `ign_set_control` for
servers that do not answer to modem lines (ser2net on a pty).
"""

import errno
from collections.abc import Iterator

import serial
from serial import rfc2217

from telegraf_p1.sources import SEVEN_BITS, Chunk, Source, Url, host_and_port, number, options, serial_line


def source(url: Url) -> Source:
    """Read a port by RFC 2217; a closed or a silent one raises OSError."""
    host, port_number = host_and_port(url)
    baudrate, line_format, text, ignore = options(url, baudrate=115200, format="8N1", timeout=30, ign_set_control="no")
    line = serial_line(url, baudrate, line_format)
    timeout = number(url, "timeout", text, 1)
    pyserial_url = f"rfc2217://{host}:{port_number}" + ("" if ignore == "no" else "?ign_set_control")

    def chunks() -> Iterator[Chunk]:
        try:
            port = rfc2217.Serial(pyserial_url, timeout=timeout, **line)  # type: ignore[arg-type]
        except serial.SerialException as error:
            raise OSError(errno.EIO, str(error)) from None
        with port:
            while True:
                # One byte waits; the rest is there already, or comes with the next turn.
                data = port.read(1)
                if not data:
                    raise OSError(errno.ETIMEDOUT, f"connected, but nothing came for {timeout:g} s")
                data += port.read(port.in_waiting)
                yield Chunk(data.translate(SEVEN_BITS) if line["bytesize"] == 7 else data)

    return chunks
