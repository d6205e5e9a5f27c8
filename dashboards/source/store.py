"""What the panels ask of a store, whichever query language it speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    VariableModel,
    VariableRefresh,
    VariableSort,
)

TARIFFS: Final = ("t1", "t2", "t3", "t4")

# An M-Bus reading is that of some minutes ago: a DSMR 4 meter shows the hour's reading shortly after the hour, others
# show the reading of every fifth minute up to five minutes late. So an hour of gas ends ten minutes after the hour.
_MBUS_DELAY_S: Final = 600

Shape = Literal["series", "latest", "table"]
Mean = Literal["mean", "min", "max"]


@dataclass(frozen=True)
class Part:
    """One term of a sum: a field, and what it is multiplied with (a number or a variable)."""

    field: str
    factor: str = "1"

    @property
    def delay_s(self) -> int:
        """How much later than the hours of the day those of the field begin and end."""
        return 0 if self.field.startswith(("energy", "power")) else _MBUS_DELAY_S


class Store(Protocol):
    """Gives query texts; times are the panel's range, meters those chosen in the variable `meter`."""

    name: str
    uid: str
    datasource: DataSourceRef

    def variables(self) -> list[Builder[VariableModel]]:
        """Give the variables of the store: data source, meter, and what its queries need."""

    def query(self, text: str, name: str, shape: Shape, letter: str) -> Builder[Dataquery]:
        """Make a target of a query: a series over time, its latest value, or a table."""

    def now(self, parts: Sequence[Part]) -> str:
        """Ask for the sum of the newest values, of the last five minutes, of each meter."""

    def curve(self, parts: Sequence[Part]) -> str:
        """Ask for the mean of each interval, summed over parts and meters."""

    def extreme(self, field: str, mean: Mean) -> str:
        """Ask for the mean, lowest or highest value of each interval."""

    def used(self, parts: Sequence[Part]) -> str:
        """Ask for what counters have grown by, from the first to the last telegram of the range."""

    def hourly(self, parts: Sequence[Part]) -> str:
        """Ask for what counters of one delay have grown by in each hour."""

    def quarters(self, field: str) -> str:
        """Ask for the last value in each quarter of an hour."""

    def latest(self, field: str, factor: str = "1") -> str:
        """Ask for the newest value."""

    def readings(self, pattern: str) -> str:
        """Ask for a table of the newest values of all fields that match, a row for each meter."""

    def readings_table(self) -> list[DataTransformerConfig]:
        """Give what turns the answer of `readings` into columns named as the fields."""

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

    def total(self, direction: Literal["import", "export"]) -> str:
        """Give the field of a meter without tariffs; one that does not exist for a meter with tariffs."""


def energy(store: Store, direction: Literal["import", "export"], factor: str = "1") -> list[Part]:
    """Give the registers to add up for all energy: of each tariff, and the total of a meter without tariffs."""
    fields = [f"energy_{direction}_{tariff}_kwh" for tariff in TARIFFS]
    return [Part(field, factor) for field in (*fields, store.total(direction))]


def meters(datasource: DataSourceRef, query: str | dict[str, object]) -> QueryVariable:
    """Give the variable `meter`: one, some, or all, which are also those that send no identifier."""
    variable = QueryVariable("meter").label("Meter").datasource(datasource).query(query)
    variable = variable.refresh(VariableRefresh.ON_DASHBOARD_LOAD).sort(VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".*")
