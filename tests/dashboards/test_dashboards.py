"""Every query of every panel, out of the dashboards' JSON, against the real databases.

Telegraf reads five households over twenty simulated days around each change of the clock, with a new meter, solar
panels, damaged telegrams and a night without a reader, and writes to all three databases. What Grafana would draw is
compared with numbers computed from the telegrams.
"""

import time
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.decode import Memory, decode
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.dashboards.dashboard import Prometheus, Shown, View, load, panels, show, variables
from tests.dashboards.household import SPANS, Household, local
from tests.dashboards.oracle import GAS_KWH, MEDIA, PRICES, Expected, Oracle, identifier, tariff_name
from tests.dashboards.stored import BRIDGED, STORES, Stored
from tests.helpers.databases import prometheus
from tests.helpers.programs import wait_until

# What the two tables have to show of any meter.
COUNTERS = {
    *(f"energy_{way}_{register}kwh" for way in ("import", "export") for register in ("", "t1_", "t2_", "t3_", "t4_")),
    *(field for fields in MEDIA.values() for field in fields.values()),
}
TROUBLES = {"power_failures", "long_power_failures"} | {
    f"voltage_{what}_l{n}" for what in ("sags", "swells") for n in (1, 2, 3)
}


def series(shown: Shown) -> Expected:
    """Give what a panel draws: series, key (second, day or month), value; a stat's only key is empty."""
    found: Expected = {}
    latest = shown.panel["type"] == "stat"
    for frame in shown.frames:
        keys, *columns = frame["fields"]
        for column in columns:
            pairs = [
                (key / 1000 if keys["type"] == "time" else key, value)
                for key, value in zip(keys["values"], column["values"], strict=True)
                if value is not None
            ]
            if latest:
                pairs = [("", pairs[-1][1])] if pairs else []
            found.setdefault(column["name"], {}).update(pairs)
    return found


def agree(shown: dict[str, Shown], title: str, expected: Expected, *, missing_is_zero: bool = False) -> None:
    found = series(shown[title])
    for name in expected.keys() | found.keys():
        right, is_there = expected.get(name, {}), found.get(name, {})
        for key in right.keys() | is_there.keys():
            zero = 0 if missing_is_zero else None
            place = (title, name, key, shown[title].queries)
            assert is_there.get(key, zero) == pytest.approx(right.get(key, zero), rel=1e-6, abs=1e-5), place


def bars_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    for title, one in shown.items():
        if one.panel["type"] == "barchart":
            agree(shown, title, oracle.bars(title, one.start), missing_is_zero=True)


def today_agrees(shown: dict[str, Shown], oracle: Oracle) -> None:
    tariffs = {tariff_name(t): {"": oracle.today(f)} for t, f in oracle.registers("import").items()}
    energy = tariffs | {"Export": {"": oracle.energy_today("export")}}
    agree(shown, "Electricity today", energy, missing_is_zero=True)
    gas = oracle.today("gas_m3")
    costs = {
        "Electricity": oracle.energy_today("import", PRICES),
        "Export": -oracle.energy_today("export") * PRICES["export"],
        "Gas": gas * PRICES["gas"],
    }
    everything = {name: {"": cost} for name, cost in (costs | {"Total": sum(costs.values())}).items()}
    agree(shown, "Cost today", everything, missing_is_zero=True)
    agree(shown, "Gas today", {"m³": {"": gas}, "kWh": {"": gas * GAS_KWH}}, missing_is_zero=True)


def power_now(oracle: Oracle) -> Expected:
    return {
        "Import": oracle.now_sum([("power_import_kw", 1)]),
        "Export": oracle.now_sum([("power_export_kw", 1)]),
        "Net": oracle.now_sum([("power_import_kw", 1), ("power_export_kw", -1)]),
    }


def curves_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    curves: dict[str, dict[str, tuple[list[tuple[str, int]], str]]] = {
        "Power": {
            "Import": ([("power_import_kw", 1)], "sum"),
            "Export": ([("power_export_kw", 1)], "sum"),
            "Net": ([("power_import_kw", 1), ("power_export_kw", -1)], "sum"),
        },
        "Power per phase": {
            f"L{n}": ([(f"power_import_l{n}_kw", 1), (f"power_export_l{n}_kw", -1)], "sum") for n in (1, 2, 3)
        },
        "Voltage per phase": {
            f"L{n} {how}": ([(f"voltage_l{n}_v", 1)], how) for n in (1, 2, 3) for how in ("mean", "min", "max")
        },
        "Current per phase": {f"L{n}": ([(f"current_l{n}_a", 1)], "max") for n in (1, 2, 3)},
    }
    for title, lines in curves.items():
        edges = _edges(shown[title], oracle)
        agree_inside(shown, title, {name: oracle.windows(fields, edges, how) for name, (fields, how) in lines.items()})
    edges = _edges(shown["Telegrams per minute"], oracle, 60)
    always = "heat_gj" if oracle.household.name == "warmth" else "power_import_kw"
    counts = oracle.windows([(always, 1)], edges, "count")
    agree_inside(shown, "Telegrams per minute", {"Telegrams": {**dict.fromkeys(dict(edges), 0), **counts}})


def _edges(shown: Shown, oracle: Oracle, width: float | None = None) -> list[tuple[float, float]]:
    """Give the windows of a curve: from each point on in InfluxQL, up to each point in PromQL."""
    step = shown.step
    points = [n * step for n in range(int(shown.start // step), int(shown.end // step) + 1)]
    if not oracle.prometheus:
        return [(point, point + step) for point in points]
    width = width or max(step + 15, 60)
    return [(point, point - width) for point in points]


def agree_inside(shown: dict[str, Shown], title: str, expected: Expected) -> None:
    """Compare all but the first and the last two points, whose windows reach beyond the range."""
    found = series(shown[title])
    step = shown[title].step
    for name in expected.keys() | found.keys():
        right, is_there = (
            {
                key: v
                for key, v in one.get(name, {}).items()
                if shown[title].start + step <= key <= shown[title].end - 2 * step
            }
            for one in (expected, found)
        )
        assert is_there == pytest.approx(right, rel=1e-6, abs=1e-6), (title, name, shown[title].queries)


def hours_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    for title, one in shown.items():
        what, _, per = title.partition(" per hour")
        if " per hour" in title:
            factor = GAS_KWH if per.endswith("kWh") else 1
            found = series(one)
            for name, field in MEDIA[what].items():
                hours = {hour // 3600: grown * factor for hour, grown in oracle.hours(field, one.start).items()}
                is_there = {int(key) // 3600: value for key, value in found.pop(name, {}).items() if value}
                assert is_there == pytest.approx(hours, rel=1e-6, abs=1e-6), (title, one.queries)
            assert not found


def meter_agrees(shown: dict[str, Shown], oracle: Oracle) -> None:
    for title, fields in (("Meter readings", COUNTERS), ("Power failures, sags and swells", TROUBLES)):
        table = shown[title].frames
        columns = {f["name"]: f["values"] for f in table[0]["fields"]} if table else {}
        meters = columns.pop("meter", [""])
        found = {
            meter.strip("-"): {
                name: float(values[n]) for name, values in columns.items() if values[n] not in (None, "")
            }
            for n, meter in enumerate(meters)
        }
        expected = oracle.readings(shown[title].start, fields)
        assert {m: v for m, v in found.items() if v} == {m: pytest.approx(v) for m, v in expected.items()}, title


def age_agrees(shown: Shown, oracle: Oracle) -> None:
    times, ages = (one["values"] for one in shown.frames[0]["fields"])
    age = ages[-1] if oracle.prometheus else oracle.now - times[-1] / 1000
    assert age == pytest.approx(oracle.now - oracle.last_time())


def capacity_agrees(shown: dict[str, Shown], oracle: Oracle) -> None:
    quarters_agree(shown, oracle)
    agree(shown, "Month peak", {"Peak": oracle.last("power_import_month_peak_kw", 3600)})
    agree(shown, "Time of the month peak", {"End of the quarter": {"": oracle.month_peak_time() * 1000}})
    agree(shown, "Mean of the last 12 month peaks", {"Mean": {"": oracle.mean_of_month_peaks()}})


def quarters_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    one = shown["Quarter-hour demand"]
    quarters = [(n * 900.0, n * 900.0 + 900) for n in range(int(one.start // 900), int(one.end // 900) + 1)]
    demand = oracle.windows([("power_import_quarter_kw", 1)], quarters, "last")
    agree_inside(shown, "Quarter-hour demand", {"Demand": demand})


FIRST, SECOND = (span.end + 7 for span in SPANS)
VIEWS = {
    "the end of the first span": FIRST,
    "the end of the second span": SECOND,
    "the day of the new meter": local("2025-10-24 23:30"),
    "the end of summer time": local("2025-10-26 23:30"),
    "the begin of summer time": local("2026-03-29 23:30"),
    "two weeks later, so that the days begin in the midst of the data": local("2025-11-19 12:00"),
    "a year later, so that the months do": local("2026-11-03 12:00"),
}
SHOWN_IN_FULL = ("the end of the first span", "the day of the new meter", "the begin of summer time")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("store", STORES)
def test_the_days_and_months_and_today(stored: Stored, store: str, view: str) -> None:
    now = VIEWS[view]
    oracle = Oracle(stored.households["netherlands"], now, prometheus=store == "victoria-metrics")
    shown = stored.show(store, "netherlands", now)
    bars_agree(shown, oracle)
    today_agrees(shown, oracle)
    agree(shown, "Power now", power_now(oracle))
    if view in SHOWN_IN_FULL:
        curves_agree(shown, oracle)
        hours_agree(shown, oracle)
        meter_agrees(shown, oracle)
        age_agrees(shown["Last telegram"], oracle)


@pytest.mark.parametrize("household", ["belgium", "sweden", "lithuania", "warmth"])
@pytest.mark.parametrize("store", STORES)
def test_the_panels_of_other_households(stored: Stored, store: str, household: str) -> None:
    now = FIRST if household == "sweden" else SECOND
    oracle = Oracle(stored.households[household], now, prometheus=store == "victoria-metrics")
    shown = stored.show(store, household, now)
    bars_agree(shown, oracle)
    today_agrees(shown, oracle)
    curves_agree(shown, oracle)
    hours_agree(shown, oracle)
    meter_agrees(shown, oracle)
    agree(shown, "Power now", power_now(oracle))
    if household == "belgium":
        capacity_agrees(shown, oracle)
    if household == "lithuania" and store != "victoria-metrics":
        assert shown["Message of the supplier"].frames[0]["fields"][1]["values"] == ["Standard_3ph"]


@pytest.mark.parametrize("store", STORES)
def test_some_meters_can_be_chosen(stored: Stored, store: str) -> None:
    home = stored.households["netherlands"]
    database = stored.database(store, "netherlands")
    (variable,) = (v for v in load(f"grafana-{STORES[store]}.json")["templating"]["list"] if v["name"] == "meter")
    meters = sorted(database.options(variable))
    assert meters == sorted(identifier(log.last) for log in home.logs)
    half = Household(home.name, home.form, home.interval, logs=home.logs[:2])
    for chosen, logs in ((meters[:1], half.logs[:1]), (meters[:2], half.logs)):
        now = VIEWS["the day of the new meter"]
        oracle = Oracle(Household(home.name, home.form, 10, logs=logs), now, prometheus=store == "victoria-metrics")
        shown = stored.show(store, "netherlands", now, meter=chosen)
        today_agrees(shown, oracle)
        meter_agrees(shown, oracle)


@pytest.mark.parametrize("store", STORES)
def test_two_dates_as_the_range_hold_for_all_panels(stored: Stored, store: str) -> None:
    since = local("2025-10-20 00:00")  # the new meter came more than a week before the end
    home = stored.households["netherlands"]
    oracle = Oracle(home, FIRST, prometheus=store == "victoria-metrics", since=since)
    shown = stored.show(store, "netherlands", FIRST, since_s=FIRST - since, relative=False)
    bars_agree(shown, oracle)
    today_agrees(shown, oracle)


@pytest.mark.parametrize("store", STORES)
def test_every_quarter_of_a_month_is_drawn(stored: Stored, store: str) -> None:
    oracle = Oracle(stored.households["belgium"], SECOND, prometheus=store == "victoria-metrics")
    shown = stored.show(store, "belgium", SECOND, since_s=30 * 86400)
    quarters_agree(shown, oracle)


@pytest.mark.parametrize("store", STORES)
def test_a_price_below_zero_is_a_fee(stored: Stored, store: str) -> None:
    oracle = Oracle(stored.households["belgium"], SECOND, prometheus=store == "victoria-metrics")
    shown = stored.show(store, "belgium", SECOND, price_export="-0.02")
    assert series(shown["Cost today"])["Export"][""] == pytest.approx(oracle.energy_today("export") * 0.02)


@pytest.mark.parametrize("store", STORES)
def test_a_german_meter_that_sends_net_power_only_has_power(stored: Stored, store: str) -> None:
    meter, now = Meter("de"), int(time.time()) // 60 * 60
    memory, lines = Memory(Zone()), []
    for number, net_w in enumerate((-1200, 300, 450)):
        meter.telegram(now)
        meter.power_w = [net_w // 3] * 3
        telegram = ("\r\n".join(FORMS["de"].lines(meter)) + "\r\n!").encode()
        lines.append(lineproto.line(decode(parse(telegram), (now - 30 + 10 * number) * 10**9, memory)))
    stored.write(store, "p1", lines)
    shown = {}

    def has_come() -> bool:
        shown.update(stored.show(store, "p1", now + 5))
        return series(shown["Power now"]) != {}

    wait_until(has_come, "the records", 60)
    assert series(shown["Power now"]) == {
        name: {"": pytest.approx(value)} for name, value in (("Import", 0.45), ("Export", 0), ("Net", 0.45))
    }


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("hours", [0.5, 24])
def test_the_health_of_the_plugin(stored: Stored, store: str, hours: float) -> None:
    # Some minutes later, since PromQL's steps end before the range does.
    look = {"now": stored.fed + 200, "since_s": hours * 3600, "pixels": 500}
    shown = stored.show(store, "netherlands", **look)
    assert [*series(shown["Rejected since the start, by cause"]).items()] == [("crc", {"": 25})]
    assert _events(shown, store) == pytest.approx({"Rejected": 25, "Reconnects": 0})
    assert _events(stored.show(store, BRIDGED, **look), store) == pytest.approx({"Rejected": 0, "Reconnects": 1})


def _events(shown: dict[str, Shown], store: str) -> dict[str, float]:
    """Add the events of a panel up: they are drawn per minute, PromQL's for each step."""
    panel = shown["Rejected telegrams and reconnects per minute"]
    minutes = panel.step / 60 if store == "victoria-metrics" else 1
    return {name: sum(values.values()) * minutes for name, values in series(panel).items()}


@pytest.mark.parametrize("store", STORES)
def test_no_panel_and_no_query_stays_empty(stored: Stored, store: str) -> None:
    everything = panels(load(f"grafana-{STORES[store]}.json"))
    queries = {(panel["title"], target["refId"]) for panel in everything for target in panel["targets"]}
    for household in stored.households:
        if stored.answered.get(store) != queries:
            stored.show(store, household, FIRST)
    if stored.answered[store] != queries:
        stored.show(store, "netherlands", stored.fed + 60, since_s=900)
    assert stored.answered[store] == queries
    assert stored.drawn[store] == {panel["title"] for panel in everything}


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    dashboard = load("grafana-promql.json")
    with prometheus(tmp_path) as url:
        database = Prometheus(url, "any")
        shown = show(dashboard, database, View(FIRST, variables(dashboard, database)))
    assert shown.keys() == {panel["title"] for panel in panels(dashboard)}
