"""A cable: `/dev/ttyUSB0`, or `serial:///dev/ttyUSB0?baudrate=9600&format=7E1`.

115200 8N1 unless told (DSMR 4.0 and later); DSMR 2.2 and 3.0 meters talk 9600 7E1.
pyserial opens and sets up the port; reading is select and os.read, which lose nothing.
Once a telegram has begun the port rests until it can be complete (rhythm.py).

`?timeout=60s`: the time without a byte after which the port is opened anew, since adapters get stuck.
"""

import errno
import os
import pwd
import select
import termios
import time
from functools import partial
from typing import Final

import serial

from telegraf_p1.sources.connection import Connection, Patience, Source
from telegraf_p1.sources.events import Data, Event, Trouble
from telegraf_p1.sources.rhythm import Rhythm
from telegraf_p1.sources.serial_settings import Line
from telegraf_p1.url import Url, UsageError, duration, options

# Bytes that may come while nobody looks: half of what Linux keeps.
_FILL: Final = 2048

_ADVICE: dict[object, str] = {
    errno.ENOENT: "there is no such device: is the cable plugged in? `ls -l /dev/serial/by-id` shows what is",
    errno.EACCES: "not allowed: run `sudo usermod -aG dialout {user}` and restart Telegraf (or log in again)",
    errno.EPERM: "this service or container may not open it: a container needs `--device {path}`, a systemd service "
    "`DeviceAllow=char-ttyUSB rw` (deploy/telegraf.service.d/hardening.conf)",
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
    baudrate, line_format, timeout = options(url, baudrate=115200, format="8N1", timeout=60)
    line = Line(url, baudrate, line_format)
    patience_s = duration(url, "timeout", timeout, 1)
    if url.host or not url.path.startswith("/"):
        raise UsageError(f"source {url.text!r}: write the device with three slashes, serial:///dev/ttyUSB0")
    return partial(_Port, url.path, line, patience_s)


class _Port(Connection):
    def __init__(self, path: str, line: Line, timeout: float) -> None:
        self._port = _open(path, line)
        self._fd = self._port.fileno()
        self._line = line
        self._patience = Patience(timeout)
        self._rhythm = Rhythm()
        self._longest_rest_s = _FILL * line.byte_s

    def read(self) -> list[Event]:
        patience_s = self._patience.wait()
        rest = min(self._rhythm.rest(time.monotonic()), self._longest_rest_s)
        if rest:
            time.sleep(rest)
            patience_s = max(0.0, patience_s - rest) if patience_s else patience_s
        begun = time.monotonic()
        if not select.select([self._fd], [], [], patience_s)[0]:
            return [self._patience.event()]
        now = time.monotonic()
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:  # it has set the port up for itself, too
            data = b""
        if not data:
            _check_device(self._fd)
            return [Trouble(_TWO_READERS)]
        self._patience.renew()
        self._rhythm.heard(len(data), now, rest, now - begun)
        return [Data(self._line.characters(data))]

    def close(self) -> None:
        self._port.close()


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


def _open(path: str, line: Line) -> serial.Serial:
    try:
        return serial.Serial(path, exclusive=True, timeout=0, **line.settings)  # type: ignore[arg-type]
    except (OSError, termios.error) as error:
        number = error.args[0] if error.args else 0
        if "Inappropriate ioctl" in str(error) or number == errno.EISDIR:
            raise UsageError(f"{path} is no serial port; for a recording write file:NAME") from None
        advice = _ADVICE.get(number, "").format(user=_user(), path=path)
        raise OSError(number, advice or str(error)) from None
    except ValueError as error:  # a speed the driver does not know, a NUL in the name
        raise UsageError(f"{path!r}: {error}") from None
