"""The names of series, and the look of each name: the same in all panels of all dashboards.

Colours have a meaning: import is orange (tariffs are shades of it), export green, gas blue, water cyan, heat red,
solar yellow. They can be told apart on a dark and on a light background.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

# `suffix:` prevents that Grafana turns 12671 kWh into 12.7 MWh, which no meter shows.
KWH: Final = "suffix: kWh"
GJ: Final = "suffix: GJ"
M3: Final = "m3"
KW: Final = "kwatt"

# Grafana's names of colours: they are darker in its light theme, so that they are readable in both themes.
NEUTRAL: Final = "#8E98A4"  # neither import nor export
TEXT: Final = "text"
WARNING: Final = "dark-yellow"
ALARM: Final = "dark-red"
ORANGE: Final = "semi-dark-orange"
GREEN: Final = "semi-dark-green"
TRANSPARENT: Final = "transparent"


_TARIFF: Final = re.compile(r"\bT([1-4])$")


class Look(NamedTuple):
    """A colour, and the unit and decimals for what a house has used (None: Grafana chooses the decimals)."""

    colour: str
    unit: str = ""
    decimals: int | None = None


_LOOKS: Final[dict[str, Look]] = {
    "Import": Look(ORANGE, KWH, 1),
    "All": Look(ORANGE, KWH, 1),
    "T1": Look("super-light-orange", KWH, 1),
    "T2": Look("orange", KWH, 1),
    "T3": Look("dark-orange", KWH, 1),
    "T4": Look("#A34A0A", KWH, 1),
    "Export": Look(GREEN, KWH, 1),
    "Gas, m³": Look("blue", M3, 1),
    "Gas, kWh": Look("blue", KWH, 1),
    "Gas": Look("blue"),
    "Water": Look("#14A3B8", M3, 2),
    "Hot water": Look("dark-purple", M3, 2),
    "Heat": Look("semi-dark-red", GJ, 2),
    "Cooling": Look("light-blue", GJ, 2),
    "Cost": Look(TEXT, "none", 2),
    "Solar": Look("yellow", KWH, 1),
    "Own use": Look("yellow", KWH, 1),
    "House": Look("purple", KWH, 1),
    "L1": Look("purple"),
    "L2": Look("#17A398"),
    "L3": Look("#E56BA0"),
    "Highest": Look(NEUTRAL),
    "Lowest": Look(NEUTRAL),
    "Rejected": Look(ALARM),
    "Reconnects": Look(WARNING),
    "Telegrams": Look(NEUTRAL),
    "This year": Look("#6E7FF3"),
    "Last year": Look(NEUTRAL),
    "Standby": Look(TEXT, KW),
    "15-minute peak": Look(TEXT, KW),
}

# The displayed name, if it is another one.
_CALLED: Final = {"All": "Import", "Gas, m³": "Gas", "Gas, kWh": "Gas", "Cost": "Cost, $currency"}


def overrides(names: Iterable[str], *, units: bool, decimals: bool) -> Iterator[tuple[str, list[DynamicConfigValue]]]:
    """Yield the properties of each name that has some: colour and display name, on request unit and decimals."""
    for name in names:
        look, called = _LOOKS.get(name), _CALLED.get(name) or _TARIFF.sub(r"$tariff_\1", name)
        properties = []
        if look:
            properties.append(DynamicConfigValue("color", {"mode": "fixed", "fixedColor": look.colour}))
            if units and look.unit:
                properties.append(DynamicConfigValue("unit", look.unit))
            if decimals and look.decimals is not None:
                properties.append(DynamicConfigValue("decimals", look.decimals))
        if called != name:
            properties.append(DynamicConfigValue("displayName", called))
        if properties:
            yield name, properties
