"""The households in all three databases, written by the real Telegraf, and the dashboards in front of them."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tests.dashboards.dashboard import Database, Influx, Prometheus, Shown, View, load, show, variables
from tests.dashboards.household import Household, households
from tests.dashboards.oracle import GAS_KWH, PRICES
from tests.helpers.databases import Influx as InfluxServer
from tests.helpers.databases import influxdb2, send, victoria_metrics
from tests.helpers.programs import PLUGIN, wait_until
from tests.helpers.telegraf import telegraf

# A database, and the dashboard that is for it.
STORES: Final = {"influxdb": "influxql", "influxdb2": "influxql", "victoria-metrics": "promql"}
# The household whose telegrams come over a network.
BRIDGED: Final = "warmth"
_SET: Final = {
    **{f"tariff_{n}": f"name {n}" for n in range(1, 5)},
    **{f"price_{n}": str(PRICES[f"t{n}"]) for n in range(1, 5)},
    "price_export": str(PRICES["export"]),
    "price_gas": str(PRICES["gas"]),
    "gas_kwh": str(GAS_KWH),
}


@dataclass
class Stored:
    """The databases with the households in them, and what has been shown of the panels so far."""

    influxdb: str
    influxdb2: tuple[str, str]
    victoria_metrics: str
    households: dict[str, Household]
    fed: float
    drawn: dict[str, set[str]] = field(default_factory=dict)  # panels, by store
    answered: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # panels and letters of queries, by store

    def database(self, store: str, household: str) -> Database:
        if store == "influxdb":
            return Influx(self.influxdb, household)
        if store == "influxdb2":
            url, token = self.influxdb2
            return Influx(url, household, token)
        return Prometheus(self.victoria_metrics, household)

    def write(self, store: str, database: str, lines: list[str]) -> None:
        """Write lines into a database of a store."""
        if store == "influxdb2":
            url, token = self.influxdb2
            call = f"{url}/api/v2/write?org=home&bucket={database}"
        else:
            url, token = (self.influxdb if store == "influxdb" else self.victoria_metrics), ""
            call = f"{url}/write?db={database}"
            if store == "influxdb":
                send(f"{url}/query?q=CREATE+DATABASE+{database}", b"")
        send(call, "\n".join(lines).encode(), token)

    def show(self, store: str, household: str, now: float, since_s: float = 86400, **more: Any) -> dict[str, Shown]:
        """Open the dashboard of a store at a time, with a range; a query that fails is an error.

        `more` are variables, and what View knows.
        """
        dashboard, database = load(f"grafana-{STORES[store]}.json"), self.database(store, household)
        looks = {name: more.pop(name) for name in ("relative", "pixels") if name in more}
        view = View(now, variables(dashboard, database) | _SET | more, since=f"now-{since_s:.0f}s", **looks)
        shown = show(dashboard, database, view)
        self.drawn.setdefault(store, set()).update(title for title, one in shown.items() if one.draws)
        answered = {(title, letter) for title, one in shown.items() for letter in one.answered}
        self.answered.setdefault(store, set()).update(answered)
        return shown


@contextmanager
def stored_households(folder: Path) -> Iterator[Stored]:
    """Run all of them, and feed them; it takes minutes."""
    homes = households()
    with ExitStack() as running:
        influx = InfluxServer(folder)
        influx.start()
        running.callback(influx.stop)
        (folder / "influxdb2").mkdir()
        second = running.enter_context(influxdb2(folder / "influxdb2", *(home.name for home in homes)))
        victoria = running.enter_context(victoria_metrics(folder, "-retentionPeriod=10y"))
        counted = partial(influx.query, "SELECT last(bytes) FROM p1_stats", BRIDGED)
        wires: dict[str, Fifo | Bridge] = {
            home.name: Fifo(folder / home.name) for home in homes if home.name != BRIDGED
        }
        wires |= {BRIDGED: Bridge(running, counted)}
        config = folder / "telegraf.conf"
        config.write_text(_config({name: wire.source for name, wire in wires.items()}, influx.url, second, victoria))
        running.enter_context(telegraf(config))
        threads = [threading.Thread(target=wires[home.name].feed, args=(home,)) for home in homes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
        found = Stored(influx.url, second, victoria, {home.name: home for home in homes}, time.time())
        wait_until(lambda: _everything_is_stored(found), "the last telegrams in all databases", 300)
        yield found


_OUTPUTS = """
[[outputs.influxdb]]
  urls = ["{influxdb}"]
  database_tag = "home"
  exclude_database_tag = true
[[outputs.influxdb]]
  urls = ["{victoria}"]
  skip_database_creation = true
  database_tag = "home"
  exclude_database_tag = true
  fieldexclude = ["identification", "message*", "*_id", "*_version"]
[[outputs.influxdb_v2]]
  urls = ["{influxdb2}"]
  token = "{token}"
  organization = "home"
  bucket_tag = "home"
  exclude_bucket_tag = true
"""


def _config(sources: dict[str, str], influxdb: str, second: tuple[str, str], victoria: str) -> str:
    inputs = [
        "[[inputs.execd]]\n"
        f"  command = {json.dumps([*PLUGIN, 'run', source, *_options(name)])}\n"
        '  signal = "none"\n'
        '  data_format = "influx"\n'
        f'  tags = {{ home = "{name}" }}\n'
        for name, source in sources.items()
    ]
    agent = '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n  metric_batch_size = 5000\n'
    outputs = _OUTPUTS.format(influxdb=influxdb, victoria=victoria, influxdb2=second[0], token=second[1])
    return f"{agent}  metric_buffer_limit = 1000000\n{''.join(inputs)}{outputs}"


def _options(name: str) -> list[str]:
    stats = ["--stats", "1s"]
    return {"netherlands": stats, BRIDGED: stats, "lithuania": ["--timezone", "Europe/Vilnius"]}.get(name, [])


class Fifo:
    """A file that the plugin reads while it is written."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self.source = f"file:{path}"

    def feed(self, home: Household) -> None:
        with self._path.open("wb") as wire:
            for telegram in home.telegrams():
                wire.write(telegram)


class Bridge:
    """A TCP bridge that loses its connection once, when the plugin has begun to count such things."""

    def __init__(self, running: ExitStack, counted: Callable[[], object]) -> None:
        self._running, self._counted = running, counted
        self._listener = running.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.source = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}?timeout=3600"

    def feed(self, home: Household) -> None:
        telegrams = home.telegrams()
        with self._listener.accept()[0] as wire:
            wire.sendall(b"".join(islice(telegrams, 1000)))
            wait_until(self._counted, "statistics", 60)
        wire = self._running.enter_context(self._listener.accept()[0])
        for telegram in telegrams:
            wire.sendall(telegram)


def _everything_is_stored(stored: Stored) -> bool:
    return all(
        _is_stored(stored.database(store, name), home) for name, home in stored.households.items() for store in STORES
    )


def _is_stored(database: Database, home: Household) -> bool:
    """Whether the last telegram of a household is in a database."""
    panel = {"timeFrom": "", "targets": []}
    if isinstance(database, Influx):
        target, query = {"resultFormat": "table"}, 'SELECT count("identification") FROM "p1" WHERE $timeFilter'
    else:
        target, query = {"format": "table"}, 'count(count_over_time({__name__=~"p1_power_import_kw|p1_heat_gj"}[1s]))'
    last = home.logs[-1].times[-1]
    view = View(last, {})
    shown = Shown(panel, last, last, 1)
    return database.frames(target, shown.fill(query, view), shown) != []
