"""Writes the JSON of the dashboards: `python -m dashboards.source`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, GridPos, RowPanel

from dashboards.source.influxql import InfluxQL
from dashboards.source.looks import Panel
from dashboards.source.promql import PromQL
from dashboards.source.rows import Row, rows, rows_without_electricity
from dashboards.source.settings import variables
from dashboards.source.store import Store

FOLDER: Final = Path(__file__).parent.parent
_COLUMNS: Final = 24


class Kind(NamedTuple):
    """A dashboard for one kind of home and one store."""

    store: Store
    suffix: str
    title: str
    description: str
    rows: Callable[[Store], list[Row]]


_STORES: Final[dict[str, Store]] = {"influxql": InfluxQL(), "promql": PromQL()}
# Each dashboard's file.
DASHBOARDS: Final = {
    f"grafana-{name}{kind.suffix}.json": kind
    for name, store in _STORES.items()
    for kind in (
        Kind(store, "", "Smart meter", "Electricity, gas, water and heat from the P1 port.", rows),
        Kind(store, "-heat", "Heat meter", "Heat, gas or water alone from the P1 port.", rows_without_electricity),
    )
}


def build(kind: Kind) -> str:
    """Return the JSON of a dashboard."""
    store = kind.store
    panels = list(_placed(kind.rows(store)))
    dashboard = (
        Dashboard(f"{kind.title} (telegraf_p1, {store.name})")
        .uid(f"{store.uid}{kind.suffix}")
        .description(f"{kind.description} Days begin at the browser's midnight. Prices and names: Settings, Variables.")
        .tags(["telegraf_p1", "p1", "dsmr"])
        .timezone("browser")
        .time("now-24h", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
        .variables([*_used(store.variables(), panels), *variables(_json(panels))])
        .build()
    )
    dashboard.panels = panels
    return _json(dashboard) + "\n"


def _used(
    variables_: list[Builder[model.VariableModel]], panels: list[model.Panel | RowPanel]
) -> Iterator[Builder[model.VariableModel]]:
    """Yield the variables that panels or other variables use."""
    text = _json([*panels, *(variable.build() for variable in variables_)])
    for variable in variables_:
        name = variable.build().name
        if f"${name}" in text or f"${{{name}}}" in text:
            yield variable


def _json(content: object) -> str:
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(content)


def _placed(rows_: list[Row]) -> Iterator[model.Panel | RowPanel]:
    """Yield the panels with their numbers and positions, in the order of the dashboard's JSON."""
    number = top = 0
    for row in rows_:
        header = None
        if row.title:
            number += 1
            repeat = "medium" if row.repeats else None
            at = GridPos(x=0, y=top, w=_COLUMNS, h=1)
            header = RowPanel(title=row.title, id_val=number, grid_pos=at, collapsed=row.collapsed, repeat=repeat)
            top += 1
            yield header
        heights = [top] * _COLUMNS
        for panel in row.panels:
            number += 1
            built = _put(panel, number, heights)
            if header and row.collapsed:  # Grafana expects these inside their row
                header.panels.append(built)
            else:
                yield built
        if not row.collapsed:
            top = max(heights)


def _put(panel: Panel, number: int, heights: list[int]) -> model.Panel:
    """Place a panel as high as it fits, then as far to the left; in each column, `heights` is the first free line."""
    built = panel.build()
    built.id_val = number
    size = built.grid_pos or GridPos(w=_COLUMNS // 2, h=8)
    width, height = size.w, size.h
    y, x = min((max(heights[x : x + width]), x) for x in range(_COLUMNS - width + 1))
    heights[x : x + width] = [y + height] * width
    built.grid_pos = GridPos(x=x, y=y, w=width, h=height)
    return built


if __name__ == "__main__":
    for name, kind in DASHBOARDS.items():
        (FOLDER / name).write_text(build(kind))
