"""A district: 10,000 meters through mosquitto or Kafka to plugins that share them, then Telegraf and databases.

    python -m benchmarks.district [--short] [--again] [ROW …]

`make district` measures all rows that are not in build/district yet, in about 20 minutes, and writes docs/scale.md.
ROW is a part of a row's name; --again also measures existing rows; --short is a trial, with few meters and seconds.
All parts share this computer, including the publisher, whose CPU time is measured separately.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import quantiles
from time import process_time
from typing import Any, Final, NamedTuple

import pytest

from benchmarks import stores
from benchmarks.crowd import Crowd
from benchmarks.members import Members, arrivals
from benchmarks.parts import bytes_on_disk, mebibytes, resident_bytes, seconds_on_cpu
from benchmarks.publisher import Plan, Publisher
from benchmarks.results import ROOT, machine
from benchmarks.transports import KafkaTransport, MosquittoTransport, Transport

FOLDER: Final = ROOT / "build" / "district"
Figures = dict[str, Any]
Open = Callable[[ExitStack, Path], Transport]
_SLOW_S: Final = 1.0  # a telegram that takes longer has waited somewhere
_MEMBERS: Final = 4  # one of them is killed
_SETTLED_S: Final = 0.5  # after which no more duplicates come
_MISSING_S: Final = 30  # after which missing telegrams count as lost


class Size(NamedTuple):
    """The size of the measurements."""

    meters: int
    warm_s: int
    live_s: int
    waiting: int  # telegrams
    kills: int
    every_s: int
    back_s: int  # until a killed plugin is started again: Telegraf's `restart_delay`
    minute_s: int
    points: stores.Points


FULL: Final = Size(10_000, 6, 12, 300_000, 3, 20, 10, 60, stores.FULL)
SHORT: Final = Size(2_000, 3, 3, 20_000, 2, 14, 10, 12, stores.SHORT)


class Scene:
    """A transport, plugins, and a publisher that starts on command."""

    def __init__(self, stack: ExitStack, transport: Open, plan: tuple[Size, int, float, int]) -> None:
        self._size, self.interval, rate, count = plan
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_scratch())))
        self.transport, self._stack = transport(stack, self.folder), stack
        self.count = count
        url, sent = self.transport.target, str(self.folder / "sent")
        self._plan = Plan(url, self._size.meters, self.interval, count, rate, sent)

    def publish(self) -> Publisher:
        """Return a publisher that is ready."""
        publisher = Publisher(self._plan)
        self._stack.callback(publisher.stop)
        return publisher

    def members(self, count: int) -> Members:
        """Start plugins."""
        return Members(self._stack, self.folder, self.transport, count)


class Moment(NamedTuple):
    """A moment: clock time in s, the CPU time that each part has used in s, and the number of lines so far."""

    clock_s: float
    publisher_s: float
    broker_s: float
    plugins_s: float
    readers_s: float
    lines: int

    @classmethod
    def now(cls, publisher: Publisher | None, scene: Scene, members: Members) -> "Moment":
        """Read the values of all parts."""
        return cls(
            time.monotonic(),
            seconds_on_cpu(publisher.process) if publisher else 0,
            seconds_on_cpu(*scene.transport.nodes),
            seconds_on_cpu(*members.processes),
            process_time(),
            members.lines(),
        )

    def since(self, before: "Moment") -> Figures:
        """Return what each part used since: its share of a core, and its CPU time per line."""
        took, lines = self.clock_s - before.clock_s, self.lines - before.lines
        figures: Figures = {"lines_s": lines / took}
        for part in ("publisher", "broker", "plugins", "readers"):
            used = getattr(self, f"{part}_s") - getattr(before, f"{part}_s")
            figures |= {f"{part}_core": used / took, f"{part}_us": used / max(1, lines) * 1e6}
        return figures


def live(transport: Open, members: int, interval: int, size: Size) -> Figures:
    """Let the meters send, and measure all parts for a while."""
    rate = size.meters / interval
    with ExitStack() as stack:
        scene = Scene(stack, transport, (size, interval, rate, int(rate * (size.warm_s + size.live_s + 1))))
        plugins = scene.members(members)
        publisher = scene.publish()
        publisher.begin()
        time.sleep(size.warm_s)
        before, from_ns = Moment.now(publisher, scene, plugins), time.monotonic_ns()
        time.sleep(size.live_s)
        figures = Moment.now(publisher, scene, plugins).since(before)
        until_ns = time.monotonic_ns()
        figures |= _memory(scene, plugins)
        figures |= _outcome(scene, publisher, plugins, size, (from_ns, until_ns))
    return {"rate": rate} | figures


def backlog(transport: Open, members: int, size: Size) -> Figures:
    """Let telegrams wait for plugins that are not running, and measure how fast they are read then."""
    with ExitStack() as stack:
        scene = Scene(stack, transport, (size, 1, 0, size.waiting))
        scene.transport.introduce(members)
        scene.transport.settle()
        memory, disk = resident_bytes(*scene.transport.nodes), bytes_on_disk(*scene.transport.data)
        publisher = scene.publish()
        filling_s = seconds_on_cpu(*scene.transport.nodes)
        publisher.begin()
        said, sent = publisher.end()
        filling_s = seconds_on_cpu(*scene.transport.nodes) - filling_s
        memory = resident_bytes(*scene.transport.nodes) - memory
        scene.transport.settle()
        disk = bytes_on_disk(*scene.transport.data) - disk
        plugins = scene.members(members)
        plugins.wait_for(1)
        before = Moment.now(None, scene, plugins)
        plugins.wait_for(int(said["count"]))
        figures = Moment.now(None, scene, plugins).since(before) | _memory(scene, plugins)
        _, lost, twice = _arrived(plugins, sent, size.meters, 1)
    figures |= {"telegram_bytes": len(Crowd(1, 1).telegram(0)), "filling_us": filling_s / said["count"] * 1e6}
    figures |= {"waiting": said["count"], "filled_s": said["count"] / said["took_s"], "lost": lost, "twice": twice}
    return figures | {"memory_bytes": memory / said["count"], "disk_bytes": disk / said["count"]}


def kills(transport: Open, size: Size, every_s: int, back_s: int, times: int) -> Figures:
    """Kill a member several times, and restart it after a while each time."""
    with ExitStack() as stack:
        rate = size.meters / 10
        scene = Scene(stack, transport, (size, 10, rate, int(rate * (size.warm_s + times * every_s))))
        plugins = scene.members(_MEMBERS)
        publisher = scene.publish()
        publisher.begin()
        time.sleep(size.warm_s)
        when = []
        for turn in range(times):
            when.append(plugins.kill(turn % _MEMBERS))
            time.sleep(back_s)
            plugins.start_again(turn % _MEMBERS)
            time.sleep(every_s - back_s)
        window = (when[0], when[-1] + every_s * 10**9)
        figures = _outcome(scene, publisher, plugins, size, window)
    return {"rate": rate, "kills": times, "back_s": back_s, "members": _MEMBERS} | figures


def node_killed(transport: Open, size: Size) -> Figures:
    """Kill one of several brokers, without a restart."""
    with ExitStack() as stack:
        rate = size.meters / 10
        scene = Scene(stack, transport, (size, 10, rate, int(rate * (size.warm_s + size.live_s + size.minute_s // 2))))
        plugins = scene.members(_MEMBERS)
        publisher = scene.publish()
        publisher.begin()
        time.sleep(size.warm_s)
        before = Moment.now(publisher, scene, plugins)
        time.sleep(size.live_s)
        figures = Moment.now(publisher, scene, plugins).since(before) | _memory(scene, plugins)
        killed = scene.transport.nodes.pop()
        killed.kill()
        killed.wait()
        at = time.monotonic_ns()
        window = (at - 10**9, at + size.minute_s // 2 * 10**9)
        figures |= _outcome(scene, publisher, plugins, size, window)
    return {"rate": rate, "nodes": len(scene.transport.nodes) + 1} | figures


def _memory(scene: Scene, plugins: Members) -> Figures:
    return {"broker_mib": mebibytes(*scene.transport.nodes), "plugin_mib": mebibytes(*plugins.processes)}


def _outcome(scene: Scene, publisher: Publisher, plugins: Members, size: Size, window: tuple[int, int]) -> Figures:
    """Wait for the end; return the lost telegrams, the duplicates, and the delays of those sent in a window of time."""
    said, sent = publisher.end()
    plugins.wait_for(int(said["count"]))
    first, lost, twice = _arrived(plugins, sent, size.meters, scene.interval)
    pairs = list(zip(sent, first, strict=True))
    begin, end = window
    delays = sorted((came - was) / 1e9 for was, came in pairs if begin <= was < end and came)
    cuts = quantiles(delays, n=100, method="inclusive")
    return {
        "published": said["count"],
        "not_acknowledged": scene.count - said["count"],
        "publisher_late_s": said["late_s"],
        "lost": lost,
        "twice": twice,
        "delay_s": cuts[49],
        "delay_99_s": cuts[98],
        "delay_longest_s": delays[-1],
        "delayed": sum(1 for delay in delays if delay > _SLOW_S) / len(delays),
    }


def _arrived(plugins: Members, sent: Sequence[int], meters: int, interval: int) -> tuple[Sequence[int], int, int]:
    """Wait for missing lines; return when each line first came, how many are missing, and how many came twice."""
    end = time.monotonic() + _MISSING_S
    while True:
        time.sleep(_SETTLED_S)
        first, twice = arrivals(plugins.readers, len(sent), meters, interval)
        lost = sum(1 for was, came in zip(sent, first, strict=True) if was and not came)
        if not lost or time.monotonic() > end:
            return first, lost, twice


def _scratch() -> Path:
    (folder := FOLDER / "scratch").mkdir(parents=True, exist_ok=True)
    return folder


def rows(size: Size) -> dict[str, Callable[[], Figures]]:
    """Return all measurements, by name."""
    found: dict[str, Callable[[], Figures]] = {}
    single: dict[str, Open] = {"mosquitto": MosquittoTransport, "kafka": KafkaTransport}
    three: Open = partial(KafkaTransport, nodes=3)
    for name, transport in single.items():
        for interval in (10, 1):
            for members in (1, 2, 4):
                found[f"live {name} {interval}s {members}"] = partial(live, transport, members, interval, size)
        for members in (1, 2, 4):
            found[f"backlog {name} {members}"] = partial(backlog, transport, members, size)
        found[f"kills {name}"] = partial(kills, transport, size, size.every_s, size.back_s, size.kills)
    minute = partial(kills, back_s=size.minute_s, every_s=size.minute_s + size.back_s, times=1)
    found["away kafka"] = partial(minute, KafkaTransport, size)
    found["copies kafka 2"] = partial(backlog, three, 2, size)
    found["node kafka"] = partial(node_killed, three, size)
    return found | stores.rows(size.points)


def file_of(name: str) -> Path:
    """Return the file of a row."""
    return FOLDER / f"{name.replace(' ', '-')}.json"


def main() -> None:
    """Measure."""
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help="a part of a row's name")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    failed = []
    for name, measure in rows(SHORT if options.short else FULL).items():
        path = file_of(name)
        is_wanted = not options.row or any(part in name for part in options.row)
        if not is_wanted or (path.exists() and not options.again):
            continue
        begun = time.monotonic()
        try:
            figures = measure()
        except (
            OSError,
            AssertionError,
            subprocess.SubprocessError,
            pytest.skip.Exception,
            pytest.fail.Exception,
        ) as error:
            failed.append(name)
            print(f"{name}: not measured: {type(error).__name__}: {error}", flush=True)
            continue
        kept = {"row": name, "is_short": options.short, "machine": machine(), "when": f"{datetime.now(UTC):%Y-%m-%d}"}
        path.write_text(json.dumps(kept | {"figures": figures}, indent=1) + "\n")
        said = ", ".join(f"{key} {value:.4g}" for key, value in figures.items() if isinstance(value, int | float))
        print(f"{name} ({time.monotonic() - begun:.0f} s): {said}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
