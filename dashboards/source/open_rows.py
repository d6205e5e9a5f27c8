"""The panels of the rows that are open at first: what most people look at."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from grafana_foundation_sdk.builders import bargauge, stat
from grafana_foundation_sdk.models.common import (
    BarGaugeNamePlacement,
    BigValueColorMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.source import counters, looks, palette
from dashboards.source.looks import (
    Panel,
    Target,
    bars,
    curve,
    gauges,
    hours_of_days,
    legend_with,
    limits,
    listed,
    no_legend,
    number,
    readings,
    steps,
    years,
)
from dashboards.source.store import PHASES, TARIFFS, Part, Store, energy

_MINUTES_OF_A_DAY: Final = 1440
_LONGEST_GAP_MS: Final = 120_000  # in a line: some meters send once a minute, and a telegram may be lost


def overview(store: Store) -> list[Panel]:
    """Return the panels of the first screen."""
    return [*_now(store), *totals(store, _extremes(store)), *_power(store), _against_fuse(store)]


def _now(store: Store) -> list[Panel]:
    """Show the power of the last telegram: import or export, whichever it is."""
    net = [Part("power_import_kw"), Part("power_export_kw", "-1")]
    ways = [("Import", store.now(net, above_zero=True)), ("Export", store.now(net, above_zero=False))]
    power = number(store, "Power now", ways, palette.KW, "5m").color_mode(BigValueColorMode.BACKGROUND)
    return [power.no_value("no telegram for 5 minutes").span(6)]


def _against_fuse(store: Store) -> bargauge.Panel:
    """Show the current of each phase against the main fuse; if the meter sends none, the power against three phases.

    The variable `load` is `current` or `power`: queries for the fields of the other one have no result.
    """
    phases = [(phase.upper(), f"${{load}}_{phase}_a") for phase in PHASES]
    power = "${load}_import_kw"
    targets = [
        *((name, store.now([Part(field)])) for name, field in phases),
        ("Fuse", store.constant("${fuse}", phases[0][1])),
        ("Import", store.now([Part(power)])),
        ("Connection", store.constant("${fuse} * 3 * 0.23", power)),
    ]
    load = limits((None, palette.GREEN), (80, palette.WARNING), (100, palette.ALARM), percent=True)
    panel = gauges(store, "Load against the fuse", targets, "suffix: A").name_placement(BarGaugeNamePlacement.LEFT)
    panel = panel.decimals(1).description(
        "Now, import or export. If the meter sends no current: power on three phases."
    )
    grey = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": palette.NEUTRAL})
    in_kw = DynamicConfigValue("unit", palette.KW)
    panel = panel.override_by_name("Fuse", [grey]).override_by_name("Import", [in_kw])
    panel = panel.override_by_name("Connection", [grey, in_kw]).thresholds(load)
    return looks.without_times(panel.time_from("5m")).height(10).span(6)


def totals(store: Store, extremes: Sequence[Target] = ()) -> list[stat.Panel]:
    """List what was used today, until this time yesterday, and in the selected time range."""
    used = _with_cost(store, store.used)
    chosen = listed(store, "Selected time range", [*_with_cost(store, store.used_in_quarters), *extremes]).description(
        "Counted in whole quarter-hours. Standby: 5 % of the quarter-hours without export use less."
    )
    return [
        listed(store, "Today", used, since="now/d")
        .height(8)
        .span(6)
        .description("Cost of import minus export. Fixed costs and the capacity tariff are not included."),
        listed(store, "Yesterday, until this time", used, since="now/d").time_shift("1d").height(8).span(6),
        chosen.height(8).span(6),
    ]


def _extremes(store: Store) -> list[Target]:
    """Return what characterises a house besides its sums: its highest quarter, and its standby power."""
    power = energy(store, "import")
    # A quarter with export, in which the sun has covered part of the use, becomes strongly negative.
    without_sun = [*power, *energy(store, "export", "-1000000")]
    return [
        ("Standby", store.power_in_quarters(without_sun, "standby")),
        ("15-minute peak", store.power_in_quarters(power, "highest")),
    ]


def _with_cost(store: Store, ask: Callable[[Sequence[Part]], str]) -> list[Target]:
    """Return the queries for all that a house has used, and for its cost."""
    parts = {**counters.used(store), "Cost": counters.together(counters.costs(store))}
    return [(name, ask(some)) for name, some in parts.items()]


def _power(store: Store) -> list[Panel]:
    """Draw the power of the last hour, and of the selected time range."""
    targets = [("Import", store.curve([Part("power_import_kw")])), ("Export", store.curve([Part("power_export_kw")]))]
    last_hour = looks.without_times(curve(store, "The last hour", palette.KW, targets).time_from("1h"))
    last_hour = last_hour.span_nulls(_LONGEST_GAP_MS)
    power = curve(store, "Power", palette.KW, targets).legend(legend_with("lastNotNull", "max", "mean"))
    # The same number of points at any width of the panel: the highest mean depends on it.
    power = power.max_data_points(_MINUTES_OF_A_DAY).span(18).height(10).fill_opacity(25)
    return [
        last_hour.override_by_name("Export", looks.BELOW_ZERO).legend(no_legend()).height(4).span(6),
        power.override_by_name("Export", looks.BELOW_ZERO),
    ]


def by_medium(store: Store) -> list[Panel]:
    """Return the panels that exist for each medium; their queries for other media have no result."""

    def hourly(parts: counters.Parts) -> list[Target]:
        return [(name, store.hourly(some, of_medium=True)) for name, some in parts.items()]

    everything = [*energy(store, "import"), *(part for _, parts in counters.OTHERS for part in parts)]
    whole = counters.used(store) | {"Export": energy(store, "export", "-1")}
    # In thousandths, as they would be 0.00 in most hours.
    small = ("water", "hot_water", "heat", "cooling")
    fine = [replace(part, factor=f"1000 * {part.factor}") if part.medium in small else part for part in everything]
    used = ("Used", store.hourly(fine, of_medium=True))
    in_years = ("Used", store.hourly(everything, of_medium=True, step=store.year_step))
    return [
        bars(store, "Per day: $medium", "", hourly(counters.used_by_tariff(store)), "day"),
        bars(store, "Cost per day: $medium, $currency", "none", hourly(counters.costs(store)), "day").decimals(2),
        steps(store, "Per hour: $medium", "", hourly(whole), "1h"),
        years(store, "Per month: $medium", in_years).description("Import, in the units of the panels beside it."),
        hours_of_days(store, "By hour and day: $medium", used).description(
            "Import in kWh, gas as chosen, water and hot water in litres, heat and cooling in MJ."
        ),
    ]


def months(store: Store) -> list[Panel]:
    """List this month, the same days of last month, and a year; draw the cost of the months."""
    costs = [(name, store.hourly(parts)) for name, parts in counters.costs(store).items()]
    used = _with_cost(store, store.used_in_quarters)
    return [
        listed(store, "This month", used, since="now/M").height(7).span(8),
        listed(store, "Same days of last month", used, since="now/M").time_shift("1M").height(7).span(8),
        listed(store, "The last 365 days", _with_cost(store, store.used_in_hours), since="365d").height(7).span(8),
        bars(store, "Cost per month, $currency", "none", costs, "month").decimals(2).span(24),
    ]


def readings_of_the_meter(store: Store) -> list[Panel]:
    """List the readings as the display of the meter shows them."""
    ways = ("import", "export")
    registers = [
        (f"{way.capitalize()}, {tariff.upper()}", f"energy_{way}_{tariff}_kwh") for way in ways for tariff in TARIFFS
    ]
    totals = [(f"{way.capitalize()}, total", f"energy_{way}_kwh") for way in ways]
    electricity = [(name, store.latest(field)) for name, field in [*registers, *totals]]
    others = [(name, store.latest(parts[0].field)) for name, parts in counters.OTHERS if name != "Gas, kWh"]
    panel = readings(store, "Readings of the meter", [*electricity, *others], palette.KWH, 3)
    return [panel.description("Latest values. With several meters, select one above.")]
