"""The matrix of faults: a test is a row of docs/reliability.md.

A row sends numbered telegrams to the plugin, breaks something meanwhile, and counts. Each telegram has to come out,
with every digit, but for those sent in `unheard` and until `recovered`: while nobody could hear them.
`@fault` says what is broken and what may be lost; it measures the row and holds what must be so in all of them.

With P1_FAULTS=full faults last as long as they do in a house; else they are short.
"""

import functools
import importlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, Final, NamedTuple, TypeVar

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.programs import PLUGIN, program, wait_until
from tests.helpers.telegraf import children
from tests.helpers.telegrams import START, records

T = TypeVar("T")

_FULL: Final = os.environ.get("P1_FAULTS") == "full"
# Where the rows are written, a JSON object a line.
_RESULTS: Final = os.environ.get("P1_FAULTS_RESULTS")
_MOST_LINES: Final = 30  # of the log
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def either(short: T, full: T) -> T:
    """Give what fits to how long the faults have to last."""
    return full if _FULL else short


PACE: Final = either(0.05, 1.0)  # s from one telegram to the next


class Fault(NamedTuple):
    """What is said of a row: what broke, what of its telegrams is lost and why nobody could have kept it."""

    part: str
    what: str
    loses: str  # empty: nothing


def fault(
    part: str, what: str, loses: str = "", *, within: float = 6.0, memory: float = 32.0
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a row of a test: recovered `within` these s, and at no time more than `memory` MiB."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*, row: "Row", **arguments: Any) -> None:
            begun = time.monotonic()
            test(row=row, **arguments)
            result = row.result(time.monotonic() - begun)
            row.hold(within, memory)
            assert loses or not result["lost"]
            if _RESULTS:
                with Path(_RESULTS).open("a", encoding="utf-8") as results:
                    results.write(json.dumps(Fault(part, what, loses)._asdict() | result) + "\n")

        run.fault = Fault(part, what, loses)  # type: ignore[attr-defined]
        return run

    return decorate


def rows() -> Iterator[Fault]:
    """Give all rows, in the order of the page."""
    for name in ("serial", "tcp", "mqtt", "http", "telegraf", "process"):
        for test in vars(importlib.import_module(f"tests.faults.test_{name}")).values():
            if found := getattr(test, "fault", None):
                yield found


class Row:
    """Sends and counts; `wire` carries a telegram to the plugin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wire: Callable[[bytes], None] = lambda _: None
        self.topic = ""
        self._meter, self._now = Meter(), START
        self.sent: dict[str, bool] = {}  # line → whether it has to come out
        self._is_heard = True
        self._out: set[str] = set()
        self._all_out: list[str] = []  # in their order, some perhaps twice
        self._logs: list[Path] = []
        self._seconds: list[float] = []  # of each recovery
        self._cpu: dict[int, float] = {}  # pid → s
        self._memory = 0.0

    # Telegrams

    def telegram(self) -> bytes:
        """Make the next telegram, which counts as sent."""
        self._now += 1
        telegram = self._meter.telegram(self._now)
        self.expect(line(telegram, self.topic))
        return telegram

    def expect(self, line: str) -> None:
        """Count a telegram as sent, by its line."""
        self.sent[line] = self._is_heard

    def count(self) -> int:
        """Give how many records came, counting twice what came twice."""
        return len(self._all_out)

    def send(self, count: int = 1, pace: float = 0.0) -> None:
        for _ in range(count):
            self.wire(self.telegram())
            time.sleep(pace)

    def steady(self, count: int = 10, pace: float = PACE) -> None:
        """Send telegrams, and wait until all that must come have come."""
        self.send(count, pace)
        self.wait_for_all()

    def wait_for_all(self, seconds: float = 30) -> None:
        wait_until(lambda: not self._missing(), "the records", seconds)

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Let the telegrams that are sent meanwhile be lost."""
        self._is_heard = False
        yield
        self._is_heard = True

    def recovered(self, *, is_counted: bool = True, seconds: float = 90) -> None:
        """Send telegrams until one comes out; from that one on none may be lost."""
        begun, sent = time.monotonic(), dict[str, None]()
        with self.unheard():

            def heard() -> bool:
                before = self.sent.copy()
                self.wire(self.telegram())
                sent.update(dict.fromkeys(self.sent.keys() - before.keys()))
                end = time.monotonic() + either(0.1, 1.0)
                while not (came := not self._out.isdisjoint(sent)) and time.monotonic() < end:
                    time.sleep(0.005)
                return came

            wait_until(heard, "a record", seconds)
        if is_counted:
            self.took(begun)
        has_come = False
        for one in sent:
            has_come |= one in self._out
            if has_come:
                self.sent[one] = True
            elif not is_counted:
                del self.sent[one]
        self.wait_for_all()

    def begin(self) -> None:
        """Send until the plugin listens; what is sent before counts for nothing."""
        self.recovered(is_counted=False)

    def took(self, begun: float) -> None:
        """Say that it has recovered, from a fault that was over at a time of the monotonic clock."""
        self._seconds.append(time.monotonic() - begun)

    # The plugin

    @contextmanager
    def plugin(
        self,
        *arguments: str,
        prefix: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        reading: threading.Event | None = None,
        cwd: str | None = None,
        fds: tuple[int, ...] = (),
    ) -> Iterator[Popen[bytes]]:
        """Run `telegraf-p1` as Telegraf does; its records are read while `reading` is set.

        At the end it has to leave with what it has, unless it was killed.
        """
        log = self.folder / f"log{len(self._logs)}"
        self._logs.append(log)
        with (
            log.open("wb") as stderr,
            program(
                [*prefix, *PLUGIN, *arguments],
                stdin=PIPE, stdout=PIPE, stderr=stderr, bufsize=0, env=env and os.environ | env, cwd=cwd, pass_fds=fds,
            ) as process,
        ):  # fmt: skip
            reader = threading.Thread(target=self._read, args=(process, reading), daemon=True)
            reader.start()
            yield process
            assert process.stdin
            self.measure(process.pid)
            process.stdin.close()
            if reading:
                reading.set()
            code = process.wait(10)
            reader.join(10)
            assert code in (0, -9)

    @contextmanager
    def under(self, telegraf: Popen[bytes], log: Path, stored: Callable[[], Iterable[int]]) -> Iterator[None]:
        """Take the records that the plugin under a Telegraf made: by their times in ns, wherever they are stored."""
        if log not in self._logs:
            self._logs.append(log)
        over = threading.Event()

        def follow() -> None:
            while not over.wait(0.1):
                for pid in children(telegraf.pid):
                    if is_plugin(pid):
                        self.measure(pid)
                by_time = {int(line.rpartition(" ")[2]): line for line in list(self.sent)}
                self.came(by_time[ns] for ns in stored() if by_time[ns] not in self._out)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        yield
        over.set()
        follower.join(20)

    def _read(self, process: Popen[bytes], reading: threading.Event | None) -> None:
        assert process.stdout
        rest, measured_at = b"", 0.0
        while (not reading or reading.wait()) and (data := os.read(process.stdout.fileno(), 65536)):
            *lines, rest = (rest + data).split(b"\n")
            self.came(one.decode() for one in lines)
            if time.monotonic() > measured_at + 0.2:
                measured_at = time.monotonic()
                self.measure(process.pid)

    def came(self, lines: Iterable[str]) -> None:
        """Take records, by their lines."""
        self._all_out += (found := list(lines))
        self._out.update(found)

    def measure(self, pid: int) -> None:
        """Remember what a process took, if it is still there."""
        try:
            times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        self._cpu[pid] = sum(map(int, times)) / _TICKS
        if "VmHWM:" in status:
            self._memory = max(self._memory, int(status.split("VmHWM:")[1].split()[0]) / 1024)

    def log(self) -> str:
        """Give what the plugins said."""
        lines = "".join(log.read_text() for log in self._logs).splitlines(keepends=True)
        return "".join(line for line in lines if "inputs.execd" in line or not re.match(r"\d{4}-", line))

    def said(self, text: str, times: int = 1, seconds: float = 30) -> None:
        """Wait until the plugins have said something, so many times."""
        wait_until(lambda: self.log().count(text) >= times, f"the words {text!r}", seconds)

    # The result

    def lost(self) -> int:
        return len(self.sent.keys() - self._out)

    def bytes_missing(self) -> int:
        """Count the bytes of the records that have to come."""
        return sum(len(f"{line}\n".encode()) for line in self._missing())

    def _missing(self) -> list[str]:
        return [line for line, has_to_come in self.sent.items() if has_to_come and line not in self._out]

    def hold(self, within: float, memory: float) -> None:
        """Hold what has to be so in every row."""
        assert not self._missing()
        assert not self._out - self.sent.keys()  # no record that is not what a telegram said
        said = self.log()
        for word in ("bug", "Traceback"):
            assert word not in said
        assert said.count("\n") <= _MOST_LINES
        assert max(self._seconds, default=0.0) <= within
        assert 0 < self._memory < memory

    def result(self, lasted: float) -> dict[str, Any]:
        out = len(self._out & self.sent.keys())
        return {
            "sent": len(self.sent),
            "out": out,
            "lost": self.lost(),
            "twice": len(self._all_out) - len(self._out),
            "recovery_s": max(self._seconds) if self._seconds else None,
            "cpu_s": sum(self._cpu.values()),
            "memory_mib": self._memory,
            "lasted_s": lasted,
            "is_full": _FULL,
        }


def is_plugin(pid: int) -> bool:
    """Whether a child of Telegraf has become the plugin."""
    try:
        return b"telegraf_p1" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def line(telegram: bytes, topic: str = "") -> str:
    """Give the line that a telegram has to become."""
    (record,) = records(telegram)
    return lineproto.line(record._replace(tags=record.tags | ({"topic": topic} if topic else {})))
