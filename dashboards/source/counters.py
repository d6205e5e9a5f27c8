"""What a house uses and what that costs, by name: the counters to add up."""

from collections.abc import Sequence
from typing import Final

from dashboards.source.store import TARIFFS, Part, Store, energy

# A heat meter sends GJ or kWh.
_GJ_IN_KWH: Final = "0.0036"

# What a house may use besides electricity: its name and its counters. Of gas, the one in the chosen unit is shown.
OTHERS: Final[tuple[tuple[str, tuple[Part, ...]], ...]] = (
    ("Gas, m³", (Part("gas_m3", medium="gas", unit="m3"),)),
    ("Gas, kWh", (Part("gas_m3", "${gas_kwh}", medium="gas", unit="kwh"),)),
    ("Water", (Part("water_m3", medium="water"),)),
    ("Hot water", (Part("hot_water_m3", medium="hot_water"),)),
    ("Heat", (Part("heat_gj", medium="heat"), Part("heat_kwh", _GJ_IN_KWH, medium="heat"))),
    ("Cooling", (Part("cooling_gj", medium="cooling"), Part("cooling_kwh", _GJ_IN_KWH, medium="cooling"))),
)
# A negative price is a fee; "--0.05" would start a comment in InfluxQL.
_SOLD: Final = "-1 * ${price_export}"

Parts = dict[str, Sequence[Part]]


def used(store: Store) -> Parts:
    """Return the counters of what a house has used, by name."""
    return {"Import": energy(store, "import"), "Export": energy(store, "export"), **dict(OTHERS)}


def used_by_tariff(store: Store) -> Parts:
    """Return the same with each tariff separately, and with export below zero, so that they can be stacked."""
    tariffs = {_tariff(part): [part] for part in energy(store, "import")}
    return {**tariffs, "Export": energy(store, "export", "-1"), **dict(OTHERS)}


def costs(store: Store) -> Parts:
    """Return the same times their prices; a meter without tariffs has the price of tariff 1."""
    tariffs: Parts = {
        _tariff(part): [Part(part.field, f"${{price_{_tariff(part).replace('All', 'T1')[1:]}}}")]
        for part in energy(store, "import")
    }
    # Prices are per unit in which the medium is shown; that of gas is per m³, in whatever unit it is shown.
    others: Parts = {
        name.partition(",")[0]: [Part(p.field, f"${{price_{p.medium}}}{p.times}", p.medium) for p in parts]
        for name, parts in OTHERS
        if name != "Gas, kWh"
    }
    return {**tariffs, "Export": energy(store, "export", _SOLD), **others}


def _tariff(part: Part) -> str:
    """Return the name of an import register: T1 to T4, or All."""
    return next((tariff.upper() for tariff in TARIFFS if tariff in part.field), "All")


def together(parts: Parts) -> list[Part]:
    """Return the parts of all names, to be added up."""
    return [part for some in parts.values() for part in some]
