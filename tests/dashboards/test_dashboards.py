"""Every query of every panel, out of the dashboards' JSON, against the real databases.

Telegraf reads five households over twenty simulated days around each change of the clock, with a new meter, solar
panels, damaged telegrams and a night without a reader, and writes to all three databases. What Grafana would draw is
compared with numbers computed from the telegrams.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.decode import Memory, decode
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.dashboards.dashboard import Prometheus, Shown, View, load, panels, show, variables
from tests.dashboards.household import SPANS, local
from tests.dashboards.oracle import LEAST_PEAK_KW, Oracle, identifier
from tests.dashboards.periods import day_label, month_label, month_name
from tests.dashboards.proofs import COUNTED, FUSE_A, PROOFS, agree, series
from tests.dashboards.stored import BRIDGED, STORES, Stored
from tests.helpers.databases import prometheus
from tests.helpers.programs import wait_until

FIRST, SECOND = (span.end + 7 for span in SPANS)
VIEWS = {
    "the end of the first span": FIRST,
    "the end of the second span": SECOND,
    "the day of the new meter": local("2025-10-24 23:30"),
    "the end of summer time": local("2025-10-26 23:30"),
    "the begin of summer time": local("2026-03-29 23:30"),
    "two weeks later, so that the days begin in the midst of the data": local("2025-11-19 12:00"),
    "a year later, so that the months do": local("2026-10-03 12:00"),
    "the morning after a night without a reader": local("2025-10-31 09:40"),
}
SHOWN_IN_FULL = ("the end of the first span", "the day of the new meter", "the begin of summer time")


def asked(stored: Stored, store: str, household: str, now: float, **known: Any) -> Oracle:
    return Oracle(stored.households[household], now, prometheus=store == "victoria-metrics", **known)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("store", STORES)
def test_the_days_and_months_and_today(stored: Stored, store: str, view: str) -> None:
    now = VIEWS[view]
    titles = PROOFS if view in SHOWN_IN_FULL else [*COUNTED, "Power now", "Load against the fuse"]
    shown = stored.show(store, "netherlands", now, titles=titles)
    assert agree(shown.values(), asked(stored, store, "netherlands", now)) == set(titles)
    in_order(shown)


# How the rows of a panel are called.
LABELS = {
    "Per month: $medium": month_name,
    "Cost per month, $currency": month_label,
    **dict.fromkeys(("By hour and day: $medium", "Per day: $medium", "Cost per day: $medium, $currency"), day_label),
    **dict.fromkeys(("Solar energy per day", "Dynamic cost per day, $currency"), day_label),
}


def in_order(shown: dict[str, Shown]) -> None:
    """Days and months stand in their order, and the hours above a table too."""
    for one in shown.values():
        if label := LABELS.get(one.panel["title"]):
            begin, end = one.start, one.end
            if label == month_name:  # of any year
                begin, end = local("2025-01-01 00:00"), local("2025-12-31 00:00")
            times = {label(hour): hour for hour in range(int(begin), int(end) + 1, 3600)}
            for frame in one.frames:
                rows, *columns = frame["fields"]
                assert rows["values"] == sorted(rows["values"], key=times.__getitem__), one.title
                hours = [column["name"] for column in columns if column["name"].isdecimal()]
                assert hours == sorted(hours), one.title


@pytest.mark.parametrize("household", ["belgium", "sweden", "lithuania", "warmth"])
@pytest.mark.parametrize("store", STORES)
def test_the_panels_of_other_households(stored: Stored, store: str, household: str) -> None:
    now = FIRST if household == "sweden" else SECOND
    shown = stored.show(store, household, now, gas_unit="kwh")
    assert agree(shown.values(), asked(stored, store, household, now, gas_unit="kwh")) == PROOFS.keys()
    if household == "lithuania" and store != "victoria-metrics":
        assert shown["Message of the supplier"].frames[0]["fields"][1]["values"] == ["Standard_3ph"]


@pytest.mark.parametrize("store", STORES)
def test_a_home_without_electricity_has_a_dashboard_of_its_own(stored: Stored, store: str) -> None:
    shown = stored.show(store, "warmth", SECOND, kind="-heat")
    rows = [one.row for one in shown.values() if one.row.startswith("Day by day")]
    assert [*dict.fromkeys(rows)] == ["Day by day: cooling", "Day by day: heat"]
    agree(shown.values(), asked(stored, store, "warmth", SECOND))


@pytest.mark.parametrize("store", STORES)
def test_there_is_a_row_for_each_medium_of_a_household(stored: Stored, store: str) -> None:
    media = {"netherlands": ["energy", "gas"], "belgium": ["energy", "gas", "water"], "sweden": ["energy"]}
    media |= {"lithuania": ["energy", "hot_water"], "warmth": ["cooling", "heat"]}
    for household, some in media.items():
        chosen = variables(load(f"grafana-{STORES[store]}.json"), stored.database(store, household))
        assert chosen["medium"] == some, household
        assert (chosen["history"] == "_history") == stored.households[household].history


@pytest.mark.parametrize("store", STORES)
def test_telegrams_alone_give_what_their_history_gives(stored: Stored, store: str) -> None:
    now = VIEWS["the end of summer time"]
    shown = stored.show(store, "netherlands", now, titles=COUNTED, history="")
    assert agree(shown.values(), asked(stored, store, "netherlands", now, history=False)) == set(COUNTED)
    peaks = stored.show(store, "belgium", SECOND, titles=["Month peaks"], history="")
    assert agree(peaks.values(), asked(stored, store, "belgium", SECOND, history=False))


@pytest.mark.parametrize("store", STORES)
def test_a_month_has_the_peak_that_its_meter_tells_at_the_first_second_of_the_next(stored: Stored, store: str) -> None:
    titles = ["Month peaks", "Billed peak"]
    # So that twelve months begin with the second of these two.
    for now, months in (
        (local("2025-11-03 12:00"), ["Oct", "Nov"]),
        (local("2026-10-03 12:00"), ["Nov", "Mar", "Apr"]),
    ):
        oracle = asked(stored, store, "belgium", now)
        shown = stored.show(store, "belgium", now, titles=titles)
        assert agree(shown.values(), oracle) == set(titles)
        found = series(shown["Month peaks"])
        assert [month[:3] for month in found["Peak"]] == months
        assert all(found["Billed"][month] == max(peak, LEAST_PEAK_KW) for month, peak in found["Peak"].items())
    peaks = stored.households["belgium"].logs[1]
    first = peaks.times.index(local("2025-11-01 00:00"))
    before, after = peaks.columns["power_import_month_peak_kw"][first : first + 2]
    assert before > after


@pytest.mark.parametrize("store", STORES)
def test_some_meters_can_be_chosen(stored: Stored, store: str) -> None:
    home = stored.households["netherlands"]
    database = stored.database(store, "netherlands")
    (variable,) = (v for v in load(f"grafana-{STORES[store]}.json")["templating"]["list"] if v["name"] == "meter")
    meters = sorted(database.options(variable))
    assert meters == sorted(identifier(log.last) for log in home.logs)
    now = VIEWS["the day of the new meter"]
    titles = ("Today", "Selected time range", "Per day: $medium", "Readings of the meter")
    for count in (1, 2):
        oracle = asked(stored, store, "netherlands", now)
        oracle.household = replace(home, logs=home.logs[:count])
        shown = stored.show(store, "netherlands", now, titles=titles, meter=meters[:count])
        assert agree(shown.values(), oracle) == set(titles)


@pytest.mark.parametrize("store", STORES)
def test_two_dates_as_the_range_hold_for_all_panels(stored: Stored, store: str) -> None:
    since = local("2025-10-20 00:00")  # the new meter came more than a week before the end
    oracle = asked(stored, store, "netherlands", FIRST, since=since)
    shown = stored.show(store, "netherlands", FIRST, titles=COUNTED, since_s=FIRST - since, relative=False)
    assert agree(shown.values(), oracle) == set(COUNTED)


@pytest.mark.parametrize("store", STORES)
def test_every_quarter_of_a_month_is_drawn(stored: Stored, store: str) -> None:
    shown = stored.show(store, "belgium", SECOND, titles=["Quarter-hour demand"], since_s=30 * 86400)
    assert agree(shown.values(), asked(stored, store, "belgium", SECOND))


@pytest.mark.parametrize("store", STORES)
def test_a_price_below_zero_is_a_fee(stored: Stored, store: str) -> None:
    oracle = asked(stored, store, "belgium", SECOND)
    shown = {
        price: series(stored.show(store, "belgium", SECOND, titles=["Today"], price_export=price)["Today"])
        for price in ("0", "-0.02")
    }
    start = oracle.days_ago(0)
    exported = sum(oracle.up_to_now(field, start, SECOND) for field in oracle.registers("export").values())
    assert shown["-0.02"]["Cost"][""] - shown["0"]["Cost"][""] == pytest.approx(exported * 0.02)


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
        shown.update(stored.show(store, "p1", now + 5, titles=["Power now", "Load against the fuse"]))
        return series(shown["Power now"]) != {}

    wait_until(has_come, "the records", 60)
    assert series(shown["Power now"]) == {"Import": {"": pytest.approx(0.45)}}
    load = {"Import": {"": pytest.approx(0.45)}, "Connection": {"": pytest.approx(3 * 0.23 * FUSE_A)}}
    assert series(shown["Load against the fuse"]) == load


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("hours", [0.5, 24])
def test_the_health_of_the_plugin(stored: Stored, store: str, hours: float) -> None:
    # Some minutes later, since PromQL's steps end before the range does.
    titles = ["Rejected since start", "Rejected and reconnects per minute"]
    look: dict[str, Any] = {"now": stored.fed + 200, "since_s": hours * 3600, "pixels": 500, "titles": titles}
    shown = stored.show(store, "netherlands", **look)
    assert [*series(shown["Rejected since start"]).items()] == [("crc", {"": 25})]
    assert _events(shown, store) == pytest.approx({"Rejected": 25, "Reconnects": 0})
    assert _events(stored.show(store, BRIDGED, **look), store) == pytest.approx({"Rejected": 0, "Reconnects": 1})


def _events(shown: dict[str, Shown], store: str) -> dict[str, float]:
    """Add the events of a panel up: they are drawn per minute, PromQL's for each step."""
    panel = shown["Rejected and reconnects per minute"]
    minutes = panel.step / 60 if store == "victoria-metrics" else 1
    return {name: sum(values.values()) * minutes for name, values in series(panel).items()}


@pytest.mark.parametrize("store", STORES)
def test_no_panel_and_no_query_stays_empty(stored: Stored, store: str) -> None:
    everything = panels(load(f"grafana-{STORES[store]}.json"))
    queries = {(panel["title"], target["refId"]) for panel in everything for target in panel["targets"]}
    later = VIEWS["two weeks later, so that the days begin in the midst of the data"]
    looks: list[tuple[str, float, dict[str, Any]]] = [
        ("netherlands", later, {"gas_unit": "kwh"}),
        ("netherlands", FIRST, {"load": "power"}),
        ("netherlands", stored.fed + 60, {"since_s": 900}),
        *((household, now, {}) for now in (later, FIRST) for household in stored.households),
        ("netherlands", FIRST, {"gas_unit": "kwh"}),
    ]
    for household, now, known in looks:
        if missing := {title for title, _ in queries - stored.answered.get(store, set())}:
            stored.show(store, household, now, titles=missing, **known)
    assert stored.answered[store] == queries
    assert stored.drawn[store] == {panel["title"] for panel in everything}


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    dashboard = load("grafana-promql.json")
    with prometheus(tmp_path) as url:
        database = Prometheus(url, "any")
        chosen = variables(dashboard, database) | {
            "medium": ["energy", "gas"],
            "history": "_history",
            "load": "current",
        }
        shown = show(dashboard, database, View(FIRST, chosen))
    assert {one.panel["title"] for one in shown.values()} == {panel["title"] for panel in panels(dashboard)}
