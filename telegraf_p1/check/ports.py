"""The serial ports of this computer, and why one cannot be opened."""

import errno
import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from telegraf_p1.check.causes import Cause
from telegraf_p1.sources import auto

_SERVICE: Final = Path("/etc/systemd/system/telegraf.service.d")
_TELEGRAF: Final = "telegraf"


class Process(NamedTuple):
    """A process that has a port open."""

    pid: int
    name: str


def is_pattern(source: str) -> bool:
    """Whether a source stands for several ports: `/dev/ttyUSB*`."""
    return source.startswith("/") and bool(set("*[") & set(source.partition("?")[0]))


def matching(pattern: str) -> list[str]:
    """Return the ports that match a pattern, each followed by the options of the pattern."""
    path, mark, options = pattern.partition("?")
    return [name + mark + options for name in sorted(map(str, Path("/").glob(path.lstrip("/"))))]


def lasting_name(path: str) -> str:
    """Return the name of a port that stays the same when it is plugged in elsewhere, or `path` if it has none."""
    links = (
        str(link) for link in sorted(auto.STABLE_NAMES.glob("*")) if os.path.realpath(link) == os.path.realpath(path)
    )
    return next(links, path)


def holders(path: str) -> list[Process]:
    """Return the other processes that have a port open, as far as this user may see them."""
    real = os.path.realpath(path)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        with suppress(OSError):  # it has ended, or belongs to somebody else
            if pid != os.getpid() and any(os.path.realpath(link) == real for link in (process / "fd").iterdir()):
                found.append(Process(pid, _name(process)))
    return sorted(found)


def _name(process: Path) -> str:
    """Return the name by which a process was started: `cat`, `dsmr_datalogger.py`, or `telegraf-p1 run`."""
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    names = [word.rpartition("/")[2] for word in words[:4] if word and word[0] != "-" and word.isprintable()]
    if len(names) > 1 and names[0].startswith("python"):
        del names[0]
    if not names:
        return (process / "comm").read_text().strip()
    return " ".join(names[:2]) if names[0].startswith("telegraf") else names[0]


def why_not(path: str, error: OSError) -> Cause:
    """Return why a port cannot be opened, and what to do."""
    if error.errno == errno.EACCES:
        return _forbidden(path)
    if error.errno in (errno.EAGAIN, errno.EBUSY):
        return _busy(path)
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        there = ", ".join(auto.cables()) or "none"
        return Cause(
            "gone", f"no such device: check that the cable is plugged in. Serial ports on this computer: {there}"
        )
    return Cause("cannot-open", str(error.strerror or error))


def _forbidden(path: str) -> Cause:
    status, user = Path(path).stat(), _user()
    group = _group(status.st_gid)
    if group == "root":
        name = shlex.quote(path)
        command = f"sudo chgrp dialout {name} && sudo chmod g+rw {name} && sudo usermod -aG dialout {user}"
        return Cause(
            "permission", f"user {user} is not allowed to open it, only root is; log in again after this", command
        )
    if status.st_mode & (stat.S_IRGRP | stat.S_IWGRP) != stat.S_IRGRP | stat.S_IWGRP:
        command = f"sudo chmod g+rw {shlex.quote(path)}"
        return Cause("permission", f"user {user} is not allowed to open it, nor is its group {group}", command)
    if user in _members(group):
        return Cause("permission", f"user {user} joined the group {group} after the last login: log in again")
    text = f"user {user} is not allowed to open it, because it belongs to the group {group}; log in again after this"
    return Cause("permission", text, f"sudo usermod -aG {group} {user}")


def _busy(path: str) -> Cause:
    if not (others := holders(path)):
        text = "port in use by a program of another user; this shows which"
        return Cause("busy", text, f"sudo fuser -v {shlex.quote(path)}")
    names = " and ".join(f"{one.name!r} (process {one.pid})" for one in others)
    read = "read" if len(others) > 1 else "reads"
    if any("telegraf-p1 run" in one.name or "telegraf_p1 run" in one.name for one in others):
        return Cause("busy", f"{names} already {read} it: stop Telegraf first", "sudo systemctl stop telegraf")
    text = f"{names} {read} it, and only one program can read a port: stop it, or share the port with ser2net"
    return Cause("busy", text)


def right_for_telegraf(path: str) -> str:
    """Return the command that lets Telegraf's service open a port; empty if it may already, or has no user."""
    try:
        pwd.getpwnam(_TELEGRAF)
        status = Path(path).stat()
    except (KeyError, OSError):
        return ""
    group = _group(status.st_gid)
    drop_ins = " ".join(file.read_text(errors="replace") for file in _SERVICE.glob("*.conf"))
    if group == "root" or _TELEGRAF in _members(group) or f"SupplementaryGroups={group}" in drop_ins:
        return ""
    return f"sudo usermod -aG {group} {_TELEGRAF}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without a name
        return str(os.geteuid())


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _members(group: str) -> Iterator[str]:
    """Yield the users who are in a group after their next login."""
    with suppress(KeyError):
        entry = grp.getgrnam(group)
        yield from entry.gr_mem
        yield from (user.pw_name for user in pwd.getpwall() if user.pw_gid == entry.gr_gid)
