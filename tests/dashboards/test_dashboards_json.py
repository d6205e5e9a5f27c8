"""The dashboards' JSON: equal to its source, valid by Grafana's schema, and whole."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.source.__main__ import DASHBOARDS, FOLDER, build
from tests.dashboards.dashboard import load, panels
from tests.dashboards.proofs import PROOFS
from tests.helpers.programs import component

NAMES = list(DASHBOARDS)
PAIRS = [("grafana-influxql.json", "grafana-promql.json"), ("grafana-influxql-heat.json", "grafana-promql-heat.json")]
# A kind of panel: where its schema is, and the types of its options and of its fields' own options.
KINDS = {
    "bargauge": ("bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts", "Options", ""),
    "stat": ("stat/panelcfg/x/StatPanelCfg_types.gen.d.ts", "Options", ""),
    "timeseries": ("timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts", "Options", "FieldConfig"),
    "barchart": ("barchart/panelcfg/x/BarChartPanelCfg_types.gen.d.ts", "Options", "FieldConfig"),
    "table": ("table/panelcfg/x/TablePanelCfg_types.gen.d.ts", "Options", "FieldConfig"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_json_is_what_the_source_gives(name: str) -> None:
    assert (FOLDER / name).read_text() == build(DASHBOARDS[name]), "run: make dashboards"


@pytest.mark.parametrize("name", NAMES)
def test_the_foundation_sdk_knows_everything_in_it(name: str) -> None:
    register_default_plugins()
    dashboard = load(name)
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard))) == dashboard


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.integration  # Node.js and the library of Grafana
def test_it_is_valid_by_the_published_schema(name: str, tmp_path: Path) -> None:
    library = Path(component("grafana"))
    (tmp_path / "dashboard.ts").write_text("\n".join(_typed(load(name))))
    (tmp_path / "node_modules").symlink_to(library / "node_modules")
    settings = {"strict": True, "noEmit": True, "skipLibCheck": True, "types": [], "moduleResolution": "bundler"}
    settings |= {"target": "es2022", "module": "esnext"}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": settings, "files": ["dashboard.ts"]}))
    compiler = str(library / "node_modules" / ".bin" / "tsc")
    done = subprocess.run([compiler, "-p", "."], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def _typed(dashboard: dict[str, Any]) -> list[str]:
    """Give TypeScript that only compiles when the dashboard and the options of its panels have Grafana's types."""
    for variable in dashboard["templating"]["list"]:
        for option in ("auto", "auto_count", "auto_min"):  # of variables of intervals; the SDK gives them to all
            variable.pop(option, None)
    schema = "@grafana/schema/dist/esm/raw"
    lines = [
        f'import type {{ Dashboard }} from "{schema}/dashboard/x/dashboard_types.gen.d.ts";',
        *(f'import type * as {kind} from "{schema}/composable/{path}";' for kind, (path, _, _) in KINDS.items()),
        # In JSON an enum is its value.
        "type Json<T> = T extends string ? `${T}` : T extends (infer E)[] ? Json<E>[]",
        "  : T extends object ? { [K in keyof T]?: Json<T[K]> } : T;",
        f"export const dashboard: Json<Dashboard> = {json.dumps(dashboard)};",
    ]
    for panel in panels(dashboard):
        _, options, custom = KINDS[panel["type"]]
        number = panel["id"]
        chosen = panel.get("options", {})
        lines.append(f"export const o{number}: Json<{panel['type']}.{options}> = {json.dumps(chosen)};")
        own = panel.get("fieldConfig", {}).get("defaults", {}).get("custom")
        if custom and own:
            lines.append(f"export const c{number}: Json<{panel['type']}.{custom}> = {json.dumps(own)};")
    return lines


@pytest.mark.parametrize("name", NAMES)
def test_its_panels_have_their_own_numbers_and_places(name: str) -> None:
    dashboard = load(name)
    numbers = [row["id"] for row in dashboard["panels"] if row["type"] == "row"] + [p["id"] for p in panels(dashboard)]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_says_which_line_is_which(name: str) -> None:
    charts = [panel for panel in panels(load(name)) if panel["type"] in ("timeseries", "barchart")]
    assert charts
    # The small one is beside the figures of the same names and colours.
    silent = {chart["title"] for chart in charts if not chart["options"]["legend"]["showLegend"]}
    assert silent <= {"The last hour"}


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_used_and_every_one_used_is_there(name: str) -> None:
    dashboard = load(name)
    there = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps([dashboard["panels"], dashboard["templating"]])))
    assert used - {"timeFilter"} == there
    assert len({panel["title"] for panel in panels(dashboard)}) == len(panels(dashboard))


def test_grafana_12_takes_no_variable_of_influxql_for_a_part_of_a_regular_expression() -> None:
    """One without braces between two of them gets a backslash (grafana/grafana issue 114260)."""
    queries = json.dumps([panel["targets"] for panel in panels(load("grafana-influxql.json"))])
    assert "${__interval}" in queries
    assert set(re.findall(r"\$(\w+)", queries)) == {"meter", "timeFilter"}


@pytest.mark.parametrize("pair", PAIRS)
def test_both_stores_show_the_same_but_for_the_message(pair: tuple[str, str]) -> None:
    titles = [[panel["title"] for panel in panels(load(name))] for name in pair]
    assert [title for title in titles[0] if title != "Message of the supplier"] == titles[1]


@pytest.mark.parametrize("store", ["influxql", "promql"])
def test_a_home_without_electricity_has_panels_of_the_dashboard_for_all(store: str) -> None:
    """So that what is proven of those holds for it."""
    everything, some = (load(f"grafana-{store}{kind}.json") for kind in ("", "-heat"))
    queries = {panel["title"]: (panel["targets"], panel.get("transformations")) for panel in panels(everything)}
    for panel in panels(some):
        targets, transformations = queries[panel["title"]]
        assert transformations == panel.get("transformations")
        assert all(target in targets for target in panel["targets"])


def test_every_panel_has_a_proof() -> None:
    elsewhere = {"Message of the supplier", "Rejected since start", "Rejected and reconnects per minute"}
    assert {panel["title"] for panel in panels(load("grafana-influxql.json"))} == PROOFS.keys() | elsewhere
