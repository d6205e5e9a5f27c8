"""A cable: `/dev/ttyUSB0`, or `serial:///dev/ttyUSB0?baudrate=9600&format=7E1`.

Speed and format are detected unless they are given (line_search.py), beginning with 115200 8N1 (DSMR 4.0 and later).
pyserial opens and sets up the port; it is read by select and os.read, which lose nothing. Once a telegram has begun,
reading pauses until it can be complete (rhythm.py).

`?timeout=60s`: the time without data after which the port is reopened, since adapters get stuck. `?request=rts` or
`dtr`: the line that asks the meter for telegrams, raised only while one is wanted; without it (`always`) both are
raised all the time.
"""

import contextlib
import errno
import os
import pwd
import select
import termios
import time
from functools import partial
from typing import IO, TYPE_CHECKING, Final

import serial

from telegraf_p1.sources.connection import Connection, SilenceTimer, Source
from telegraf_p1.sources.events import Data, Event, Notice, Silence, Trouble
from telegraf_p1.sources.rhythm import Rhythm
from telegraf_p1.sources.serial_settings import SPEEDS, Line, request_line
from telegraf_p1.url import Url, UsageError, duration, options

if TYPE_CHECKING:
    from telegraf_p1.sources.line_search import LineSearch

# Bytes that may come while nothing is read: half of what Linux keeps.
_FILL: Final = 2048

_ADVICE: dict[object, str] = {
    errno.ENOENT: "no such device: check that the cable is plugged in; `ls -l /dev/serial/by-id` lists the devices",
    errno.EACCES: "permission denied: run `sudo usermod -aG dialout {user}` and restart Telegraf (or log in again)",
    errno.EPERM: "this service or container is not allowed to open it: a container needs `--device "
    "{path}`, a systemd service `DeviceAllow=char-ttyUSB rw` "
    "(deploy/telegraf.service.d/hardening.conf)",
    errno.EAGAIN: "port in use by another program, and only one program can read it: stop that program, or "
    "share the port with ser2net and read it as tcp://127.0.0.1:PORT",
}
_TWO_READERS: Final = (
    "another program also reads this port and takes bytes away, so that telegrams are lost: "
    "stop it (`sudo fuser -v` with the name of the port shows which), or share the port with "
    "ser2net"
)
_ADVICE[errno.EBUSY] = _ADVICE[errno.EAGAIN]


def source(url: Url) -> Source:
    """Return a source that reads a serial port, which is opened exclusively."""
    return partial(Port, Plan(url))


class Plan:
    """The user's settings for a port, and what was detected on its line; it is kept when a connection is lost."""

    def __init__(self, url: Url) -> None:
        """Raise UsageError for options that are not valid."""
        baudrate, line_format, timeout, request = options(url, baudrate="", format="", timeout=60, request="always")
        if url.host or not url.path.startswith("/"):
            raise UsageError(f"source {url.text!r}: write the device with three slashes, serial:///dev/ttyUSB0")
        self._url = url
        self.path = url.path
        self.timeout_s = duration(url, "timeout", timeout, 1)
        self.request = request_line(url, request)
        self.baudrate, self.format = baudrate or SPEEDS[0], line_format or "8N1"
        self.line()
        self.search: LineSearch | None = None  # None once the settings are known
        if not (baudrate and line_format):
            from telegraf_p1.sources import line_search  # imported here: 1 ms that others do not need

            self.search = line_search.LineSearch([baudrate] if baudrate else SPEEDS, line_format)

    def line(self) -> Line:
        """Return the settings as far as they are known."""
        return Line(self._url, self.baudrate, self.format)

    def follow(self, search: "LineSearch") -> str:
        """Take over the settings of a search; return the message for its end, else an empty text."""
        self.baudrate, self.format = search.baudrate, search.format
        if not search.is_over:
            return ""
        self.search = None
        if not search.has_moved:
            return ""
        settings = f"?baudrate={self.baudrate}&format={self.format}"
        return f"detected {self.baudrate} {self.format}: write {settings} in the source to skip the detection"


class Port(Connection):
    """A port that is open. `take` and `quiet` are for callers that read several at once."""

    def __init__(self, plan: Plan) -> None:
        """Open the port; raise OSError if trying again may help."""
        self._plan = plan
        if plan.search:
            plan.search.begin()
        self._line = plan.line()
        self._port = opened(plan.path, self._line)
        self._fd = self._port.fileno()
        self._silence_timer = SilenceTimer(plan.timeout_s)
        self._rhythm = Rhythm()
        self._is_wanted = True
        self._trouble: list[Event] = []
        # A pipe that wakes up `read` when a telegram is wanted again, or no more.
        self._wake_up: list[IO[bytes]] = []
        if plan.request:
            self._prepare_request()

    def read(self) -> list[Event]:
        """Wait for events; see `Connection`."""
        while not (found := self._trouble or self._next()):
            pass
        self._trouble = []
        return found

    def _next(self) -> list[Event]:
        """Wait once and return the events, of which there may be none."""
        timeout_s = self._silence_timer.wait() if self._is_wanted else None
        rest = min(self._rhythm.rest(time.monotonic()), _FILL * self._line.byte_s)
        if rest:
            time.sleep(rest)
            timeout_s = max(0.0, timeout_s - rest) if timeout_s else timeout_s
        begun = time.monotonic()
        waited_for: list[int | IO[bytes]] = [self._fd, *self._wake_up[:1]]
        ready = select.select(waited_for, [], [], timeout_s)[0]
        if not ready:
            return self.quiet(self._silence_timer.event())
        if self._wake_up and self._wake_up[0] in ready:
            self._wake_up[0].read(64)
            self._silence_timer = SilenceTimer(self._plan.timeout_s)
            return []
        return self.take(rest, begun)

    def take(self, rested: float = 0.0, begun: float = 0.0) -> list[Event]:
        """Read what has arrived, after sleeping for `rested` s and waiting since `begun`; there may be no events."""
        now = time.monotonic()
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:  # another program has changed the settings of the port
            data = b""
        if not data:
            check_device(self._fd)
            return [Trouble(_TWO_READERS)]
        self._silence_timer.renew()
        self._rhythm.heard(len(data), now, rested, now - begun)
        data = self._line.characters(data)
        search = self._plan.search
        return self._searched(search, search.heard(data)) if search else [Data(data)]

    def quiet(self, event: Event) -> list[Event]:
        """Return the events for a pause or silence, which is the last of them."""
        search = self._plan.search
        return (
            [*self._searched(search, search.paused(is_long=isinstance(event, Silence))), event] if search else [event]
        )

    def _searched(self, search: "LineSearch", given: bytes) -> list[Event]:
        """Take over the settings of the search; return its bytes and its result as events."""
        found: list[Event] = [Data(given)] if given else []
        text = self._plan.follow(search)
        before, self._line = self._line, self._plan.line()
        if self._line.speed != before.speed:
            self._set_speed()
        # The port stays at 8N1 until it is reopened: nothing is lost by that, and a change may cost a character.
        return [Notice(text), *found] if text else found

    def _set_speed(self) -> None:
        try:
            self._port.baudrate = self._line.speed
            self._port.reset_input_buffer()  # it was received at the other speed
        except termios.error as error:
            raise OSError(*error.args) from None
        self._rhythm = Rhythm()

    def _prepare_request(self) -> None:
        reading, writing = os.pipe()
        self._wake_up = [os.fdopen(reading, "rb", 0), os.fdopen(writing, "wb", 0)]
        try:
            setattr(self._port, self._plan.request, True)
        except OSError:
            line = self._plan.request.upper()
            self._trouble = [
                Trouble(f"this port has no {line} line that can be switched: remove request= from the source")
            ]

    def want(self, is_wanted: bool) -> None:  # noqa: FBT001
        """Raise or lower the line that asks for telegrams; any thread may call it."""
        if not self._wake_up or is_wanted == self._is_wanted:
            return
        self._is_wanted = is_wanted
        # If the device is gone, or is being closed, `read` reports it.
        with contextlib.suppress(OSError, ValueError):
            setattr(self._port, self._plan.request, is_wanted)
        with contextlib.suppress(OSError, ValueError):
            self._wake_up[1].write(b".")

    def fileno(self) -> int:
        """Return the descriptor, for select."""
        return self._fd

    def close(self) -> None:
        """Close the port."""
        self._port.close()
        for end in self._wake_up:
            end.close()


def check_device(fd: int) -> None:
    """Raise OSError if the device is gone; if not, another program has read what was there."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0)):
        raise OSError(errno.ENODEV, "device disconnected: check that the cable is plugged in")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without a name
        return "telegraf"


def opened(path: str, line: Line) -> serial.Serial:
    """Open a port exclusively; raise OSError that says what to do, or UsageError if it is not a port."""
    try:
        return serial.Serial(path, exclusive=True, timeout=0, **line.settings)  # type: ignore[arg-type]
    except (OSError, termios.error) as error:
        number = error.args[0] if error.args else 0
        if "Inappropriate ioctl" in str(error) or number == errno.EISDIR:
            raise UsageError(f"{path} is not a serial port; for a recording write file:NAME") from None
        advice = _ADVICE.get(number, "").format(user=_user(), path=path)
        raise OSError(number, advice or str(error)) from None
    except ValueError as error:  # a speed the driver does not know, a NUL in the name
        raise UsageError(f"{path!r}: {error}") from None
