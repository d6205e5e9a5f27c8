"""The households in all three databases, written by the real Telegraf, and the dashboards in front of them."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.dashboards.dashboard import Database, Influx, Prometheus, Shown, View, load, panels, show, variables
from tests.dashboards.household import Household, households, others
from tests.dashboards.oracle import GAS_KWH, PRICES
from tests.helpers.databases import Influx as InfluxServer
from tests.helpers.databases import get, influxdb2, send, victoria_metrics
from tests.helpers.programs import PLUGIN, wait_until
from tests.helpers.telegraf import telegraf

# A database, and the dashboard that is for it.
STORES: Final = {"influxdb": "influxql", "influxdb2": "influxql", "victoria-metrics": "promql"}
# The household whose telegrams come over a network.
BRIDGED: Final = "warmth"
# Databases that tests write a few lines into: buckets have to be there.
SMALL: Final = ("thin", "thin/history", "years")
_SET: Final = {
    **{f"tariff_{n}": f"name {n}" for n in range(1, 5)},
    **{f"price_{n}": str(PRICES[f"t{n}"]) for n in range(1, 5)},
    **{f"price_{name}": str(PRICES[name]) for name in ("export", "gas", "water", "hot_water", "heat", "cooling")},
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

    def write(self, store: str, database: str, lines: list[str], policy: str = "") -> None:
        """Write lines into a database of a store, or into a retention policy of it other than the default one."""
        if store == "influxdb2":
            url, token = self.influxdb2
            bucket = f"{database}/{policy}" if policy else database
            call = f"{url}/api/v2/write?org=home&bucket={quote(bucket, safe='')}"
        else:
            url, token = (self.influxdb if store == "influxdb" else self.victoria_metrics), ""
            call = f"{url}/write?db={database}&rp={policy}"
            if store == "influxdb":
                wait_until(lambda: self._has_created(database, policy), f"the database {database}")
        send(call, "\n".join(lines).encode(), token)
        if store == "victoria-metrics":
            get(f"{url}/internal/force_flush")

    def _has_created(self, database: str, policy: str) -> bool:
        statements = f"CREATE DATABASE {database}"
        if policy:
            statements += f'; CREATE RETENTION POLICY "{policy}" ON {database} DURATION INF REPLICATION 1'
        send(f"{self.influxdb}/query?q={quote(statements)}", b"")
        return database in Influx(self.influxdb, database).options({"query": "SHOW DATABASES"})

    def show(
        self,
        store: str,
        household: str,
        now: float,
        since_s: float = 86400,
        titles: Collection[str] = (),
        kind: str = "",
        **more: Any,
    ) -> dict[str, Shown]:
        """Open a dashboard of a store at a time, with a range; a query that fails is an error.

        `titles` are the panels to ask for, as they stand in the JSON, or all; `more` are variables, and what View
        knows. The panels come by their titles with the variables in them.
        """
        dashboard, database = load(f"grafana-{STORES[store]}{kind}.json"), self.database(store, household)
        if titles:
            _keep_panels(dashboard, titles)
        looks = {name: more.pop(name) for name in ("relative", "pixels") if name in more}
        view = View(now, variables(dashboard, database) | _SET | more, since=f"now-{since_s:.0f}s", **looks)
        shown = show(dashboard, database, view)
        for one in shown.values():
            title = one.panel["title"]
            self.answered.setdefault(store, set()).update((title, letter) for letter in one.answered)
            if one.draws:
                self.drawn.setdefault(store, set()).add(title)
        return shown


def _keep_panels(dashboard: dict[str, Any], titles: Collection[str]) -> None:
    there = {panel["title"] for panel in panels(dashboard)}
    assert there >= set(titles), set(titles) - there
    for row in dashboard["panels"]:
        row["panels"] = [panel for panel in row.get("panels", []) if panel["title"] in titles]
    kept = [one for one in dashboard["panels"] if one["type"] == "row" or one["title"] in titles]
    dashboard["panels"] = kept


@contextmanager
def stored_households(folder: Path) -> Iterator[Stored]:
    """Run all of them, and feed them; it takes minutes."""
    homes = households()
    with ExitStack() as running:
        influx = InfluxServer(folder)
        influx.start()
        running.callback(influx.stop)
        (folder / "influxdb2").mkdir()
        second = running.enter_context(influxdb2(folder / "influxdb2", *(home.name for home in homes), *SMALL))
        victoria = running.enter_context(victoria_metrics(folder, "-retentionPeriod=10y"))
        counted = partial(influx.query, "SELECT last(bytes) FROM p1_stats", BRIDGED)
        wires: dict[str, Fifo | Bridge] = {
            home.name: Fifo(folder / home.name) for home in homes if home.name != BRIDGED
        }
        wires |= {BRIDGED: Bridge(running, counted)}
        config = folder / "telegraf.conf"
        commands = [(home.name, [wires[home.name].source, *_options(home)]) for home in homes]
        config.write_text(_config(dict(commands), influx.url, second, victoria))
        running.enter_context(telegraf(config))
        threads = [threading.Thread(target=wires[home.name].feed, args=(home,)) for home in homes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
        found = Stored(influx.url, second, victoria, {home.name: home for home in homes}, time.time())
        for name in [home.name for home in homes if home.others]:
            for store in STORES:
                found.write(store, name, [*others()])
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


def _config(commands: dict[str, list[str]], influxdb: str, second: tuple[str, str], victoria: str) -> str:
    inputs = [
        "[[inputs.execd]]\n"
        f"  command = {json.dumps([*PLUGIN, 'run', *command])}\n"
        '  signal = "none"\n'
        '  data_format = "influx"\n'
        f'  tags = {{ home = "{name}" }}\n'
        for name, command in commands.items()
    ]
    agent = '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n  metric_batch_size = 5000\n'
    outputs = _OUTPUTS.format(influxdb=influxdb, victoria=victoria, influxdb2=second[0], token=second[1])
    return f"{agent}  metric_buffer_limit = 1000000\n{''.join(inputs)}{outputs}"


def _options(home: Household) -> list[str]:
    stats = ["--stats", "1s"]
    some = {"netherlands": stats, BRIDGED: stats, "lithuania": ["--timezone", "Europe/Vilnius"]}
    return [*some.get(home.name, []), *(["--history", "15m"] if home.history else [])]


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
