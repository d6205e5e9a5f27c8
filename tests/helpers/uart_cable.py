"""A cable with a meter at its end: what arrives depends on the settings of our port."""

import os
import pty
import select
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers import uart

_SPEEDS = {termios.B9600: 9600, termios.B115200: 115200}


def heard(data: bytes, sent: str, read: str, *, inverted: bool = False) -> bytes:
    """Return what a port with the settings `read`, such as `115200 8N1`, receives if data are sent with others."""
    (sent_speed, sent_form), (read_speed, read_form) = sent.split(), read.split()
    faster = max(1, int(read_speed) // int(sent_speed))
    levels = [level for level in uart.line(data, sent_form, inverted=inverted) for _ in range(faster)]
    bit_times = max(1.0, int(sent_speed) / int(read_speed))
    return bytes(octet for octet, _ in uart.read(levels, read_form, bit_times))


def settings(descriptor: int) -> str:
    """Return the settings of a pty, such as `9600 7E1`."""
    _, _, control, _, _, speed, _ = termios.tcgetattr(descriptor)
    bits = "7" if control & termios.CSIZE == termios.CS7 else "8"
    parity = "N" if not control & termios.PARENB else "O" if control & termios.PARODD else "E"
    return f"{_SPEEDS.get(speed, 0)} {bits}{parity}1"


@contextmanager
def speaking(
    link: Path, data: Callable[[], bytes], sent: str = "115200 8N1", *, every: float = 0.4, inverted: bool = False
) -> Iterator[None]:
    """Send data on a pty that `link` leads to, every `every` s, as if with the settings `sent`."""
    end, device = pty.openpty()
    tty.setraw(device)
    link.symlink_to(os.ttyname(device))
    over = threading.Event()

    def speak() -> None:
        while not over.wait(every):
            read = settings(end)
            if not read.startswith("0") and select.select([], [end], [], 0)[1]:
                os.write(end, heard(data(), sent, read, inverted=inverted))

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        link.unlink()
        os.close(end)
        os.close(device)
