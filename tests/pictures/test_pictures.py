"""The pictures of dashboards: what they show, and that each fault of one is found.

The answers are made up here, so that no database is needed.
"""

import struct
from collections.abc import Iterator
from math import cos, pi
from pathlib import Path
from typing import Any, Final

import pytest

from tests.dashboards.dashboard import Frame, Influx, Shown
from tests.dashboards.templating import Json
from tests.pictures.data_sources import DATA_SOURCES, draw_data_source
from tests.pictures.pictures import Browser, House, Look, answered, browser, draw_house

pytestmark = pytest.mark.integration

NOW: Final = 1_775_000_000
WIDE: Final = Look("dark", 1600)


class MadeUp(Influx):
    """Answers a query by what it says: wave, "wave 0.5" (its height), one, null, days, dates, table, or none."""

    def __init__(self, media: tuple[str, ...] = ()) -> None:
        super().__init__("", "")
        self._media = media

    def options(self, variable: Json) -> list[str]:
        del variable
        return list(self._media)

    def frames(self, target: Json, query: str, shown: Shown) -> list[Frame]:
        kind, _, size = query.partition(" ")
        height = float(size or 1)
        times = [shown.start + n * (shown.end - shown.start) / 200 for n in range(201)]
        if kind == "none":
            return []
        if kind == "table":
            names = ["Mo 13", "Tu 14", "We 15"]
            hours = [{"name": f"{n:02}", "type": "number", "values": [n * 0.4, None, n * 0.7 + 0.2]} for n in range(10)]
            return [{"fields": [{"name": "Day", "type": "string", "values": names}, *hours]}]
        if kind in ("days", "dates"):
            more = " of the month" if kind == "dates" else ""
            days = [{"name": "Day", "type": "string", "values": [f"Mo {n}{more}" for n in range(1, 31)]}]
            values = [height * (5 + cos(n)) for n in range(30)]
            return [{"fields": [*days, {"name": target["alias"], "type": "number", "values": values}]}]
        curve: dict[str, list[float | None]] = {
            "wave": [height * (1 - cos(n * pi / 50)) for n in range(201)],
            "one": [height] * 201,
            "null": [None] * 201,
        }
        time = {"name": "Time", "type": "time", "values": [round(time * 1000) for time in times]}
        config = {"displayNameFromDS": target["alias"]}
        return [{"fields": [time, {"name": "Value", "type": "number", "values": curve[kind], "config": config}]}]


def panel(kind: str, title: str, queries: dict[str, str], at: tuple[int, int, int, int], **more: Any) -> Json:
    """Give a panel with queries by the names of their series."""
    x, y, w, h = at
    targets = [
        {"refId": chr(ord("A") + n), "query": query, "alias": name, "resultFormat": "time_series"}
        for n, (name, query) in enumerate(queries.items())
    ]
    position = {"x": x, "y": y, "w": w, "h": h}
    return {"type": kind, "title": title, "targets": targets, "gridPos": position, "fieldConfig": {}} | more


def fields(unit: str, *overrides: Json, custom: Json | None = None, **defaults: Any) -> Json:
    return {"defaults": {"unit": unit, "custom": custom or {}, **defaults}, "overrides": list(overrides)}


def override(name: str, **properties: Any) -> Json:
    listed = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def color(name: str) -> Json:
    return {"mode": "fixed", "fixedColor": name}


def steps(*pairs: tuple[float | None, str]) -> Json:
    return {"mode": "absolute", "steps": [{"value": value, "color": name} for value, name in pairs]}


def dashboard(*panels: Json, variables: list[Json] | None = None) -> Json:
    listed: list[Json] = [{"type": "datasource", "name": "database", "label": "Database", "query": "influxdb"}]
    return {
        "title": "t",
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "links": [{"title": "Prices", "type": "link", "icon": "external link"}],
        "templating": {"list": [*listed, *(variables or [])]},
        "panels": list(panels),
    }


def stats() -> list[Json]:
    large = {"colorMode": "background", "graphMode": "area", "textMode": "value"}
    wide = {"graphMode": "none", "textMode": "value_and_name", "justifyMode": "center", "wideLayout": False}
    several = {"Import": "one 2.13", "Export": "one 19.4", "Gas": "one 2.5"}
    colours = (override("Import", color=color("orange")), override("Gas", color=color("blue"), unit="m3", decimals=2))
    limits = steps((None, "green"), (20, "orange"), (25, "red"))
    gauge = fields("amp", min=0, max=25, thresholds=limits, decimals=0)
    phases = {"L1": "one 6", "L2": "one 21", "L3": "one 26"}
    lcd = {"displayMode": "lcd", "orientation": "vertical"}
    basic = {"displayMode": "basic", "orientation": "horizontal"}
    return [
        panel(
            "stat", "Power now", {"Net": "wave 2"}, (0, 1, 5, 5), options=large, description="From the meter.",
            fieldConfig=fields("kwatt", thresholds=steps((None, "green"), (0, "orange"))),
        ),
        panel("stat", "Today", several, (5, 1, 9, 5), options=wide, timeFrom="now/d",
              fieldConfig=fields("kwatth", *colours)),
        panel("bargauge", "Current", phases, (14, 1, 5, 5), options=basic, fieldConfig=gauge),
        panel("bargauge", "Current, LCD", phases, (19, 1, 5, 5), options=lcd, fieldConfig=gauge, transparent=True),
    ]  # fmt: skip


def curves() -> list[Json]:
    legend = {"showLegend": True, "displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max", "mean"]}
    down = override("Export", custom__transform="negative-Y", color=color("green"))
    lines = {"fillOpacity": 20, "gradientMode": "opacity", "thresholdsStyle": {"mode": "line"}}
    band = override("max", custom__fillBelowTo="min", custom__lineWidth=0)
    return [
        panel(
            "timeseries", "Power", {"Import": "wave 2", "Export": "wave 1.5"}, (0, 6, 24, 8),
            options={"legend": legend}, timeShift="1d",
            fieldConfig=fields("kwatt", down, custom=lines, thresholds=steps((None, "transparent"), (3, "red"))),
        ),
        panel(
            "timeseries", "Voltage", {"min": "wave 1", "max": "wave 4"}, (0, 14, 12, 8),
            fieldConfig=fields("volt", band, custom={"axisSoftMin": -2, "lineInterpolation": "smooth"}),
        ),
        panel(
            "timeseries", "Gas per hour", {"Gas": "wave 0.2"}, (12, 14, 12, 8), interval="1h",
            fieldConfig=fields("m3", custom={"drawStyle": "bars", "fillOpacity": 80}, min=0),
        ),
    ]  # fmt: skip


def bars() -> list[Json]:
    options = {"xField": "Day", "xTickLabelSpacing": 100, "showValue": "never", "legend": {"showLegend": True}}
    join = [{"id": "joinByField", "options": {"byField": "Day", "mode": "outer"}}]
    series = {"Low": "days 2", "High": "days 1", "Export": "days -1"}
    looks = {"transformations": join, "timeFrom": "now-30d/d", "fieldConfig": fields("kwatth")}
    heat = fields(
        "none", override("Day", custom__width=80, custom__cellOptions={"type": "auto"}),
        custom={"cellOptions": {"type": "color-background", "mode": "basic"}, "align": "center", "width": 60},
        color={"mode": "continuous-BlPu"}, decimals=1,
    )  # fmt: skip
    return [
        panel("barchart", "Stacked", series, (0, 22, 12, 9), options=options | {"stacking": "normal"}, **looks),
        panel("barchart", "Side by side", series, (12, 22, 12, 9), options=options, **looks),
        panel("table", "By hour and day", {"": "table"}, (0, 31, 24, 6), fieldConfig=heat),
    ]  # fmt: skip


def everything() -> Json:
    """Give a dashboard with all that is drawn."""
    row = {"type": "row", "title": "Now", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}
    repeated = {"type": "row", "title": "$medium", "repeat": "medium", "gridPos": {"x": 0, "y": 40, "w": 24, "h": 1}}
    inside = panel("stat", "$medium now", {"${medium}": "one 5"}, (0, 41, 6, 4), fieldConfig=fields("m3"))
    closed = {"type": "row", "title": "Health", "collapsed": True, "gridPos": {"x": 0, "y": 50, "w": 24, "h": 1}}
    medium = {"type": "query", "name": "medium", "query": "", "includeAll": True, "multi": True, "hide": 2}
    return dashboard(
        row, *stats(), *curves(), *bars(), repeated, inside, closed | {"panels": [inside]}, variables=[medium]
    )


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("page")) as running:
        yield running


def faults(one: Browser, folder: Path, *panels: Json, look: Look = WIDE) -> set[tuple[str, str, str]]:
    house = House("faulty", dashboard(*panels), MadeUp(), NOW, {})
    found = draw_house(one, house, folder, {"look": look})["look"]
    return {(finding.kind, finding.panel, finding.text) for finding in found}


def size(file: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    return width, height


def test_a_dashboard_with_all_kinds_of_panels_has_no_faults(one: Browser, tmp_path: Path) -> None:
    house = House("all", everything(), MadeUp(("gas", "heat")), NOW, {})
    looks = {"dark": WIDE, "light": Look("light", 1600), "kiosk": Look("dark", 1920, kiosk=True)}
    assert draw_house(one, house, tmp_path, looks) == {name: [] for name in looks}
    heights = {name: size(tmp_path / f"all-{name}.png") for name in looks}
    assert [width for width, _ in heights.values()] == [1600, 1600, 1920]
    assert heights["kiosk"][1] < heights["dark"][1]  # without the bar


def test_a_row_is_there_once_for_each_value_and_a_collapsed_one_has_no_panels() -> None:
    rows = answered(House("all", everything(), MadeUp(("gas", "heat")), NOW, {}), 1000)["rows"]
    assert [(row["title"], row["count"], len(row["panels"])) for row in rows] == [
        ("Now", 10, 10),
        ("gas", 1, 1),
        ("heat", 1, 1),
        ("Health", 1, 0),
    ]
    assert rows[2]["panels"][0]["title"] == "heat now"
    rows = answered(House("all", everything(), MadeUp(("gas", "heat")), NOW, {}, opened=True), 1000)["rows"]
    assert (rows[3]["collapsed"], len(rows[3]["panels"])) == (False, 1)


def test_on_a_phone_the_panels_stand_below_each_other(one: Browser, tmp_path: Path) -> None:
    house = House("all", dashboard(*stats()), MadeUp(), NOW, {})
    draw_house(one, house, tmp_path, {"wide": WIDE, "phone": Look("dark", 390)})
    assert size(tmp_path / "all-phone.png")[1] > 700
    assert size(tmp_path / "all-wide.png")[1] == 1080  # no more than the window


@pytest.mark.parametrize("kind", ["stat", "bargauge", "timeseries", "barchart", "table"])
def test_a_panel_without_data_is_found(one: Browser, tmp_path: Path, kind: str) -> None:
    silent = panel(kind, "silent", {"a": "none"}, (0, 0, 12, 8))
    named = panel(kind, "named", {"a": "none"}, (12, 0, 12, 8), fieldConfig=fields("none", noValue="nothing yet"))
    assert faults(one, tmp_path, silent, named) == {
        ("no data", "silent", "No data"),
        ("no data", "named", "nothing yet"),
    }


LONG: Final = "a name that is much too long for what it has to stand in"


@pytest.mark.parametrize(
    ("faulty", "text"),
    [
        (panel("stat", LONG, {"a": "one"}, (0, 0, 3, 6)), LONG),
        (panel("table", "p", {"a": "table"}, (0, 0, 24, 6), fieldConfig=fields("none", custom={"width": 36})), "Mo 13"),
        (
            panel(
                "timeseries", "p", {LONG * 2: "wave"}, (0, 0, 6, 8),
                options={"legend": {"displayMode": "list", "placement": "bottom", "calcs": [], "showLegend": True}},
            ),
            LONG * 2,
        ),
        (
            panel(
                "barchart", "p", {"a": "dates"}, (0, 0, 6, 8),
                options={"xTickLabelSpacing": -150, "showValue": "never"},
            ),
            "Mo 30 of the month",
        ),
    ],
    ids=["title", "cell", "legend", "axis"],
)  # fmt: skip
def test_a_text_that_is_cut_is_found(one: Browser, tmp_path: Path, faulty: Json, text: str) -> None:
    cut = [found for kind, _, found in faults(one, tmp_path, faulty) if kind == "cut"]
    assert text in cut


@pytest.mark.parametrize(("width", "height"), [(4, 6), (24, 3)], ids=["sideways", "downwards"])
def test_a_table_that_has_more_than_is_seen_is_found_once(
    one: Browser, tmp_path: Path, width: int, height: int
) -> None:
    looks = fields("none", custom={"width": 100})
    large = panel("table", "p", {"a": "table"}, (0, 0, width, height), fieldConfig=looks)
    assert [(kind, name) for kind, name, _ in faults(one, tmp_path, large)] == [("scrolls", "p")]


def test_a_number_without_a_value_is_found(one: Browser, tmp_path: Path) -> None:
    for kind in ("stat", "bargauge"):
        half = panel(kind, "p", {"a": "one", "b": "null"}, (0, 0, 6, 8), fieldConfig=fields("none", noValue="nothing"))
        assert faults(one, tmp_path, half) == {("no data", "p", "nothing")}


def test_a_number_that_is_made_too_small_is_found(one: Browser, tmp_path: Path) -> None:
    tiny = panel("stat", "p", {"a": "one 12345678.9"}, (0, 0, 2, 2), fieldConfig=fields("none", decimals=9))
    ((kind, name, text),) = faults(one, tmp_path, tiny)
    assert (kind, name) == ("small", "p")
    assert text.startswith("12345678.900000000 (")


def test_labels_over_each_other_are_found(one: Browser, tmp_path: Path) -> None:
    crowded = panel("barchart", "p", {"a": "days"}, (0, 0, 6, 8), options={"xField": "Day", "showValue": "never"})
    overlaps = [text for kind, _, text in faults(one, tmp_path, crowded) if kind == "overlap"]
    assert overlaps == ["Mo 1 / Mo 2 (29 times)"]
    crowded["options"]["xTickLabelSpacing"] = 100
    assert faults(one, tmp_path, crowded) == set()


def test_what_cannot_be_drawn_is_found(one: Browser, tmp_path: Path) -> None:
    found = faults(one, tmp_path, panel("piechart", "p", {"a": "one"}, (0, 0, 6, 8)))
    assert any(kind == "console" and "piechart" in text for kind, _, text in found)
    valued = faults(one, tmp_path, panel("barchart", "p", {"a": "days"}, (0, 0, 6, 8)))
    assert any(kind == "console" and "showValue" in text for kind, _, text in valued)
    several = faults(one, tmp_path, panel("table", "p", {"a": "one", "b": "one"}, (0, 0, 6, 8)))
    assert any(kind == "console" and "2 frames" in text for kind, _, text in several)


def test_an_icon_and_a_font_that_do_not_load_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_WITHOUT", "/public/")
    described = panel("stat", "p", {"a": "one"}, (0, 0, 6, 8), description="It has an icon.")
    with browser(tmp_path / "page") as blind:
        found = faults(blind, tmp_path, described)
    assert {("font", "", "Inter 400"), ("font", "", "Inter 500")} <= found
    assert any(kind == "request" and text.endswith("info-circle.svg") for kind, _, text in found)


def test_a_property_that_grafana_does_not_know_is_an_error_of_the_tool(one: Browser, tmp_path: Path) -> None:
    misspelt = fields("none", override("a", colour="red"))
    with pytest.raises(AssertionError, match="colour"):
        faults(one, tmp_path, panel("stat", "p", {"a": "one"}, (0, 0, 6, 8), fieldConfig=misspelt))


def test_the_forms_of_data_sources_are_drawn_with_all_that_grafana_asks(one: Browser, tmp_path: Path) -> None:
    heights = {}
    for name, settings in DATA_SOURCES.items():
        assert draw_data_source(one, settings, tmp_path / name) == []
        heights[name] = size(tmp_path / name)[1]
    assert heights["data-source-influxdb"] > 4 * heights["data-source-prometheus"]


def test_a_data_source_without_a_form_is_no_picture(one: Browser, tmp_path: Path) -> None:
    settings = DATA_SOURCES["data-source-influxdb"] | {"type": "unknown"}
    assert "exception" in {finding.kind for finding in draw_data_source(one, settings, tmp_path / "unknown")}
