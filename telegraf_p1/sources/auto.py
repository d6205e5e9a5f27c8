"""Finds the serial port of the meter: `auto:`, or among those that match a pattern: `auto:/dev/ttyUSB*`.

All ports are read at once, and the settings of each are detected. The first one that sends a telegram is used. A port
that is plugged in meanwhile is read as well. The options are those of a serial port.
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

_LOOK_AROUND_S: Final = 1.0  # between two searches for new ports
_AGAIN_S: Final = 10.0  # until one that could not be opened is tried again: that disturbs whoever has it open
_ENOUGH_S: Final = 30.0  # in which each meter sends three times
_LONGEST: Final = 16 * 1024  # bytes of a telegram
# What no other device sends: an identification line, then an object. Then a `!` at the start of a line or after the
# last object (Aidon), or the next identification (meters that send no `!`).
_IDENTIFICATION: Final = re.compile(rb"/[A-Za-z]{3}[^()\r\n]{0,80}\r?\n")
_OBJECT: Final = re.compile(rb"[\r\n]\d-\d{1,3}:\d{1,3}\.\d{1,3}\.\d")
_END: Final = re.compile(rb"[\r\n)]!|[\r\n]/[A-Za-z]{3}")
_NO_PLUG: Final = ("rfcomm", "ttyGS")  # Bluetooth; ports that this computer offers to another one by USB
STABLE_NAMES: Final = Path("/dev/serial/by-id")
_TTYS: Final = Path("/sys/class/tty")


def source(url: Url) -> Source:
    """Return a source that reads the port of the meter; it raises OSError if there is no port."""
    if url.host or (url.path and (not url.path.startswith("/") or not url.path.strip("/"))):
        raise UsageError(f"source {url.text!r}: write auto:, or a pattern for the names of ports, auto:/dev/ttyUSB*")
    ports = _Ports(url)
    try:
        ports.names()
    except ValueError as error:
        raise UsageError(f"source {url.text!r}: {error}") from None
    Plan(url._replace(path="/dev/null"))  # only to check the options
    return partial(_Listening, ports)


class _Ports:
    """The ports that may be used. What is known about each, and what was logged, is kept when a connection is lost."""

    def __init__(self, url: Url) -> None:
        self._url = url
        self._plans: dict[str, Plan] = {}
        self.said: set[str] = set()
        self.taken = ""

    def names(self) -> list[str]:
        """Return the names of the ports that exist."""
        if not self._url.path:
            return cables()
        return sorted(str(name) for name in Path("/").glob(self._url.path.lstrip("/")))

    def plan(self, name: str) -> Plan:
        """Return what is known of a port."""
        if name not in self._plans:
            self._plans[name] = Plan(self._url._replace(path=name))
        return self._plans[name]

    def missing(self) -> str:
        """Return the message for the case that there is no port."""
        which = f"no port matches {self._url.path}" if self._url.path else "no serial port found"
        return f"{which}: plug the cable in"


def cables() -> list[str]:
    """Return the serial ports that may have a cable, by the names that do not change if there are such.

    `check` uses this, too.
    """
    from serial.tools import list_ports

    stable = {str(link.resolve()): str(link) for link in sorted(STABLE_NAMES.glob("*"))}
    devices = [port.device for port in list_ports.comports() if _may_be_a_cable(Path(port.device).name)]
    return sorted((stable.get(device, device) for device in devices), key=lambda name: (name in devices, name))


def _may_be_a_cable(name: str) -> bool:
    """Whether a port may have a plug: not one without hardware, of Bluetooth, or of the system's console."""
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
    """A port that is being read: what it has sent that may be text, and when it last sent something (monotonic, s)."""

    def __init__(self, port: Port, now: float) -> None:
        self.port = port
        self.data = bytearray()
        self._heard_at = now
        self._is_quiet = False
        self.has_spoken = False

    def hear(self, now: float) -> bool:
        """Read what has arrived; return whether it contains a telegram by now."""
        self._heard_at, self._is_quiet, self.has_spoken = now, False, True
        self._keep(self.port.take())
        return self._has_meter()

    def wait(self, now: float) -> None:
        """Tell the port when it has been silent for PAUSE_S."""
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
    """All ports at once until one is chosen, and then only that one."""

    def __init__(self, ports: _Ports) -> None:
        self._ports = ports
        self._candidates: dict[str, _Candidate] = {}
        self._taken: Port | None = None
        self._is_wanted = True
        self._looked_at = -_LOOK_AROUND_S
        self._patience_s = _ENOUGH_S
        self._began_at = time.monotonic()
        self._refused: dict[str, tuple[float, str]] = {}  # port → when (monotonic, s) and why it could not be opened
        self._first = self._open_new(time.monotonic())

    def read(self) -> list[Event]:
        """Wait for events; see `Connection`."""
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
            except OSError:  # it was unplugged
                self._drop(name)
        found = self._open_new(now) if now - self._looked_at >= _LOOK_AROUND_S else []
        if now - self._began_at >= self._patience_s:
            found += self._complaint()
            self._patience_s *= 2
        return found

    def _open_new(self, now: float) -> list[Event]:
        """Open the ports that are new; return what there is to report, or raise OSError if no port can be read."""
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
        """Report that no port has a telegram; add the data of the port that sent the most, for the diagnosis."""
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
        """Pass it on to the chosen port; until there is one, each meter is asked for telegrams."""
        self._is_wanted = is_wanted
        if self._taken:
            self._taken.want(is_wanted)

    def close(self) -> None:
        """Close all ports."""
        for name in list(self._candidates):
            self._drop(name)
        if self._taken:
            self._taken.close()


def _reason(name: str, error: OSError | UsageError) -> str:
    text = str(getattr(error, "strerror", None) or error)
    return text if name in text else f"{name}: {text}"
