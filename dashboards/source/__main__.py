"""Writes the JSON of both dashboards: `python -m dashboards.source`."""

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row, TextBoxVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableHide, VariableModel, VariableOption

from dashboards.source.influxql import InfluxQL
from dashboards.source.panels import rows
from dashboards.source.promql import PromQL
from dashboards.source.store import Store

FOLDER: Final = Path(__file__).parent.parent
STORES: Final[dict[str, Store]] = {"grafana-influxql.json": InfluxQL(), "grafana-promql.json": PromQL()}

# Name, label, value, whether it is shown above the panels (Lithuania and Hungary have more than two tariffs).
_TEXTS: Final = (
    ("tariff_1", "Name of tariff 1", "Low (NL), day (BE)", True),
    ("tariff_2", "Name of tariff 2", "Normal (NL), night (BE)", True),
    ("tariff_3", "Name of tariff 3", "Tariff 3", False),
    ("tariff_4", "Name of tariff 4", "Tariff 4", False),
    ("price_1", "Price of a kWh, tariff 1 (or all)", "0.25", True),
    ("price_2", "Price, tariff 2", "0.27", True),
    ("price_3", "Price, tariff 3", "0.25", False),
    ("price_4", "Price, tariff 4", "0.25", False),
    ("price_export", "Price, exported kWh", "0.05", True),
    ("price_gas", "Price of a m³ of gas", "1.20", True),
    ("gas_kwh", "kWh in a m³ of gas", "9.77", True),
)


def build(store: Store) -> str:
    """Give the JSON of the dashboard for a store."""
    dashboard = (
        Dashboard(f"Smart meter (telegraf_p1, {store.name})")
        .uid(store.uid)
        .description("Electricity, gas, water and heat from the P1 port. Days begin at the browser's midnight.")
        .tags(["telegraf_p1", "p1", "dsmr"])
        .timezone("browser")
        .time("now-24h", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
        .variables([*store.variables(), *_texts()])
    )
    number = 0
    for title, collapsed, panels in rows(store):
        number += 1
        row = Row(title).id(number)
        for panel in panels:
            number += 1
            panel.build().id_val = number
            if collapsed:
                row.with_panel(panel)
        dashboard.with_row(row)
        for panel in () if collapsed else panels:
            dashboard.with_panel(panel)
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(dashboard.build()) + "\n"


def _texts() -> list[Builder[VariableModel]]:
    return [
        TextBoxVariable(name)
        .label(label)
        .default_value(value)
        .current(VariableOption(text=value, value=value))
        .options([VariableOption(selected=True, text=value, value=value)])
        .hide(VariableHide.DONT_HIDE if shown else VariableHide.HIDE_VARIABLE)
        for name, label, value, shown in _TEXTS
    ]


if __name__ == "__main__":
    for name, store in STORES.items():
        (FOLDER / name).write_text(build(store))
