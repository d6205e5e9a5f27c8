"""What Grafana does with a dashboard's JSON: variables, time ranges, queries, transformations.

Ranges, intervals and transformations are computed by Grafana's own library (`grafana/grafana.cjs`).
"""

import atexit
import json
import os
import re
import select
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.dashboards.templating import Choice, Json, Value, choices, put_in, written
from tests.helpers.databases import get
from tests.helpers.programs import component
from tests.helpers.telegrams import ROOT

FOLDER: Final = ROOT / "dashboards"
_PIXELS: Final = 1000  # of a panel, which are the points that Grafana asks for
_SCRAPE_S: Final = 15  # what Grafana takes for the interval of a Prometheus, unless told

# What an InfluxDB's data source itself puts into an alias.
_ALIAS: Final = re.compile(r"\$tag_(\w+)|\$(col|m|measurement)\b")

Frame = dict[str, Any]


def grafana(zone: str, calls: list[Json]) -> list[Any]:
    """Let Grafana's library answer calls; they are explained in grafana/grafana.cjs."""
    node = _library(zone)
    assert node.stdin
    assert node.stdout
    node.stdin.write(json.dumps({"calls": calls}).encode() + b"\n")
    node.stdin.flush()
    assert select.select([node.stdout], [], [], 120)[0], "Grafana's library does not answer"
    answers: list[Any] = json.loads(node.stdout.readline())
    return answers


@cache
def _library(zone: str) -> subprocess.Popen[bytes]:
    """Start Grafana's library in a zone; it takes half a second, and stays until Python ends."""
    environment = os.environ | {"NODE_PATH": str(Path(component("grafana")) / "node_modules")}
    program = shutil.which("node")
    assert program, "Grafana's library needs node"
    running = subprocess.Popen(
        [program, str(Path(__file__).parent / "grafana" / "grafana.cjs")],
        env=environment | {"TZ": zone},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(_end, running)
    return running


def _end(running: subprocess.Popen[bytes]) -> None:
    running.kill()
    running.communicate()


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
    variables: Mapping[str, Value]
    zone: str = "Europe/Amsterdam"
    since: str = "now-24h"
    relative: bool = True  # with two dates as the range, panels have no ranges of their own
    pixels: int = _PIXELS
    choices: Mapping[str, Choice] = field(default_factory=dict)  # of the variables, for what people read of them


@dataclass
class Section:
    """A row (none: what stands above the first one), its panels, and what its variables are here."""

    row: Json | None
    panels: list[Json]
    scoped: dict[str, str] = field(default_factory=dict)


@dataclass
class Shown:
    """A panel's range (s), step, what the store answered and what is drawn of it."""

    panel: Json
    start: float
    end: float
    step: float
    title: str = ""
    row: str = ""  # its title
    scoped: dict[str, str] = field(default_factory=dict)  # variables of a repeated row
    queries: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)  # the letters of the queries that gave values
    answers: list[Frame] = field(default_factory=list)  # before the transformations
    frames: list[Frame] = field(default_factory=list)

    @property
    def draws(self) -> bool:
        return _has_values(self.frames)

    def fill(self, text: str, view: View) -> str:
        """Put the variables into a query; one that is not known is an error."""
        return put_in(text, {**view.variables, **self.scoped, **self._built_in(view)}, self._texts(view))

    def label(self, text: str, view: View, form: str = "glob") -> str:
        """Put the variables into a title, an alias or an option; one that is not known stays."""
        known = {**view.variables, **self.scoped, **self._built_in(view)}
        return put_in(text, known, self._texts(view), form, strict=False)

    def labelled(self, part: Any, view: View) -> Any:
        """Put the variables into all texts of a part of a panel."""
        if isinstance(part, str):
            return self.label(part, view)
        if isinstance(part, list):
            return [self.labelled(each, view) for each in part]
        return {name: self.labelled(each, view) for name, each in part.items()} if isinstance(part, dict) else part

    def _texts(self, view: View) -> dict[str, str]:
        values = {**view.variables, **self.scoped}
        return {name: written(choice, values[name]) for name, choice in view.choices.items()}

    def _built_in(self, view: View) -> dict[str, str]:
        milliseconds = {"from": round(self.start * 1000), "to": round(self.end * 1000)}
        return {
            "timeFilter": f"time >= {milliseconds['from']}ms and time <= {milliseconds['to']}ms",
            "__interval": f"{self.step:.0f}s",
            "__interval_ms": f"{self.step * 1000:.0f}",
            "__rate_interval": f"{max(self.step + _SCRAPE_S, 4 * _SCRAPE_S):.0f}s",
            "__range": f"{self.end - self.start:.0f}s",
            "__range_s": f"{self.end - self.start:.0f}",
            "__from": f"{milliseconds['from']}",
            "__to": f"{milliseconds['to']}",
            "__from:date:seconds": f"{milliseconds['from'] // 1000}",
            "__to:date:seconds": f"{milliseconds['to'] // 1000}",
            "__to:date:YYYY": f"{datetime.fromtimestamp(self.end, ZoneInfo(view.zone)):%Y}",
        }


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
            _frame(_alias(target["alias"], one, column), one["values"], index)
            for one in series
            for index, column in enumerate(one["columns"][1:], 1)
        ]

    def options(self, variable: Json) -> list[str]:
        """Give what a query variable is made of: of field keys and policies the first column, else the second."""
        first = variable["query"].upper().startswith(("SHOW FIELD KEYS", "SHOW RETENTION POLICIES"))
        rows = [row for one in self._series(variable["query"]) for row in one["values"]]
        return [str(row[0] if first or len(row) == 1 else row[1]) for row in rows]


def _alias(alias: str, series: Json, column: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1]:
            return str(series.get("tags", {}).get(match[1], ""))
        return column if match[2] == "col" else str(series["name"])

    return _ALIAS.sub(value, alias) or f"{series['name']}.{column}"


def _kind(values: list[Any]) -> str:
    return "string" if any(isinstance(value, str) for value in values) else "number"


def _table(series: list[Json]) -> Frame:
    tags = sorted(series[0].get("tags", {}))
    columns = ["Time", *tags, *series[0]["columns"][1:]]
    rows = [[row[0], *(one["tags"][tag] for tag in tags), *row[1:]] for one in series for row in one["values"]]
    fields: list[Json] = [{"name": name, "values": [row[index] for row in rows]} for index, name in enumerate(columns)]
    return {"fields": [{**one, "type": "time" if one["name"] == "Time" else _kind(one["values"])} for one in fields]}


def _frame(name: str, rows: list[Any], value: int) -> Frame:
    values = [row[value] for row in rows]
    return {
        "name": name,
        "fields": [
            {"name": "Time", "type": "time", "values": [row[0] for row in rows]},
            {"name": "Value", "type": _kind(values), "values": values, "config": {"displayNameFromDS": name}},
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
            return [self._table(result, shown.end)] if result else []
        step = round(shown.step * 1000) if target.get("range") else None
        return [self._series(one, target["legendFormat"], step) for one in result]

    @staticmethod
    def _series(one: Json, legend: str, step_ms: int | None) -> Frame:
        name = re.sub(r"\{\{(\w+)\}\}", lambda match: str(one["metric"].get(match[1], "")), legend)
        points = one.get("values") or [one["value"]]
        frame = _frame(name, [(float(time) * 1000, float(value)) for time, value in points], 1)
        if step_ms:  # by it Grafana knows where a point is missing
            frame["fields"][0]["config"] = {"interval": step_ms}
        return frame

    @staticmethod
    def _table(result: list[Json], time: float) -> Frame:
        labels = sorted({label for one in result for label in one["metric"]})
        fields: list[Json] = [{"name": "Time", "type": "time", "values": [round(time * 1000)] * len(result)}]
        fields += [
            {"name": name, "type": "string", "values": [one["metric"].get(name, "") for one in result]}
            for name in labels
        ]
        fields.append({"name": "Value", "type": "number", "values": [float(one["value"][1]) for one in result]})
        return {"fields": fields}

    def options(self, variable: Json) -> list[str]:
        selector, label = re.fullmatch(r"label_values\((?:(.+), ?)?(\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
        match = {"match[]": selector} if selector else {}
        answer = json.loads(get(f"{self._url}/api/v1/label/{label}/values", "", **match, **self._only))
        values: list[str] = answer["data"]
        return values


Database = Influx | Prometheus


def variables(dashboard: Json, database: Database) -> dict[str, Value]:
    """Give the variables as they stand when the dashboard is opened for the first time."""
    return {name: choice.value for name, choice in look_up(dashboard, database, {}).items()}


def look_up(dashboard: Json, database: Database, given: Mapping[str, Value]) -> dict[str, Choice]:
    """Give the variables with their options; those that ask for others are told what is given."""
    return choices(dashboard["templating"]["list"], database.options, given)


def sections(dashboard: Json, view: View) -> list[Section]:
    """Give the rows with their panels, from above to below, a repeated one for each value of its variable.

    When the variable has no value a row is there once with an empty one, as in Grafana.
    """
    found = [Section(None, [])]
    for panel in sorted(dashboard["panels"], key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"])):
        if panel["type"] == "row":
            found.append(Section(panel, list(panel.get("panels", []))))
        else:
            found[-1].panels.append(panel)
    return [repeated for section in found for repeated in _repeated(section, view)]


def _repeated(section: Section, view: View) -> list[Section]:
    name = (section.row or {}).get("repeat")
    if not name:
        return [section] if section.row or section.panels else []
    chosen = view.variables[name]
    if isinstance(chosen, str):  # one, or what stands for all of them
        values = [option.value for option in view.choices[name].options] if name in view.choices else []
        chosen = [chosen] if chosen in values or not values else values
    return [replace(section, scoped={name: value}) for value in chosen or [""]]


def show(dashboard: Json, database: Database, view: View) -> dict[str, Shown]:
    """Ask for all panels, those in collapsed rows too; give them by their titles, with the variables in them."""
    shown = [one for _, panels in show_sections(dashboard, database, view) for one in panels]
    by_title = {one.title: one for one in shown}
    assert len(by_title) == len(shown), "two panels have one title"
    return by_title


def show_sections(
    dashboard: Json, database: Database, view: View, *, collapsed: bool = True
) -> list[tuple[Section, list[Shown]]]:
    """Ask for the panels, row by row; those in collapsed rows when they are wanted."""
    view = view if view.choices else replace(view, choices=look_up(dashboard, database, view.variables))
    rows = sections(dashboard, view)
    wanted = [section for section in rows if collapsed or not (section.row or {}).get("collapsed")]
    pairs = [(section, panel) for section in wanted for panel in section.panels]
    shown = list(_ranges(pairs, view))
    for one in shown:
        _ask(one, database, view)
    calls = [
        {"transformations": one.labelled(one.panel.get("transformations", []), view), "frames": one.answers}
        for one in shown
    ]
    for one, frames in zip(shown, grafana(view.zone, calls), strict=True):
        one.frames = frames
    left = iter(shown)
    return [(section, [next(left) for _ in section.panels] if section in wanted else []) for section in rows]


def _ask(one: Shown, database: Database, view: View) -> None:
    for target in one.panel["targets"]:
        if target.get("hide"):
            continue
        letter = target["refId"]
        names = {key: one.label(target[key], view) for key in ("alias", "legendFormat") if key in target}
        query = one.fill(target.get("query") or target.get("expr"), view)
        one.queries[letter] = query
        frames = [frame | {"refId": letter} for frame in database.frames(target | names, query, one)]
        one.answers += frames
        if _has_values(frames):
            one.answered.add(letter)
    if isinstance(database, Prometheus):
        _number_tables(one)


def _number_tables(one: Shown) -> None:
    """Tell the values of several tables apart, as the data source of Prometheus does."""
    letters = {target["refId"] for target in one.panel["targets"] if target.get("format") == "table"}
    tables = [frame for frame in one.answers if frame["refId"] in letters]
    for frame in tables if len(tables) > 1 else []:
        frame["fields"][-1]["name"] = f"Value #{frame['refId']}"


def _ranges(pairs: list[tuple[Section, Json]], view: View) -> Iterator[Shown]:
    calls = [
        {
            "range": panel.get("timeFrom", view.since) if view.relative else view.since,
            "shift": panel.get("timeShift"),
            "now": round(view.now * 1000),
            "points": panel.get("maxDataPoints", view.pixels),
            "lowest": panel.get("interval", "1ms"),
        }
        for _, panel in pairs
    ]
    for (section, panel), (start, end, step) in zip(pairs, grafana(view.zone, calls), strict=True):
        one = Shown(panel, start / 1000, end / 1000, step / 1000, scoped=section.scoped)
        one.title = one.label(panel.get("title", ""), view, "text")
        one.row = one.label((section.row or {}).get("title", ""), view, "text")
        yield one
