"""What a user sets once, in the dashboard's settings: it is not shown above the panels."""

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders.dashboard import CustomVariable, TextBoxVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import VariableHide, VariableModel, VariableOption

# Name, label, value.
_TEXTS: Final = (
    ("tariff_1", "Name of tariff 1 (NL: low, BE: day)", "Tariff 1"),
    ("tariff_2", "Name of tariff 2 (NL: normal, BE: night)", "Tariff 2"),
    ("tariff_3", "Name of tariff 3", "Tariff 3"),
    ("tariff_4", "Name of tariff 4", "Tariff 4"),
    ("currency", "Currency", "€"),
    ("price_1", "Price per kWh, tariff 1 (or all)", "0.25"),
    ("price_2", "Price per kWh, tariff 2", "0.27"),
    ("price_3", "Price per kWh, tariff 3", "0.25"),
    ("price_4", "Price per kWh, tariff 4", "0.25"),
    ("price_export", "Price per exported kWh", "0.05"),
    ("price_gas", "Price per m³ of gas", "1.20"),
    ("price_water", "Price per m³ of water", "1.10"),
    ("price_hot_water", "Price per m³ of hot water", "9.00"),
    ("price_heat", "Price per GJ of heat", "40"),
    ("price_cooling", "Price per GJ of cooling", "40"),
    ("gas_kwh", "kWh in a m³ of gas", "9.77"),
    ("fuse", "Main fuse, in A", "25"),
    ("solar_measurement", "Measurement of the solar inverter", "inverter"),
    ("solar_field", "Its field with the power", "power_w"),
    ("solar_kw", "Factor from its unit to kW", "0.001"),
    ("price_measurement", "Measurement of dynamic prices", "prices"),
    ("price_field", "Its field with the price per kWh", "eur_kwh"),
)


def variables(panels: str) -> Iterator[Builder[VariableModel]]:
    """Yield the variables that the JSON of some panels uses."""
    for name, label, value in _TEXTS:
        if f"${name}" in panels or f"${{{name}}}" in panels:
            option = VariableOption(selected=True, text=value, value=value)
            variable = TextBoxVariable(name).label(label).default_value(value).options([option])
            yield variable.current(VariableOption(text=value, value=value)).hide(VariableHide.HIDE_VARIABLE)
    units = [
        VariableOption(selected=unit == "m3", text=text, value=unit) for text, unit in (("m³", "m3"), ("kWh", "kwh"))
    ]
    gas = CustomVariable("gas_unit").label("Gas in").values("m³ : m3,kWh : kwh").options(units)
    yield gas.current(VariableOption(text="m³", value="m3")).hide(VariableHide.HIDE_VARIABLE)
