"""What Grafana does with a dashboard's JSON: variables, time ranges, queries, transformations.

Ranges, intervals and transformations are computed by Grafana's own library (`grafana/grafana.cjs`).
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.helpers.databases import get
from tests.helpers.programs import component
from tests.helpers.telegrams import ROOT

FOLDER: Final = ROOT / "dashboards"
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::([\w:]+))?\}|\$(\w+)")
_PIXELS: Final = 1000  # of a panel, which are the points that Grafana asks for
_SCRAPE_S: Final = 15  # what Grafana takes for the interval of a Prometheus, unless told

Frame = dict[str, Any]
Json = dict[str, Any]


def grafana(zone: str, calls: list[Json]) -> list[Any]:
    """Let Grafana's library answer calls; they are explained in grafana/grafana.cjs."""
    environment = os.environ | {"NODE_PATH": str(Path(component("grafana")) / "node_modules")}
    node = shutil.which("node")
    assert node, "Grafana's library needs node"
    done = subprocess.run(
        [node, str(Path(__file__).parent / "grafana" / "grafana.cjs")],
        input=json.dumps({"calls": calls}).encode(),
        env=environment | {"TZ": zone},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def load(name: str) -> Json:
    dashboard: Json = json.loads((FOLDER / name).read_text())
    return dashboard


def panels(dashboard: Json) -> list[Json]:
    """Give all panels, those in collapsed rows too."""
    inside = [panel for row in dashboard["panels"] for panel in row.get("panels", [])]
    return [panel for panel in [*dashboard["panels"], *inside] if panel["type"] != "row"]


@dataclass
class View:
    """A dashboard as somebody looks at it: at a time (s), in a zone, with variables set."""

    now: float
    variables: dict[str, str | list[str]]
    zone: str = "Europe/Amsterdam"
    since: str = "now-24h"
    relative: bool = True  # with two dates as the range, panels have no ranges of their own
    pixels: int = _PIXELS


@dataclass
class Shown:
    """A panel's range (s), step and what it draws."""

    panel: Json
    start: float
    end: float
    step: float
    queries: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)  # the letters of the queries that gave values
    frames: list[Frame] = field(default_factory=list)

    @property
    def draws(self) -> bool:
        return _has_values(self.frames)

    def fill(self, text: str, view: View) -> str:
        """Put the variables in."""
        milliseconds = {"from": round(self.start * 1000), "to": round(self.end * 1000)}
        known = {
            "timeFilter": f"time >= {milliseconds['from']}ms and time <= {milliseconds['to']}ms",
            "__interval": f"{self.step:.0f}s",
            "__interval_ms": f"{self.step * 1000:.0f}",
            "__rate_interval": f"{max(self.step + _SCRAPE_S, 4 * _SCRAPE_S):.0f}s",
            "__range": f"{self.end - self.start:.0f}s",
            "__range_s": f"{self.end - self.start:.0f}",
            "__from": f"{milliseconds['from']}",
            "__to": f"{milliseconds['to']}",
            "__from:date:seconds": f"{milliseconds['from'] // 1000}",
        }

        def value(match: re.Match[str]) -> str:
            name = ":".join(part for part in match.groups() if part)
            chosen = known.get(name) or view.variables[name]
            return chosen if isinstance(chosen, str) else f"({'|'.join(chosen)})"

        return _VARIABLE.sub(value, text)


def _has_values(frames: list[Frame]) -> bool:
    values = [one["values"] for frame in frames for one in frame["fields"][1:]]
    return any(value is not None for column in values for value in column)


class Influx:
    """An InfluxDB behind Grafana."""

    def __init__(self, url: str, database: str, token: str = "") -> None:
        self._url, self._database, self._token = url, database, token

    def _series(self, query: str) -> list[Json]:
        answer = json.loads(get(f"{self._url}/query", self._token, db=self._database, epoch="ms", q=query))
        (result,) = answer["results"]
        assert "error" not in result, (query, result)
        series: list[Json] = result.get("series", [])
        return series

    def frames(self, target: Json, query: str, shown: Shown) -> list[Frame]:
        del shown
        series = self._series(query)
        if target["resultFormat"] == "table":
            return [_table(series)] if series else []
        return [
            _frame(target["alias"] or f"{one['name']}.{column}", one["values"], index)
            for one in series
            for index, column in enumerate(one["columns"][1:], 1)
        ]

    def options(self, variable: Json) -> list[str]:
        """Give a query variable's options; of SHOW TAG VALUES Grafana takes the second column."""
        rows = [row for one in self._series(variable["query"]) for row in one["values"]]
        return [row[1] if "TAG VALUES" in variable["query"] else row[0] for row in rows]


def _table(series: list[Json]) -> Frame:
    tags = sorted(series[0].get("tags", {}))
    columns = ["Time", *tags, *series[0]["columns"][1:]]
    rows = [[row[0], *(one["tags"][tag] for tag in tags), *row[1:]] for one in series for row in one["values"]]
    kinds = {"Time": "time", **dict.fromkeys([*tags, "Message"], "string")}
    return {
        "fields": [
            {"name": name, "type": kinds.get(name, "number"), "values": [row[index] for row in rows]}
            for index, name in enumerate(columns)
        ]
    }


def _frame(name: str, rows: list[Any], value: int) -> Frame:
    return {
        "name": name,
        "fields": [
            {"name": "Time", "type": "time", "values": [row[0] for row in rows]},
            {
                "name": "Value",
                "type": "number",
                "values": [row[value] for row in rows],
                "config": {"displayNameFromDS": name},
            },
        ],
    }


class Prometheus:
    """A VictoriaMetrics, or a Prometheus, behind Grafana."""

    def __init__(self, url: str, database: str) -> None:
        self._url = url
        # VictoriaMetrics keeps the databases that Telegraf writes to apart by this label.
        self._only = {"extra_label": f"db={database}", "nocache": "1"}

    def frames(self, target: Json, query: str, shown: Shown) -> list[Frame]:
        if target.get("range"):
            start, end = (edge // shown.step * shown.step for edge in (shown.start, shown.end))
            times = {"start": f"{start:.0f}", "end": f"{end:.0f}", "step": f"{shown.step:.0f}"}
        else:
            times = {"time": f"{shown.end:.3f}"}
        call = "query_range" if target.get("range") else "query"
        answer = json.loads(get(f"{self._url}/api/v1/{call}", "", query=query, **times, **self._only))
        result = answer["data"]["result"]
        if target.get("format") == "table":
            return [self._table(result)] if result else []
        return [self._series(one, target["legendFormat"]) for one in result]

    @staticmethod
    def _series(one: Json, legend: str) -> Frame:
        name = re.sub(r"\{\{(\w+)\}\}", lambda match: str(one["metric"].get(match[1], "")), legend)
        points = one.get("values") or [one["value"]]
        return _frame(name, [(float(time) * 1000, float(value)) for time, value in points], 1)

    @staticmethod
    def _table(result: list[Json]) -> Frame:
        labels = sorted({label for one in result for label in one["metric"]})
        fields: list[Json] = [
            {"name": name, "type": "string", "values": [one["metric"].get(name, "") for one in result]}
            for name in labels
        ]
        fields.append({"name": "Value", "type": "number", "values": [float(one["value"][1]) for one in result]})
        return {"fields": fields}

    def options(self, variable: Json) -> list[str]:
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
        answer = json.loads(get(f"{self._url}/api/v1/label/{label}/values", "", **{"match[]": selector}, **self._only))
        values: list[str] = answer["data"]
        return values


Database = Influx | Prometheus


def variables(dashboard: Json, database: Database) -> dict[str, str | list[str]]:
    """Give the variables as they stand when the dashboard is opened for the first time."""
    chosen: dict[str, str | list[str]] = {}
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "textbox":
            chosen[variable["name"]] = variable["query"]
        elif variable.get("includeAll"):
            chosen[variable["name"]] = variable["allValue"]
        elif variable["type"] == "query":
            matches = {m[1] for o in database.options(variable) if (m := re.search(variable["regex"].strip("/"), o))}
            descending = variable["sort"] == 2
            chosen[variable["name"]] = next(iter(sorted(matches, reverse=descending)), "")
    return chosen


def show(dashboard: Json, database: Database, view: View) -> dict[str, Shown]:
    """Ask for all panels; give them by their titles."""
    shown = list(_ranges(panels(dashboard), view))
    for one in shown:
        for target in one.panel["targets"]:
            query = one.fill(target.get("query") or target.get("expr"), view)
            one.queries[target["refId"]] = query
            frames = database.frames(target, query, one)
            one.frames += frames
            if _has_values(frames):
                one.answered.add(target["refId"])
    calls = [{"transformations": one.panel.get("transformations", []), "frames": one.frames} for one in shown]
    for one, frames in zip(shown, grafana(view.zone, calls), strict=True):
        one.frames = frames
    return {one.panel["title"]: one for one in shown}


def _ranges(all_panels: list[Json], view: View) -> Iterator[Shown]:
    calls = [
        {
            "range": panel.get("timeFrom", view.since) if view.relative else view.since,
            "now": round(view.now * 1000),
            "points": panel.get("maxDataPoints", view.pixels),
            "lowest": panel.get("interval", "1ms"),
        }
        for panel in all_panels
    ]
    for panel, (start, end, step) in zip(all_panels, grafana(view.zone, calls), strict=True):
        yield Shown(panel, start / 1000, end / 1000, step / 1000)
