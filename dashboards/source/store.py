"""What the panels ask of a store, whichever query language it speaks.

Curves and what is now are asked of the telegrams, in the measurement `p1`. Days, months and years are asked of the
first telegram of each quarter of an hour: in `p1_history` where `telegraf-p1 run --history 15m` writes it, else in
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

# An M-Bus reading is that of some minutes ago: a DSMR 4 meter shows the hour's reading shortly after the hour, others
# show the reading of every fifth minute up to five minutes late. So an hour of gas ends a quarter after the hour.
_MBUS_DELAY_S: Final = QUARTER_S

# What a house may use. The variable `medium` has those that a database knows; one of them is in every house.
Medium = Literal["energy", "gas", "water", "hot_water", "heat", "cooling"]
MEDIA: Final[tuple[Medium, ...]] = ("energy", "gas", "water", "hot_water", "heat", "cooling")

Direction = Literal["import", "export"]
Shape = Literal["series", "latest", "table"]
Mean = Literal["mean", "min", "max"]


@dataclass(frozen=True)
class Part:
    """One term of a sum: a field, what it is multiplied with (a number or a variable), and the medium it measures.

    With a `unit` it is there only when the variable `gas_unit` is that one.
    """

    field: str
    factor: str = "1"
    medium: Medium = "energy"
    unit: Literal["", "m3", "kwh"] = ""

    @property
    def delay_s(self) -> int:
        """How much later than the hours of the day those of the field begin and end."""
        return 0 if self.medium == "energy" else _MBUS_DELAY_S

    @property
    def times(self) -> str:
        """How a query multiplies with the factor."""
        return "" if self.factor == "1" else f" * {self.factor}"


class Store(Protocol):
    """Gives query texts; times are the panel's range, meters those chosen in the variable `meter`."""

    name: str
    uid: str
    datasource: DataSourceRef
    year_step: str
    """The step of a panel that shows two years: Prometheus gives no more than 11,000 points."""

    def variables(self) -> list[Builder[VariableModel]]:
        """Give the variables of the store: data source, meter, medium, and what its queries need."""

    def query(self, text: str, name: str, shape: Shape, letter: str) -> Builder[Dataquery]:
        """Make a target of a query: a series over time, its latest value, or a table."""

    def now(self, parts: Sequence[Part], *, above_zero: bool | None = None) -> str:
        """Ask for the sum of the newest values, of the last five minutes, of each meter.

        With `above_zero` there is an answer when the sum is (True), or is not (False, and then it has no sign).
        """

    def curve(self, parts: Sequence[Part], *, to_join: bool = False) -> str:
        """Ask for the mean of each interval, summed over parts and meters.

        With `to_join` there is no point where nothing is known: Grafana would calculate with a zero.
        """

    def extreme(self, fields: Sequence[str], mean: Mean) -> str:
        """Ask for the mean, lowest or highest value of each interval, of all fields and meters together."""

    def used(self, parts: Sequence[Part]) -> str:
        """Ask for what counters have grown by in the range, up to the last telegram."""

    def used_in_quarters(self, parts: Sequence[Part]) -> str:
        """Ask for what counters have grown by in the whole quarters of the range: quick, for months and years too."""

    def used_in_hours(self, parts: Sequence[Part]) -> str:
        """Ask for the same in whole hours, which is less work: for a year."""

    def hourly(self, parts: Sequence[Part], *, of_medium: bool = False, step: str = "1h") -> str:
        """Ask for what counters have grown by in each hour (or step); with `of_medium` none but those of `$medium`."""

    def power_in_quarters(self, parts: Sequence[Part], how: Literal["highest", "standby"]) -> str:
        """Ask for the highest mean power of a quarter, or the one that a twentieth of those with a use are below."""

    def quarters(self, field: str) -> str:
        """Ask for the last value in each quarter of an hour."""

    def latest(self, field: str) -> str:
        """Ask for the newest value."""

    def hourly_highest(self, field: str, least: float = 0) -> str:
        """Ask for the highest value in each hour, and no less than `least`; an hour ends with its last quarter."""

    def constant(self, text: str, field: str) -> str:
        """Ask for a number that is beside a field: a house that has no such field has no answer."""

    def age(self) -> tuple[str, str]:
        """Ask how old the newest telegram is; with Grafana's unit for the answer."""

    def telegrams_per_minute(self) -> str:
        """Ask for the telegrams in a minute."""

    def statistic(self, field: str) -> str:
        """Ask for a counter of the measurement `p1_stats`, as its growth in each minute."""

    def message(self) -> str | None:
        """Ask for the supplier's newest message and its time; None where texts are not stored."""

    def rejected_by_cause(self) -> str:
        """Ask for the telegrams rejected since the plugin's start, one value a cause."""

    def total(self, direction: Direction) -> str:
        """Give the field of a meter without tariffs; one that does not exist for a meter with tariffs."""

    def produced(self) -> str:
        """Ask for the mean power of the solar panels, in kW, in each interval."""

    def produced_energy(self, *, hourly: bool = False) -> str:
        """Ask for the energy of the solar panels in kWh, in the range or in each hour."""

    def price(self) -> str:
        """Ask for the price of each hour, of another measurement."""


def energy(store: Store, direction: Direction, factor: str = "1") -> list[Part]:
    """Give the registers to add up for all energy: of each tariff, and the total of a meter without tariffs."""
    fields = [f"energy_{direction}_{tariff}_kwh" for tariff in TARIFFS]
    return [Part(field, factor) for field in (*fields, store.total(direction))]


def meters(datasource: DataSourceRef, query: str | dict[str, object]) -> QueryVariable:
    """Give the variable `meter`: one, some, or all, which are also those that send no identifier."""
    variable = filled_by_database("meter", datasource, query, VariableSort.ALPHABETICAL_ASC).label("Meter")
    return variable.hide(VariableHide.DONT_HIDE).multi(True).include_all(True).all_value(".*")


def media(datasource: DataSourceRef, query: str | dict[str, object], prefix: str) -> QueryVariable:
    """Give the variable `medium`, for rows that are there for what the house has: all that the database knows."""
    regex = f"/^{prefix}({'|'.join(MEDIA)})_(?:import|m3|gj|kwh)/"
    variable = filled_by_database("medium", datasource, query, VariableSort.ALPHABETICAL_ASC).regex(regex)
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).current(everything)


def load(datasource: DataSourceRef, query: str | dict[str, object], prefix: str) -> QueryVariable:
    """Give the variable `load`: "current" for a meter that tells currents, else "power"."""
    variable = filled_by_database("load", datasource, query, VariableSort.ALPHABETICAL_ASC)
    return variable.regex(f"/^{prefix}(current|power)_(?:l1_a|import_kw)$/")


def filled_by_database(
    name: str, datasource: DataSourceRef, query: str | dict[str, object], sort: VariableSort
) -> QueryVariable:
    """Give a variable that the database fills each time the dashboard is opened; it is hidden."""
    variable = QueryVariable(name).hide(VariableHide.HIDE_VARIABLE).datasource(datasource).query(query)
    return variable.refresh(VariableRefresh.ON_DASHBOARD_LOAD).sort(sort)
