"""An optical port: `p0:///dev/ttyUSB0`, `p0+rfc2217://host:port`, or with a fixed speed `p0+tcp://host:port`.

The meter is read at intervals of `?every=`; in between the port is closed, and the meter sleeps. `p0_protocol.py` has
the protocol. `?medium=heat`: a heat meter, which is woken up first (`?wakeup=2.2s`) and read once an hour, since each
readout costs its battery.
"""

import errno
import os
import select
import termios
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from telegraf_p1.connect import reached
from telegraf_p1.readout import MEDIA
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Data, Event, Trouble
from telegraf_p1.sources.p0_protocol import (
    MODES,
    SPEEDS,
    START_BAUD,
    Exchange,
    Listen,
    NoReadout,
    Reply,
    Rest,
    Send,
    Settings,
    Speed,
    readout,
)
from telegraf_p1.sources.serial_settings import Line
from telegraf_p1.url import Url, UsageError, duration, host_and_port, number, options

_CONNECT_S: Final = 10.0
_LOOK_S: Final = 1.0  # how often it is checked whether a readout is wanted
_FIRST_WAIT_S: Final = 60.0  # after a readout that failed
_CHARACTER_BITS: Final = 10  # start, 7, parity, stop


class _Head(Protocol):
    """A port with an optical head."""

    has_fixed_speed: bool

    def send(self, data: bytes) -> None:
        """Send bytes; some may still be in a buffer afterwards."""

    def set_speed(self, baud: int) -> None:
        """Change the speed."""

    def received(self, seconds: float) -> bytes:
        """Wait at most so many s for bytes; empty if none came. Raise OSError when the port is lost."""

    def close(self) -> None:
        """Close the port."""


def source(url: Url) -> Source:
    """Return a source that reads a meter through its optical port, at intervals of `every`."""
    medium = url.query.get("medium", "")
    is_heat = medium == "heat"
    defaults = Settings()
    (address, mode, speed, wakeup, every, medium, line_format, *more) = options(
        url,
        address="",
        mode="auto",
        speed=0,
        wakeup="2.2s" if is_heat else "0s",
        every="1h" if is_heat else "15m",
        medium="",
        format="7E1",
        answer=defaults.answer_s,
        gap=defaults.gap_s,
        whole=defaults.whole_s,
        reaction=defaults.reaction_s,
        attempts=defaults.attempts,
    )
    if mode not in MODES:
        raise UsageError(
            f"source {url.text!r}: mode={mode!r} must be {', '.join(MODES)}; read a meter that sends "
            "by itself (mode D) as /dev/ttyUSB0?baudrate=2400&format=7E1"
        )
    if medium and medium not in MEDIA:
        raise UsageError(f"source {url.text!r}: medium={medium!r} must be {' or '.join(MEDIA)}")
    if len(address) > 32 or not f"0{address}".isalnum() or not address.isascii():
        raise UsageError(f"source {url.text!r}: address={address!r} must be up to 32 letters and digits")
    answer, gap, whole, reaction, attempts = more
    settings = Settings(
        address,
        mode,
        _speed(url, speed),
        duration(url, "wakeup", wakeup, 0),
        duration(url, "answer", answer, 0.1),
        duration(url, "gap", gap, 0.1),
        duration(url, "whole", whole, 1),
        duration(url, "reaction", reaction, 0),
        int(number(url, "attempts", attempts, 1)),
    )
    schedule = _Schedule(duration(url, "every", every, 1))
    return partial(_Asking, _head(url, Line(url, str(START_BAUD), line_format)), settings, schedule, medium)


def _speed(url: Url, text: str) -> int:
    if text not in ("0", *map(str, SPEEDS)):
        raise UsageError(f"source {url.text!r}: speed={text!r} must be one of {', '.join(map(str, SPEEDS))}")
    return int(text)


def _head(url: Url, line: Line) -> Callable[[], _Head]:
    """Return a function that opens the port of a URL."""
    if url.scheme == "p0":
        if url.host or not url.path.startswith("/"):
            raise UsageError(f"source {url.text!r}: write the device with three slashes, p0:///dev/ttyUSB0")
        return partial(_SerialHead, url.path, line, Line(url, str(START_BAUD), "8N1"))
    address = host_and_port(url)
    return partial(_FarHead, address, line) if url.scheme == "p0+rfc2217" else partial(_TcpHead, address)


class _Schedule:
    """When the meter is read next, also after its port was reopened. Times are s of the monotonic clock."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._failed = 0
        self.due = time.monotonic()

    def read(self) -> None:
        """Note that the meter was read."""
        self._failed = 0
        self.due = max(self.due + self._every, time.monotonic())

    def failed(self) -> float:
        """Note that it was not read; return the s until the next attempt: soon at first, then less often."""
        wait = min(_FIRST_WAIT_S * 2.0**self._failed, self._every)
        self._failed = min(self._failed + 1, 10)
        self.due = time.monotonic() + wait
        return wait


class _Asking(Connection):
    keeps = True  # the meter sends only when it is asked

    def __init__(self, opened: Callable[[], _Head], settings: Settings, schedule: _Schedule, medium: str) -> None:
        self._opened, self._settings, self._schedule, self._medium = opened, settings, schedule, medium
        self._is_wanted = True
        self._head: _Head | None = opened()  # so that a missing port is reported at once

    def read(self) -> list[Event]:
        while not self._is_wanted or (wait := self._schedule.due - time.monotonic()) > 0:
            self.close()
            time.sleep(min(wait, _LOOK_S) if self._is_wanted else _LOOK_S)
        self._head = head = self._head or self._opened()
        try:
            data = _carried_out(readout(self._settings, has_fixed_speed=head.has_fixed_speed), head)
        except NoReadout as error:
            return [Trouble(f"{error} (next attempt in {self._schedule.failed():g} s)")]
        finally:
            self.close()
        self._schedule.read()
        return [Data(data, ends_message=True, medium=self._medium)]

    def want(self, is_wanted: bool) -> None:  # noqa: FBT001
        self._is_wanted = is_wanted

    def close(self) -> None:
        if self._head:
            self._head.close()
        self._head = None


def _carried_out(exchange: Exchange, head: _Head) -> bytes:
    """Carry out the steps of the protocol and return the readout; raise NoReadout, or OSError when the port is lost."""
    bit_s = 1 / START_BAUD
    step = next(exchange)
    while True:
        data = b""
        match step:
            case Send(to_send):
                while head.received(0):  # noise, and the rest of what the meter sent before
                    pass
                begun = time.monotonic()
                head.send(to_send)
                # Adapters and bridges report too early that all is sent: a change of the speed would garble the rest.
                on_the_line = _CHARACTER_BITS * len(to_send) * bit_s
                time.sleep(max(0.0, on_the_line - (time.monotonic() - begun)))
            case Speed(baud):
                head.set_speed(baud)
                bit_s = 1 / baud
            case Rest(seconds):
                time.sleep(seconds)
            case Listen(seconds):
                data = head.received(seconds)
        try:
            step = exchange.send(Reply(time.monotonic(), data))
        except StopIteration as end:
            return bytes(end.value)


class _SerialHead:
    has_fixed_speed = False

    def __init__(self, path: str, line: Line, plain: Line) -> None:
        from telegraf_p1.sources.serial_port import opened

        try:
            self._port = opened(path, line)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # A pty, such as that of a simulated meter, does not support parity. Only 7 bits of each character are used
            # anyway.
            self._port = opened(path, plain)

    def send(self, data: bytes) -> None:
        fd = self._port.fileno()
        while data:
            if not select.select([], [fd], [], _CONNECT_S)[1]:
                raise OSError(
                    errno.ETIMEDOUT, "the port does not accept data: unplug the adapter, and plug it in again"
                )
            data = data[os.write(fd, data) :]
        try:
            termios.tcdrain(fd)
        except termios.error as error:
            raise OSError(
                errno.ENODEV, f"device disconnected: check that the cable is plugged in ({error.args[1]})"
            ) from None

    def set_speed(self, baud: int) -> None:
        # Not by pyserial, which sets the format again, too: a pty does not support it.
        try:
            attributes = termios.tcgetattr(self._port.fileno())
            attributes[4:6] = [getattr(termios, f"B{baud}")] * 2
            termios.tcsetattr(self._port.fileno(), termios.TCSADRAIN, attributes)
        except termios.error as error:
            raise OSError(errno.EINVAL, f"the port does not support {baud} baud: {error}") from None

    def received(self, seconds: float) -> bytes:
        if not select.select([self._port], [], [], seconds)[0]:
            return b""
        data = os.read(self._port.fileno(), 4096)
        if not data:
            raise OSError(errno.ENODEV, "device disconnected: check that the cable is plugged in")
        return data

    def close(self) -> None:
        self._port.close()


class _TcpHead:
    has_fixed_speed = True

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = reached(address, time.monotonic() + _CONNECT_S)

    def send(self, data: bytes) -> None:
        self._socket.settimeout(_CONNECT_S)
        self._socket.sendall(data)

    def set_speed(self, baud: int) -> None:
        """Do nothing: the bridge has its own speed."""

    def received(self, seconds: float) -> bytes:
        if not select.select([self._socket], [], [], seconds)[0]:
            return b""
        data = self._socket.recv(4096)
        if not data:
            raise OSError(errno.ECONNRESET, "the other side closed the connection")
        return data

    def close(self) -> None:
        self._socket.close()


class _FarHead:
    has_fixed_speed = False

    def __init__(self, address: tuple[str, int], line: Line) -> None:
        from telegraf_p1.sources import rfc2217

        self._translated = rfc2217.translated
        with rfc2217.translated():
            # An optical head needs no modem lines, and not all servers answer to them.
            self._port = rfc2217.Port(f"rfc2217://{address[0]}:{address[1]}?ign_set_control", **line.settings)  # type: ignore[arg-type]

    def send(self, data: bytes) -> None:
        with self._translated():
            self._port.write(data)

    def set_speed(self, baud: int) -> None:
        with self._translated():
            self._port.baudrate = baud

    def received(self, seconds: float) -> bytes:
        return self._port.received(seconds or 0.001) or b""

    def close(self) -> None:
        self._port.close()  # sleeps for 0.3 s
