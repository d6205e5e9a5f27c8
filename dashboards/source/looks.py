"""How a panel looks: the five kinds that the dashboards use, and what Grafana does with the answers."""

from collections.abc import Sequence
from typing import Final, Literal

from grafana_foundation_sdk.builders import barchart, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    BigValueTextMode,
    FieldTextAlignment,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from dashboards.source.store import TARIFFS, Part, Shape, Store

# What a series is called, and the query for it.
Target = tuple[str, str]
Period = Literal["day", "month"]

_SINCE: Final[dict[Period, str]] = {"day": "now-30d/d", "month": "now-12M/M"}
_FORMAT: Final[dict[Period, str]] = {"day": "YYYY-MM-DD", "month": "YYYY-MM"}

# Grafana asks for as many points as a panel has pixels, and 13 months have more hours. Prometheus gives 11000 at most.
MANY_POINTS: Final = 11000


def number(store: Store, title: str, unit: str, targets: Sequence[Target], since: str | None = None) -> stat.Panel:
    """Show the newest value of each target in large figures."""
    panel = stat.Panel().title(title).datasource(store.datasource).targets(_targets(store, targets, "latest"))
    panel = panel.unit(unit).height(5).span(4).graph_mode(BigValueGraphMode.NONE)
    panel = panel.text_mode(BigValueTextMode.VALUE_AND_NAME).reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    for name, properties in _tariff_names(targets):
        panel = panel.override_by_name(name, properties)
    return panel.time_from(since) if since else panel


def curve(store: Store, title: str, unit: str, targets: Sequence[Target]) -> timeseries.Panel:
    """Draw a line for each target; a gap stays a gap."""
    panel = timeseries.Panel().title(title).datasource(store.datasource).targets(_targets(store, targets, "series"))
    panel = panel.tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI)).legend(_legend())
    return panel.unit(unit).height(8).span(12).interval("10s").fill_opacity(10).show_points(VisibilityMode.NEVER)


def hours(store: Store, title: str, unit: str, parts: Sequence[tuple[str, Part]]) -> timeseries.Panel:
    """Draw a bar for each hour of counters."""
    targets = [(name, store.hourly([part])) for name, part in parts]
    panel = curve(store, title, unit, targets).interval("1h").max_data_points(MANY_POINTS)
    return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80)


def bars(
    store: Store, title: str, unit: str, targets: Sequence[Target], period: Period, *, stacked: bool = False
) -> barchart.Panel:
    """Draw a bar for each day or month.

    The queries give hours, which are the same everywhere in Europe. Grafana puts them together in the browser's time
    zone: so days begin at local midnight, those with 23 and 25 hours too, whatever the store knows of time zones.
    """
    panel = barchart.Panel().title(title).datasource(store.datasource).targets(_targets(store, targets, "series"))
    panel = panel.unit(unit).height(9).span(12).time_from(_SINCE[period]).interval("1h").max_data_points(MANY_POINTS)
    sums = {name: {"operation": "aggregate", "aggregations": ["sum"]} for name, _ in targets}
    panel = panel.transformations(
        [
            DataTransformerConfig(id_val="joinByField", options={"byField": "Time", "mode": "outer"}),
            DataTransformerConfig(
                id_val="formatTime",
                options={"timeField": "Time", "outputFormat": _FORMAT[period], "timezone": "browser"},
            ),
            DataTransformerConfig(
                id_val="groupBy", options={"fields": {"Time": {"operation": "groupby", "aggregations": []}, **sums}}
            ),
            rename(r"^(.+) \(sum\)$", "$1"),
        ]
    )
    for name, properties in _tariff_names(targets):
        panel = panel.override_by_name(name, properties)
    panel = panel.x_field("Time").x_tick_label_rotation(-45).show_value(VisibilityMode.NEVER)
    panel = panel.tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI)).legend(_legend())
    panel = panel.line_width(1).fill_opacity(80)
    return panel.stacking(StackingMode.NORMAL if stacked else StackingMode.NONE)


def difference(name: str, left: str, right: str) -> DataTransformerConfig:
    """Give the transformation that adds a series, the difference of two: what a store need not be asked twice."""
    sides = {side: {"matcher": {"id": "byName", "options": of}} for side, of in (("left", left), ("right", right))}
    options = {"mode": "binary", "binary": sides | {"operator": "-"}, "alias": name}
    return DataTransformerConfig(id_val="calculateField", options=options)


def listing(store: Store, title: str, query: str, transformations: Sequence[DataTransformerConfig]) -> table.Panel:
    """Show the answer as a table."""
    panel = table.Panel().title(title).datasource(store.datasource).targets(_targets(store, [("", query)], "table"))
    return panel.align(FieldTextAlignment.AUTO).height(6).span(12).transformations(list(transformations))


def rename(regex: str, pattern: str) -> DataTransformerConfig:
    """Give the transformation that renames series."""
    return DataTransformerConfig(id_val="renameByRegex", options={"regex": regex, "renamePattern": pattern})


def _targets(store: Store, targets: Sequence[Target], shape: Shape) -> list[Builder[Dataquery]]:
    return [store.query(text, name, shape, chr(ord("A") + n)) for n, (name, text) in enumerate(targets)]


def _legend() -> VizLegendOptions:
    legend = VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    return legend.placement(LegendPlacement.BOTTOM)


def _tariff_names(targets: Sequence[Target]) -> list[tuple[str, list[DynamicConfigValue]]]:
    """Give the overrides that call T1 to T4 as the variables say."""
    names = [tariff.upper() for tariff in TARIFFS if tariff.upper() in dict(targets)]
    return [(name, [DynamicConfigValue("displayName", f"$tariff_{name[1]}")]) for name in names]
