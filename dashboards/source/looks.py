"""How panels look: the kinds that the dashboards use, and Grafana's transformations of the results."""

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

# The name of a series, and its query.
Target = tuple[str, str]
Period = Literal["day", "month"]
Panel = barchart.Panel | bargauge.Panel | stat.Panel | table.Panel | timeseries.Panel
_Panel = TypeVar("_Panel", stat.Panel, timeseries.Panel, barchart.Panel, bargauge.Panel, table.Panel)

# Export, drawn below the axis.
BELOW_ZERO: Final = [DynamicConfigValue("custom.transform", GraphTransform.NEGATIVE_Y)]

_SINCE: Final[dict[Period, str]] = {"day": "now-30d/d", "month": "now-11M/M"}
# The time format by which hours are grouped, unique per period; and the one that people read.
_KEY: Final[dict[Period, str]] = {"day": "YYYY-MM-DD", "month": "YYYY-MM"}
_LABEL: Final[dict[Period, str]] = {"day": "dd D", "month": "MMM YYYY"}

_HOURS: Final = tuple(f"{hour:02}" for hour in range(24))

# Grafana asks for one point per pixel of a panel, but 13 months have more hours. Prometheus returns at most 11000.
_MANY_POINTS: Final = 11000


def number(store: Store, title: str, targets: Sequence[Target], unit: str = "", since: str | None = None) -> stat.Panel:
    """Show the newest value of each target in large figures; without a unit, each name has its own.

    With `since`, the panel has a time range of its own, which its title has to tell.
    """
    panel = _asked(stat.Panel().title(title), store, targets, "latest", unit)
    panel = panel.height(4).graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    panel = panel.text_mode(BigValueTextMode.VALUE_AND_NAME).wide_layout(False).reduce_options(_last()).no_value("-")
    return without_times(panel.time_from(since)) if since else panel


def listed(store: Store, title: str, targets: Sequence[Target], since: str | None = None) -> stat.Panel:
    """Show a row for each target: its name on the left, its newest value on the right, equally large at any width."""
    panel = number(store, title, targets, since=since).orientation(VizOrientation.HORIZONTAL).wide_layout(True)
    return panel.text(VizTextDisplayOptions().title_size(16).value_size(20))


def readings(store: Store, title: str, targets: Sequence[Target], unit: str, decimals: int) -> stat.Panel:
    """Show rows without colours, with as many decimals as a meter shows; a name without its own unit has this one."""
    panel = listed(store, title, targets).unit(unit).height(9).color_mode(BigValueColorMode.NONE)
    return panel.override_by_field_type("number", [DynamicConfigValue("decimals", decimals)])


def gauges(store: Store, title: str, targets: Sequence[Target], unit: str) -> bargauge.Panel:
    """Draw a horizontal bar for the newest value of each target, relative to the largest of them.

    Thresholds determine the colour, whatever the name is.
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
    """Draw a bar, from zero, for each step of time in the dashboard's range."""
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
    """Draw the months of this year beside those of last year."""
    panel = _asked(barchart.Panel().title(title), store, [target], "series", "none")
    panel = _of_hours(panel, "now-1y/y", store.year_step)
    # "01" sorts correctly, "Jan" does not.
    months = [_transform("sortBy", sort=[{"field": "Month"}]), *_shown_as("Month", "MM", "MMM")]
    names = [rename("^${__to:date:YYYY}$", "This year"), rename(r"^\d{4}$", "Last year")]
    cells = _matrix(target[0], rows="MM", columns="YYYY")
    panel = panel.transformations([*cells, rename(r"^Row\\Time$", "Month"), *months, *names])
    return looking(_bars(panel), ["Last year", "This year"]).x_field("Month").stacking(StackingMode.NONE)


def hours_of_days(store: Store, title: str, target: Target) -> table.Panel:
    """Show a table with a row per day and a column per hour, coloured by what was used."""
    panel = _asked(table.Panel().title(title), store, [target], "series", "none")
    panel = _of_hours(panel, "now-13d/d")
    # If the data begin in an afternoon, the morning hours of the next day would otherwise come last.
    order = _transform("organize", indexByName={name: n for n, name in enumerate(["Day", *_HOURS])})
    days = _shown_as("Day", _KEY["day"], _LABEL["day"])
    cells = _matrix(target[0], rows=_KEY["day"], columns="HH")
    panel = panel.transformations([*cells, rename(r"^Row\\Time$", "Day"), order, *days])
    # From the panel's background to full colour; an hour in the future has no colour, and zero is shown as "0".
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
    """Show the result of a query as a table."""
    return (
        _asked(table.Panel().title(title), store, [("", query)], "table", "none")
        .align(FieldTextAlignment.AUTO)
        .height(6)
    )


def peaks_of_months(store: Store, title: str, targets: Sequence[Target]) -> table.Panel:
    """Show a row for each of the last twelve months, with the highest value of each target."""
    panel = _asked(table.Panel().title(title), store, targets, "series", palette.KW)
    panel = _of_hours(panel, _SINCE["month"]).decimals(2)
    return panel.transformations(
        [joined(), *in_periods("month", [name for name, _ in targets], "max"), rename("^Time$", "Month")]
    ).align(FieldTextAlignment.AUTO)


def mean_of_months(store: Store, title: str, target: Target) -> stat.Panel:
    """Show the mean of the highest values of the last twelve months."""
    panel = _asked(stat.Panel().title(title), store, [target], "series", palette.KW)
    panel = _of_hours(panel, _SINCE["month"]).decimals(2)
    panel = panel.reduce_options(ReduceDataOptions().calcs(["mean"])).graph_mode(BigValueGraphMode.NONE)
    return panel.transformations(in_periods("month", [target[0]], "max")).text_mode(BigValueTextMode.VALUE)


def limits(*steps_: tuple[float | None, str], percent: bool = False) -> ThresholdsConfig:
    """Return thresholds: pairs of a value (None: the lowest) and the colour from there on."""
    found = ThresholdsConfig().mode(ThresholdsMode.PERCENTAGE if percent else ThresholdsMode.ABSOLUTE)
    return found.steps([Threshold(value=value, color=colour) for value, colour in steps_])


def dashed_lines() -> GraphThresholdsStyleConfig:
    """Return the style that draws thresholds as dashed lines."""
    return GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)


def plain(colour: str) -> FieldColor:
    """Return one colour for all."""
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(colour)


def no_legend() -> VizLegendOptions:
    """Return a hidden legend: for a small panel beside one with the same legend."""
    return VizLegendOptions().show_legend(False)


def legend_with(*calcs: str) -> VizLegendOptions:
    """Return a legend that is a table of values calculated from each series."""
    return _legend().display_mode(LegendDisplayMode.TABLE).calcs(list(calcs))


def rename(regex: str, pattern: str) -> DataTransformerConfig:
    """Return the transformation that renames series."""
    return _transform("renameByRegex", regex=regex, renamePattern=pattern)


def _asked(
    panel: _Panel,
    store: Store,
    targets: Sequence[Target],
    shape: Shape,
    unit: str = "",
) -> _Panel:
    """Give a panel its queries, and each name its look, with its unit unless the panel has one."""
    queries = [store.query(text, name, shape, chr(ord("A") + n)) for n, (name, text) in enumerate(targets)]
    panel = panel.datasource(store.datasource).targets(queries).height(8).span(12)
    panel = panel.thresholds(limits((None, palette.NEUTRAL)))
    panel = panel.unit(unit) if unit else panel
    decimals = not unit and isinstance(panel, stat.Panel)
    return looking(panel, [name for name, _ in targets], units=not unit, decimals=decimals)


def looking(panel: _Panel, names: Sequence[str], *, units: bool = False, decimals: bool = False) -> _Panel:
    """Give each name its look: its colour and display name, and on request its unit and decimals."""
    for name, properties in palette.overrides(names, units=units, decimals=decimals):
        panel = panel.override_by_name(name, properties)
    return panel


def without_times(panel: _Panel) -> _Panel:
    """Hide the time range, such as "Last 30 days", if the title or the axis already tells it."""
    return panel.hide_time_override(hide_time_override=True)


def _of_hours(panel: _Panel, since: str, step: str = "1h") -> _Panel:
    """Give a panel a time range of its own, with a point for each hour (or step)."""
    return without_times(panel.time_from(since).interval(step).max_data_points(_MANY_POINTS))


def _bars(panel: barchart.Panel) -> barchart.Panel:
    panel = panel.show_value(VisibilityMode.NEVER).legend(_legend()).line_width(0).fill_opacity(85).axis_soft_min(0)
    return panel.bar_width(0.85).tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))


def joined() -> DataTransformerConfig:
    """Return the transformation that joins several series into one table, with a column each."""
    return _transform("joinByField", byField="Time", mode="outer")


def beside() -> DataTransformerConfig:
    """Return the transformation that joins several series into one table, whatever their times."""
    return _transform("concatenate", frameNameMode="drop")


def calculated(name: str, left: str, operator: Literal["+", "-", "*", "/"], right: str) -> DataTransformerConfig:
    """Return the transformation that adds a calculated column: InfluxQL cannot calculate across measurements."""
    sides = {side: {"matcher": {"id": "byName", "options": of}} for side, of in (("left", left), ("right", right))}
    return _transform(
        "calculateField", mode="binary", alias=name, timeSeries=False, binary={**sides, "operator": operator}
    )


def only(*names: str) -> DataTransformerConfig:
    """Return the transformation that keeps only these columns."""
    return _transform("filterFieldsByName", include={"names": list(names)})


def in_periods(period: Period, names: Sequence[str], how: Literal["sum", "max"] = "sum") -> list[DataTransformerConfig]:
    """Return the transformations that combine hours into days or months."""
    together = _put_together({"Time": _KEY[period]}, dict.fromkeys(names, how))
    return [*together, rename(rf"^(.+) \({how}\)$", "$1"), *_shown_as("Time", _KEY[period], _LABEL[period])]


def _matrix(name: str, rows: str, columns: str) -> list[DataTransformerConfig]:
    """Return the transformations that make a table of hours; `rows` and `columns` are the time formats of its heads."""
    zero = {"left": {"matcher": {"id": "byName", "options": "Time"}}, "operator": "+", "right": {"fixed": "0"}}
    return [
        # A copy of the time: Grafana regards the sum with zero as a number, so it is converted back.
        _transform("calculateField", mode="binary", timeSeries=False, alias="Row", binary=zero),
        _transform("convertFieldType", conversions=[{"targetField": "Row", "destinationType": "time"}]),
        *_put_together({"Row": rows, "Time": columns}, {name: "sum"}),
        _transform(
            "groupingToMatrix", columnField="Time", rowField="Row", valueField=f"{name} (sum)", emptyValue="null"
        ),
    ]


def _put_together(keys: dict[str, str], values: dict[str, str]) -> list[DataTransformerConfig]:
    """Return the transformations that group hours whose times are equal in these formats, as `NAME (sum)`.

    The queries return hours, which are the same in all time zones of Europe. Grafana groups them in the browser's time
    zone. So days begin at local midnight, those with 23 and 25 hours too, whatever the store knows about time zones.
    """
    grouped: dict[str, Any] = {key: {"operation": "groupby", "aggregations": []} for key in keys}
    grouped |= {name: {"operation": "aggregate", "aggregations": [how]} for name, how in values.items()}
    return [
        *(_transform("formatTime", timeField=key, outputFormat=form, timezone="browser") for key, form in keys.items()),
        _transform("groupBy", fields=grouped),
    ]


def _shown_as(field: str, key: str, label: str) -> list[DataTransformerConfig]:
    """Return the transformations that write the times of a column as people read them."""
    conversion = {"targetField": field, "destinationType": "time", "dateFormat": key}
    return [
        _transform("convertFieldType", conversions=[conversion]),
        # In the time zone in which the text was parsed: that of the user's profile.
        _transform("formatTime", timeField=field, outputFormat=label),
    ]


def _transform(name: str, **options: Any) -> DataTransformerConfig:
    return DataTransformerConfig(id_val=name, options=options)


def _last() -> ReduceDataOptions:
    return ReduceDataOptions().calcs(["lastNotNull"])


def _legend() -> VizLegendOptions:
    legend = VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    return legend.placement(LegendPlacement.BOTTOM)
