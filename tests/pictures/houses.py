"""Houses to look at: those of tests/dashboards/living.py, in an InfluxDB, and the Dutch one in a VictoriaMetrics too.

They are filled once, a minute, and kept until the simulator changes.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.dashboards import living
from tests.dashboards.dashboard import Database, Influx, Prometheus, load
from tests.helpers.databases import Influx as InfluxServer
from tests.helpers.databases import victoria_metrics
from tests.helpers.telegrams import PACKAGE
from tests.pictures.pictures import House

_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "telegraf_p1"
_SIMULATOR: Final = PACKAGE / "simulator"
# Which dashboards are drawn of which homes: the name of the picture, the home, the store, the dashboard.
_DRAWN: Final = (
    ("netherlands", "netherlands", "influxql", "grafana-influxql.json"),
    ("belgium", "belgium", "influxql", "grafana-influxql.json"),
    ("germany", "germany", "influxql", "grafana-influxql.json"),
    ("warmth", "warmth", "influxql", "grafana-influxql-heat.json"),
    ("netherlands-promql", "netherlands", "promql", "grafana-promql.json"),
)
NAMES: Final = tuple(name for name, *_ in _DRAWN)


@contextmanager
def houses() -> Iterator[list[House]]:
    """Run the databases, fill them if they are new, and give the houses with the dashboards that are for them."""
    folder = _folder()
    with ExitStack() as running:
        influx = InfluxServer(folder / "influxdb")
        influx.start()
        running.callback(influx.stop)
        victoria = running.enter_context(victoria_metrics(folder / "victoria-metrics", "-retentionPeriod=10y"))
        if not (folder / "filled").exists():
            with ProcessPoolExecutor() as pool:
                done = [pool.submit(_fill, home, influx.url, victoria) for home in living.HOMES]
                for one in done:
                    one.result()
            (folder / "filled").touch()
        yield [
            House(name, load(dashboard), _database(store, influx.url, victoria, home), living.NOW, {})
            for name, home, store, dashboard in _DRAWN
        ]


def _folder() -> Path:
    """Give the databases' folder; its name tells what they were filled by. One that was left half filled goes."""
    sources = [*sorted(_SIMULATOR.rglob("*.py")), Path(living.__file__)]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    folder = _CACHE / f"houses-{digest}"
    if not (folder / "filled").exists():
        shutil.rmtree(folder, ignore_errors=True)
    for part in ("influxdb", "victoria-metrics"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return folder


def _fill(home: living.Home, influx: str, victoria: str) -> None:
    living.fill(home, [living.influxdb(influx, home), living.victoria_metrics(victoria, home)])


def _database(store: str, influx: str, victoria: str, home: str) -> Database:
    return Influx(influx, home) if store == "influxql" else Prometheus(victoria, home)
