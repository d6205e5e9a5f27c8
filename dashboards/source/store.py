"""What the panels ask a store for, in whatever query language it has.

Curves and current values are read from all telegrams, in the measurement `p1`. Days, months and years are read from the
first telegram in each quarter of an hour: from `p1_history` if `telegraf-p1 run --history 15m` writes it, else from
`p1`, where finding them takes far longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

TARIFFS: Final = ("t1", "t2", "t3", "t4")
PHASES: Final = ("l1", "l2", "l3")
QUARTER_S: Final = 900
HOUR_S: Final = 3600

# An M-Bus reading is some minutes old: a DSMR 4 meter sends the reading of the full hour shortly after it. Others send
# the reading of every fifth minute up to five minutes late. So an hour of gas ends at a quarter past.
_MBUS_DELAY_S: Final = QUARTER_S

# What a house may use. The variable `medium` has those that are in the database; every house has at least one.
Medium = Literal["energy", "gas", "water", "hot_water", "heat", "cooling"]
MEDIA: Final[tuple[Medium, ...]] = ("energy", "gas", "water", "hot_water", "heat", "cooling")

Direction = Literal["import", "export"]
Shape = Literal["series", "latest", "table"]
Mean = Literal["mean", "min", "max"]


@dataclass(frozen=True)
class Part:
    """One term of a sum: a field, its factor (a number or a variable), and the medium that it measures.

    With a `unit`, the term only counts if the variable `gas_unit` has this value.
    """

    field: str
    factor: str = "1"
    medium: Medium = "energy"
    unit: Literal["", "m3", "kwh"] = ""

    @property
    def delay_s(self) -> int:
        """How much later than the hours of the day the hours of this field begin and end, in s."""
        return 0 if self.medium == "energy" else _MBUS_DELAY_S

    @property
    def times(self) -> str:
        """How a query multiplies by the factor."""
        return "" if self.factor == "1" else f" * {self.factor}"


class Store(Protocol):
    """Returns query texts, for the panel's time range and the meters selected in the variable `meter`."""

    name: str
    uid: str
    datasource: DataSourceRef
    year_step: str
    """The step of a panel that shows two years: Prometheus returns at most 11,000 points."""

    def variables(self) -> list[Builder[VariableModel]]:
        """Return the store's variables: data source, meter, medium, and those that its queries need."""

    def query(self, text: str, name: str, shape: Shape, letter: str) -> Builder[Dataquery]:
        """Make a query's target; its result is a series over time, the latest value, or a table."""

    def now(self, parts: Sequence[Part], *, above_zero: bool | None = None) -> str:
        """Ask for the sum over meters of their newest values, from the last five minutes.

        With `above_zero=True` there is a result only if the sum is not negative; with False only if it is, and then
        without its sign.
        """

    def curve(self, parts: Sequence[Part], *, to_join: bool = False) -> str:
        """Ask for the mean in each interval, summed over parts and meters.

        With `to_join`, intervals without data have no point: Grafana would calculate with a zero.
        """

    def extreme(self, fields: Sequence[str], mean: Mean) -> str:
        """Ask for the mean, lowest or highest value in each interval, over all fields and meters together."""

    def used(self, parts: Sequence[Part]) -> str:
        """Ask how much counters have grown in the range, up to the last telegram."""

    def used_in_quarters(self, parts: Sequence[Part]) -> str:
        """Ask how much counters have grown in the whole quarters of the range: fast, for months and years too."""

    def used_in_hours(self, parts: Sequence[Part]) -> str:
        """Ask for the same in whole hours, which is less work, for a year."""

    def hourly(self, parts: Sequence[Part], *, of_medium: bool = False, step: str = "1h") -> str:
        """Ask how much counters have grown in each hour (or step); with `of_medium`, only those of `$medium`."""

    def power_in_quarters(self, parts: Sequence[Part], how: Literal["highest", "standby"]) -> str:
        """Ask for the highest mean power of a quarter, or for the 5th percentile of the quarters with any use."""

    def quarters(self, field: str) -> str:
        """Ask for the last value in each quarter of an hour."""

    def latest(self, field: str) -> str:
        """Ask for the newest value."""

    def hourly_highest(self, field: str, least: float = 0) -> str:
        """Ask for the highest value in each hour, but at least `least`; an hour ends with its last quarter."""

    def constant(self, text: str, field: str) -> str:
        """Ask for a constant that belongs to a field: without such a field there is no result."""

    def age(self) -> tuple[str, str]:
        """Ask how old the newest telegram is: return Grafana's unit for the result, and the query."""

    def telegrams_per_minute(self) -> str:
        """Ask for the number of telegrams per minute."""

    def statistic(self, field: str) -> str:
        """Ask for the growth of a counter of `p1_stats` per minute."""

    def message(self) -> str | None:
        """Ask for the supplier's newest message and its time; None if the store has no texts."""

    def rejected_by_cause(self) -> str:
        """Ask for the number of telegrams rejected since the plugin's start, by cause."""

    def total(self, direction: Direction) -> str:
        """Return the counter field of a meter without tariffs; it must not exist for a meter with tariffs."""

    def produced(self) -> str:
        """Ask for the mean power of the solar panels, in kW, in each interval."""

    def produced_energy(self, *, hourly: bool = False) -> str:
        """Ask for the energy of the solar panels in kWh, in the range or in each hour."""

    def price(self) -> str:
        """Ask for the price in each hour, from another measurement."""


def energy(store: Store, direction: Direction, factor: str = "1") -> list[Part]:
    """Return the registers whose sum is all energy: one per tariff, and the total of a meter without tariffs."""
    fields = [f"energy_{direction}_{tariff}_kwh" for tariff in TARIFFS]
    return [Part(field, factor) for field in (*fields, store.total(direction))]


def meters(datasource: DataSourceRef, query: str | dict[str, object]) -> QueryVariable:
    """Return the variable `meter`: one, some, or all, which includes meters without an identifier."""
    variable = filled_by_database("meter", datasource, query, VariableSort.ALPHABETICAL_ASC).label("Meter")
    return variable.hide(VariableHide.DONT_HIDE).multi(True).include_all(True).all_value(".*")


def media(datasource: DataSourceRef, query: str | dict[str, object], prefix: str) -> QueryVariable:
    """Return the variable `medium`, for rows that repeat: all media in the database."""
    regex = f"/^{prefix}({'|'.join(MEDIA)})_(?:import|m3|gj|kwh)/"
    variable = filled_by_database("medium", datasource, query, VariableSort.ALPHABETICAL_ASC).regex(regex)
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).current(everything)


def load(datasource: DataSourceRef, query: str | dict[str, object], prefix: str) -> QueryVariable:
    """Return the variable `load`: "current" for a meter that sends currents, else "power"."""
    variable = filled_by_database("load", datasource, query, VariableSort.ALPHABETICAL_ASC)
    return variable.regex(f"/^{prefix}(current|power)_(?:l1_a|import_kw)$/")


def filled_by_database(
    name: str, datasource: DataSourceRef, query: str | dict[str, object], sort: VariableSort
) -> QueryVariable:
    """Return a hidden variable that is filled from the database each time the dashboard is opened."""
    variable = QueryVariable(name).hide(VariableHide.HIDE_VARIABLE).datasource(datasource).query(query)
    return variable.refresh(VariableRefresh.ON_DASHBOARD_LOAD).sort(sort)
