"""What comes after the plugin: the CPU time of Telegraf and of databases per record, and the disk space of these.

Databases get the plugin's lines as Telegraf sends them: a thousand per request, compressed with gzip. A *long* load has
few meters with many telegrams, 10 s apart; a *wide* one has many meters with few telegrams. *every* has a telegram
every 15 minutes, and *history* what `--history 15m` writes for these. Each load goes into its own database, which is
measured once it has settled.
"""

import gzip
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.crowd import Crowd
from benchmarks.parts import bytes_on_disk, mebibytes, resident_bytes, seconds_on_cpu
from benchmarks.publisher import Plan, Publisher
from benchmarks.results import ROOT
from benchmarks.transports import KafkaTransport, MosquittoTransport
from telegraf_p1.simulator.meter import Meter
from tests.helpers import pages
from tests.helpers.databases import Influx, influxdb2, send, victoria_metrics
from tests.helpers.programs import PLUGIN, wait_until
from tests.helpers.telegraf import children, telegraf
from tests.helpers.telegrams import START

Figures = dict[str, Any]
_FOLDER: Final = ROOT / "build" / "district" / "lines"
_BATCH: Final = 1000  # Telegraf's metric_batch_size
_QUARTER_S: Final = 900
_QUIET_S: Final = 5  # after which a database has settled
_PATIENCE_S: Final = 180
_IDLE: Final = 0.05  # share of a core that counts as idle
# Files that no longer grow are merged soon, as in an older database.
_SOON: Final = {
    "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "4s",
    "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "2s",
    "INFLUXD_STORAGE_COMPACT_FULL_WRITE_COLD_DURATION": "4s",
    "INFLUXD_STORAGE_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "2s",
}
_CONFIG: Final = """\
[agent]
  flush_interval = "1s"
  metric_buffer_limit = 1000000
{agent}
[[inputs.execd]]
  command = ["sh", "{folder}/feed"]
  signal = "none"
  data_format = "influx"
{output}
"""
# A change that a bridge for one house does not need.
_MANY: Final = {"max_undelivered_messages = 1000": "max_undelivered_messages = 20000"}
_STARTED_S: Final = 4  # for Telegraf to subscribe
_FEED: Final = """\
while [ ! -e {folder}/go ]; do sleep 0.05; done
cat {lines}
touch {folder}/done
exec sleep 600
"""


class Points(NamedTuple):
    """How much is loaded: number of meters, and telegrams of each."""

    wide: tuple[int, int]
    long: tuple[int, int]
    every: tuple[int, int]


FULL: Final = Points((10_000, 5), (100, 500), (100, 500))
SHORT: Final = Points((2_000, 5), (20, 500), (20, 500))


class Store(NamedTuple):
    """A running database: where lines are posted, with which headers, its process id, and the folder of its data."""

    url: str
    path: str
    headers: dict[str, str]
    process: int
    folder: Path
    merge: str = ""  # a path that makes it merge everything now


@contextmanager
def _influxd(folder: Path) -> Iterator[Store]:
    influx = Influx(folder)
    influx.start()
    try:
        send(f"{influx.url}/query?q=CREATE+DATABASE+p1", b"")
        (process,) = _found("influxd", folder)
        yield Store(influx.url, "/write?db=p1", {}, process, folder)
    finally:
        influx.stop()


@contextmanager
def _influxdb2(folder: Path) -> Iterator[Store]:
    with influxdb2(folder) as (url, token):
        (process,) = _found("influxd", folder)
        path, headers = "/api/v2/write?org=home&bucket=p1&precision=ns", {"Authorization": f"Token {token}"}
        yield Store(url, path, headers, process, folder)


@contextmanager
def _victoria_metrics(folder: Path) -> Iterator[Store]:
    with victoria_metrics(folder, "-retentionPeriod=100y") as url:
        (process,) = _found("victoria-metrics", folder)
        yield Store(url, "/write?db=p1", {}, process, folder, "/internal/force_merge")


_STORES: Final = {"influxd": _influxd, "influxdb2": _influxdb2, "victoria-metrics": _victoria_metrics}
_INFLUXDB: Final = """\
[[outputs.influxdb]]
  urls = ["{url}"]
  database = "p1"
"""
_INFLUXDB_V2: Final = """\
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  organization = "home"
  bucket = "p1"
  token = "the-token-of-this-test"
"""
_OUTPUTS: Final = {
    "file": ('[[outputs.file]]\n  files = ["/dev/null"]\n', ""),
    "influxdb": (_INFLUXDB, "influxd"),
    "influxdb_v2": (_INFLUXDB_V2, "influxdb2"),
}


def rows(points: Points) -> dict[str, Callable[[], Figures]]:
    """Return the measurements, by name."""
    found: dict[str, Callable[[], Figures]] = {
        f"telegraf {output} {buffer}": partial(through_telegraf, output, buffer, points)
        for output in _OUTPUTS
        for buffer in ("memory", "disk")
        if output != "file" or buffer == "memory"
    }
    found["telegraf bridge"] = partial(bridge, points.long[0] * points.long[1])
    return found | {f"store {name}": partial(load, name, points) for name in _STORES}


def through_telegraf(output: str, buffer: str, points: Points) -> Figures:
    """Send lines through Telegraf, and measure what it uses until it is idle."""
    lines = _lines("long", points)
    text, store = _OUTPUTS[output]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_scratch())))
        url = stack.enter_context(_STORES[store](folder)).url if store else ""
        agent = f'  buffer_strategy = "disk"\n  buffer_directory = "{folder}/buffer"' if buffer == "disk" else ""
        config = folder / "telegraf.conf"
        config.write_text(_CONFIG.format(agent=agent, folder=folder, output=text.format(url=url)))
        (folder / "feed").write_text(_FEED.format(folder=folder, lines=lines))
        process = stack.enter_context(telegraf(config))
        wait_until(lambda: children(process.pid), "Telegraf")
        time.sleep(1)
        used, begun = seconds_on_cpu(process), time.monotonic()
        (folder / "go").touch()
        wait_until((folder / "done").exists, "Telegraf to read the lines", _PATIENCE_S)
        took = _idle_since(process.pid) - begun
        used, memory = seconds_on_cpu(process) - used, mebibytes(process)
        assert "dropped" not in config.with_suffix(".log").read_text(), "Telegraf has dropped records"
    count = points.long[0] * points.long[1]
    return {"us": used / count * 1e6, "lines_s": count / took, "mib": memory, "lines": count}


def bridge(telegrams: int) -> Figures:
    """Let Telegraf pass telegrams from mosquitto to Kafka, with the configuration of docs/kafka.md."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_scratch())))
        (mqtt := folder / "mqtt").mkdir()
        broker, kafka = MosquittoTransport(stack, mqtt), KafkaTransport(stack, folder)
        config = folder / "telegraf.conf"
        text = pages.block("kafka.md", "toml")
        changes = {"tcp://127.0.0.1:1883": broker.target.rstrip("/"), "127.0.0.1:9092": kafka.target.split("/")[2]}
        for told, own in {**changes, **_MANY}.items():
            assert told in text
            text = text.replace(told, own)
        config.write_text(text)
        process = stack.enter_context(telegraf(config))
        time.sleep(_STARTED_S)
        publisher = Publisher(Plan(broker.target, 1000, 1, telegrams, 0, str(folder / "sent")))
        stack.callback(publisher.stop)
        used, begun = seconds_on_cpu(process), time.monotonic()
        publisher.begin()
        said, _ = publisher.end()
        wait_until(lambda: kafka.count() >= said["count"], "Kafka to have all", _PATIENCE_S)
        took, used = time.monotonic() - begun, seconds_on_cpu(process) - used
        return {
            "us": used / telegrams * 1e6,
            "lines_s": telegrams / took,
            "mib": mebibytes(process),
            "lines": telegrams,
        }


def load(name: str, points: Points) -> Figures:
    """Measure all loads of this module, each in its own database."""
    figures: Figures = {}
    with _environment(_SOON):
        for what in ("long", "wide", "every", "history"):
            figures |= {f"{what}_{key}": value for key, value in _loaded(name, what, points).items()}
    return figures | {"base_mib": figures["wide_base_mib"], "wide_each": points.wide[1]}


def _loaded(name: str, what: str, points: Points) -> Figures:
    lines = _lines(what, points).read_bytes().splitlines(keepends=True)
    with tempfile.TemporaryDirectory(dir=_scratch()) as there, _STORES[name](Path(there)) as store:
        disk, memory = bytes_on_disk(store.folder), resident_bytes(store.process)
        used, begun = seconds_on_cpu(store.process), time.monotonic()
        connection = HTTPConnection(store.url.removeprefix("http://"), timeout=60)
        for batch in _batches(lines):
            connection.request("POST", store.path, batch, {"Content-Encoding": "gzip", **store.headers})
            answer = connection.getresponse()
            assert answer.status < 300, answer.read()
            answer.read()
        took = time.monotonic() - begun
        disk = _settled(store) - disk
        used = seconds_on_cpu(store.process) - used
        return {
            "us": used / len(lines) * 1e6,
            "lines_s": len(lines) / took,
            "bytes": disk / len(lines),
            "mib": mebibytes(store.process),
            "base_mib": memory / 2**20,
            "memory_bytes": resident_bytes(store.process) - memory,
            "lines": len(lines),
        }


def _batches(lines: list[bytes]) -> Iterator[bytes]:
    """Yield the lines in batches, as Telegraf posts them."""
    for at in range(0, len(lines), _BATCH):
        yield gzip.compress(b"".join(lines[at : at + _BATCH]), 6)


def _settled(store: Store) -> int:
    """Wait until the files have not changed for a while; return their size."""
    time.sleep(1)
    end, since, before = time.monotonic() + _PATIENCE_S, time.monotonic(), -1
    if store.merge:
        send(f"{store.url}{store.merge}", b"")
    while time.monotonic() < min(end, since + _QUIET_S):
        if (size := bytes_on_disk(store.folder)) != before:
            since, before = time.monotonic(), size
        time.sleep(0.5)
    return before


def _idle_since(process: int) -> float:
    """Wait until a process is idle; return since when."""
    while True:
        since, used = time.monotonic(), seconds_on_cpu(process)
        time.sleep(2)
        if seconds_on_cpu(process) - used < 2 * _IDLE:
            return since


def _found(program: str, folder: Path) -> list[int]:
    """Find a database among our processes, by the folder on its command line."""
    found = []
    for process in children(os.getpid()):
        command = Path(f"/proc/{process}/cmdline").read_text()
        if str(folder) in command:
            found.append(process)
    assert found, program
    return found


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    """Add variables to the environment of the programs that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _scratch() -> Path:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    return _FOLDER


def _telegrams(what: str, points: Points) -> Iterator[bytes]:
    """Make the telegrams of a load, in chronological order."""
    if what == "wide":
        meters, each = points.wide
        crowd = Crowd(meters, 10)
        yield from map(crowd.telegram, range(meters * each))
        return
    meters, each = points.long if what == "long" else points.every
    step = 10 if what == "long" else _QUARTER_S
    houses = [Meter(seed=seed) for seed in range(1, meters + 1)]
    for turn in range(each):
        for house in houses:
            yield house.telegram(START + turn * step)


def _lines(what: str, points: Points) -> Path:
    """Return a file with the lines of a load; it is made once."""
    meters, each = getattr(points, "every" if what == "history" else what)
    path = _scratch() / f"{what}-{meters}-{each}"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=_scratch()) as folder:
            (telegrams := Path(folder) / "telegrams").write_bytes(b"".join(_telegrams(what, points)))
            history = ["--history", "15m"] if what == "history" else []
            made = subprocess.run([*PLUGIN, "decode", *history, str(telegrams)], check=True, capture_output=True).stdout
            wanted = b"p1_history," if history else b"p1,"
            kept = [line for line in made.splitlines(keepends=True) if line.startswith(wanted)]
            assert len(kept) == meters * each, f"{what}: {len(kept)} lines"
            (unfinished := Path(folder) / "lines").write_bytes(b"".join(kept))
            unfinished.rename(path)
    return path
