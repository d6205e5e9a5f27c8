"""The telegrams of a house for many days, one per second, in an InfluxDB 1, for `benchmarks.dashboards`.

Phases are stored for the last 35 days only: no panel reads a year of them, and other fields do not slow down a query.
"""

import os
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Final

from benchmarks.results import ROOT
from telegraf_p1.simulator.meter import Meter
from tests.dashboards.living import NOW
from tests.helpers.databases import Influx, send

DATABASE: Final = "p1"
_DAY_S, _QUARTER_S = 86400, 900
_PHASES_DAYS: Final = 35
_BATCH: Final = 20_000
_METER: Final = "E0047010000000011"
_SERIES: Final = f"p1,meter={_METER} "
_HISTORY: Final = f"p1_history,meter={_METER} "
_REGISTERS: Final = ("energy_import_t1", "energy_import_t2", "energy_export_t1", "energy_export_t2")
_COUNTERS: Final = "".join(f"{register}_kwh=%.3f," for register in _REGISTERS) + "gas_m3=%.3f"
_POWERS: Final = ',identification="TST5\\2SIM-5000",tariff=%di,power_import_kw=%.3f,power_export_kw=%.3f'
_OF_PHASES: Final = "".join(
    f",voltage_l{n}_v=%.1f,current_l{n}_a=%d,power_import_l{n}_kw=%.3f,power_export_l{n}_kw=%.3f" for n in (1, 2, 3)
)


@contextmanager
def loaded(days: int) -> Iterator[Influx]:
    """Run an influxd with the last `days` until NOW; the data are loaded once and kept in build/bench-dashboards."""
    folder = ROOT / "build" / "bench-dashboards" / f"{days}-days"
    folder.mkdir(parents=True, exist_ok=True)
    # Old shards are compacted soon, as in a database that has grown for a year.
    os.environ["INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION"] = "20s"
    os.environ["INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION"] = "10s"
    influx = Influx(folder)
    influx.start()
    try:
        if not (folder / "is-loaded").exists():
            _load(influx, days)
            _wait_for_compaction(folder)
            (folder / "is-loaded").touch()
        yield influx
    finally:
        influx.stop()


def _load(influx: Influx, days: int) -> None:
    begun = time.monotonic()
    send(f"{influx.url}/query?q=DROP+DATABASE+{DATABASE}", b"")
    send(f"{influx.url}/query?q=CREATE+DATABASE+{DATABASE}", b"")
    batches: Queue[bytes] = Queue(4)
    sender = Thread(target=_send, args=(influx, batches))
    sender.start()
    lines, written = _lines(NOW - days * _DAY_S), 0
    while batch := list(islice(lines, _BATCH)):
        batches.put("\n".join(batch).encode())
        written += len(batch)
        if written % (50 * _BATCH) == 0:
            took = time.monotonic() - begun
            print(f"{written:,} points in {took:.0f} s", flush=True)
    batches.put(b"")
    sender.join()
    print(f"{written:,} points in {time.monotonic() - begun:.0f} s", flush=True)


def _send(influx: Influx, batches: "Queue[bytes]") -> None:
    """Write batches until an empty one comes; retry while the cache has no room."""
    while batch := batches.get():
        for _ in range(300):
            try:
                send(f"{influx.url}/write?db={DATABASE}&precision=s", batch)
                break
            except (urllib.error.HTTPError, TimeoutError):
                time.sleep(1)
        else:
            raise TimeoutError("influxd takes no lines")


def _lines(begin: int) -> Iterator[str]:
    meter, usual, with_phases = Meter(), _SERIES + _COUNTERS + _POWERS, _SERIES + _COUNTERS + _POWERS + _OF_PHASES
    gas = 0.0
    for now in range(begin, NOW + 1):
        meter.live(now)
        if now % 300 == 0 or not gas:
            gas = meter.gas_l(now) / 1000
        counters = (*(ws // 3600 / 1000 for ws in (*meter.import_ws, *meter.export_ws)), gas)
        net = meter.net_w() / 1000
        powers = (meter.tariff, net, 0) if net > 0 else (meter.tariff, 0, -net)
        if now % _QUARTER_S == 0:
            yield f"{_HISTORY}{_COUNTERS % counters} {now}"
        if now < NOW - _PHASES_DAYS * _DAY_S:
            yield f"{usual % (counters + powers)} {now}"
            continue
        phases: tuple[float, ...] = ()
        for watt, dv in zip(meter.power_w, meter.voltage_dv, strict=True):
            phases += (dv / 10, abs(watt) * 10 // dv, max(0, watt) / 1000, max(0, -watt) / 1000)
        yield f"{with_phases % (counters + powers + phases)} {now}"


def _wait_for_compaction(folder: Path) -> None:
    """Wait until nothing was compacted for a minute, or ten minutes are over."""
    end, quiet_since, before = time.monotonic() + 600, time.monotonic(), None
    while time.monotonic() < min(end, quiet_since + 60):
        files = sorted((path.name, path.stat().st_size) for path in folder.glob("data/p1/*/*/*.tsm*") if path.exists())
        if files != before:
            quiet_since, before = time.monotonic(), files
        time.sleep(1)
