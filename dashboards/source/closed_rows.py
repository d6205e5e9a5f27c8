"""The panels of the rows that are collapsed at first: for what many houses do not have."""

from typing import Final

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.common import ReduceDataOptions
from grafana_foundation_sdk.models.common import (
    BarGaugeNamePlacement,
    BigValueTextMode,
    LineInterpolation,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.source import looks, palette
from dashboards.source.looks import (
    Panel,
    bars,
    curve,
    gauges,
    limits,
    listing,
    number,
    readings,
    steps,
)
from dashboards.source.store import PHASES, Part, Store, energy

_NO_INVERTER: Final = "Set the inverter under Settings, Variables"

# The least that a month's peak counts in the Flemish capacity tariff.
_LEAST_PEAK_KW: Final = 2.5


def phases(store: Store) -> list[Panel]:
    """Draw voltages, powers and currents."""
    voltages = [f"voltage_{phase}_v" for phase in PHASES]
    band = [
        ("Highest", store.extreme(voltages, "max")),
        ("Lowest", store.extreme(voltages, "min")),
        *((f"L{n}", store.extreme([field], "mean")) for n, field in enumerate(voltages, 1)),
    ]
    powers = [
        (phase.upper(), store.curve([Part(f"power_import_{phase}_kw"), Part(f"power_export_{phase}_kw", "-1")]))
        for phase in PHASES
    ]
    currents = [(phase.upper(), store.extreme([f"current_{phase}_a"], "max")) for phase in PHASES]
    edge = [DynamicConfigValue("custom.lineWidth", 0)]
    filled = [*edge, DynamicConfigValue("custom.fillBelowTo", "Lowest"), DynamicConfigValue("custom.fillOpacity", 12)]
    norm = limits((None, "transparent"), (207, palette.WARNING), (253, palette.ALARM))
    voltage = curve(store, "Voltage", "volt", band).fill_opacity(0).span(24)
    return [
        voltage.override_by_name("Highest", filled)
        .override_by_name("Lowest", edge)
        .thresholds(norm)
        .thresholds_style(looks.dashed_lines())
        .description("Mean of each phase, and the range from lowest to highest. The standard allows 207 to 253 V."),
        curve(store, "Power per phase", palette.KW, powers).description("Import is above zero, export below."),
        curve(store, "Current per phase", "amp", currents)
        .axis_soft_min(0)
        .description("Highest value in each interval, which is what the fuse has to carry."),
    ]


def capacity(store: Store) -> list[Panel]:
    """Show what the Belgian capacity tariff counts."""
    peak, asked = "power_import_month_peak_kw", "Billed"
    against = [
        ("This quarter-hour so far", store.latest("power_import_quarter_kw")),
        ("Peak of this month", store.latest(peak)),
        ("Mean of the full months", store.latest("power_import_year_peak_average_kw")),
    ]
    least = (asked, store.hourly_highest(peak, _LEAST_PEAK_KW))
    rule = f"A month counts with its highest quarter-hour, at least {_LEAST_PEAK_KW} kW."
    demand = [("Demand", store.quarters("power_import_quarter_kw"))]
    return [
        gauges(store, "This quarter-hour and the peaks", against, palette.KW)
        .color_scheme(looks.plain(palette.ORANGE))
        .name_placement(BarGaugeNamePlacement.TOP),
        looks.peaks_of_months(store, "Month peaks", [("Peak", store.hourly_highest(peak)), least]).height(15),
        looks.mean_of_months(store, "Billed peak", least)
        .height(7)
        .description(f"Mean of twelve months, including this one. {rule}"),
        steps(store, "Quarter-hour demand", palette.KW, demand, "15m")
        .color_scheme(looks.plain(palette.ORANGE))
        .span(24)
        .description("Mean power of each quarter-hour; of the current one, the mean so far."),
    ]


def solar(store: Store) -> list[Panel]:
    """Show what solar panels produce (from another measurement), and how much of it the house uses itself."""
    powers = [
        ("Solar", store.produced()),
        ("Import", store.curve([Part("power_import_kw")], to_join=True)),
        ("Export", store.curve([Part("power_export_kw")], to_join=True)),
    ]
    house = [looks.calculated("In", "Solar", "+", "Import"), looks.calculated("House", "In", "-", "Export")]
    energies = [
        ("Solar", store.produced_energy(hourly=True)),
        ("Import", store.hourly(energy(store, "import"))),
        ("Export", store.hourly(energy(store, "export", "-1"))),
    ]
    # Export is negative here, so the sum of production and export is the house's own use.
    names = ["Own use", "Import", "Export"]
    per_day = bars(store, "Solar energy per day", palette.KWH, energies, "day")
    power = looks.looking(curve(store, "Solar power and use", palette.KW, powers), ["House"]).span(24).height(10)
    return [
        number(store, "Solar energy produced", [("Solar", store.produced_energy())]).no_value(_NO_INVERTER).span(8),
        _solar_shares(store).span(16),
        power.interval("5m")
        .override_by_name("Export", looks.BELOW_ZERO)
        .transformations([looks.joined(), *house, looks.only("Time", "Solar", "Import", "Export", "House")]),
        looks.looking(per_day, names)
        .span(24)
        .transformations(
            [looks.joined(), looks.calculated("Own use", "Solar", "+", "Export"), *looks.in_periods("day", names)]
        ),
    ]


def _solar_shares(store: Store) -> stat.Panel:
    """Show which share of the solar energy the house uses itself, and which share of its use that covers."""
    consumption, sufficiency = "Self-consumption", "Self-sufficiency"
    sums = [
        ("Solar", store.produced_energy()),
        ("Export", store.used_in_quarters(energy(store, "export"))),
        ("Import", store.used_in_quarters(energy(store, "import"))),
    ]
    shares = [
        looks.calculated("Own", "Solar", "-", "Export"),
        looks.calculated("Use", "Own", "+", "Import"),
        looks.calculated(consumption, "Own", "/", "Solar"),
        looks.calculated(sufficiency, "Own", "/", "Use"),
    ]
    panel = number(store, "Solar energy used at home", sums, "percentunit").decimals(0).no_value(_NO_INVERTER)
    panel = panel.transformations([looks.beside(), *shares, looks.only(consumption, sufficiency)])
    return panel.color_scheme(looks.plain(palette.GREEN)).description(
        f"{consumption}: share of the production used at home. {sufficiency}: share of the use that panels cover."
    )


def prices(store: Store) -> list[Panel]:
    """Show the cost of import and export at hourly prices, from another measurement."""
    asked = [
        ("Imported", store.hourly(energy(store, "import"))),
        ("Exported", store.hourly(energy(store, "export", "-1"))),
        ("Price", store.price()),
    ]
    costs = [
        looks.calculated("Import", "Imported", "*", "Price"),
        looks.calculated("Export", "Exported", "*", "Price"),
        looks.only("Time", "Import", "Export"),
    ]
    price = curve(store, "Price per kWh, $currency", "none", [("Price", store.price())]).interval("1h")
    names = ["Import", "Export"]
    hourly = looks.looking(steps(store, "Dynamic cost per hour, $currency", "none", asked, "1h"), names)
    daily = looks.looking(bars(store, "Dynamic cost per day, $currency", "none", asked, "day"), names)
    return [
        price.line_interpolation(LineInterpolation.STEP_AFTER).color_scheme(looks.plain(palette.NEUTRAL)).decimals(2),
        hourly.decimals(2).transformations([looks.joined(), *costs]),
        daily.decimals(2).span(24).transformations([looks.joined(), *costs, *looks.in_periods("day", names)]),
    ]


def health(store: Store) -> list[Panel]:
    """Show how well the plugin works, and what the meter reports about the grid."""
    needs_stats = "Needs the option --stats 60s of telegraf-p1 run."
    unit, age = store.age()
    last = number(store, "Last telegram", [("Age", age)], unit)
    if unit == "dateTimeFromNow":
        last = last.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("/^Time$/"))
    failures = [("Power failures", "power_failures"), ("Long power failures", "long_power_failures")]
    failures += [
        (f"Voltage {what}, {phase.upper()}", f"voltage_{what}_{phase}")
        for what in ("sags", "swells")
        for phase in PHASES
    ]
    events = [("Rejected", store.statistic("rejected")), ("Reconnects", store.statistic("reconnects"))]
    message = store.message()
    return [
        last.text_mode(BigValueTextMode.VALUE),
        number(store, "Rejected since start", [("", store.rejected_by_cause())], "none")
        .transformations([looks.rename("^.*rejected_(.+)$", "$1")])
        .no_value("none")
        .description(needs_stats),
        steps(store, "Telegrams per minute", "none", [("Telegrams", store.telegrams_per_minute())], "1m"),
        steps(store, "Rejected and reconnects per minute", "none", events, "1m").description(needs_stats),
        readings(
            store, "Power failures", [(name, store.latest(field)) for name, field in failures], "none", 0
        ).no_value("The meter does not send this."),
        *(
            [listing(store, "Message of the supplier", message).time_from("30d").no_value("no message")]
            if message
            else []
        ),
    ]
