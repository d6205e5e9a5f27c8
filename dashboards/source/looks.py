"""How a panel looks: the kinds that the dashboards use, and what Grafana does with the answers."""

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

from grafana_foundation_sdk.builders import barchart, bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    VizLegendOptions,
    VizTextDisplayOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeSizing,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    FieldTextAlignment,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    GraphTransform,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TableCellBackgroundDisplayMode,
    TableCellHeight,
    TableColoredBackgroundCellOptions,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    DashboardSpecialValueMapOptions,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    RangeMap,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMappingResult,
)

from dashboards.source import palette
from dashboards.source.store import Shape, Store

# What a series is called, and the query for it.
Target = tuple[str, str]
Period = Literal["day", "month"]
Panel = barchart.Panel | bargauge.Panel | stat.Panel | table.Panel | timeseries.Panel
_Panel = TypeVar("_Panel", stat.Panel, timeseries.Panel, barchart.Panel, bargauge.Panel, table.Panel)

# What is exported, drawn below what is imported.
BELOW_ZERO: Final = [DynamicConfigValue("custom.transform", GraphTransform.NEGATIVE_Y)]

_SINCE: Final[dict[Period, str]] = {"day": "now-30d/d", "month": "now-11M/M"}
# By what hours are put together, which nothing else has; and what people read.
_KEY: Final[dict[Period, str]] = {"day": "YYYY-MM-DD", "month": "YYYY-MM"}
_LABEL: Final[dict[Period, str]] = {"day": "dd D", "month": "MMM YYYY"}

_HOURS: Final = tuple(f"{hour:02}" for hour in range(24))

# Grafana asks for as many points as a panel has pixels, and 13 months have more hours. Prometheus gives 11000 at most.
_MANY_POINTS: Final = 11000


def number(store: Store, title: str, targets: Sequence[Target], unit: str = "", since: str | None = None) -> stat.Panel:
    """Show the newest value of each target in large figures; without a unit each name has its own.

    The title tells the time since when.
    """
    panel = _asked(stat.Panel().title(title), store, targets, "latest", unit)
    panel = panel.height(4).graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    panel = panel.text_mode(BigValueTextMode.VALUE_AND_NAME).wide_layout(False).reduce_options(_last()).no_value("-")
    return without_times(panel.time_from(since)) if since else panel


def listed(store: Store, title: str, targets: Sequence[Target], since: str | None = None) -> stat.Panel:
    """Show a row for each target: its name on the left, its newest value on the right, as large at any width."""
    panel = number(store, title, targets, since=since).orientation(VizOrientation.HORIZONTAL).wide_layout(True)
    return panel.text(VizTextDisplayOptions().title_size(16).value_size(20))


def readings(store: Store, title: str, targets: Sequence[Target], unit: str, decimals: int) -> stat.Panel:
    """Show rows without colours, with as many decimals as a meter shows; a name without a unit has this one."""
    panel = listed(store, title, targets).unit(unit).height(9).color_mode(BigValueColorMode.NONE)
    return panel.override_by_field_type("number", [DynamicConfigValue("decimals", decimals)])


def gauges(store: Store, title: str, targets: Sequence[Target], unit: str) -> bargauge.Panel:
    """Draw a horizontal bar for the newest value of each target, against the longest of them.

    Thresholds say the colour, whatever the name is.
    """
    panel = _asked(bargauge.Panel().title(title), store, targets, "latest", unit).overrides([])
    panel = panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC).min(0)
    panel = panel.sizing(BarGaugeSizing.AUTO).show_unfilled(True)
    return panel.reduce_options(_last()).no_value("-").text(VizTextDisplayOptions().title_size(16).value_size(20))


def curve(store: Store, title: str, unit: str, targets: Sequence[Target]) -> timeseries.Panel:
    """Draw a line for each target; a gap stays a gap."""
    panel = _asked(timeseries.Panel().title(title), store, targets, "series", unit)
    panel = panel.tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI)).legend(_legend())
    panel = panel.interval("10s").fill_opacity(10).line_width(1)
    return panel.show_points(VisibilityMode.NEVER)


def steps(store: Store, title: str, unit: str, targets: Sequence[Target], step: str) -> timeseries.Panel:
    """Draw a bar, from zero on, for each step of time of the dashboard's range."""
    panel = curve(store, title, unit, targets).interval(step).max_data_points(_MANY_POINTS).axis_soft_min(0)
    return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80).line_width(0)


def bars(store: Store, title: str, unit: str, targets: Sequence[Target], period: Period) -> barchart.Panel:
    """Draw a stacked bar for each day or month."""
    panel = _asked(barchart.Panel().title(title), store, targets, "series", unit).transformations(
        [joined(), *in_periods(period, [name for name, _ in targets])]
    )
    return (
        _bars(_of_hours(panel, _SINCE[period])).x_field("Time").x_tick_label_spacing(60).stacking(StackingMode.NORMAL)
    )


def years(store: Store, title: str, target: Target) -> barchart.Panel:
    """Draw the months of this year beside those of the last one."""
    panel = _asked(barchart.Panel().title(title), store, [target], "series", "none")
    panel = _of_hours(panel, "now-1y/y", store.year_step)
    # "01" sorts as it should, "Jan" does not.
    months = [_transform("sortBy", sort=[{"field": "Month"}]), *_shown_as("Month", "MM", "MMM")]
    names = [rename("^${__to:date:YYYY}$", "This year"), rename(r"^\d{4}$", "Last year")]
    cells = _matrix(target[0], rows="MM", columns="YYYY")
    panel = panel.transformations([*cells, rename(r"^Row\\Time$", "Month"), *months, *names])
    return looking(_bars(panel), ["Last year", "This year"]).x_field("Month").stacking(StackingMode.NONE)


def hours_of_days(store: Store, title: str, target: Target) -> table.Panel:
    """Show a table with a row for each day and a column for each hour, coloured by what was used."""
    panel = _asked(table.Panel().title(title), store, [target], "series", "none")
    panel = _of_hours(panel, "now-13d/d")
    # A database that begins in the afternoon would have the morning of the next day in the last columns.
    order = _transform("organize", indexByName={name: n for n, name in enumerate(["Day", *_HOURS])})
    days = _shown_as("Day", _KEY["day"], _LABEL["day"])
    cells = _matrix(target[0], rows=_KEY["day"], columns="HH")
    panel = panel.transformations([*cells, rename(r"^Row\\Time$", "Day"), order, *days])
    # From the background of the panel to full colour; an hour that is still to come has none, and nothing is "0".
    shades = FieldColor().mode(FieldColorModeId.CONTINUOUS_PURPLES)
    to_come = SpecialValueMap(
        options=DashboardSpecialValueMapOptions(
            match=SpecialValueMatch.NULL, result=ValueMappingResult(text=" ", color=palette.TRANSPARENT)
        )
    )
    nothing = RangeMap(options=DashboardRangeMapOptions(from_val=0, to=0.05, result=ValueMappingResult(text="0")))
    background = TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
    panel = panel.mappings([to_come, nothing]).decimals(1).min(0).color_scheme(shades).cell_options(background)
    day = [DynamicConfigValue("custom.width", 64), DynamicConfigValue("custom.cellOptions", {"type": "auto"})]
    panel = panel.override_by_name("Day", day).min_width(40).align(FieldTextAlignment.CENTER)
    return panel.cell_height(TableCellHeight.SM).height(16).span(24)


def listing(store: Store, title: str, query: str) -> table.Panel:
    """Show the answer as a table."""
    return (
        _asked(table.Panel().title(title), store, [("", query)], "table", "none")
        .align(FieldTextAlignment.AUTO)
        .height(6)
    )


def peaks_of_months(store: Store, title: str, targets: Sequence[Target]) -> table.Panel:
    """Show a row for each of twelve months, with the highest value of each target."""
    panel = _asked(table.Panel().title(title), store, targets, "series", palette.KW)
    panel = _of_hours(panel, _SINCE["month"]).decimals(2)
    return panel.transformations(
        [joined(), *in_periods("month", [name for name, _ in targets], "max"), rename("^Time$", "Month")]
    ).align(FieldTextAlignment.AUTO)


def mean_of_months(store: Store, title: str, target: Target) -> stat.Panel:
    """Show the mean of the highest values of twelve months."""
    panel = _asked(stat.Panel().title(title), store, [target], "series", palette.KW)
    panel = _of_hours(panel, _SINCE["month"]).decimals(2)
    panel = panel.reduce_options(ReduceDataOptions().calcs(["mean"])).graph_mode(BigValueGraphMode.NONE)
    return panel.transformations(in_periods("month", [target[0]], "max")).text_mode(BigValueTextMode.VALUE)


def limits(*steps_: tuple[float | None, str], percent: bool = False) -> ThresholdsConfig:
    """Give thresholds: from which value (None: from the lowest) on there is which colour."""
    found = ThresholdsConfig().mode(ThresholdsMode.PERCENTAGE if percent else ThresholdsMode.ABSOLUTE)
    return found.steps([Threshold(value=value, color=colour) for value, colour in steps_])


def dashed_lines() -> GraphThresholdsStyleConfig:
    """Draw thresholds as dashed lines."""
    return GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)


def plain(colour: str) -> FieldColor:
    """Give one colour for all."""
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(colour)


def no_legend() -> VizLegendOptions:
    """Give a legend that is not there: a small panel beside one that has it."""
    return VizLegendOptions().show_legend(False)


def legend_with(*calcs: str) -> VizLegendOptions:
    """Give a legend that is a table of what is calculated of each series."""
    return _legend().display_mode(LegendDisplayMode.TABLE).calcs(list(calcs))


def rename(regex: str, pattern: str) -> DataTransformerConfig:
    """Give the transformation that renames series."""
    return _transform("renameByRegex", regex=regex, renamePattern=pattern)


def _asked(
    panel: _Panel,
    store: Store,
    targets: Sequence[Target],
    shape: Shape,
    unit: str = "",
) -> _Panel:
    """Give a panel its queries, and each name its look; its unit, too, unless the panel has one."""
    queries = [store.query(text, name, shape, chr(ord("A") + n)) for n, (name, text) in enumerate(targets)]
    panel = panel.datasource(store.datasource).targets(queries).height(8).span(12)
    panel = panel.thresholds(limits((None, palette.NEUTRAL)))
    panel = panel.unit(unit) if unit else panel
    return looking(panel, [name for name, _ in targets], units=not unit, decimals=isinstance(panel, stat.Panel))


def looking(panel: _Panel, names: Sequence[str], *, units: bool = False, decimals: bool = False) -> _Panel:
    """Give each name its look: its colour and what it is called, and if wanted its unit and its decimals."""
    for name, properties in palette.overrides(names, units=units, decimals=decimals):
        panel = panel.override_by_name(name, properties)
    return panel


def without_times(panel: _Panel) -> _Panel:
    """Leave out "Last 30 days" beside a title that says it, or above an axis that does."""
    return panel.hide_time_override(hide_time_override=True)


def _of_hours(panel: _Panel, since: str, step: str = "1h") -> _Panel:
    """Give a panel a time of its own, and each hour of it."""
    return without_times(panel.time_from(since).interval(step).max_data_points(_MANY_POINTS))


def _bars(panel: barchart.Panel) -> barchart.Panel:
    panel = panel.show_value(VisibilityMode.NEVER).legend(_legend()).line_width(0).fill_opacity(85).axis_soft_min(0)
    return panel.bar_width(0.85).tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))


def joined() -> DataTransformerConfig:
    """Give the transformation that makes one table of several series, a column each."""
    return _transform("joinByField", byField="Time", mode="outer")


def beside() -> DataTransformerConfig:
    """Give the transformation that makes one table of several series whose times do not matter."""
    return _transform("concatenate", frameNameMode="drop")


def calculated(name: str, left: str, operator: Literal["+", "-", "*", "/"], right: str) -> DataTransformerConfig:
    """Give the transformation that adds a column: what InfluxQL cannot calculate of two measurements."""
    sides = {side: {"matcher": {"id": "byName", "options": of}} for side, of in (("left", left), ("right", right))}
    return _transform(
        "calculateField", mode="binary", alias=name, timeSeries=False, binary={**sides, "operator": operator}
    )


def only(*names: str) -> DataTransformerConfig:
    """Give the transformation that leaves these columns."""
    return _transform("filterFieldsByName", include={"names": list(names)})


def in_periods(period: Period, names: Sequence[str], how: Literal["sum", "max"] = "sum") -> list[DataTransformerConfig]:
    """Give the transformations that make days or months of hours."""
    together = _put_together({"Time": _KEY[period]}, dict.fromkeys(names, how))
    return [*together, rename(rf"^(.+) \({how}\)$", "$1"), *_shown_as("Time", _KEY[period], _LABEL[period])]


def _matrix(name: str, rows: str, columns: str) -> list[DataTransformerConfig]:
    """Give the transformations that make a table of hours, with times in these formats before its rows and above."""
    zero = {"left": {"matcher": {"id": "byName", "options": "Time"}}, "operator": "+", "right": {"fixed": "0"}}
    return [
        # A second time: of the sum with zero Grafana says that it is a number.
        _transform("calculateField", mode="binary", timeSeries=False, alias="Row", binary=zero),
        _transform("convertFieldType", conversions=[{"targetField": "Row", "destinationType": "time"}]),
        *_put_together({"Row": rows, "Time": columns}, {name: "sum"}),
        _transform(
            "groupingToMatrix", columnField="Time", rowField="Row", valueField=f"{name} (sum)", emptyValue="null"
        ),
    ]


def _put_together(keys: dict[str, str], values: dict[str, str]) -> list[DataTransformerConfig]:
    """Give the transformations that put hours together whose times are the same in these formats: NAME (sum).

    The queries give hours, which are the same everywhere in Europe. Grafana puts them together in the browser's time
    zone: so days begin at local midnight, those with 23 and 25 hours too, whatever the store knows of time zones.
    """
    grouped: dict[str, Any] = {key: {"operation": "groupby", "aggregations": []} for key in keys}
    grouped |= {name: {"operation": "aggregate", "aggregations": [how]} for name, how in values.items()}
    return [
        *(_transform("formatTime", timeField=key, outputFormat=form, timezone="browser") for key, form in keys.items()),
        _transform("groupBy", fields=grouped),
    ]


def _shown_as(field: str, key: str, label: str) -> list[DataTransformerConfig]:
    """Give the transformations that write the times of a column as people read them."""
    conversion = {"targetField": field, "destinationType": "time", "dateFormat": key}
    return [
        _transform("convertFieldType", conversions=[conversion]),
        # In the zone in which the text was understood: the profile's, whatever that is.
        _transform("formatTime", timeField=field, outputFormat=label),
    ]


def _transform(name: str, **options: Any) -> DataTransformerConfig:
    return DataTransformerConfig(id_val=name, options=options)


def _last() -> ReduceDataOptions:
    return ReduceDataOptions().calcs(["lastNotNull"])


def _legend() -> VizLegendOptions:
    legend = VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    return legend.placement(LegendPlacement.BOTTOM)
