"""A cable: `/dev/ttyUSB0`, or `serial:///dev/ttyUSB0?baudrate=9600&format=7E1`.

115200 8N1 unless told (DSMR 4.0 and later); DSMR 2.2 and 3.0 meters talk 9600 7E1.
pyserial opens and sets up the port; reading is select and os.read, which lose nothing.
"""

import errno
import os
import pwd
import select
import termios
from collections.abc import Iterator
from typing import Final

import serial

from telegraf_p1.sources import SEVEN_BITS, Chunk, Silence, Source, Url, UsageError, options, serial_line

_ADVICE: dict[object, str] = {
    errno.ENOENT: "there is no such device: is the cable plugged in? `ls -l /dev/serial/by-id` shows what is",
    errno.EACCES: "not allowed: run `sudo usermod -aG dialout {user}` and restart Telegraf (or log in again)",
    errno.EAGAIN: "another program reads this port, and a telegram goes to one reader only: "
    "stop that program, or share the port with ser2net and read it as tcp://127.0.0.1:PORT",
}
_TWO_READERS: Final = (
    "another program reads this port too and takes bytes away, so that telegrams are lost: "
    "stop it (`sudo fuser -v` with the name of the port shows which), or share the port with ser2net"
)
_ADVICE[errno.EBUSY] = _ADVICE[errno.EAGAIN]


def source(url: Url) -> Source:
    """Read a serial port, which is opened for us alone."""
    baudrate, line_format = options(url, baudrate=115200, format="8N1")
    line = serial_line(url, baudrate, line_format)
    path = url.path
    if url.host or not path.startswith("/"):
        raise UsageError(f"source {url.text!r}: write the device with three slashes, serial:///dev/ttyUSB0")

    def chunks() -> Iterator[Chunk]:
        with _open(path, line) as port:
            fd = port.fileno()
            silence = Silence()
            while True:
                if not select.select([fd], [], [], silence.wait())[0]:
                    yield silence.chunk()
                    continue
                data = os.read(fd, 4096)
                if not data:
                    _check_device(fd)
                    yield Chunk(b"", remark=_TWO_READERS)
                    continue
                silence.over()
                # Not every driver strips the parity bit.
                yield Chunk(data.translate(SEVEN_BITS) if line["bytesize"] == 7 else data)

    return chunks


def _check_device(fd: int) -> None:
    """Raise OSError when the device is gone; if not, somebody else has read what was there."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0)):
        raise OSError(errno.ENODEV, "the device is gone: was the cable pulled out?")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without a name
        return "telegraf"


def _open(path: str, line: dict[str, object]) -> serial.Serial:
    try:
        return serial.Serial(path, exclusive=True, timeout=0, **line)  # type: ignore[arg-type]
    except (OSError, termios.error) as error:
        number = error.args[0] if error.args else 0
        if "Inappropriate ioctl" in str(error) or number == errno.EISDIR:
            raise UsageError(f"{path} is no serial port; for a recording write file:NAME") from None
        advice = _ADVICE.get(number, "").format(user=_user())
        raise OSError(number, advice or str(error)) from None
    except ValueError as error:  # a speed the driver does not know, a NUL in the name
        raise UsageError(f"{path!r}: {error}") from None
