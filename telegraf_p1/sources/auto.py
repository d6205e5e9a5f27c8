"""The one serial port where a meter speaks: `auto:`, or `auto:/dev/ttyUSB*` for those that a pattern names.

All ports are listened to at once, each with the search for its settings, and the first that sends a telegram is taken.
A port that is plugged in meanwhile is listened to as well. The options are those of a serial port.
"""

import errno
import re
import select
import time
from functools import partial
from pathlib import Path
from typing import Final

from telegraf_p1.sources import events
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Data, Event, Notice, Pause, Trouble
from telegraf_p1.sources.line_search import holds_encrypted
from telegraf_p1.sources.serial_port import Plan, Port
from telegraf_p1.url import Url, UsageError

_LOOK_AROUND_S: Final = 1.0  # for ports that are plugged in
_AGAIN_S: Final = 10.0  # for one that could not be opened: to try it disturbs who has it open
_ENOUGH_S: Final = 30.0  # in which each meter speaks three times
_LONGEST: Final = 16 * 1024  # bytes of a telegram
# What no other device says: an identification line, then an object, then a `!` where a line begins or behind the last
# object (Aidon), or the next identification (meters that send no `!`).
_IDENTIFICATION: Final = re.compile(rb"/[A-Za-z]{3}[^()\r\n]{0,80}\r?\n")
_OBJECT: Final = re.compile(rb"[\r\n]\d-\d{1,3}:\d{1,3}\.\d{1,3}\.\d")
_END: Final = re.compile(rb"[\r\n)]!|[\r\n]/[A-Za-z]{3}")
_NO_PLUG: Final = ("rfcomm", "ttyGS")  # Bluetooth; what this computer is to another one
STABLE_NAMES: Final = Path("/dev/serial/by-id")
_TTYS: Final = Path("/sys/class/tty")


def source(url: Url) -> Source:
    """Read the port where a meter speaks; none there raises OSError."""
    if url.host or (url.path and (not url.path.startswith("/") or not url.path.strip("/"))):
        raise UsageError(f"source {url.text!r}: write auto:, or a pattern for the names of ports, auto:/dev/ttyUSB*")
    ports = _Ports(url)
    try:
        ports.names()
    except ValueError as error:
        raise UsageError(f"source {url.text!r}: {error}") from None
    Plan(url._replace(path="/dev/null"))  # the options are wrong now or never
    return partial(_Listening, ports)


class _Ports:
    """The ports that may be taken; what was found out about each, and what was said, outlives a connection."""

    def __init__(self, url: Url) -> None:
        self._url = url
        self._plans: dict[str, Plan] = {}
        self.said: set[str] = set()
        self.taken = ""

    def names(self) -> list[str]:
        """Give the names of those that are there."""
        if not self._url.path:
            return cables()
        return sorted(str(name) for name in Path("/").glob(self._url.path.lstrip("/")))

    def plan(self, name: str) -> Plan:
        """Give what is known of a port."""
        if name not in self._plans:
            self._plans[name] = Plan(self._url._replace(path=name))
        return self._plans[name]

    def missing(self) -> str:
        """Say what is waited for, when none is there."""
        which = f"no port matches {self._url.path}" if self._url.path else "no serial port found"
        return f"{which}: plug the cable in"


def cables() -> list[str]:
    """Give the serial ports that may have a cable, by the names that stay the same where there are such.

    `check` looks at these, too.
    """
    from serial.tools import list_ports

    stable = {str(link.resolve()): str(link) for link in sorted(STABLE_NAMES.glob("*"))}
    devices = [port.device for port in list_ports.comports() if _may_be_a_cable(Path(port.device).name)]
    return sorted((stable.get(device, device) for device in devices), key=lambda name: (name in devices, name))


def _may_be_a_cable(name: str) -> bool:
    """Whether it is none of the ports that have no plug: without hardware, of Bluetooth, of the system's console."""
    try:
        consoles = (_TTYS / "console" / "active").read_text("ascii").split()
    except OSError:
        consoles = []
    try:
        has_hardware = (_TTYS / name / "type").read_text("ascii").strip() != "0"
    except OSError:  # only built-in ports have a type
        has_hardware = True
    return has_hardware and name not in consoles and not name.startswith(_NO_PLUG)


class _Candidate:
    """A port that is listened to: what it said so far that may be text, and when it was last heard (s)."""

    def __init__(self, port: Port, now: float) -> None:
        self.port = port
        self.data = bytearray()
        self._heard_at = now
        self._is_quiet = False
        self.has_spoken = False

    def hear(self, now: float) -> bool:
        """Read what is there; give whether a telegram is in what it said so far."""
        self._heard_at, self._is_quiet, self.has_spoken = now, False, True
        self._keep(self.port.take())
        return self._has_meter()

    def wait(self, now: float) -> None:
        """Tell the port when it is quiet."""
        if now - self._heard_at >= events.PAUSE_S and not self._is_quiet:
            self._is_quiet = True
            self._keep(self.port.quiet(Pause(events.PAUSE_S)))

    def _keep(self, found: list[Event]) -> None:
        self.data += b"".join(event.data for event in found if isinstance(event, Data))
        del self.data[:-_LONGEST]

    def _has_meter(self) -> bool:
        data = bytes(self.data)
        if holds_encrypted(data):
            return True
        begin = _IDENTIFICATION.search(data)
        first = _OBJECT.search(data, begin.end() - 1) if begin else None
        return first is not None and _END.search(data, first.end()) is not None


class _Listening(Connection):
    """All ports at once until one is taken, and then that one."""

    def __init__(self, ports: _Ports) -> None:
        self._ports = ports
        self._candidates: dict[str, _Candidate] = {}
        self._taken: Port | None = None
        self._is_wanted = True
        self._looked_at = -_LOOK_AROUND_S
        self._patience_s = _ENOUGH_S
        self._began_at = time.monotonic()
        self._refused: dict[str, tuple[float, str]] = {}  # when (s) and why these could not be opened
        self._first = self._open_new(time.monotonic())

    def read(self) -> list[Event]:
        """Wait for what there is to tell; see `Connection`."""
        found, self._first = self._first, []
        while not found:
            found = self._read_on(self._taken) if self._taken else self._listen()
        return found

    def _read_on(self, port: Port) -> list[Event]:
        try:
            return port.read()
        except OSError as error:
            raise OSError(error.errno, f"{self._ports.taken}: {error.strerror or error}") from None

    def _listen(self) -> list[Event]:
        ports = [candidate.port for candidate in self._candidates.values()]
        ready = set(select.select(ports, [], [], _LOOK_AROUND_S)[0])
        now = time.monotonic()
        for name, candidate in list(self._candidates.items()):
            try:
                if candidate.port not in ready:
                    candidate.wait(now)
                elif candidate.hear(now):
                    return self._take(name)
            except OSError:  # it was pulled out
                self._drop(name)
        found = self._open_new(now) if now - self._looked_at >= _LOOK_AROUND_S else []
        if now - self._began_at >= self._patience_s:
            found += self._complaint()
            self._patience_s *= 2
        return found

    def _open_new(self, now: float) -> list[Event]:
        """Listen to the ports that are there now; give what there is to say, or raise OSError when there is none."""
        self._looked_at = now
        names = self._ports.names()
        self._refused = {
            name: refused for name, refused in self._refused.items() if name in names and now - refused[0] < _AGAIN_S
        }
        for name in names:
            if name in self._candidates or name in self._refused:
                continue
            try:
                self._candidates[name] = _Candidate(Port(self._ports.plan(name)), now)
            except (OSError, UsageError) as error:
                self._refused[name] = now, _reason(name, error)
        reasons = [reason for _, reason in self._refused.values()]
        if not self._candidates:
            raise OSError(errno.ENODEV, "; ".join(reasons) or self._ports.missing())
        new = [reason for reason in reasons if reason not in self._ports.said]
        self._ports.said.update(new)
        return [Trouble(reason) for reason in new]

    def _take(self, name: str) -> list[Event]:
        candidate = self._candidates.pop(name)
        for other in list(self._candidates):
            self._drop(other)
        self._taken = candidate.port
        self._taken.want(self._is_wanted)
        plan = self._ports.plan(name)
        data = Data(bytes(candidate.data))
        if name == self._ports.taken:
            return [data]
        self._ports.taken = name
        return [Notice(f"meter found on {name} ({plan.baudrate} {plan.format}): reading this port"), data]

    def _drop(self, name: str) -> None:
        self._candidates.pop(name).port.close()

    def _complaint(self) -> list[Event]:
        """Say that no port has a telegram, and give what the one has said that said most, for the diagnosis."""
        loudest = max(self._candidates.values(), key=lambda candidate: len(candidate.data))
        heard = ", ".join(
            f"{name} ({'data, no telegram' if candidate.has_spoken else 'no data'})"
            for name, candidate in self._candidates.items()
        )
        found: list[Event] = [Trouble(f"no telegram for {self._patience_s:g} s; listening on {heard}: {events.PORT}")]
        if loudest.data:
            found += [Data(bytes(loudest.data)), Pause(events.PAUSE_S)]
            loudest.data.clear()
        return found

    def want(self, is_wanted: bool) -> None:  # noqa: FBT001
        """Pass it on; until a port is taken each meter is asked."""
        self._is_wanted = is_wanted
        if self._taken:
            self._taken.want(is_wanted)

    def close(self) -> None:
        """Let go of all ports."""
        for name in list(self._candidates):
            self._drop(name)
        if self._taken:
            self._taken.close()


def _reason(name: str, error: OSError | UsageError) -> str:
    text = str(getattr(error, "strerror", None) or error)
    return text if name in text else f"{name}: {text}"
