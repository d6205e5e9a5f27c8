"""What the dashboards show, row by row, for any store."""

from typing import NamedTuple

from dashboards.source import closed_rows, open_rows
from dashboards.source.looks import Panel
from dashboards.source.store import Store


class Row(NamedTuple):
    """A row of the dashboard; without a title, the panels above the first row.

    Collapsed rows are for what many houses do not have. A repeated row is shown for each medium that the house uses.
    """

    title: str
    panels: list[Panel]
    collapsed: bool = False
    repeats: bool = False


def rows(store: Store) -> list[Row]:
    """Return the rows for a house with an electricity meter."""
    return [
        Row("", open_rows.overview(store)),
        Row("Months", open_rows.months(store)),
        Row("Day by day: $medium", open_rows.by_medium(store), repeats=True),
        Row("Voltage and current", closed_rows.phases(store), collapsed=True),
        Row("Capacity tariff (Belgium)", closed_rows.capacity(store), collapsed=True),
        Row("Solar panels", closed_rows.solar(store), collapsed=True),
        Row("Dynamic prices", closed_rows.prices(store), collapsed=True),
        Row("Meter", open_rows.readings_of_the_meter(store)),
        Row("Health", closed_rows.health(store), collapsed=True),
    ]


def rows_without_electricity(store: Store) -> list[Row]:
    """Return the rows for a home whose meter sends no electricity, only heat, gas or water."""
    return [
        Row("", [panel.span(8).height(5) for panel in open_rows.totals(store)]),
        Row("Months", open_rows.months(store)),
        Row("Day by day: $medium", open_rows.by_medium(store), repeats=True),
        Row("Meter", open_rows.readings_of_the_meter(store)),
        Row("Health", closed_rows.health(store), collapsed=True),
    ]
