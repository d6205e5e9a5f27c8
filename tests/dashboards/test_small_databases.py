"""Databases of a few lines, for what no household has: a policy for the history, a change of years."""

from array import array

import pytest

from tests.dashboards.dashboard import load, variables
from tests.dashboards.household import Household, Log, local
from tests.dashboards.oracle import Oracle
from tests.dashboards.proofs import agree, series
from tests.dashboards.stored import STORES, Stored


def steady(name: str, start: str, end: str, *, history: bool) -> Household:
    """Give a household that uses a steady power, with a telegram every five minutes."""
    energy, power = array("d"), array("d")
    log = Log(columns={"energy_import_t1_kwh": energy, "power_import_kw": power})
    for number, time in enumerate(range(local(start), local(end) + 1, 300)):
        log.times.append(time)
        energy.append(100 + number / 40)
        power.append(0.3)
    return Household(name, "", 300, history=history, logs=[log])


def lines(measurement: str, home: Household, period: int, since: int = 0) -> list[str]:
    """Give the lines of its telegrams, one in each period."""
    (log,) = home.logs
    found = []
    for place, time in enumerate(log.times):
        fields = ",".join(f"{name}={column[place]}" for name, column in log.columns.items())
        if time % period == 0 and time >= since:
            found.append(f"{measurement},meter=E1 {fields} {time}000000000")
    return found


@pytest.mark.parametrize("store", ["influxdb", "influxdb2"])
def test_the_history_may_have_a_retention_policy_of_its_own(stored: Stored, store: str) -> None:
    home = steady("thin", "2026-01-10 00:00", "2026-01-13 12:00", history=True)
    now = home.logs[0].times[-1]
    stored.write(store, "thin", lines("p1", home, 300, now - 7200))
    stored.write(store, "thin", lines("p1_history", home, 900), policy="history")
    chosen = variables(load("grafana-influxql.json"), stored.database(store, "thin"))
    assert (chosen["policy"], chosen["history"], chosen["medium"]) == ("history", "_history", ["energy"])
    titles = ("Per day: $medium", "Selected time range", "Power now")
    shown = stored.show(store, "thin", now, titles=titles)
    assert agree(shown.values(), Oracle(home, now, prometheus=False)) == set(titles)
    days = {"Sa 10": 7.2, "Su 11": 7.2, "Mo 12": 7.2, "Tu 13": 3.6}
    assert series(shown["Per day: energy"])["T1"] == pytest.approx(days)


@pytest.mark.parametrize("store", STORES)
def test_last_year_begins_at_its_midnight(stored: Stored, store: str) -> None:
    home = steady("years", "2024-12-31 12:00", "2025-01-01 12:00", history=False)
    stored.write(store, "years", lines("p1", home, 300))
    now, title = local("2026-06-01 12:00"), "Per month: $medium"
    shown = stored.show(store, "years", now, titles=[title])
    assert agree(shown.values(), Oracle(home, now, prometheus=store == "victoria-metrics")) == {title}
    assert series(shown["Per month: energy"]).keys() == {"Last year"}
