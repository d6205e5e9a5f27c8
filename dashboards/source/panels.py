"""What the dashboards show, row by row, for any store."""

from typing import Final

from grafana_foundation_sdk.builders.common import ReduceDataOptions
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import GraphDrawStyle, GraphTransform
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Panel

from dashboards.source.looks import MANY_POINTS, Period, Target, bars, curve, difference, hours, listing, number, rename
from dashboards.source.store import TARIFFS, Part, Store, energy

_PHASES: Final = ("l1", "l2", "l3")
_IMPORT_NOW: Final = Part("power_import_kw")
_EXPORT_NOW: Final = Part("power_export_kw", "-1")
_GAS: Final = Part("gas_m3")
_GAS_KWH: Final = Part("gas_m3", "${gas_kwh}")
_GAS_COST: Final = Part("gas_m3", "${price_gas}")

# A price below zero is a fee; "--0.05" would begin a comment in InfluxQL.
_SOLD: Final = "-1 * ${price_export}"

_Rows = list[tuple[str, bool, list[Builder[Panel]]]]


def rows(store: Store) -> _Rows:
    """Give the rows: title, whether it is collapsed (what many do not have, or takes a while), panels."""
    return [
        ("Now", False, _now(store)),
        ("Days", False, _electricity(store, "day")),
        ("Gas", False, _gas(store)),
        ("Months", True, _electricity(store, "month")),
        ("Water and heat", True, _water_and_heat(store)),
        ("Capacity tariff (Belgium)", True, _capacity(store)),
        ("Meter", False, _meter(store)),
        ("Health", False, _health(store)),
    ]


def _now(store: Store) -> list[Builder[Panel]]:
    power = [("Import", [_IMPORT_NOW]), ("Export", [Part("power_export_kw")]), ("Net", [_IMPORT_NOW, _EXPORT_NOW])]
    unit, query = store.age()
    age = number(store, "Last telegram", unit, [("Age", query)])
    if unit == "dateTimeFromNow":
        age = age.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("/^Time$/"))
    now = [(name, store.now(parts)) for name, parts in power]
    gas_today = [("m³", store.used([_GAS])), ("kWh", store.used([_GAS_KWH]))]
    figures = [
        number(store, "Power now", "kwatt", now, since="5m"),
        number(store, "Electricity today", "kwatth", _energy_today(store), since="now/d").span(6),
        number(store, "Cost today", "none", _cost_today(store), since="now/d").span(6).decimals(2),
        number(store, "Gas today", "none", gas_today, since="now/d").decimals(2),
        age,
    ]
    return [*figures, *_curves(store, [(name, store.curve(parts)) for name, parts in power])]


def _curves(store: Store, power: list[Target]) -> list[Builder[Panel]]:
    per_phase = [
        (phase.upper(), store.curve([Part(f"power_import_{phase}_kw"), Part(f"power_export_{phase}_kw", "-1")]))
        for phase in _PHASES
    ]
    voltages = [
        (f"{phase.upper()} {mean}", store.extreme(f"voltage_{phase}_v", mean))
        for phase in _PHASES
        for mean in ("mean", "min", "max")
    ]
    currents = [(phase.upper(), store.extreme(f"current_{phase}_a", "max")) for phase in _PHASES]
    below = [DynamicConfigValue("custom.transform", GraphTransform.NEGATIVE_Y)]
    dashed = [DynamicConfigValue("custom.lineStyle", {"fill": "dash"})]
    return [
        curve(store, "Power", "kwatt", power).override_by_name("Export", below),
        curve(store, "Power per phase", "kwatt", per_phase).description("Import is above zero, export below."),
        curve(store, "Voltage per phase", "volt", voltages).fill_opacity(0).override_by_regexp("/min|max/", dashed),
        curve(store, "Current per phase", "amp", currents).description("The highest in each interval: a fuse sees it."),
    ]


def _electricity(store: Store, period: Period) -> list[Builder[Panel]]:
    bought, sold = energy(store, "import"), energy(store, "export")
    tariffs = [(_name(part), part) for part in bought]
    balance = [("Import", store.hourly(bought)), ("Export", store.hourly(sold))]
    costs = [
        *_hourly(store, [*((_name(part), part) for part in _priced(store)), ("Gas", _GAS_COST)]),
        ("Export", store.hourly(energy(store, "export", _SOLD))),
    ]
    return [
        bars(store, f"Electricity per {period}", "kwatth", _hourly(store, tariffs), period, stacked=True).span(8),
        bars(store, f"Import, export and net per {period}", "kwatth", balance, period)
        .span(8)
        .with_transformation(difference("Net", "Import", "Export")),
        bars(store, f"Cost per {period}", "none", costs, period, stacked=True).decimals(2).span(8),
    ]


def _gas(store: Store) -> list[Builder[Panel]]:
    return [
        hours(store, "Gas per hour, m³", "m3", [("Gas", _GAS)]),
        bars(store, "Gas per day, m³", "m3", _hourly(store, [("Gas", _GAS)]), "day"),
        hours(store, "Gas per hour, kWh", "kwatth", [("Gas", _GAS_KWH)]),
        bars(store, "Gas per day, kWh", "kwatth", _hourly(store, [("Gas", _GAS_KWH)]), "day"),
    ]


def _water_and_heat(store: Store) -> list[Builder[Panel]]:
    water = [("Water", Part("water_m3")), ("Hot water", Part("hot_water_m3"))]
    heat = [("Heat", Part("heat_gj")), ("Cooling", Part("cooling_gj"))]
    return [
        hours(store, "Water per hour", "m3", water),
        bars(store, "Water per day", "m3", _hourly(store, water), "day"),
        hours(store, "Heat per hour", "suffix: GJ", heat),
        bars(store, "Heat per day", "suffix: GJ", _hourly(store, heat), "day"),
    ]


def _capacity(store: Store) -> list[Builder[Panel]]:
    return [
        curve(store, "Quarter-hour demand", "kwatt", [("Demand", store.quarters("power_import_quarter_kw"))])
        .interval("15m")
        .max_data_points(MANY_POINTS)
        .draw_style(GraphDrawStyle.BARS)
        .description("The mean power of each quarter of an hour, so far in the running one."),
        number(store, "Month peak", "kwatt", [("Peak", store.latest("power_import_month_peak_kw"))]),
        # Grafana's times are in ms.
        number(
            store,
            "Time of the month peak",
            "dateTimeAsLocal",
            [("End of the quarter", store.latest("power_import_month_peak_timestamp", "1000"))],
        ),
        number(
            store,
            "Mean of the last 12 month peaks",
            "kwatt",
            [("Mean", store.latest("power_import_year_peak_average_kw"))],
        ).description("The capacity tariff asks for this, with at least 2.5 kW a month. A new meter has fewer months."),
    ]


def _meter(store: Store) -> list[Builder[Panel]]:
    counters = "(energy_(import|export)(_t[1-8])?|gas|water|hot_water|heat|cooling)_(kwh|m3|gj)"
    troubles = "((long_)?power_failures|voltage_(sags|swells)_l[123])"
    panels: list[Builder[Panel]] = [
        listing(store, "Meter readings", store.readings(counters), store.readings_table()),
        listing(store, "Power failures, sags and swells", store.readings(troubles), store.readings_table()),
    ]
    message = store.message()
    if message:
        panels.append(listing(store, "Message of the supplier", message, []).time_from("30d").no_value("no message"))
    return panels


def _health(store: Store) -> list[Builder[Panel]]:
    needs_stats = "Needs the option --stats 60s of telegraf-p1 run."
    return [
        curve(store, "Telegrams per minute", "none", [("Telegrams", store.telegrams_per_minute())])
        .interval("1m")
        .span(8),
        curve(
            store,
            "Rejected telegrams and reconnects per minute",
            "none",
            [("Rejected", store.statistic("rejected")), ("Reconnects", store.statistic("reconnects"))],
        )
        .interval("1m")
        .span(8)
        .draw_style(GraphDrawStyle.BARS)
        .description(needs_stats),
        number(store, "Rejected since the start, by cause", "none", [("", store.rejected_by_cause())])
        .span(8)
        .transformations([rename("^.*rejected_(.+)$", "$1")])
        .no_value("none")
        .description(needs_stats),
    ]


def _name(part: Part) -> str:
    """Give the name of an import register: T1 to T4, or All."""
    return next((tariff.upper() for tariff in TARIFFS if tariff in part.field), "All")


def _priced(store: Store) -> list[Part]:
    """Give the import registers with their prices; a meter without tariffs has the first."""
    return [Part(part.field, f"${{price_{_name(part).replace('All', 'T1')[1:]}}}") for part in energy(store, "import")]


def _hourly(store: Store, parts: list[tuple[str, Part]]) -> list[Target]:
    return [(name, store.hourly([part])) for name, part in parts]


def _energy_today(store: Store) -> list[Target]:
    tariffs = [(_name(part), store.used([part])) for part in energy(store, "import")]
    return [*tariffs, ("Export", store.used(energy(store, "export")))]


def _cost_today(store: Store) -> list[Target]:
    sold = energy(store, "export", _SOLD)
    return [
        ("Electricity", store.used(_priced(store))),
        ("Export", store.used(sold)),
        ("Gas", store.used([_GAS_COST])),
        ("Total", store.used([*_priced(store), *sold, _GAS_COST])),
    ]
