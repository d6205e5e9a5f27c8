"""The queries for InfluxDB 1, 2 (through a DBRP mapping) and 3, in InfluxQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableModel, VariableSort

from dashboards.source.store import (
    HOUR_S,
    QUARTER_S,
    Direction,
    Mean,
    Part,
    Shape,
    filled_by_database,
    load,
    media,
    meters,
)

_METER: Final = '"meter" =~ /^$meter$/'
_WHERE: Final = f"WHERE {_METER} AND $timeFilter"
_UNTIL: Final = "time <= ${__to}ms"
_HISTORY: Final = '"${policy}"."p1${history}"'
_LASTS: Final = 'non_negative_difference(last("{}"))'
_FIRSTS: Final = 'non_negative_difference(first("{}"))'
_POWER: Final = 'non_negative_derivative(first("{}"), 1h)'
_SOLAR: Final = 'mean("${solar_field}") * ${solar_kw}'
_SOLAR_FROM: Final = 'FROM "${solar_measurement}" WHERE $timeFilter GROUP BY'


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
    """A store that is queried with InfluxQL.

    Variables other than `meter` are written `${…}`: Grafana 12 takes a bare one between two regular expressions for a
    part of them, and escapes it (grafana/grafana issue 114260).
    """

    name = "InfluxDB"
    uid = "telegraf-p1-influxql"
    datasource = DataSourceRef(type_val="influxdb", uid="${database}")
    year_step = "1h"

    def variables(self) -> list[Builder[VariableModel]]:
        # An empty policy is the default one. A measurement that exists has a series: "p1_history,meter=…".
        there = 'SHOW SERIES FROM "${policy}"."p1_history" LIMIT 1'
        return [
            DatasourceVariable("database").label("Database").type("influxdb"),
            meters(self.datasource, 'SHOW TAG VALUES FROM "p1" WITH KEY = "meter"'),
            self._filled("policy", "SHOW RETENTION POLICIES", "/^history$/"),
            self._filled("history", there, "/^p1(_history),?/"),
            media(self.datasource, f"SHOW FIELD KEYS FROM {_HISTORY}", ""),
            load(self.datasource, 'SHOW FIELD KEYS FROM "p1"', ""),
            self._registers("import"),
            self._registers("export"),
        ]

    def _filled(self, name: str, query: str, regex: str) -> QueryVariable:
        return filled_by_database(name, self.datasource, query, VariableSort.ALPHABETICAL_DESC).regex(regex)

    def _registers(self, direction: Direction) -> QueryVariable:
        """Return a variable: "t" if there are fields such as energy_import_t1_kwh, else "k", from energy_import_kwh.

        The descending order puts "t" first, and the first is chosen.
        """
        regex = f"/^energy_{direction}_(t|k)/"
        return self._filled(f"{direction}_registers", f"SHOW FIELD KEYS FROM {_HISTORY}", regex)

    def query(self, text: str, name: str, shape: Shape, letter: str) -> Builder[Dataquery]:
        return _TargetBuilder(_Target(text, name, shape, letter, self.datasource))

    def now(self, parts: Sequence[Part], *, above_zero: bool | None = None) -> str:
        newest = f'SELECT sum("v") AS "v" FROM {self._each("last", parts)} WHERE $timeFilter'
        if above_zero is None:
            return newest
        value, condition = ('"v"', ">= 0") if above_zero else ('-1 * "v"', "< 0")
        return f'SELECT {value} FROM ({newest}) WHERE "v" {condition} AND $timeFilter'

    def curve(self, parts: Sequence[Part], *, to_join: bool = False) -> str:
        sources, fill = self._each("mean", parts, "time(${__interval}), "), "none" if to_join else "null"
        return f'SELECT sum("v") FROM {sources} WHERE $timeFilter GROUP BY time(${{__interval}}) fill({fill})'

    def extreme(self, fields: Sequence[str], mean: Mean) -> str:
        each = ", ".join(
            f'(SELECT {mean}("{field}") AS "v" FROM "p1" {_WHERE} GROUP BY time(${{__interval}}) fill(none))'
            for field in fields
        )
        return f'SELECT {mean}("v") FROM {each} WHERE $timeFilter GROUP BY time(${{__interval}}) fill(null)'

    def used(self, parts: Sequence[Part]) -> str:
        # Growth is taken from the last telegram in five minutes to the last one in the next five. That is several times
        # faster than from each telegram to the next. Five minutes end with the telegram of their last second. The
        # first five minutes are before the range, so that nothing of it is lost.
        sums = []
        for delay_s, some in _groups(parts):
            span = f"{_since(delay_s - 299)} AND {_UNTIL}"
            sources = ", ".join(_growth(part, '"p1"', _LASTS, "5m, 1s", span, _column(part)) for part in some)
            sums.append(_summed(_asked(some), sources, delay_s + 1, "5m, 1s"))
        return f'SELECT sum("v") FROM {", ".join(sums)} WHERE {_since(-299)} AND {_UNTIL}'

    def used_in_quarters(self, parts: Sequence[Part]) -> str:
        return _used_in(parts, "15m", QUARTER_S)

    def used_in_hours(self, parts: Sequence[Part]) -> str:
        return _used_in(parts, "1h", HOUR_S)

    def hourly(self, parts: Sequence[Part], *, of_medium: bool = False, step: str = "1h") -> str:
        # What was used in a quarter is known at its end. So an hour consists of the quarters that end from a quarter
        # past on, and the outer query gives it the time at which it began.
        hours = [
            _summed(
                _asked(some, of_medium=of_medium),
                _pieces(some, "15m", of_medium=of_medium),
                delay_s + QUARTER_S,
                f"{step}, {QUARTER_S + delay_s}s",
            )
            for delay_s, some in _groups(parts)
        ]
        return f'SELECT sum("v") FROM {", ".join(hours)} WHERE $timeFilter GROUP BY time({step}) fill(none)'

    def power_in_quarters(self, parts: Sequence[Part], how: Literal["highest", "standby"]) -> str:
        # In kW, as growth per hour: else a night without data would be one quarter with all of its energy.
        powers = ", ".join(_growth(part, _HISTORY, _POWER, "15m", "$timeFilter", "v") for part in parts)
        quarters = _summed("v", powers, QUARTER_S, "15m")
        value, condition = ('max("v")', "") if how == "highest" else ('percentile("v", 5)', '"v" > 0 AND ')
        return f"SELECT {value} FROM {quarters} WHERE {condition}$timeFilter"

    def quarters(self, field: str) -> str:
        return f'SELECT last("{field}") FROM "p1" {_WHERE} GROUP BY time(15m) fill(none)'

    def latest(self, field: str) -> str:
        return f'SELECT last("{field}") FROM "p1" {_WHERE}'

    def hourly_highest(self, field: str, least: float = 0) -> str:
        # The first telegram of a month may still contain the peak of the month before: it belongs to the hour before.
        group = f"GROUP BY time(1h, {QUARTER_S}s) fill(none)"
        values = [f'max("{field}")', *([f'max("{field}") * 0 + {least}'] if least else [])]
        where = f"WHERE {_METER} AND {_span(QUARTER_S)}"
        sources = ", ".join(f'(SELECT {value} AS "v" FROM {_HISTORY} {where} {group})' for value in values)
        return f'SELECT max("v") FROM {sources} WHERE $timeFilter GROUP BY time(1h) fill(none)'

    def constant(self, text: str, field: str) -> str:
        return f'SELECT last("{field}") * 0 + {text} FROM "p1" {_WHERE}'

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

    def total(self, direction: Direction) -> str:
        return f"energy_{direction}_${{{direction}_registers}}wh"

    def produced(self) -> str:
        return f"SELECT {_SOLAR} {_SOLAR_FROM} time(${{__interval}}) fill(null)"

    def produced_energy(self, *, hourly: bool = False) -> str:
        group = " GROUP BY time(1h) fill(none)" if hourly else ""
        quarters = f'SELECT {_SOLAR} / 4 AS "v" {_SOLAR_FROM} time(15m) fill(none)'
        # InfluxDB returns nothing at all if the first quarter begins before the range of the outer query.
        return f'SELECT sum("v") FROM ({quarters}) WHERE {_since(-QUARTER_S)} AND {_UNTIL}{group}'

    def price(self) -> str:
        return (
            'SELECT mean("${price_field}") FROM "${price_measurement}" WHERE $timeFilter GROUP BY time(1h) fill(none)'
        )

    @staticmethod
    def _each(function: str, parts: Sequence[Part], interval: str = "") -> str:
        fill = " fill(none)" if interval else ""
        return ", ".join(
            f'(SELECT {function}("{part.field}"){part.times} '
            f'AS "v" FROM "p1" {_WHERE} GROUP BY {interval}"meter"{fill})'
            for part in parts
        )


def _groups(parts: Sequence[Part]) -> Iterator[tuple[int, list[Part]]]:
    """Yield the parts that one query can read together, each group with its delay."""
    for delay_s, unit in sorted({(part.delay_s, part.unit) for part in parts}):
        yield delay_s, [part for part in parts if (part.delay_s, part.unit) == (delay_s, unit)]


def _used_in(parts: Sequence[Part], piece: str, piece_s: int) -> str:
    sums = [_summed(_asked(some), _pieces(some, piece), delay_s + piece_s, piece) for delay_s, some in _groups(parts)]
    return f'SELECT sum("v") FROM {", ".join(sums)} WHERE $timeFilter'


def _pieces(parts: Sequence[Part], piece: str, *, of_medium: bool = False) -> str:
    """Return subqueries: how much counters have grown in each piece of time, at its end.

    If a part is only for one choice of a variable, the name of its column contains this choice. A query reads the
    column of the current choice (`_asked`), and the database does not evaluate the others.
    """
    return ", ".join(
        _growth(part, _HISTORY, _FIRSTS, piece, _span(part.delay_s), _column(part, of_medium=of_medium))
        for part in parts
    )


def _column(part: Part, *, of_medium: bool = False) -> str:
    return (part.medium if of_medium else "v") + (f"_{part.unit}" if part.unit else "")


def _asked(parts: Sequence[Part], *, of_medium: bool = False) -> str:
    return ("${medium}" if of_medium else "v") + ("_${gas_unit}" if parts[0].unit else "")


def _growth(part: Part, measurement: str, growth: str, piece: str, span: str, name: str) -> str:
    """Return a subquery: how much a counter has grown from one piece of time to the next, for each meter."""
    return (
        f"(SELECT {growth.format(part.field)}{part.times} "
        f'AS "{name}" FROM {measurement} WHERE {_METER} AND {span} GROUP BY time({piece}), "meter" fill(none))'
    )


def _summed(name: str, sources: str, since_s: int, piece: str) -> str:
    """Return a subquery: the sums of growths per piece of time, from a second of the range on.

    This second must be the start of the second piece: InfluxDB also reads the piece before the range if there is one,
    and returns a growth from it too.
    """
    where = f"WHERE {_since(since_s)} AND {_UNTIL}"
    return f'(SELECT sum("{name}") AS "v" FROM {sources} {where} GROUP BY time({piece}) fill(none))'


def _since(seconds: int) -> str:
    return f"time >= ${{__from}}ms {'-' if seconds < 0 else '+'} {abs(seconds)}s"


def _span(delay_s: int) -> str:
    """Return the panel's range; it starts later for late readings, or it would include a piece of the day before."""
    return f"{_since(delay_s)} AND {_UNTIL}" if delay_s else "$timeFilter"
