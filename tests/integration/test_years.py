"""The sections on history and on the upgrade of docs/databases.md: each of their blocks, against the real databases.

And what the dashboards ask, with one data source, in all ways in which records and history may be kept.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telegraf_p1.obis.lookup import DEFAULT
from telegraf_p1.obis.table import ROWS
from tests.helpers.databases import Influx, get, influxdb2, post, send, victoria_metrics
from tests.helpers.outputs_page import BLOCKS, METER, SCRIPTS, configured, run, until_stored
from tests.helpers.programs import answers, component, program, wait_until

HISTORY = ("--history", "15m")
QUARTER = 900
HERE_1, HERE_2, HERE_VM = "http://127.0.0.1:8086", "http://127.0.0.1:8086", "http://127.0.0.1:8428"
BEGIN = int(time.time()) // QUARTER * QUARTER - 40 * 86_400  # of records that are older than 30 days
DAYS_300 = "start=2026-01-01T00:00:00Z&end=2026-10-28T00:00:00Z"
# Fields as a Belgian meter has them, some of which are no part of a history.
OTHERS = 'identification="FLU5",power_import_kw=1.5,tariff=2i,power_import_cumulative_peak_kw=9.9,heat_flow_m3h=1'


def old_lines(measurement: str = "p1", of: int = 2) -> bytes:
    """Give records of two meters, 10 s apart from the 3rd second of a quarter on, through so many quarters."""
    return "".join(
        f"{measurement},meter={meter} energy_import_t1_kwh={1000 + second / 8},hot_water_m3={second // 1000}.25,"
        f"power_import_month_peak_kw=4.2,power_import_month_peak_timestamp=1700000000i,{OTHERS}"
        f" {BEGIN + second}000000000\n"
        for meter in ("E1", "E2")
        for second in range(3, of * QUARTER, 10)
    ).encode()


def of_history(second: int) -> dict[str, object]:
    """What a history has of the record of a second."""
    return {
        "energy_import_t1_kwh": 1000 + second / 8,
        "hot_water_m3": second // 1000 + 0.25,
        "power_import_month_peak_kw": 4.2,
        "power_import_month_peak_timestamp": 1_700_000_000,
    }


class Influx2:
    """An InfluxDB 2, asked as Influx is."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def query(self, statement: str) -> list[dict[str, Any]]:
        (result,) = json.loads(get(f"{self.url}/query", self.token, db="p1", epoch="ns", q=statement))["results"]
        assert "error" not in result, result
        return [
            dict(zip(series["columns"], row, strict=True))
            for series in result.get("series", [])
            for row in series["values"]
        ]

    def id_of(self, kind: str, name: str) -> str:
        (found,) = json.loads(get(f"{self.url}/api/v2/{kind}", self.token, **{kind[:-1]: name}, name=name))[kind]
        return str(found["id"])

    def write(self, bucket: str, lines: bytes) -> None:
        send(f"{self.url}/api/v2/write?org=home&bucket={bucket.replace('/', '%2F')}", lines, self.token)

    def add_history(self) -> None:
        run("influxdb2-history", (HERE_2, self.url), ("ORG_ID", self.id_of("orgs", "home")))


@pytest.fixture
def influx_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Influx2]:
    with influxdb2(tmp_path) as (url, token):
        monkeypatch.setenv("INFLUX_TOKEN", token)
        yield Influx2(url, token)


def test_each_block_of_years_has_a_test() -> None:
    tested = {name.removeprefix("test_into_").replace("_", "-") for name in globals() if name.startswith("test_into_")}
    assert tested == {name for name in BLOCKS if name.endswith("-years")}
    used = set(re.findall(r'run\(\s*"([\w-]+)"', Path(__file__).read_text()))
    assert used == SCRIPTS.keys()


def test_the_patterns_of_the_page_take_what_a_history_has() -> None:
    names = {field.name.replace("{medium}", "gas").replace("{unit}", "gj") for row in ROWS for field in row.fields}
    for name, begin in (("influxdb-fill", "/"), ("influxdb2-fill", "/"), ("victoria-metrics-fill", '"')):
        (pattern,) = re.findall(rf"{begin}([^/\"]*\|gj[^/\"]*peak_[^/\"]*){begin}", SCRIPTS[name])
        is_taken = re.compile(pattern).fullmatch if begin == '"' else re.compile(pattern).search
        prefix = "p1_" if begin == '"' else ""
        assert {one for one in names if is_taken(prefix + one)} == {one for one in names if DEFAULT.is_of_history(one)}


def test_into_influxdb_years(tmp_path: Path, influx: Influx) -> None:
    run("influxdb-history", (HERE_1, influx.url))
    path = configured(tmp_path, "influxdb-years", (HERE_1, influx.url), options=HISTORY)
    until_stored(path, lambda: influx.count() and influx.query('SELECT * FROM "history"."p1_history"'))
    (found,) = influx.query('SELECT * FROM "history"."p1_history"')
    assert found["meter"] == METER
    assert found["energy_import_t1_kwh"] > 0
    assert influx.query('SELECT * FROM "p1_history"') == influx.query('SELECT * FROM "history"."p1"') == []


def test_into_influxdb2_years(tmp_path: Path, influx_2: Influx2) -> None:
    influx_2.add_history()
    path = configured(tmp_path, "influxdb2-years", (HERE_2, influx_2.url), options=HISTORY)
    until_stored(
        path, lambda: influx_2.query('SELECT * FROM "p1"') and influx_2.query('SELECT * FROM "history"."p1_history"')
    )
    (found,) = influx_2.query('SELECT * FROM "history"."p1_history"')
    assert found["meter"] == METER
    assert influx_2.query('SELECT * FROM "p1_history"') == influx_2.query('SELECT * FROM "history"."p1"') == []


def test_into_victoria_metrics_years(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with (
        victoria_metrics(tmp_path / "1", "-retentionPeriod=30d") as url,
        victoria_metrics(tmp_path / "2", "-retentionPeriod=100y") as other,
    ):
        places = ((HERE_VM, url), ("http://127.0.0.1:8429", other))
        path = configured(tmp_path, "victoria-metrics-years", *places, options=HISTORY)

        def names(of: str) -> list[str]:
            return [str(one) for one in json.loads(get(f"{of}/api/v1/label/__name__/values"))["data"]]

        until_stored(path, lambda: names(other) and {"p1_power_import_kw", "p1_history_gas_m3"} <= {*names(url)})
        assert all(name.startswith("p1_history_") for name in names(other))


def test_a_history_is_filled_in_influxdb_before_the_records_get_30_days(influx: Influx) -> None:
    run("influxdb-history", (HERE_1, influx.url))
    send(f"{influx.url}/write?db=p1", old_lines())
    for _ in range(2):  # asking twice changes nothing
        run("influxdb-fill", (HERE_1, influx.url))
    run("influxdb-30-days", (HERE_1, influx.url))
    expected = [
        {"time": (BEGIN + quarter) * 10**9, "meter": meter, "identification": "FLU5", **of_history(quarter + 3)}
        for quarter in (0, QUARTER)
        for meter in ("E1", "E2")
    ]
    assert influx.query('SELECT * FROM "history"."p1_history"') == expected
    types = {row["fieldKey"]: row["fieldType"] for row in influx.query('SHOW FIELD KEYS FROM "history"."p1_history"')}
    assert types["power_import_month_peak_timestamp"] == "integer"
    assert [(row["name"], row["duration"]) for row in influx.query("SHOW RETENTION POLICIES")] == [
        ("autogen", "720h0m0s"),
        ("history", "0s"),
    ]


def test_a_history_is_filled_in_influxdb_2_before_the_records_get_30_days(influx_2: Influx2) -> None:
    influx_2.add_history()
    influx_2.write("p1", old_lines())
    for _ in range(2):
        printed = run("influxdb2-fill", (HERE_2, influx_2.url))
        assert "p1_history" in printed
    run("influxdb2-30-days", (HERE_2, influx_2.url), ("BUCKET_ID", influx_2.id_of("buckets", "p1")))
    assert influx_2.query('SELECT * FROM "history"."p1_history"') == [
        {"time": (BEGIN + quarter + 3) * 10**9, "meter": meter, **of_history(quarter + 3)}
        for quarter in (0, QUARTER)
        for meter in ("E1", "E2")
    ]
    (bucket,) = json.loads(get(f"{influx_2.url}/api/v2/buckets", influx_2.token, name="p1"))["buckets"]
    assert bucket["retentionRules"][0]["everySeconds"] == 30 * 86_400


def test_a_history_is_filled_in_victoria_metrics(tmp_path: Path) -> None:
    component("jq")
    with victoria_metrics(tmp_path, "-retentionPeriod=10y") as url:
        # A record on the full quarter, too, which belongs to the quarter that begins.
        exact = f"p1,meter=E1 energy_import_t1_kwh=1200.5,hot_water_m3=1.5 {BEGIN + QUARTER}000000000\n".encode()
        send(f"{url}/write?db=p1", old_lines() + exact)
        get(f"{url}/internal/force_flush")
        period = f"start={BEGIN}&end={BEGIN + 10 * QUARTER}"
        for _ in range(2):  # the second time it finds a history there
            run("victoria-metrics-fill", (HERE_VM, url), (DAYS_300, period))
            get(f"{url}/internal/force_flush")
        lines = get(f"{url}/api/v1/export", **{"match[]": '{__name__=~"p1_history.*", meter="E1"}'}).splitlines()
        found = {one["metric"].pop("__name__"): one for one in map(json.loads, lines)}
        assert found.keys() == {f"p1_history_{name}" for name in of_history(0)}
        energy = found["p1_history_energy_import_t1_kwh"]
        assert dict(zip(energy["timestamps"], energy["values"], strict=True)) == {
            BEGIN * 1000: 1000.375,
            (BEGIN + QUARTER) * 1000: 1200.5,
        }


@pytest.mark.parametrize("layout", ["records alone", "one policy", "two policies"])
@pytest.mark.parametrize("version", [1, 2])
def test_the_dashboards_find_the_history_wherever_it_is(
    version: int, layout: str, request: pytest.FixtureRequest
) -> None:
    history = old_lines("p1_history") if layout != "records alone" else b""
    if version == 1:
        database = request.getfixturevalue("influx")
        send(f"{database.url}/query?q=CREATE+DATABASE+p1", b"")
        if layout == "two policies":
            run("influxdb-history", (HERE_1, database.url))
        send(f"{database.url}/write?db=p1", old_lines())
        send(f"{database.url}/write?db=p1{'&rp=history' * (layout == 'two policies')}", history or old_lines())
    else:
        database = request.getfixturevalue("influx_2")
        if layout == "two policies":
            database.add_history()
        database.write("p1", old_lines())
        database.write("p1/history" if layout == "two policies" else "p1", history or old_lines())
    policies = [row["name"] for row in database.query("SHOW RETENTION POLICIES")]
    policy = "history" if "history" in policies else ""
    assert policy == ("history" if layout == "two policies" else "")
    series = database.query(f'SHOW SERIES FROM "{policy}"."p1_history" LIMIT 1')
    suffix = "_history" if series else ""
    assert [row["key"].split(",")[0] for row in series] == ["p1_history"] * (layout != "records alone")
    source = f'FROM "{policy}"."p1{suffix}"'
    (count,) = database.query(f'SELECT count("energy_import_t1_kwh") {source} WHERE "meter" = \'E1\'')
    assert count["count"] == 180
    fields = {row["fieldKey"] for row in database.query(f"SHOW FIELD KEYS {source}")}
    assert "hot_water_m3" in fields
    meters = [row["value"] for row in database.query('SHOW TAG VALUES FROM "p1" WITH KEY = "meter"')]
    assert meters == ["E1", "E2"]


def test_in_influxdb_2_the_history_is_found_beside_a_bucket_of_another_name(influx_2: Influx2) -> None:
    influx_2.add_history()
    buckets = f"{influx_2.url}/api/v2/buckets"
    meters = post(buckets, {"orgID": influx_2.id_of("orgs", "home"), "name": "meters"}, influx_2.token)
    run("dbrp", (HERE_2, influx_2.url), ("BUCKET_ID", meters["id"]))
    influx_2.write("meters", old_lines())
    influx_2.write("p1/history", old_lines("p1_history"))
    for source in ('FROM "p1"', 'FROM "history"."p1_history"'):
        (count,) = influx_2.query(f'SELECT count("energy_import_t1_kwh") {source} WHERE "meter" = \'E2\'')
        assert count["count"] == 180


# What dashboards ask, of records and of history.
ASKED = (
    "SHOW RETENTION POLICIES",
    'SHOW TAG VALUES FROM "p1" WITH KEY = "meter"',
    'SHOW FIELD KEYS FROM "history"."p1_history"',
    'SELECT * FROM "p1"',
    'SELECT * FROM "history"."p1_history"',
    'SELECT spread("energy_import_t1_kwh") FROM "history"."p1_history" GROUP BY time(15m), "meter"',
)


def test_an_upgrade_to_influxdb_2_answers_as_before_and_takes_new_records(
    tmp_path: Path, influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("influxdb-history", (HERE_1, influx.url))
    send(f"{influx.url}/write?db=p1", old_lines())
    send(f"{influx.url}/write?db=p1&rp=history", old_lines("p1_history"))
    before = [influx.query(statement) for statement in ASKED]
    assert all(before)
    influx.stop()
    folder = tmp_path / "influxdb2"
    folder.mkdir()
    run(
        "influxdb-upgrade",
        *((f"sudo systemctl {what} influxdb\n", "") for what in ("stop", "start")),
        ("sudo chown -R influxdb:influxdb /var/lib/influxdb\n", ""),
        ("sudo influxd", component("influxdb2")),
        ("/etc/influxdb/influxdb.conf", str(tmp_path / "influx" / "influxdb.conf")),
        *((place, str(folder)) for place in ("/etc/influxdb", "/var/lib/influxdb", "/var/log/influxdb")),
        ("--org home", "--org home --password 'a password' --force"),  # else it asks
        logs=True,
    )
    (token,) = re.findall(r'^  token = "(.+)"', (folder / "configs").read_text(), re.MULTILINE)
    monkeypatch.setenv("INFLUX_TOKEN", token)
    places = {"INFLUXD_CONFIG_PATH": str(folder / "config.toml"), "INFLUXD_SQLITE_PATH": str(folder / "sqlite")}
    with (
        (folder / "log").open("wb") as log,
        program([component("influxdb2")], env={**os.environ, **places}, stdout=log, stderr=log),
    ):
        wait_until(lambda: answers(influx.port), "InfluxDB 2", 60)
        database = Influx2(influx.url, token)
        assert [database.query(statement) for statement in ASKED] == before
        run("influxdb2-rename", (HERE_2, influx.url), ("BUCKET_ID", database.id_of("buckets", "p1/autogen")))
        path = configured(tmp_path, "influxdb2-years", (HERE_2, influx.url), options=HISTORY)
        tables = ASKED[3:5]
        until_stored(path, lambda: all(METER in {row["meter"] for row in database.query(table)} for table in tables))
        for table, rows in zip(tables, before[3:5], strict=True):
            old = [row["time"] for row in database.query(table) if row["meter"] != METER]
            assert old == [row["time"] for row in rows]
