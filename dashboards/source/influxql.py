"""The queries for InfluxDB 1, 2 (through a DBRP mapping) and 3, in InfluxQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    VariableHide,
    VariableModel,
    VariableRefresh,
    VariableSort,
)

from dashboards.source.store import Mean, Part, Shape, meters

_METER: Final = '"meter" =~ /^$meter$/'
_WHERE: Final = f"WHERE {_METER} AND $timeFilter"


@dataclass
class _Target(Dataquery):
    query: str
    alias: str
    shape: Shape
    letter: str
    datasource: DataSourceRef

    def to_json(self) -> dict[str, Any]:
        return {
            "refId": self.letter,
            "datasource": self.datasource,
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "table" if self.shape == "table" else "time_series",
            "alias": self.alias,
        }


class _TargetBuilder(Builder[Dataquery]):
    def __init__(self, target: _Target) -> None:
        self._target = target

    def build(self) -> Dataquery:
        return self._target


class InfluxQL:
    """A store that speaks InfluxQL.

    Variables other than `meter` are written `${…}`: Grafana 12 takes a bare one between two regular expressions for a
    part of one, and puts a backslash before it (grafana/grafana issue 114260).
    """

    name = "InfluxDB"
    uid = "telegraf-p1-influxql"
    datasource = DataSourceRef(type_val="influxdb", uid="${database}")

    def variables(self) -> list[Builder[VariableModel]]:
        return [
            DatasourceVariable("database").label("Database").type("influxdb"),
            meters(self.datasource, 'SHOW TAG VALUES FROM "p1" WITH KEY = "meter"'),
            self._registers("import"),
            self._registers("export"),
        ]

    def _registers(self, direction: str) -> QueryVariable:
        """Give the variable that is "t" when there are fields energy_import_t1_kwh and so on, else "k" of ..._kwh.

        The descending order puts "t" first, and the first is chosen.
        """
        variable = QueryVariable(f"{direction}_registers").hide(VariableHide.HIDE_VARIABLE).datasource(self.datasource)
        variable = variable.query('SHOW FIELD KEYS FROM "p1"').regex(f"/^energy_{direction}_(t|k)/")
        return variable.refresh(VariableRefresh.ON_DASHBOARD_LOAD).sort(VariableSort.ALPHABETICAL_DESC)

    def query(self, text: str, name: str, shape: Shape, letter: str) -> Builder[Dataquery]:
        return _TargetBuilder(_Target(text, name, shape, letter, self.datasource))

    def now(self, parts: Sequence[Part]) -> str:
        return f'SELECT sum("v") FROM {self._each("last", parts)} WHERE $timeFilter'

    def curve(self, parts: Sequence[Part]) -> str:
        sources = self._each("mean", parts, "time(${__interval}), ")
        return f'SELECT sum("v") FROM {sources} WHERE $timeFilter GROUP BY time(${{__interval}}) fill(null)'

    def extreme(self, field: str, mean: Mean) -> str:
        return f'SELECT {mean}("{field}") FROM "p1" {_WHERE} GROUP BY time(${{__interval}}) fill(null)'

    def used(self, parts: Sequence[Part]) -> str:
        return f'SELECT sum("v") FROM {self._growth(parts)} WHERE $timeFilter'

    def hourly(self, parts: Sequence[Part]) -> str:
        # Five minutes end with the telegram of their last second, so they begin a second after the full minute.
        delay_s = parts[0].delay_s
        sources = self._growth(parts, "time(5m, 1s)")
        return f'SELECT sum("v") FROM {sources} WHERE {_span(delay_s)} GROUP BY time(1h, {delay_s}s) fill(none)'

    def quarters(self, field: str) -> str:
        return f'SELECT last("{field}") FROM "p1" {_WHERE} GROUP BY time(15m) fill(none)'

    def latest(self, field: str, factor: str = "1") -> str:
        return f'SELECT last("{field}"){_times(factor)} FROM "p1" {_WHERE}'

    def readings(self, pattern: str) -> str:
        return f'SELECT last(/^{pattern}$/) FROM "p1" {_WHERE} GROUP BY "meter"'

    def readings_table(self) -> list[DataTransformerConfig]:
        return [
            DataTransformerConfig(id_val="renameByRegex", options={"regex": "^last_(.+)$", "renamePattern": "$1"}),
            DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}}),
        ]

    def age(self) -> tuple[str, str]:
        # InfluxQL cannot subtract times; Grafana shows the time of the answer as "2 seconds ago".
        return "dateTimeFromNow", self.latest("identification")

    def telegrams_per_minute(self) -> str:
        minutes = f'SELECT count("identification") AS "v" FROM "p1" {_WHERE} GROUP BY time(1m) fill(0)'
        return f'SELECT mean("v") FROM ({minutes}) WHERE $timeFilter GROUP BY time(${{__interval}}) fill(null)'

    def statistic(self, field: str) -> str:
        growth = f'SELECT non_negative_difference("{field}") AS "v" FROM "p1_stats" WHERE $timeFilter GROUP BY "source"'
        return f'SELECT sum("v") FROM ({growth}) WHERE $timeFilter GROUP BY time(1m) fill(none)'

    def message(self) -> str | None:
        return f'SELECT last("message") AS "Message" FROM "p1" {_WHERE}'

    def rejected_by_cause(self) -> str:
        newest = 'SELECT last(/^rejected_/) FROM "p1_stats" WHERE $timeFilter GROUP BY "source"'
        return f"SELECT sum(/rejected_/) FROM ({newest}) WHERE $timeFilter"

    def total(self, direction: Literal["import", "export"]) -> str:
        return f"energy_{direction}_${{{direction}_registers}}wh"

    @staticmethod
    def _each(function: str, parts: Sequence[Part], interval: str = "") -> str:
        fill = " fill(none)" if interval else ""
        return ", ".join(
            f'(SELECT {function}("{part.field}"){_times(part.factor)} '
            f'AS "v" FROM "p1" {_WHERE} GROUP BY {interval}"meter"{fill})'
            for part in parts
        )

    @staticmethod
    def _growth(parts: Sequence[Part], piece: str = "") -> str:
        """Give the sources of what counters have grown by, each meter for itself.

        From telegram to telegram; or from the last one of a piece of time to the last of the next. That is several
        times faster, and loses no more than the first piece of a meter's life.
        """
        value, group, fill = ('last("{}")', f"{piece}, ", " fill(none)") if piece else ('"{}"', "", "")
        return ", ".join(
            f"(SELECT non_negative_difference({value.format(part.field)}){_times(part.factor)} "
            f'AS "v" FROM "p1" WHERE {_METER} AND {_span(part.delay_s)} GROUP BY {group}"meter"{fill})'
            for part in parts
        )


def _span(delay_s: int) -> str:
    """Give the range of the panel; it begins later for what is late, or there would be a piece of the day before."""
    return f"time >= ${{__from}}ms + {delay_s}s AND time <= ${{__to}}ms" if delay_s else "$timeFilter"


def _times(factor: str) -> str:
    return "" if factor == "1" else f" * {factor}"
