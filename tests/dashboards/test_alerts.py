"""The alert rules and the expressions of docs/alerts.md, asked of real databases when they must fire, and when not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.alerting import Rule

from tests.dashboards.dashboard import FOLDER, Database, Influx, Shown, View
from tests.dashboards.household import SPANS, Log
from tests.dashboards.oracle import Oracle
from tests.dashboards.stored import Stored
from tests.helpers import pages
from tests.helpers.telegrams import ROOT

RULES = yaml.safe_load((FOLDER / "provisioning" / "alerting" / "telegraf_p1.yaml").read_text())["groups"][0]["rules"]
PAGE = (ROOT / "docs" / "alerts.md").read_text()
EXPRESSIONS = pages.named("alerts.md", "promql")
PHASES = ("current_l1_a", "current_l2_a", "current_l3_a")
SPAN = SPANS[0]
INFLUX = ["influxdb", "influxdb2"]


def rule(uid: str) -> dict[str, Any]:
    (found,) = (one for one in RULES if one["uid"] == uid)
    return dict(found)


def state(database: Database, uid: str, now: float, **thresholds: float) -> str:
    """Evaluate a rule as Grafana does: queries, then reductions and mathematics over them."""
    values: dict[str, float | None] = {}
    one = rule(uid)
    for step in one["data"]:
        model, name = step["model"], step["refId"]
        if step["datasourceUid"] == "telegraf_p1":
            shown = Shown({}, now - step["relativeTimeRange"]["from"], now, 1)
            frames = database.frames(model | {"alias": ""}, shown.fill(model["query"], View(now, {})), shown)
            values[name] = frames[0]["fields"][1]["values"][-1] if frames else None
        elif model["type"] == "reduce":
            values[name] = values[model["expression"]]
        elif any(values[letter] is None for letter in re.findall(r"\$([A-Z])", model["expression"])):
            return str(one["noDataState"])
        else:
            values[name] = calculated(model["expression"], values, thresholds)
    return "Alerting" if values[one["condition"]] else "OK"


def calculated(expression: str, values: dict[str, float | None], thresholds: dict[str, float]) -> bool:
    for old, new in thresholds.items():
        assert old in expression
        expression = expression.replace(old, str(new))
    text = re.sub(r"\$([A-Z])", lambda match: str(values[match[1]]), expression).replace("&&", "and")
    assert re.fullmatch(r"[\d.e\-+*/<> and]+", text), text
    return bool(eval(text))  # noqa: S307  numbers and operators, as checked


@pytest.mark.parametrize("one", RULES, ids=[one["uid"] for one in RULES])
def test_the_foundation_sdk_knows_the_rule(one: dict[str, Any]) -> None:
    known = JSONEncoder().encode(Rule.from_json(one | {"folderUID": "f", "orgID": 1, "ruleGroup": "g"}))
    for key in one:
        assert f'"{key}"' in known


def test_the_rules_ask_the_data_source_that_is_provisioned() -> None:
    sources = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "telegraf_p1.yaml").read_text())["datasources"]
    asked = {step["datasourceUid"] for one in RULES for step in one["data"]}
    assert asked == {sources[0]["uid"], "__expr__"}


@pytest.mark.parametrize("store", INFLUX)
def test_no_telegram_for_five_minutes(stored: Stored, store: str) -> None:
    database = stored.database(store, "netherlands")
    assert state(database, "p1-no-telegram", SPAN.end) == "OK"
    assert state(database, "p1-no-telegram", SPAN.outage[0] + 299) == "OK"
    assert state(database, "p1-no-telegram", SPAN.outage[0] + 301) == "Alerting"


@pytest.mark.parametrize("store", INFLUX)
def test_a_phase_above_the_fuse(stored: Stored, store: str) -> None:
    oracle = Oracle(stored.households["netherlands"], SPAN.end, prometheus=False)
    highest = highest_current(oracle, SPAN.end - 120, SPAN.end + 1)
    database = stored.database(store, "netherlands")
    assert state(database, "p1-fuse", SPAN.end) == "OK"
    assert state(database, "p1-fuse", SPAN.end, **{"25": highest - 0.001}) == "Alerting"
    assert state(database, "p1-fuse", SPAN.end, **{"25": highest + 0.001}) == "OK"
    assert state(database, "p1-fuse", SPAN.outage[0] + 300) == "OK"


def highest_current(oracle: Oracle, start: float, end: float) -> float:
    return max(oracle.curve([(phase, 1)], [(start, end)], "mean")[start] for phase in PHASES)


@dataclass
class Quarter:
    """A moment of the Belgian household: its time (s), and what the meter says then (kW)."""

    time: int
    demand: float
    peak: float
    power: float

    @property
    def foreseen(self) -> float:
        return self.demand + self.power * (899 - (self.time - 1) % 900) / 900


def quarters(log: Log) -> Iterator[Quarter]:
    columns = [log.columns[f"power_import_{name}kw"] for name in ("quarter_", "month_peak_", "")]
    for time, demand, peak, power in zip(log.times, *columns, strict=True):
        if demand and peak:
            yield Quarter(time, demand, peak, power)


@pytest.mark.parametrize("store", INFLUX)
def test_the_quarter_hour_peak_that_is_about_to_rise(stored: Stored, store: str) -> None:
    database = stored.database(store, "belgium")
    for fires in (True, False):
        moments = [q for q in quarters(stored.households["belgium"].logs[0]) if (q.demand > 0.9 * q.peak) == fires]
        assert moments
        for moment in moments[:: max(1, len(moments) // 5)]:
            found = state(database, "p1-quarter-peak", moment.time + 1, **{"2.5": 0.001})
            assert found == ("Alerting" if fires else "OK"), moment
            costs = fires and moment.demand > 0.9 * 2.5  # below 2.5 kW it does not
            assert state(database, "p1-quarter-peak", moment.time + 1) == ("Alerting" if costs else "OK"), moment
    assert state(stored.database(store, "netherlands"), "p1-quarter-peak", SPAN.end) == "OK"


def fires(database: Database, name: str, now: float, **thresholds: float) -> bool:
    expression = EXPRESSIONS[name]
    for old, new in thresholds.items():
        assert old in expression
        expression = expression.replace(old, str(new))
    assert not isinstance(database, Influx)
    shown = Shown({}, now, now, 1)
    return database.frames({"legendFormat": ""}, expression.strip(), shown) != []


def test_the_expressions_for_victoria_metrics(stored: Stored) -> None:
    netherlands = stored.database("victoria-metrics", "netherlands")
    assert not fires(netherlands, "no-telegram", SPAN.end)
    assert not fires(netherlands, "no-telegram", SPAN.outage[0] + 299)
    assert fires(netherlands, "no-telegram", SPAN.outage[0] + 301)

    oracle = Oracle(stored.households["netherlands"], SPAN.end, prometheus=True)
    highest = highest_current(oracle, SPAN.end - 119, SPAN.end + 1)
    assert not fires(netherlands, "fuse", SPAN.end)
    assert fires(netherlands, "fuse", SPAN.end, **{"25": highest - 0.001})
    assert not fires(netherlands, "fuse", SPAN.end, **{"25": highest + 0.001})

    belgium = stored.database("victoria-metrics", "belgium")
    for rises in (True, False):
        moments = [q for q in quarters(stored.households["belgium"].logs[0]) if (q.foreseen > q.peak) == rises]
        assert moments
        for moment in moments[:: max(1, len(moments) // 5)]:
            # Also when the expression is evaluated later than the telegram came, in the next quarter perhaps.
            for late in (0, 5, 59):
                assert fires(belgium, "quarter-peak", moment.time + late, **{"2.5": 0.001}) == rises, moment
            costs = moment.foreseen > max(moment.peak, 2.5)  # below 2.5 kW it does not
            assert fires(belgium, "quarter-peak", moment.time) == costs, moment


def test_every_rule_and_expression_has_been_asked() -> None:
    text = Path(__file__).read_text()
    assert all(f'"{name}"' in text for name in [*EXPRESSIONS, *(one["uid"] for one in RULES)])
