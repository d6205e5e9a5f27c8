"""A cable, and what a process has open."""

import fcntl
import os
import pty
import select
import sys
import termios
import time
import tty
from contextlib import suppress
from pathlib import Path

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers import uart
from tests.helpers.telegrams import START, records


class Cable:
    """A pty in place of a USB cable; the link to it takes the place of /dev/ttyUSB0."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.meter = Meter()
        self.now = START
        self.plug_in()

    def plug_in(self) -> None:
        self.end, device = pty.openpty()
        tty.setraw(device)
        self.device = os.ttyname(device)
        self.link.symlink_to(self.device)
        os.close(device)

    def pull_out(self) -> None:
        self.link.unlink()
        os.close(self.end)

    def write(self, data: bytes, seconds: float = 20) -> None:
        """Write what the other side accepts within this time; a UART drops the rest."""
        end = time.monotonic() + seconds
        os.set_blocking(self.end, False)
        while data and select.select([], [self.end], [], max(0.0, end - time.monotonic()))[1]:
            try:
                data = data[os.write(self.end, data) :]
            except BlockingIOError:  # nobody has it open
                return

    def write_at_once(self, data: bytes) -> None:
        """Write without waiting, as a meter does."""
        self.write(data, 0)

    def speed(self) -> int:
        """Return the speed that the other side has set."""
        return {termios.B9600: 9600, termios.B115200: 115200}.get(termios.tcgetattr(self.end)[4], 0)

    def speak(self, data: bytes, speed: int, line_format: str, *, inverted: bool = False) -> None:
        """Write what the other side receives, at its own speed, when a meter sends data at `speed`."""
        bit_times = speed / self.speed()
        levels = uart.line(data, line_format, inverted=inverted)
        self.write(bytes(byte for byte, _ in uart.read(levels, "8N1", bit_times)))

    def send(self) -> str:
        """Send a telegram; return the line that it has to become."""
        self.now += 1
        telegram = self.meter.telegram(self.now)
        self.write(telegram)
        return lineproto.line(records(telegram)[0])


def open_files(pid: int) -> list[str]:
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            links.append(str(link.readlink()))
    return links


def waiting_in(descriptor: int) -> int:
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
