"""How long the queries of each panel of a dashboard take in InfluxDB 1, with one telegram per second stored.

python -m benchmarks.dashboards [--days 365] [--dashboard FILE] [--since now-24h]

*Before* is with all telegrams only, *after* with the small measurement `p1_history` too, if the dashboard uses it.
*First* is the first time after the start of influxd, with its files in the system's cache. The other figure is the
median of three more runs, or one more run if it takes over ten seconds. The times of a panel's queries are added.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

from benchmarks.year import DATABASE, loaded
from tests.dashboards.dashboard import FOLDER, Frame, Influx, Shown, View, show_sections, variables
from tests.dashboards.living import NOW
from tests.dashboards.templating import Json

# The values of variables that select the history: with it, and without.
_WITHOUT: Final = {"p1_history": "p1", "_history": ""}
_LONG_S: Final = 10
_TIMEOUT_S: Final = 600

Times = dict[str, tuple[float, float]]  # by panel: the first time, and the median of the others


class Timed(Influx):
    """An InfluxDB that gets each query several times; `panels` has the times of each panel in s."""

    def __init__(self, url: str) -> None:
        super().__init__(url, DATABASE)
        self.panels: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self.ranges: dict[str, float] = {}
        self._panel = "(variables)"

    def frames(self, target: Json, query: str, shown: Shown) -> list[Frame]:
        """Run a query of a panel."""
        self._panel = f"{shown.row}: {shown.title}" if shown.row else shown.title
        self.ranges[self._panel] = shown.end - shown.start
        return super().frames(target, query, shown)

    def _series(self, query: str) -> list[Json]:
        first, answer = self._ask(query)
        others = [self._ask(query)[0] for _ in range(3 if first < _LONG_S else 1)]
        self.panels[self._panel].append((first, median(others)))
        (result,) = json.loads(answer)["results"]
        assert "error" not in result, (query, result)
        series: list[Json] = result.get("series", [])
        return series

    def _ask(self, query: str) -> tuple[float, bytes]:
        begun = time.perf_counter()
        parameters = urlencode({"db": self._database, "epoch": "ms", "q": query})
        with urlopen(f"{self._url}/query?{parameters}", timeout=_TIMEOUT_S) as page:  # noqa: S310
            answer: bytes = page.read()
        return time.perf_counter() - begun, answer

    def times(self) -> Times:
        """Return the times of the panels."""
        return {panel: (sum(a for a, _ in all_), sum(b for _, b in all_)) for panel, all_ in self.panels.items()}


def measure(dashboard: Json, days: int, since: str, *, history: bool) -> Timed | None:
    """Open a dashboard with the history or without it; None if no variable of it selects the history."""
    with loaded(days) as influx:
        timed = Timed(influx.url)
        chosen = variables(dashboard, timed)
        without = {
            name: _WITHOUT[value] for name, value in chosen.items() if isinstance(value, str) and value in _WITHOUT
        }
        if history and not without:
            return None
        chosen |= {} if history else without
        show_sections(dashboard, timed, View(NOW, chosen, since=since))
    return timed


def table(before: Timed, after: Timed | None) -> list[str]:
    """Return both in columns, in the order of the panels, with their sums."""
    columns = [timed.times() for timed in (before, after) if timed]
    for one in columns:
        one["all"] = sum(first for first, _ in one.values()), sum(then for _, then in one.values())
    head = f"{'panel':60}{'range':>8}{'before: first':>15}{'then':>8}"
    lines = [head + (f"{'after: first':>15}{'then':>8}" if after else "")]
    for panel in columns[0]:
        pairs = [one.get(panel) for one in columns]
        figures = "".join(f"{pair[0]:>15.3f}{pair[1]:>8.3f}" if pair else f"{'':23}" for pair in pairs)
        lines.append(f"{panel[:59]:60}{_span(before.ranges.get(panel, 0)):>8}{figures}")
    return lines


def _span(seconds: float) -> str:
    if not seconds:
        return ""
    return f"{seconds / 86400:.0f} d" if seconds >= 2 * 86400 else f"{seconds / 3600:.1f} h"


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--dashboard", type=Path, default=FOLDER / "grafana-influxql.json")
    parser.add_argument("--since", default="now-24h")
    options = parser.parse_args()
    dashboard: Json = json.loads(options.dashboard.read_text())
    before = measure(dashboard, options.days, options.since, history=False)
    after = measure(dashboard, options.days, options.since, history=True)
    assert before
    print("\n".join(table(before, after)))


if __name__ == "__main__":
    main()
