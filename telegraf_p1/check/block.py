"""The `[[inputs.execd]]` block that reads a meter, and the file of `telegraf.d` that it becomes."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from telegraf_p1.check.meter import Meter
from telegraf_p1.timestamp import DEFAULT_ZONE
from telegraf_p1.url import UsageError

_TELEGRAF_CONF: Final = Path("/etc/telegraf/telegraf.conf")
_OUTPUT: Final = re.compile(r"^[ \t]*+\[\[outputs\.", re.MULTILINE)
_OURS: Final = "# Written by `telegraf-p1 check`"
_MODE: Final = 0o644
_START_S: Final = 60  # for Telegraf's own start and stop, at most
_LONGEST_TRY_S: Final = 60.0
_LEAST_TRY_S: Final = 5.0
_NUMBER: Final = re.compile(r"(?<=[ ,])(?:energy_import|power_import|power_net|heat|gas|water)_\w+=[0-9.]+")
_SHOWN: Final = 4
_LOST_S: Final = 86400  # a clock that is off by more is wrong, whatever the time zone


def options(meter: Meter, way: Iterable[str]) -> list[str]:
    """Return the options of `run` that a meter needs; `way` are those with which its telegrams are accepted."""
    is_lost = abs(meter.clock_s or 0) > _LOST_S
    return [
        *way,
        *(["--timezone", meter.zone] if meter.zone != DEFAULT_ZONE else []),
        *(["--time", "host"] if is_lost else []),
    ]


def text(source: str, options: Sequence[str], *, needs_tag: bool) -> str:
    """Return the block, ready to paste; `needs_tag`: the meter sends no identifier, so the block sets the tag."""
    command = ", ".join(_quoted(word) for word in (*_program(), "run", source, *options))
    lines = [
        f"{_OURS}; `telegraf-p1 run --help` explains the options.",
        "[[inputs.execd]]",
        f"  command = [{command}]",
        '  signal = "none"',
        '  restart_delay = "10s"',
        '  data_format = "influx"',
    ]
    if needs_tag:
        lines += ["  [inputs.execd.tags]", '    meter = "home"  # this meter sends no identifier: any name']
    return "".join(f"{line}\n" for line in lines)


def _program() -> list[str]:
    """Return the command that starts this program, with its full path."""
    started = shutil.which(sys.argv[0])
    if started and Path(started).name == "telegraf-p1":
        return [os.path.abspath(started)]  # noqa: PTH100  resolve() would follow links
    return [sys.executable, "-m", "telegraf_p1"]


def _quoted(word: str) -> str:
    """Write a TOML string: a JSON string is a valid one."""
    return json.dumps(word, ensure_ascii=False)


def check_file(name: str, *, is_forced: bool) -> None:
    """Raise UsageError for a file that cannot be written, or that `check` did not write (unless `is_forced`)."""
    path = Path(name)
    try:
        if path.is_dir():
            raise UsageError(f"--write {name!r} is a folder: name a file in it, such as {path / 'p1.conf'}")
        if not path.parent.is_dir():
            raise UsageError(f"--write {name!r}: the folder {str(path.parent)!r} does not exist")
        if path.exists() and not is_forced and not path.read_text(errors="replace").startswith(_OURS):
            raise UsageError(f"--write {name!r}: this file was not written by `check`: add --force to replace it")
    except OSError as error:
        raise UsageError(f"--write {name!r}: {error.strerror}") from None
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--write {name!r}: permission denied: use sudo")


def write(name: str, block: str) -> None:
    """Write the file atomically, so that nobody sees half of it; raise UsageError if it cannot be written."""
    path = Path(name)
    part = ""
    try:
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w") as file:
            file.write(block)
            os.fchmod(descriptor, _MODE)
            os.fsync(descriptor)
        Path(part).replace(path)
    except OSError as error:
        if part:
            Path(part).unlink(missing_ok=True)
        raise UsageError(f"--write {name!r}: {error.strerror}") from None


def has_output(name: str) -> bool:
    """Whether Telegraf is told where records go, in its own file or beside the file that was written."""
    try:
        files = [_TELEGRAF_CONF, *Path(name).parent.glob("*.conf")]
        return any(_OUTPUT.search(file.read_text(errors="replace")) for file in files if file.exists())
    except OSError:  # this user may not read it
        return True


class Tried(NamedTuple):
    """The result of a trial: readings of the first record, or Telegraf's errors and warnings if there was none."""

    is_good: bool
    text: str


def telegraf() -> str | None:
    """Return the path of Telegraf (P1_TELEGRAF or from PATH), or None if it is not installed."""
    return os.environ.get("P1_TELEGRAF") or shutil.which("telegraf")


def trial_s(interval_s: float) -> float:
    """Return how long Telegraf waits in a trial (s), for telegrams that come every `interval_s`."""
    return min(max(_LEAST_TRY_S, 2.5 * interval_s), _LONGEST_TRY_S)


def try_it(telegraf: str, name: str, seconds: float) -> Tried:
    """Let Telegraf read the meter with this file for `seconds`, and return the result."""
    wait = f"{seconds:.0f}"
    command = [telegraf, "--config", name, "--test", "--test-wait", wait]
    try:
        done = subprocess.run(  # noqa: S603  the program that will read this file anyway
            command, capture_output=True, timeout=_START_S + seconds, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Tried(is_good=False, text=f"{telegraf}: {type(error).__name__}")
    record = next((line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith("> ")), "")
    if record:  # only numbers, since its texts may identify the meter
        return Tried(is_good=True, text=", ".join(_NUMBER.findall(record)[:_SHOWN]))
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if " E! " in line or " W! " in line]
    return Tried(is_good=False, text="\n".join(said[:3]) or f"no record within {wait} s")
