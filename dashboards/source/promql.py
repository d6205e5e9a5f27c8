"""The queries for VictoriaMetrics and Prometheus, in the PromQL that both support.

Telegraf names a series `p1_` and the field. The growth of a counter is the difference of two readings. `increase` would
lose what was used while the meter was not read, and in Prometheus it extrapolates.
"""

from collections.abc import Sequence
from typing import Final, Literal

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableModel, VariableSort
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

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

# How long a reading is valid if there is no newer one.
_MEMORY: Final = "7d"
_SECONDS: Final = {"1h": HOUR_S, "2h": 2 * HOUR_S}

# For meters without tariffs; others send these in addition to the tariffs' registers, or not at all.
_TOTALS: Final = ("energy_import_kwh", "energy_export_kwh")
_NAMES: Final[dict[str, object]] = {"query": 'label_values({__name__=~"p1_.+"}, __name__)', "refId": "names"}
_SOLAR: Final = "${solar_measurement}_${solar_field}"
_PRICE: Final = "${price_measurement}_${price_field}"


def _series(field: str) -> str:
    return f'p1_{field}{{meter=~"$meter"}}'


def _chosen(part: Part, *, history: bool, of_medium: bool = False) -> str:
    """Return a selector for a part's readings that matches only if the part belongs to the current choice.

    It has more matchers of the series' name for that. It reads `p1_history` if that exists, else `p1`.
    """
    prefix = "p1${history}_" if history else "p1_"
    matchers = [f'__name__="{prefix}{part.field}"']
    if of_medium:
        matchers.append(f'__name__=~"{prefix}${{medium}}_[a-z0-9_]+"')
    if part.unit:
        matchers.append(f'__name__{"=" if part.unit == "m3" else "!="}"{prefix}{part.medium}_${{gas_unit}}"')
    return f'{{{",".join(matchers)},meter=~"$meter"}}'


# Every telegram contains one of them.
_ALWAYS: Final = (_series("power_import_kw"), _series("heat_gj"))


class PromQL:
    """A store that is queried with PromQL."""

    name = "Prometheus"
    uid = "telegraf-p1-promql"
    datasource = DataSourceRef(type_val="prometheus", uid="${database}")
    year_step = "2h"

    def variables(self) -> list[Builder[VariableModel]]:
        history = filled_by_database("history", self.datasource, _NAMES, VariableSort.ALPHABETICAL_DESC)
        return [
            DatasourceVariable("database").label("Database").type("prometheus"),
            meters(self.datasource, {"query": 'label_values({__name__=~"p1_.+"}, meter)', "refId": "meter"}),
            history.regex("/^p1(_history)_/"),
            media(self.datasource, _NAMES, "p1_"),
            load(self.datasource, _NAMES, "p1_"),
        ]

    def query(self, text: str, name: str, shape: Shape, letter: str) -> Builder[Dataquery]:
        target = (
            PrometheusQuery()
            .datasource(self.datasource)
            .expr(text)
            .legend_format(name or "{{__name__}}")
            .ref_id(letter)
        )
        if shape == "series":
            return target.range()
        return target.instant().format(PromQueryFormat.TABLE if shape == "table" else PromQueryFormat.TIME_SERIES)

    def now(self, parts: Sequence[Part], *, above_zero: bool | None = None) -> str:
        newest = _sum([f"{_newest(_series(part.field), '5m')}{part.times}" for part in parts])
        if above_zero is None:
            return newest
        return f"{newest} >= 0" if above_zero else f"-1 * ({newest} < 0)"

    def curve(self, parts: Sequence[Part], *, to_join: bool = False) -> str:
        del to_join  # there never is a point without data
        means = [f"max by (meter) (avg_over_time({_series(part.field)}[$__rate_interval]))" for part in parts]
        return _sum([f"{mean}{part.times}" for mean, part in zip(means, parts, strict=True)])

    def extreme(self, fields: Sequence[str], mean: Mean) -> str:
        function = "avg" if mean == "mean" else mean
        names = f'{{__name__=~"p1_({"|".join(fields)})",meter=~"$meter"}}' if len(fields) > 1 else _series(fields[0])
        return f"{function}({function}_over_time({names}[$__rate_interval]))"

    def used(self, parts: Sequence[Part]) -> str:
        return _sum([_used(part, history=False) for part in parts])

    def used_in_quarters(self, parts: Sequence[Part]) -> str:
        return _sum([_used(part, history=True) for part in parts])

    def used_in_hours(self, parts: Sequence[Part]) -> str:
        return self.used_in_quarters(parts)

    def hourly(self, parts: Sequence[Part], *, of_medium: bool = False, step: str = "1h") -> str:
        grown = _sum([_grown(p, _chosen(p, history=True, of_medium=of_medium), step, _SECONDS[step]) for p in parts])
        # A longer step may begin in the hour before the range, which belongs to another year.
        return grown if step == "1h" else f"{grown} and on () (vector(time()) >= ${{__from:date:seconds}})"

    def power_in_quarters(self, parts: Sequence[Part], how: Literal["highest", "standby"]) -> str:
        quarters = f"{_sum([_grown_in_quarter(part) for part in parts])} * 4"
        if how == "highest":
            return f"max_over_time(({quarters})[${{__range_s}}s:15m])"
        return f"quantile_over_time(0.05, ({quarters} > 0)[${{__range_s}}s:15m])"

    def quarters(self, field: str) -> str:
        # A quarter contains the telegrams from its first second until 899 s later.
        return f"max(last_over_time({_series(field)}[15m] offset -899s))"

    def latest(self, field: str) -> str:
        return f"max(last_over_time({_series(field)}[1h]))"

    def hourly_highest(self, field: str, least: float = 0) -> str:
        # The first telegram of a month may still contain the peak of the month before: it belongs to the hour before.
        highest = f"max(max_over_time({_chosen(Part(field), history=True)}[1h]{_later(HOUR_S + QUARTER_S - 1)}))"
        return f"clamp_min({highest}, {least})" if least else highest

    def constant(self, text: str, field: str) -> str:
        return f"vector({text}) and on () count(last_over_time({_series(field)}[5m]))"

    def age(self) -> tuple[str, str]:
        # Exact to the second while telegrams come; to the minute if the last one is up to a week old.
        times = [f"timestamp({series})" for series in _ALWAYS]
        old = [f"max_over_time({time}[{_MEMORY}:1m])" for time in times]
        return "s", f"time() - ({' or '.join(f'max({time})' for time in (*times, *old))})"

    def telegrams_per_minute(self) -> str:
        counts = " or ".join(f"count_over_time({series}[$__interval])" for series in _ALWAYS)
        return f"sum({counts}) / ($__interval_ms / 60000) or vector(0)"

    def statistic(self, field: str) -> str:
        counter = f"p1_stats_{field}"
        before = f"last_over_time({counter}[5m] offset $__interval) or min_over_time({counter}[$__interval])"
        growth = f"sum(clamp_min(last_over_time({counter}[$__interval]) - ({before}), 0))"
        return f"{growth} / ($__interval_ms / 60000)"

    def message(self) -> str | None:
        return None  # these databases store only numbers

    def rejected_by_cause(self) -> str:
        return 'sum by (__name__) ({__name__=~"p1_stats_rejected_.+"})'

    def total(self, direction: Direction) -> str:
        return f"energy_{direction}_kwh"

    def produced(self) -> str:
        # An inverter may send nothing at night.
        return (
            f"sum(avg_over_time({_SOLAR}[$__rate_interval])) * ${{solar_kw}} or sum(last_over_time({_SOLAR}[1d])) * 0"
        )

    def produced_energy(self, *, hourly: bool = False) -> str:
        window = f"[1h:15m]{_later(HOUR_S)}" if hourly else "[${__range_s}s:15m]"
        return f"sum_over_time((sum(avg_over_time({_SOLAR}[15m])) * ${{solar_kw}} / 4){window})"

    def price(self) -> str:
        return f"avg(avg_over_time({_PRICE}[1h]{_later(HOUR_S - 1)}))"


def _sum(terms: Sequence[str]) -> str:
    """Add up the terms that exist: a meter need not have all fields."""
    if len(terms) == 1:
        return f"sum({terms[0]})"
    # Without a label of its own for each term, `or` would take only the first term of each meter.
    labelled = (f'label_replace({term}, "term", "{number}", "meter", ".*")' for number, term in enumerate(terms, 1))
    return f"sum({' or '.join(labelled)})"


def _newest(series: str, window: str, end: str = "") -> str:
    """Return the newest value of each meter; one meter may have series with different labels, such as `host`."""
    return f"max by (meter) (last_over_time({series}[{window}]{end}))"


def _first(series: str, later_s: int, end: str = "") -> str:
    """Return the first reading in the quarter that begins `later_s` after the point in time."""
    return f"min by (meter) (min_over_time({series}[15m]{end}{_later(later_s + QUARTER_S - 1)}))"


def _at(series: str, later_s: int, end: str = "") -> str:
    """Return the same, or if there is none, the newest reading before it."""
    return f"({_first(series, later_s, end)} or {_newest(series, _MEMORY, f'{end}{_later(later_s)}')})"


def _used(part: Part, *, history: bool) -> str:
    """Return how much a counter has grown in the range, from its start or from the first quarter in it."""
    series, window, start = _chosen(part, history=history), "${__range_s}s", " @ ${__from:date:seconds}"
    at_begin = _newest(series, _MEMORY, f"{start}{_later(part.delay_s)}")
    before = _at(series, part.delay_s, start) if history else at_begin
    return _growth(part, series, _newest(series, window), before, window)


def _grown(part: Part, series: str, window: str, window_s: int) -> str:
    """Return how much a counter has grown in the window that begins at each point."""
    late = part.delay_s
    return _growth(part, series, _at(series, late + window_s), _at(series, late), window, late + window_s)


def _grown_in_quarter(part: Part) -> str:
    """Return how much a counter has grown in the quarter from each point on, if it was read then and at its end.

    Else a night without data would be one quarter with all of its energy.
    """
    series = _chosen(part, history=True)
    return _growth(part, series, _first(series, QUARTER_S), _first(series, 0), "15m", QUARTER_S)


def _growth(part: Part, series: str, newest: str, before: str, window: str, end_s: int = 0) -> str:
    """Return how much a counter has grown from one reading to another, in a window that ends `end_s` later."""
    first = f"min by (meter) (min_over_time({series}[{window}]{_later(end_s)}))"  # for a meter new in this window
    growth = f"clamp_min({newest} - ({before} or {first}), 0)"
    if part.field in _TOTALS:
        # If the meter has tariffs, a reading of the tariff is in reach whenever one of the total is.
        tariff = series.replace("_kwh", "_t1_kwh")
        reach = f"[{_MEMORY}]{_later(end_s + QUARTER_S - 1)}" if end_s else f"[{window}]"
        growth = f"({growth} unless on (meter) last_over_time({tariff}{reach}))"
    return growth + part.times


def _later(seconds: int) -> str:
    return f" offset -{seconds}s" if seconds else ""
