"""Variables, repeated rows and shifted times, as Grafana has them: what the proof of the dashboards stands on."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.dashboards.dashboard import Influx, Prometheus, Shown, View, show, show_sections, variables
from tests.dashboards.templating import Option, choices, put_in

HOME = ZoneInfo("Europe/Amsterdam")
FIELDS = ["energy_import_t1_kwh", "gas_m3", "heat_gj", "power_import_kw"]
MEDIUM = {
    "type": "query",
    "name": "medium",
    "query": 'SHOW FIELD KEYS FROM "p1"',
    "regex": "/^(gas_m3|heat_gj|water_m3)$/",
    "multi": True,
    "includeAll": True,
    "sort": 1,
    "current": {"value": ["$__all"], "text": ["All"]},
}


class Store(Influx):
    """An InfluxDB that knows one measurement and answers each query with its own fields."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__("", "")
        self._fields = fields
        self.asked: list[str] = []

    def _series(self, query: str) -> list[dict[str, Any]]:
        self.asked.append(query)
        if query.startswith("SHOW FIELD KEYS"):
            rows: list[list[Any]] = [[name, "float"] for name in self._fields]
            return [{"name": "p1", "columns": ["fieldKey", "fieldType"], "values": rows}]
        return [{"name": "p1", "tags": {"meter": "m"}, "columns": ["time", "last"], "values": [[1000, 2.5]]}]


def chosen(variable: dict[str, Any], answers: list[str]) -> tuple[list[Option], object]:
    (choice,) = choices([{"name": "it", "type": "query", "query": "", **variable}], lambda _: answers, {}).values()
    return choice.options, choice.value


def test_the_group_of_the_regular_expression_is_the_option_and_each_is_there_once() -> None:
    options, value = chosen(
        {"regex": "/^energy_import_(t|k)/", "sort": 2}, [*FIELDS, "energy_import_kwh", "energy_import_t2_kwh"]
    )
    assert [option.value for option in options] == ["t", "k"]
    assert value == "t"


def test_named_groups_are_what_people_read_and_what_is_asked_for() -> None:
    options, _ = chosen({"regex": "/^(?<value>(?<text>[a-z]+)_(m3|gj))$/"}, FIELDS)
    assert options == [Option("gas", "gas_m3"), Option("heat", "heat_gj")]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [(0, ["b10", "B9", "a"]), (1, ["B9", "a", "b10"]), (4, ["b10", "B9", "a"]), (5, ["a", "b10", "B9"])],
)
def test_options_are_sorted_as_the_variable_says(sort: int, expected: list[str]) -> None:
    assert [option.value for option in chosen({"sort": sort}, ["b10", "B9", "a"])[0]] == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "a"),
        ({"current": {"value": "b"}}, "b"),
        ({"current": {"value": "gone"}}, "a"),
        ({"multi": True, "current": {"value": ["b", "gone"]}}, ["b"]),
        ({"includeAll": True}, ["a", "b"]),
        ({"includeAll": True, "allValue": ".*"}, ".*"),
        ({"includeAll": True, "multi": True, "current": {"value": ["b"]}}, ["b"]),
    ],
)
def test_what_is_chosen_is_the_current_one_if_it_is_still_there(more: dict[str, Any], expected: object) -> None:
    assert chosen(more, ["a", "b"])[1] == expected


def test_without_options_one_is_empty_and_several_are_none() -> None:
    assert chosen({}, [])[1] == ""
    assert chosen({"includeAll": True, "multi": True}, [])[1] == []


def test_custom_variables_have_texts_and_constants_their_value() -> None:
    custom = {"type": "custom", "name": "unit", "query": "Euro : currencyEUR, kWh, a\\,b"}
    constant = {"type": "constant", "name": "one", "query": "1"}
    found = choices([custom, constant], lambda _: [], {})
    assert found["unit"].options == [Option("Euro", "currencyEUR"), Option("kWh", "kWh"), Option("a,b", "a,b")]
    assert (found["unit"].value, found["one"].value) == ("currencyEUR", "1")


def test_a_query_variable_may_use_those_before_it() -> None:
    asked: list[str] = []
    measurement = {"type": "textbox", "name": "measurement", "query": "p1"}
    fields = {
        "type": "query",
        "name": "field",
        "query": 'SHOW FIELD KEYS FROM "${measurement}"',
        "regex": "/^${measurement}/",
    }

    def ask(variable: dict[str, Any]) -> list[str]:
        asked.append(variable["query"])
        return ["p1_x", "solar_y"]

    assert choices([measurement, fields], ask, {"measurement": "solar"})["field"].value == "solar_y"
    assert asked == ['SHOW FIELD KEYS FROM "solar"']


def test_each_format_of_several_values() -> None:
    values: dict[str, str | list[str]] = {"it": ["a.", "b"], "one": ["c"], "none": []}
    assert put_in("$it ${it:csv} ${it:pipe} ${it:regex}", values) == r"(a.|b) a.,b a.|b (a\.|b)"
    assert put_in("$it $one $none.", values, form="glob") == "{a.,b} c ."
    assert put_in("${it:text} $it", values, {"it": "All"}) == "All (a.|b)"


def test_an_unknown_variable_is_an_error_in_a_query_and_stays_elsewhere() -> None:
    with pytest.raises(KeyError, match="gone"):
        put_in("$gone", {})
    assert put_in("$1 ${gone:text}", {}, strict=False) == "$1 ${gone:text}"


class Shows(Influx):
    """An InfluxDB that answers with one row of its own."""

    def __init__(self, *row: object) -> None:
        super().__init__("", "")
        self._row = [*row]

    def _series(self, query: str) -> list[dict[str, Any]]:
        del query
        return [{"columns": [], "values": [self._row]}]


@pytest.mark.parametrize(
    ("query", "row", "expected"),
    [
        ('SHOW FIELD KEYS FROM "p1"', ("gas_m3", "float"), "gas_m3"),
        ("SHOW RETENTION POLICIES", ("history", "0s", "168h0m0s", 1, False), "history"),
        ('SHOW TAG VALUES FROM "p1" WITH KEY = "meter"', ("meter", "E0047"), "E0047"),
        ("SHOW MEASUREMENTS", ("p1_history",), "p1_history"),
        ('SELECT last("gas_m3") FROM "p1"', (1000, 2.5), "2.5"),
    ],
)
def test_influxdb_gives_the_column_of_an_answer_that_grafana_takes(
    query: str, row: tuple[object, ...], expected: str
) -> None:
    assert Shows(*row).options({"query": query}) == [expected]


def _dashboard(**more: Any) -> dict[str, Any]:
    target = {
        "refId": "A",
        "query": 'SELECT last("${medium}") FROM p1 WHERE $timeFilter',
        "resultFormat": "time_series",
    }
    inside = {
        "type": "stat",
        "title": "Now: ${medium:text}",
        "gridPos": {"x": 0, "y": 1, "w": 24, "h": 4},
        "targets": [target | {"alias": "${medium} of $tag_meter, $col"}],
    }
    row = {"type": "row", "title": "$medium", "repeat": "medium", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}
    return {"templating": {"list": [MEDIUM]}, "panels": [row, inside | more]}


def test_a_repeated_row_is_shown_once_for_each_value() -> None:
    store = Store(FIELDS)
    dashboard = _dashboard()
    shown = show(dashboard, store, View(1_700_000_000, variables(dashboard, store)))
    assert [(one.row, one.title, one.scoped) for one in shown.values()] == [
        (name, f"Now: {name}", {"medium": name}) for name in ("gas_m3", "heat_gj")
    ]
    assert shown.keys() == {"Now: gas_m3", "Now: heat_gj"}
    (frame,) = shown["Now: gas_m3"].frames
    assert (frame["refId"], frame["fields"][1]["name"]) == ("A", "gas_m3 of m, last")
    assert shown["Now: heat_gj"].queries["A"].startswith('SELECT last("heat_gj")')


def test_a_row_that_repeats_on_a_variable_without_values_is_there_once() -> None:
    store = Store(["power_import_kw"])
    dashboard = _dashboard()
    (one,) = show(dashboard, store, View(1_700_000_000, variables(dashboard, store))).values()
    assert (one.scoped, one.title) == ({"medium": ""}, "Now: ")


def test_a_row_that_repeats_on_what_stands_for_all_repeats_for_each_of_them() -> None:
    store = Store(FIELDS)
    dashboard = _dashboard()
    dashboard["templating"]["list"] = [MEDIUM | {"allValue": ".*"}]
    assert len(show(dashboard, store, View(1_700_000_000, variables(dashboard, store)))) == 2


def test_collapsed_rows_are_asked_for_when_they_are_wanted() -> None:
    store = Store(FIELDS)
    dashboard = _dashboard()
    row, panel = dashboard["panels"]
    dashboard["panels"] = [row | {"collapsed": True, "panels": [panel]}]
    view = View(1_700_000_000, variables(dashboard, store))
    assert len(show(dashboard, store, view)) == 2
    store.asked.clear()
    rows = show_sections(dashboard, store, view, collapsed=False)
    assert [(section.scoped, shown) for section, shown in rows] == [
        ({"medium": name}, []) for name in ("gas_m3", "heat_gj")
    ]
    assert all(query.startswith("SHOW") for query in store.asked)


@pytest.mark.parametrize(
    ("more", "since", "until"),
    [
        ({"timeShift": "1d"}, "2026-03-28 12:00", "2026-03-29 12:00"),  # a day of 23 hours
        ({"timeFrom": "now/d", "timeShift": "1y"}, "2025-03-30 00:00", "2025-03-30 12:00"),
        ({"timeFrom": "now-1M/M"}, "2026-02-01 00:00", "2026-03-30 12:00"),
    ],
)
def test_both_edges_of_a_range_are_moved_back_in_local_time(more: dict[str, Any], since: str, until: str) -> None:
    now = datetime(2026, 3, 30, 12, tzinfo=HOME).timestamp()
    dashboard = _dashboard(**more)
    one = next(iter(show(dashboard, Store(FIELDS), View(now, {"medium": "gas_m3"})).values()))
    edges = [datetime.fromtimestamp(edge, HOME).strftime("%Y-%m-%d %H:%M") for edge in (one.start, one.end)]
    assert edges == [since, until]
    assert one.queries["A"].endswith(f"time >= {one.start * 1000:.0f}ms and time <= {one.end * 1000:.0f}ms")


def test_a_transformation_can_be_for_the_frames_of_one_query() -> None:
    only = {"id": "byRefId", "options": "B"}
    rename = {"id": "renameByRegex", "options": {"regex": "(.+)", "renamePattern": "$1 of $medium"}, "filter": only}
    dashboard = _dashboard(transformations=[rename])
    panel = dashboard["panels"][1]
    (target,) = panel["targets"]
    panel["targets"] = [target | {"refId": letter, "alias": letter} for letter in "ABC"]
    panel["targets"][2]["hide"] = True
    (one,) = show(dashboard, Store(FIELDS), View(1_700_000_000, {"medium": "gas_m3"})).values()
    named = [(frame["refId"], frame["fields"][1]["name"]) for frame in one.frames]
    assert sorted(named) == [("A", "A"), ("B", "B of gas_m3")]


def test_several_tables_of_prometheus_have_values_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = '{"data": {"result": [{"metric": {"meter": "m"}, "value": [5, "1.5"]}]}}'
    monkeypatch.setattr("tests.dashboards.dashboard.get", lambda *_, **__: answer)
    target = {"expr": "a", "format": "table", "legendFormat": ""}
    panel: dict[str, Any] = {"type": "table", "title": "t", "gridPos": {"x": 0, "y": 0}}
    for letters, expected in (("A", ["Value"]), ("AB", ["Value #A", "Value #B"])):
        panel["targets"] = [target | {"refId": letter} for letter in letters]
        dashboard = {"templating": {"list": []}, "panels": [panel]}
        shown = show(dashboard, Prometheus("", ""), View(1_700_000_000, {}))["t"]
        assert [[f["name"] for f in frame["fields"]] for frame in shown.answers] == [
            ["Time", "meter", e] for e in expected
        ]


def test_a_metric_of_prometheus_can_fill_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def get(url: str, _: str, **parameters: str) -> str:
        asked.append((url, parameters.get("match[]")))
        return '{"data": ["p1_gas_m3", "p1_power_import_kw"]}'

    monkeypatch.setattr("tests.dashboards.dashboard.get", get)
    variable = MEDIUM | {
        "query": {"query": 'label_values({__name__=~"p1_.+"}, __name__)'},
        "regex": "/^p1_(gas_m3|heat_gj)$/",
    }
    assert variables({"templating": {"list": [variable]}}, Prometheus("u", "")) == {"medium": ["gas_m3"]}
    assert asked == [("u/api/v1/label/__name__/values", '{__name__=~"p1_.+"}')]


def test_the_range_is_known_to_queries() -> None:
    shown = Shown({}, 10, 70, 15)
    assert (
        shown.fill("${__from}-$__to ${__from:date:seconds} $__range $__interval", View(0, {}))
        == "10000-70000 10 60s 15s"
    )
