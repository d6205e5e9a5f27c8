"""Houses to look at: what a simulated meter sends in a month, in an InfluxDB and in a VictoriaMetrics."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

from telegraf_p1 import lineproto
from telegraf_p1.decode import Memory, decode
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.dashboards.dashboard import Influx, Prometheus, load
from tests.dashboards.household import local
from tests.helpers.databases import Influx as InfluxServer
from tests.helpers.databases import send, victoria_metrics
from tests.pictures.pictures import House

_NOW: Final = local("2026-04-12 18:20")
_DAY_S: Final = 86400


@contextmanager
def houses(folder: Path) -> Iterator[list[House]]:
    """Run the databases, fill them, and give the houses with what somebody looks at them with."""
    with ExitStack() as running:
        influx = InfluxServer(folder)
        influx.start()
        running.callback(influx.stop)
        victoria = running.enter_context(victoria_metrics(folder, "-retentionPeriod=10y"))
        lines = _lines("nl-5.0", _NOW)
        send(f"{influx.url}/query?q=CREATE+DATABASE+p1", b"")
        for url in (influx.url, victoria):
            for first in range(0, len(lines), 5000):
                send(f"{url}/write?db=p1", "\n".join(lines[first : first + 5000]).encode())
        yield [
            House("influxql", load("grafana-influxql.json"), Influx(influx.url, "p1"), _NOW, {}),
            House("promql", load("grafana-promql.json"), Prometheus(victoria, "p1"), _NOW, {}),
        ]


def _lines(form: str, now: int) -> list[str]:
    """Give a month of quarter hours, and its last day at ten seconds."""
    meter, memory = Meter(form), Memory(Zone())
    times = chain(range(now - 31 * _DAY_S, now - _DAY_S, 900), range(now - _DAY_S, now + 1, 10))
    telegrams = ((time, meter.telegram(time).strip()) for time in times)
    return [lineproto.line(decode(parse(telegram), time * 10**9, memory)) for time, telegram in telegrams]
