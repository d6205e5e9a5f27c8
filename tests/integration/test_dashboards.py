"""Every query of every panel, out of the dashboards' JSON, against the real databases.

Telegraf reads five households over twenty simulated days around each change of the clock, with a new meter, solar
panels, damaged telegrams and a night without a reader, and writes to all three databases. What Grafana would draw is
compared with numbers computed from the telegrams.
"""

from pathlib import Path

import pytest
from agreement import (
    age_agrees,
    agree,
    bars_agree,
    capacity_agrees,
    curves_agree,
    hours_agree,
    meter_agrees,
    power_now,
    quarters_agree,
    series,
    today_agrees,
)
from dashboard import Prometheus, Shown, View, load, panels, show, variables
from databases import prometheus
from household import SPANS, Household, local
from oracle import Oracle, identifier
from stored import BRIDGED, STORES, Stored

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
