"""What each panel has to show, by its title as it stands in the JSON, and how that is compared with what is drawn."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Literal

import pytest

from tests.dashboards.dashboard import Shown
from tests.dashboards.household import ZONE
from tests.dashboards.oracle import LEAST_PEAK_KW, MEDIA, Oracle
from tests.dashboards.periods import (
    Expected,
    Numbers,
    add,
    cells,
    day_label,
    month_label,
    month_name,
    periods,
    times,
)
from tests.dashboards.readings import HOUR_S, QUARTER_S

FUSE_A: Final = 25.0  # as the variable is set at first
PHASES: Final = ("l1", "l2", "l3")
_POWER: Final = "power_import_month_peak_kw"

Proof = Callable[[Oracle, Shown], Expected]
Lines = dict[str, tuple[list[tuple[str, int]], str]]


def series(shown: Shown) -> Expected:
    """Give what a panel draws: series, key (second, day or month), value; the only key of a number is empty."""
    found: Expected = {}
    calcs = shown.panel.get("options", {}).get("reduceOptions", {}).get("calcs")
    for frame in shown.frames:
        keys, *columns = frame["fields"]
        if keys["type"] == "number":  # there is no time, and no name
            keys, columns = {"type": "", "values": [""] * len(keys["values"])}, frame["fields"]
        for column in columns:
            pairs = [
                (key / 1000 if keys["type"] == "time" else key, value)
                for key, value in zip(keys["values"], column["values"], strict=True)
                if value is not None
            ]
            if calcs and pairs:
                values = [value for _, value in pairs]
                pairs = [("", sum(values) / len(values) if calcs == ["mean"] else values[-1])]
            found.setdefault(column["name"], {}).update(pairs)
    return found


def agree(shown: Iterable[Shown], oracle: Oracle) -> set[str]:
    """Compare each panel that has a proof; give the titles of those."""
    proven = set()
    for one in shown:
        title = one.panel["title"]
        if proof := PROOFS.get(title):
            proven.add(title)
            compare(one, proof(oracle, one), "zero" if title in COUNTED else "inside" if title in _CURVES else "")
    return proven


def compare(shown: Shown, expected: Expected, how: Literal["", "zero", "inside"] = "") -> None:
    """Compare all there is; what is missing may be zero, or none of the first and the last two points counts.

    The windows of those reach beyond the range.
    """
    found = series(shown)
    zero = 0 if how == "zero" else None
    for name in expected.keys() | found.keys():
        right, is_there = (_inside(shown, numbers.get(name, {}), how) for numbers in (expected, found))
        for key in right.keys() | is_there.keys():
            one, other = is_there.get(key, zero), right.get(key, zero)
            place = (shown.title, name, key, shown.queries)
            assert one == other or None not in (one, other), place
            assert one == other or one == pytest.approx(other, rel=1e-6, abs=1e-5), place


def _inside(shown: Shown, numbers: Numbers, how: str) -> Numbers:
    if how != "inside":
        return numbers
    first, last = shown.start + shown.step, shown.end - 2 * shown.step
    return {key: value for key, value in numbers.items() if first <= key <= last}


def edges(shown: Shown, oracle: Oracle, width: float | None = None) -> list[tuple[float, float]]:
    """Give the windows of a curve: from each point on in InfluxQL, up to each point in PromQL."""
    step = shown.step
    points = [n * step for n in range(int(shown.start // step), int(shown.end // step) + 1)]
    if not oracle.prometheus:
        return [(point, point + step) for point in points]
    width = width or max(step + 15, 60)
    return [(point, point - width) for point in points]


def _number(numbers: Numbers) -> Expected:
    return {name: {"": value} for name, value in numbers.items()}


def _power_now(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    net = oracle.now_sum([("power_import_kw", 1), ("power_export_kw", -1)])
    if net is None:
        return {}
    return {"Import": {"": net}} if net >= 0 else {"Export": {"": -net}}


def _load(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    fields = {phase.upper(): f"current_{phase}_a" for phase in PHASES}
    fuse = ("Fuse", FUSE_A)
    if "current_l1_a" not in oracle.fields():
        fields, fuse = {"Import": "power_import_kw"}, ("Connection", 3 * 0.23 * FUSE_A)
    newest = {name: oracle.now_sum([(field, 1)]) for name, field in fields.items()}
    found = {name: value for name, value in newest.items() if value is not None}
    return _number(found | dict([fuse] if found else []))


def _today(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    start = oracle.days_ago(0)
    return _number(oracle.used(lambda field: oracle.up_to_now(field, start, oracle.now)))


def _yesterday(oracle: Oracle, shown: Shown) -> Expected:
    start, end = oracle.days_ago(1), oracle.a_day_earlier()
    if oracle.since is not None:  # two dates, both a day earlier
        start, end = shown.start, shown.end
    return _number(oracle.used(lambda field: oracle.up_to_now(field, start, end)))


def _in_range(oracle: Oracle, shown: Shown) -> Expected:
    is_there = "Standby" in [t.get("alias", t.get("legendFormat")) for t in shown.panel["targets"]]
    extremes = oracle.extremes(shown.start, shown.end) if is_there else {}
    return _number(_used(oracle, shown.start, shown.end) | extremes)


def _used(oracle: Oracle, start: float, end: float, piece_s: int = QUARTER_S) -> Numbers:
    return oracle.used(lambda field: oracle.in_pieces(field, start, end, piece_s))


def _curves(lines: Lines) -> Proof:
    def proof(oracle: Oracle, shown: Shown) -> Expected:
        windows = edges(shown, oracle)
        return {name: oracle.curve(fields, windows, how) for name, (fields, how) in lines.items()}

    return proof


def _days(how: str) -> Proof:
    def proof(oracle: Oracle, shown: Shown) -> Expected:
        lines = oracle.lines(how, shown.scoped.get("medium", ""), oracle.days_ago(30), oracle.now)
        return {name: periods(hours, day_label) for name, hours in lines.items()}

    return proof


def _hours_of_days(oracle: Oracle, shown: Shown) -> Expected:
    medium = shown.scoped["medium"]
    lines = oracle.lines("sum", medium, oracle.days_ago(13), oracle.now)
    # Litres and MJ of what is counted in m³ and GJ, but of gas.
    return cells(times(lines["Used"], 1 if medium in ("energy", "gas") else 1000), day_label, "%H")


def _hours(oracle: Oracle, shown: Shown) -> Expected:
    return oracle.lines("whole", shown.scoped["medium"], shown.start, shown.end)


def _years(oracle: Oracle, shown: Shown) -> Expected:
    # Two years of hours are more points than a Prometheus gives.
    start, step = oracle.last_year(), 7200 if oracle.prometheus else 3600
    lines = oracle.lines("sum", shown.scoped["medium"], start, oracle.now, step)
    found = cells({hour: value for hour, value in lines["Used"].items() if hour >= start}, month_name, "%Y")
    this = f"{datetime.fromtimestamp(oracle.now, ZONE):%Y}"
    return {"This year" if year == this else "Last year": months for year, months in found.items()}


def _this_month(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    return _number(_used(oracle, oracle.months_ago(0), oracle.now))


def _last_month(oracle: Oracle, shown: Shown) -> Expected:
    if oracle.since is not None:  # two dates, both a month earlier
        return _number(_used(oracle, shown.start, shown.end))
    return _number(_used(oracle, oracle.months_ago(1), oracle.a_month_earlier()))


def _a_year(oracle: Oracle, shown: Shown) -> Expected:
    start = oracle.now - 365 * 86400 if oracle.since is None else shown.start
    return _number(_used(oracle, start, oracle.now, HOUR_S))


def _costs_of_months(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    lines = oracle.lines("cost", "", oracle.months_ago(11), oracle.now)
    return {name: periods(hours, month_label) for name, hours in lines.items()}


def _against_the_peaks(oracle: Oracle, shown: Shown) -> Expected:
    within = 3600 if oracle.prometheus else shown.end - shown.start
    found = {
        "This quarter-hour so far": oracle.last("power_import_quarter_kw", within),
        "Peak of this month": oracle.last(_POWER, within),
    }
    if found["Peak of this month"]:
        found["Mean of the full months"] = {"": oracle.mean_of_month_peaks()}
    return found


def _demand(oracle: Oracle, shown: Shown) -> Expected:
    quarters = [(n * 900.0, n * 900.0 + 900) for n in range(int(shown.start // 900), int(shown.end // 900) + 1)]
    return {"Demand": oracle.curve([("power_import_quarter_kw", 1)], quarters, "last")}


def _peaks(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    start = oracle.months_ago(11)
    return {"Peak": oracle.peaks(start), "Billed": oracle.peaks(start, LEAST_PEAK_KW)}


def _asked_for(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    peaks = oracle.peaks(oracle.months_ago(11), LEAST_PEAK_KW)
    return {"Billed": {"": sum(peaks.values()) / len(peaks)}} if peaks else {}


def _produced(oracle: Oracle, shown: Shown) -> Expected:
    return {"Solar": oracle.produced_energy(shown.start, shown.end)}


def _own_shares(oracle: Oracle, shown: Shown) -> Expected:
    return oracle.own_shares(shown.start, shown.end)


def _solar_power(oracle: Oracle, shown: Shown) -> Expected:
    windows = edges(shown, oracle)
    grid = {name: oracle.curve([(f"power_{name.lower()}_kw", 1)], windows, "sum") for name in ("Import", "Export")}
    sun = oracle.produced(windows)
    house = {key: sun.get(key, 0) + value - grid["Export"][key] for key, value in grid["Import"].items()} if sun else {}
    if oracle.prometheus:  # an inverter that is silent for less than a day makes nothing
        sun = {key: 0.0 for key, _ in windows if oracle.produced([(key, key - 86400)])} | sun
    return grid | {"Solar": sun, "House": house}


def _solar_days(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    start = oracle.days_ago(30)
    lines = oracle.lines("whole", "energy", start, oracle.now)
    sun = oracle.produced_energy(start, oracle.now, 3600)
    lines |= {"Own use": add(sun, {hour: value for hour, value in lines.get("Export", {}).items() if hour in sun})}
    return {name: periods(hours, day_label) for name, hours in lines.items()}


def _price(oracle: Oracle, shown: Shown) -> Expected:
    return {"Price": oracle.prices(shown.start, shown.end)}


def _cost_per_hour(oracle: Oracle, shown: Shown) -> Expected:
    return {way: oracle.priced(way.lower(), shown.start, shown.end) for way in ("Import", "Export")}


def _cost_per_day(oracle: Oracle, shown: Shown) -> Expected:
    del shown
    start = oracle.days_ago(30)
    return {way: periods(oracle.priced(way.lower(), start, oracle.now), day_label) for way in ("Import", "Export")}


def _readings(oracle: Oracle, shown: Shown) -> Expected:
    within = 3600 if oracle.prometheus else shown.end - shown.start
    fields = {
        f"{way.capitalize()}, {register.upper() or 'total'}": f"energy_{way}_{register}{'_' if register else ''}kwh"
        for way in ("import", "export")
        for register in ("t1", "t2", "t3", "t4", "")
    }
    fields |= {name: field for name, (_, some) in MEDIA.items() if name != "Gas, kWh" for field in some}
    return {name: oracle.last(field, within) for name, field in fields.items()}


def _failures(oracle: Oracle, shown: Shown) -> Expected:
    within = 3600 if oracle.prometheus else shown.end - shown.start
    fields = {"Power failures": "power_failures", "Long power failures": "long_power_failures"}
    fields |= {f"Voltage {w}, {p.upper()}": f"voltage_{w}_{p}" for w in ("sags", "swells") for p in PHASES}
    return {name: oracle.last(field, within) for name, field in fields.items()}


def _telegrams(oracle: Oracle, shown: Shown) -> Expected:
    windows = edges(shown, oracle, 60)
    always = "power_import_kw" if "power_import_kw" in oracle.fields() else "heat_gj"
    counts = oracle.curve([(always, 1)], windows, "count")
    return {"Telegrams": {**dict.fromkeys(dict(windows), 0), **counts}}


def _age(oracle: Oracle, shown: Shown) -> Expected:
    if oracle.prometheus:
        return {"Age": {"": oracle.now - oracle.last_time()}}
    if oracle.last_time() < shown.start:
        return {}
    # Grafana shows the time of the answer.
    assert shown.frames[0]["fields"][0]["values"] == [oracle.last_time() * 1000]
    return series(shown)


_POWERS: Final[Lines] = {name: ([(f"power_{name.lower()}_kw", 1)], "sum") for name in ("Import", "Export")}
_VOLTAGES: Final = [(f"voltage_{phase}_v", 1) for phase in PHASES]
_CURVES: Final[dict[str, Proof]] = {
    "The last hour": _curves(_POWERS),
    "Power": _curves(_POWERS),
    "Voltage": _curves(
        {"Highest": (_VOLTAGES, "max"), "Lowest": (_VOLTAGES, "min")}
        | {phase.upper(): ([(f"voltage_{phase}_v", 1)], "mean") for phase in PHASES}
    ),
    "Power per phase": _curves(
        {p.upper(): ([(f"power_import_{p}_kw", 1), (f"power_export_{p}_kw", -1)], "sum") for p in PHASES}
    ),
    "Current per phase": _curves({p.upper(): ([(f"current_{p}_a", 1)], "max") for p in PHASES}),
    "Quarter-hour demand": _demand,
    "Solar power and use": _solar_power,
    "Price per kWh, $currency": _price,
    "Telegrams per minute": _telegrams,
}
# Where nothing and zero are the same.
COUNTED: Final[dict[str, Proof]] = {
    "Today": _today,
    "Yesterday, until this time": _yesterday,
    "Selected time range": _in_range,
    "Per day: $medium": _days("tariffs"),
    "Cost per day: $medium, $currency": _days("cost"),
    "By hour and day: $medium": _hours_of_days,
    "Per hour: $medium": _hours,
    "Per month: $medium": _years,
    "This month": _this_month,
    "Same days of last month": _last_month,
    "The last 365 days": _a_year,
    "Cost per month, $currency": _costs_of_months,
    "Solar energy produced": _produced,
    "Solar energy per day": _solar_days,
    "Dynamic cost per hour, $currency": _cost_per_hour,
    "Dynamic cost per day, $currency": _cost_per_day,
}
PROOFS: Final[dict[str, Proof]] = {
    **_CURVES,
    **COUNTED,
    "Power now": _power_now,
    "Load against the fuse": _load,
    "This quarter-hour and the peaks": _against_the_peaks,
    "Month peaks": _peaks,
    "Billed peak": _asked_for,
    "Solar energy used at home": _own_shares,
    "Readings of the meter": _readings,
    "Power failures": _failures,
    "Last telegram": _age,
}
