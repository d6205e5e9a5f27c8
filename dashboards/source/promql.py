"""The queries for VictoriaMetrics and Prometheus, in the PromQL that both understand.

Telegraf names a series `p1_` and the field. A counter's growth is the difference of two readings, not `increase`: that
would lose what was used while nobody read the meter, and Prometheus' estimates what it has not seen.
"""

from collections.abc import Sequence
from typing import Final, Literal

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    VariableModel,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.source.store import Mean, Part, Shape, meters

# How long a reading counts when no newer one has come.
_MEMORY: Final = "7d"

# For meters without tariffs: others send it beside the tariffs' registers, or not at all.
_TOTALS: Final = ("energy_import_kwh", "energy_export_kwh")


def _series(field: str) -> str:
    return f'p1_{field}{{meter=~"$meter"}}'


# One of them is in every telegram.
_ALWAYS: Final = (_series("power_import_kw"), _series("heat_gj"))


class PromQL:
    """A store that speaks PromQL."""

    name = "Prometheus"
    uid = "telegraf-p1-promql"
    datasource = DataSourceRef(type_val="prometheus", uid="${database}")

    def variables(self) -> list[Builder[VariableModel]]:
        return [
            DatasourceVariable("database").label("Database").type("prometheus"),
            meters(self.datasource, {"query": 'label_values({__name__=~"p1_.+"}, meter)', "refId": "meter"}),
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

    def now(self, parts: Sequence[Part]) -> str:
        return _sum([f"{_newest(part.field, '5m')}{_times(part.factor)}" for part in parts])

    def curve(self, parts: Sequence[Part]) -> str:
        means = [f"max by (meter) (avg_over_time({_series(part.field)}[$__rate_interval]))" for part in parts]
        return _sum([f"{mean}{_times(part.factor)}" for mean, part in zip(means, parts, strict=True)])

    def extreme(self, field: str, mean: Mean) -> str:
        function = "avg" if mean == "mean" else mean
        return f"{function}({function}_over_time({_series(field)}[$__rate_interval]))"

    def used(self, parts: Sequence[Part]) -> str:
        start = " @ ${__from:date:seconds}"
        return _sum([_growth(part, "${__range_s}s", begin=f"{start}{_later(part.delay_s)}") for part in parts])

    def hourly(self, parts: Sequence[Part]) -> str:
        return _sum([_growth(p, "1h", _later(p.delay_s), _later(p.delay_s + 3600)) for p in parts])

    def quarters(self, field: str) -> str:
        # A quarter has the telegrams from its first second on, up to the next one's: 899 s after it.
        return f"max(last_over_time({_series(field)}[15m] offset -899s))"

    def latest(self, field: str, factor: str = "1") -> str:
        return f"max(last_over_time({_series(field)}[1h])){_times(factor)}"

    def readings(self, pattern: str) -> str:
        series = f'{{__name__=~"p1_{pattern}",meter=~"$meter"}}'
        newest = f"max by (__name__, meter) (last_over_time({series}[$__range]))"
        # A meter without an identifier would have no row.
        return f'label_replace({newest}, "meter", "-", "meter", "")'

    def readings_table(self) -> list[DataTransformerConfig]:
        matrix = {"columnField": "__name__", "rowField": "meter", "valueField": "Value", "emptyValue": "null"}
        return [
            DataTransformerConfig(id_val="groupingToMatrix", options=matrix),
            DataTransformerConfig(id_val="renameByRegex", options={"regex": "^p1_(.+)$", "renamePattern": "$1"}),
            DataTransformerConfig(
                id_val="renameByRegex", options={"regex": r"^meter\\__name__$", "renamePattern": "meter"}
            ),
        ]

    def age(self) -> tuple[str, str]:
        # To the second while telegrams come; to the minute when the last one is up to a week old.
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
        return None  # these stores hold numbers only

    def rejected_by_cause(self) -> str:
        return 'sum by (__name__) ({__name__=~"p1_stats_rejected_.+"})'

    def total(self, direction: Literal["import", "export"]) -> str:
        return f"energy_{direction}_kwh"


def _sum(terms: Sequence[str]) -> str:
    """Add up the terms that there are: a meter need not have all the fields."""
    if len(terms) == 1:
        return f"sum({terms[0]})"
    # Without a label of its own `or` would take each meter's first term only.
    labelled = (f'label_replace({term}, "term", "{number}", "meter", ".*")' for number, term in enumerate(terms, 1))
    return f"sum({' or '.join(labelled)})"


def _newest(field: str, window: str, end: str = "") -> str:
    """Give the newest value of each meter; the same meter may come with several labels, such as `host`."""
    return f"max by (meter) (last_over_time({_series(field)}[{window}]{end}))"


def _growth(part: Part, window: str, begin: str = "", end: str = "") -> str:
    """Give what a counter has grown by in a window; `begin` and `end` are the offsets of its two ends."""
    first = f"min by (meter) (min_over_time({_series(part.field)}[{window}]{end}))"  # of a meter new in this window
    before = f"({_newest(part.field, _MEMORY, begin)} or {first})"
    growth = f"clamp_min({_newest(part.field, window, end)} - {before}, 0)"
    if part.field in _TOTALS:
        tariff = _series(part.field.replace("_kwh", "_t1_kwh"))
        growth = f"({growth} unless on (meter) last_over_time({tariff}[{window}]{end}))"
    return growth + _times(part.factor)


def _later(seconds: int) -> str:
    return f" offset -{seconds}s" if seconds else ""


def _times(factor: str) -> str:
    return "" if factor == "1" else f" * {factor}"
