"""The pages in docs/coming-from: each block as it stands there, with other places, against the real databases.

What is copied are small made-up databases with the tables, columns and types of the other projects.
"""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from telegraf_p1.obis.lookup import DEFAULT
from tests.helpers import recipes
from tests.helpers.cable import open_files
from tests.helpers.databases import Influx, get, influxdb2, send
from tests.helpers.devices import tcp
from tests.helpers.mosquitto import Mosquitto, subscribed
from tests.helpers.outputs_page import run as run_of_databases
from tests.helpers.postgres import Postgres, postgres
from tests.helpers.programs import PLUGIN, component, plugin, program, read_line, wait_until
from tests.helpers.recipes import arguments, block, run
from tests.helpers.telegrams import ROOT

METER = "E0047000012345615"  # in the commands of the pages, and in this golden
GOLDEN = ROOT / "tests" / "golden" / "nl-5.0-three-phases.telegram"
URL = "http://127.0.0.1:8086"
DSMR_READER, DSMR2MQTT = "coming-from/dsmr-reader", "coming-from/dsmr2mqtt"
# 2025-03-30 00:00:00 UTC, an hour before the clock goes forward.
BEGIN = 1_743_292_800


class Influx2:
    """An InfluxDB 2, asked in InfluxQL as Influx is."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url, token

    def query(self, statement: str, database: str = "p1") -> list[dict[str, Any]]:
        answer = json.loads(get(f"{self.url}/query", self._token, db=database, epoch="ns", q=statement))
        return [
            dict(zip(series["columns"], row, strict=True))
            for series in answer["results"][0].get("series", [])
            for row in series["values"]
        ]

    def write(self, lines: str, bucket: str = "p1") -> None:
        send(f"{self.url}/api/v2/write?org=home&bucket={bucket}&precision=s", lines.encode(), self._token)


@pytest.fixture
def influx_1(influx: Influx) -> Influx:
    create(influx, "p1")
    return influx


@pytest.fixture
def influx_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Influx2]:
    folder = tmp_path / "influx2"
    folder.mkdir()
    with influxdb2(folder, "dsmr", "dsmrreader_measurements") as (url, token):
        monkeypatch.setenv("INFLUX_TOKEN", token)
        yield Influx2(url, token)


def create(influx: Influx, database: str) -> None:
    influx.query(f'CREATE DATABASE "{database}"')
    assert {"name": database} in influx.query("SHOW DATABASES")


def write(influx: Influx, lines: str, database: str = "p1") -> None:
    send(f"{influx.url}/write?db={database}&precision=s", lines.encode())


def copied(influx: Influx | Influx2) -> dict[int, dict[str, Any]]:
    """Give the records of `p1` by their second, without what marks them; all are of the one meter."""
    found = {}
    for row in influx.query('SELECT * FROM "p1"'):
        assert row.pop("meter") == METER
        second = row.pop("time") // 10**9 - BEGIN
        found[second] = {name: value for name, value in row.items() if value is not None and name != "identification"}
    return found


def assert_new_records_fit(influx: Influx | Influx2) -> None:
    """A record of the program goes into the same series, and has the types of the copied ones."""
    done = subprocess.run([*PLUGIN, "decode", str(GOLDEN)], capture_output=True, check=True, text=True)
    line = done.stdout.strip().removesuffix("000000000")
    assert f"meter={METER} " in line
    influx.write(line) if isinstance(influx, Influx2) else write(influx, line)
    (tags,) = [influx.query('SHOW TAG VALUES FROM "p1" WITH KEY = "meter"')]
    assert [row["value"] for row in tags] == [METER]
    types = {row["fieldKey"]: row["fieldType"] for row in influx.query('SHOW FIELD KEYS FROM "p1"')}
    for name, written_as in types.items():
        field = DEFAULT.field(name)
        assert field
        assert written_as == field.type


# --- DSMR-reader ---

_PHASES = [
    f"{name}_l{phase} {kind}"
    for phase in (1, 2, 3)
    for name, kind in (
        ("phase_currently_delivered", "numeric(9,3)"),
        ("phase_currently_returned", "numeric(9,3)"),
        ("phase_voltage", "numeric(4,1)"),
        ("phase_power_current", "integer"),
    )
]
# The columns of its models DsmrReading and DayStatistics that are read, under the names that Django gives the tables.
TABLES = f"""
CREATE TABLE dsmr_datalogger_dsmrreading (id serial, processed boolean, "timestamp" timestamptz,
  electricity_delivered_1 numeric(9,3), electricity_returned_1 numeric(9,3), electricity_delivered_2 numeric(9,3),
  electricity_returned_2 numeric(9,3), electricity_currently_delivered numeric(9,3),
  electricity_currently_returned numeric(9,3), extra_device_timestamp timestamptz, extra_device_delivered numeric(9,3),
  {", ".join(_PHASES)});
CREATE TABLE dsmr_stats_daystatistics (id serial, day date, electricity1_reading numeric(9,3),
  electricity2_reading numeric(9,3), electricity1_returned_reading numeric(9,3),
  electricity2_returned_reading numeric(9,3), gas_reading numeric(9,3), electricity_reading_timestamp timestamptz,
  gas_reading_timestamp timestamptz);
"""
ROWS = """
INSERT INTO dsmr_stats_daystatistics (day, electricity1_reading, electricity2_reading, electricity1_returned_reading,
  electricity2_returned_reading, gas_reading, electricity_reading_timestamp, gas_reading_timestamp) VALUES
  ('2019-01-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('2025-03-29', 1000.5, 2000.25, 0, 10.125, 500.1, '2025-03-29 00:00:00+00', '2025-03-29 00:05:00+00'),
  ('2025-03-30', 1001.5, 2001.25, 0, 11.125, NULL, '2025-03-30 00:00:00+00', NULL);
INSERT INTO dsmr_datalogger_dsmrreading ("timestamp", electricity_delivered_1, electricity_returned_1,
  electricity_delivered_2, electricity_returned_2, electricity_currently_delivered, electricity_currently_returned,
  extra_device_timestamp, extra_device_delivered, phase_currently_delivered_l1, phase_currently_returned_l2,
  phase_voltage_l3, phase_power_current_l1) VALUES
  ('2025-03-30 02:59:50+02', 1001.789, 0.001, 2001.5, 11.2, 0.345, 0,
    '2025-03-30 02:55:00+02', 501.5, 0.3, 0.045, 230.1, 2),
  ('2025-03-30 03:00:00+02', 1001.790, 0.001, 2001.5, 11.2, 0, 1.234, NULL, NULL, NULL, NULL, NULL, NULL);
"""
OF_DAYS = {
    -86_400: {
        "energy_import_t1_kwh": 1000.5,
        "energy_import_t2_kwh": 2000.25,
        "energy_export_t1_kwh": 0,
        "energy_export_t2_kwh": 10.125,
        "gas_m3": 500.1,
        "gas_timestamp": BEGIN - 86_400 + 300,
    },
    0: {
        "energy_import_t1_kwh": 1001.5,
        "energy_import_t2_kwh": 2001.25,
        "energy_export_t1_kwh": 0,
        "energy_export_t2_kwh": 11.125,
    },
}
_COUNTERS = {"energy_export_t1_kwh": 0.001, "energy_import_t2_kwh": 2001.5, "energy_export_t2_kwh": 11.2}
OF_READINGS = {
    3590: {
        **_COUNTERS,
        "energy_import_t1_kwh": 1001.789,
        "power_import_kw": 0.345,
        "power_export_kw": 0,
        "power_import_l1_kw": 0.3,
        "power_export_l2_kw": 0.045,
        "voltage_l3_v": 230.1,
        "current_l1_a": 2,
        "gas_m3": 501.5,
        "gas_timestamp": BEGIN + 3300,
    },
    3600: {**_COUNTERS, "energy_import_t1_kwh": 1001.79, "power_import_kw": 0, "power_export_kw": 1.234},
}


@pytest.fixture(scope="module")
def dsmr_reader() -> Iterator[Postgres]:
    with postgres() as server:
        server.run(TABLES + ROWS)
        yield server


def export(server: Postgres, folder: Path) -> None:
    here = ("sudo -u postgres psql", server.psql)
    run("coming-from/dsmr-reader", "readings", here, folder=folder)
    run("coming-from/dsmr-reader", "days", here, folder=folder)


def test_the_tables_of_dsmr_reader_into_influxdb_1(tmp_path: Path, dsmr_reader: Postgres, influx_1: Influx) -> None:
    export(dsmr_reader, tmp_path)
    run("coming-from/dsmr-reader", "write-1", (URL, influx_1.url), folder=tmp_path)
    assert copied(influx_1) == {**OF_DAYS, **OF_READINGS}
    seen = run("coming-from/dsmr-reader", "check-1", (URL, influx_1.url), folder=tmp_path)
    ((of_meter,),) = [result["series"] for result in json.loads(seen)["results"]]
    assert of_meter["tags"] == {"meter": METER}
    assert of_meter["values"][0][1:] == [1000.5, 1001.79, 4]
    assert_new_records_fit(influx_1)


def test_copied_records_fill_the_history(tmp_path: Path, dsmr_reader: Postgres, influx_1: Influx) -> None:
    export(dsmr_reader, tmp_path)
    run("coming-from/dsmr-reader", "write-1", (URL, influx_1.url), folder=tmp_path)
    run_of_databases("influxdb-history", (URL, influx_1.url))
    run_of_databases("influxdb-fill", (URL, influx_1.url))
    rows = influx_1.query('SELECT "energy_import_t1_kwh" FROM "history"."p1_history"')
    assert [row["energy_import_t1_kwh"] for row in rows] == [1000.5, 1001.5, 1001.789, 1001.79]


def test_the_tables_of_dsmr_reader_into_influxdb_2(tmp_path: Path, dsmr_reader: Postgres, influx_2: Influx2) -> None:
    export(dsmr_reader, tmp_path)
    run("coming-from/dsmr-reader", "write-2", (URL, influx_2.url), folder=tmp_path)
    assert copied(influx_2) == {**OF_DAYS, **OF_READINGS}
    assert_new_records_fit(influx_2)


def test_the_influxdb_export_of_dsmr_reader(tmp_path: Path, influx_2: Influx2) -> None:
    influx_2.write(
        f"electricity_positions delivered_1=1.5,returned_1=2.5,delivered_2=3.5,returned_2=4.5 {BEGIN}\n"
        f"electricity_live currently_delivered=0.5,currently_returned=0 {BEGIN}\n"
        f"electricity_phases currently_delivered_l1=0.1,currently_returned_l3=0.3 {BEGIN}\n"
        f"electricity_voltage phase_l2=231.5 {BEGIN}\n"
        f"electricity_power current_l1=2i {BEGIN}\n"
        f"gas_positions delivered=7.25 {BEGIN}\n"
        f"of_somebody_else delivered=1 {BEGIN}\n",
        "dsmrreader_measurements",
    )
    run("coming-from/dsmr-reader", "flux", (URL, influx_2.url), folder=tmp_path)
    assert copied(influx_2) == {
        0: {
            "energy_import_t1_kwh": 1.5,
            "energy_export_t1_kwh": 2.5,
            "energy_import_t2_kwh": 3.5,
            "energy_export_t2_kwh": 4.5,
            "power_import_kw": 0.5,
            "power_export_kw": 0,
            "power_import_l1_kw": 0.1,
            "power_export_l3_kw": 0.3,
            "voltage_l2_v": 231.5,
            "current_l1_a": 2,
            "gas_m3": 7.25,
        }
    }
    assert_new_records_fit(influx_2)


@contextmanager
def listening(broker: Mosquitto, topic: str) -> Iterator[dict[str, str]]:
    """Subscribe as another program does; give what came last on each topic."""
    heard: dict[str, str] = {}
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: heard.update({message.topic: message.payload.decode()})
    client.connect("127.0.0.1", broker.port)
    client.subscribe(topic)
    client.loop_start()
    subscribed(broker)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def keeps_names(page: str, file: str, *more: str) -> list[str]:
    """Run the block that keeps another project's names, with a recording in place of a port; give its lines."""
    words = arguments(page, "keep-names", (f"/etc/telegraf/{file}", str(ROOT / "examples" / file)))
    assert words[:3] == ["run", "/dev/ttyUSB0", "--definitions"]
    words[1:] = [f"file:{GOLDEN}", *words[2:], *more]
    with plugin(*words, log=Path("/dev/null")) as process:
        return [read_line(process) for _ in range(2)]


def test_the_names_of_dsmr_reader_go_on(influx_1: Influx) -> None:
    page = DSMR_READER
    assert block("coming-from/dsmr-reader", "keep-names").count("dsmr-reader.toml") == 1
    write(influx_1, f"electricity_live currently_delivered=0.5,currently_returned=0 {BEGIN}")
    for line in keeps_names(page, "dsmr-reader.toml"):
        send(f"{influx_1.url}/write?db=p1", line.encode())
    rows = influx_1.query('SELECT * FROM "electricity_live"')
    assert [(row["currently_delivered"], row["currently_returned"]) for row in rows] == [(0.519, 0), (0.5, 0)]
    assert influx_1.query('SELECT "delivered_1" FROM "electricity_positions"')[0]["delivered_1"] == 57.46


# --- Metertrekker ---

_OF_METER = f"electricity,meter_sn={METER},host=pi "
METERTREKKER = (
    f"{_OF_METER}delivered_low=1.5,delivered_high=2.5,redelivered_low=0,redelivered_high=0.25,tariff=2,failures=4,"
    f'P_total=0.519,P_total_redelivery=0,message="a, b",P_L1=0.2,V_L1=230.1,I_L1=1,P_L3=0.3 {BEGIN}\n'
    f"{_OF_METER}delivered_low=1.501,delivered_high=2.5,P_total=0.52 {BEGIN + 10}\n"
    f"gas,gas_meter_sn=G0039,host=pi gas_reading=4.38 {BEGIN + 5}\n"
    f"{_OF_METER}delivered_low=0.5 {BEGIN - 10**8}\n"  # of another year
)
OF_METERTREKKER = {
    0: {
        "energy_import_t1_kwh": 1.5,
        "energy_import_t2_kwh": 2.5,
        "energy_export_t1_kwh": 0,
        "energy_export_t2_kwh": 0.25,
        "power_import_kw": 0.519,
        "power_export_kw": 0,
        "power_import_l1_kw": 0.2,
        "power_import_l3_kw": 0.3,
        "voltage_l1_v": 230.1,
        "current_l1_a": 1,
    },
    5: {"gas_m3": 4.38},
    10: {"energy_import_t1_kwh": 1.501, "energy_import_t2_kwh": 2.5, "power_import_kw": 0.52},
}


def test_the_history_of_metertrekker_in_influxdb_1(tmp_path: Path, influx_1: Influx) -> None:
    write(influx_1, METERTREKKER)
    run("coming-from/metertrekker", "copy-1", (URL, influx_1.url), folder=tmp_path)
    assert copied(influx_1) == OF_METERTREKKER
    assert f"meter_sn={METER}" in (tmp_path / "electricity.csv").read_text().splitlines()[1].split(",")[1]
    assert len(influx_1.query('SELECT * FROM "electricity"')) == 3
    assert_new_records_fit(influx_1)


def test_the_history_of_metertrekker_in_influxdb_2(tmp_path: Path, influx_2: Influx2) -> None:
    influx_2.write(METERTREKKER)
    run("coming-from/metertrekker", "copy-2", (URL, influx_2.url), folder=tmp_path)
    assert copied(influx_2) == OF_METERTREKKER
    assert_new_records_fit(influx_2)


def test_the_names_and_topics_of_metertrekker_go_on(influx_1: Influx, broker: Mosquitto) -> None:
    told = block("coming-from/metertrekker", "keep-names", ("mqtt://127.0.0.1", broker.url("").rstrip("/")))
    (command,) = [one["command"] for one in recipes.inputs(told)]
    words = [word.replace("/etc/telegraf", str(ROOT / "examples")) for word in command[1:]]
    words[1] = f"file:{GOLDEN}"
    with (
        listening(broker, "/energy/#") as heard,
        plugin(*words, log=broker.log.with_name("log")) as process,
    ):
        lines = [read_line(process) for _ in range(2)]
        wait_until(lambda: heard.get("/energy/gas/reading") == "4.380", "the reading of gas")
    write(influx_1, METERTREKKER)
    for line in lines:
        send(f"{influx_1.url}/write?db=p1", line.encode())
    assert [row["delivered_low"] for row in influx_1.query('SELECT "delivered_low" FROM "electricity"')].count(
        57.46
    ) == 1


# --- dsmr2mqtt ---

# As its telegraf-dsmr.conf makes it: whole numbers where that says `uint`, and floats elsewhere.
OLD_DSMR = (
    f"dsmr,serial=33363137 V1=230i,V2=231i,el_consumed=23679687i,p_consumed=889i,p_generated=0i,el_consumed1=16230145,"
    f"el_consumed2=7449542,el_returned1=5998736,el_returned2=15098938,P1_consumed=716,P1_generated=0,P3_consumed=117,"
    f"V1_sags=5i,power_failures=1373i,tariff_indicator=1 {BEGIN}\n"
    f"dsmr,serial=33313137 gas_consumed=10142194i {BEGIN + 18}\n"
    f"dsmr,serial=33363137 p_consumed=1i {BEGIN - 10**8}\n"
)
OF_DSMR2MQTT = {
    0: {
        "voltage_l1_v": 230,
        "voltage_l2_v": 231,
        "power_import_kw": 0.889,
        "power_export_kw": 0,
        "energy_import_t1_kwh": 16230.145,
        "energy_import_t2_kwh": 7449.542,
        "energy_export_t1_kwh": 5998.736,
        "energy_export_t2_kwh": 15098.938,
        "power_import_l1_kw": 0.716,
        "power_export_l1_kw": 0,
        "power_import_l3_kw": 0.117,
    },
    18: {"gas_m3": 10142.194},
}


def test_the_history_of_dsmr2mqtt_in_influxdb_1(tmp_path: Path, influx_1: Influx) -> None:
    create(influx_1, "dsmr")
    write(influx_1, OLD_DSMR, "dsmr")
    run("coming-from/dsmr2mqtt", "copy-1", (URL, influx_1.url), folder=tmp_path)
    assert copied(influx_1) == OF_DSMR2MQTT
    assert_new_records_fit(influx_1)


def test_the_history_of_dsmr2mqtt_in_influxdb_2(tmp_path: Path, influx_2: Influx2) -> None:
    influx_2.write(OLD_DSMR, "dsmr")
    run("coming-from/dsmr2mqtt", "copy-2", (URL, influx_2.url), folder=tmp_path)
    assert copied(influx_2) == OF_DSMR2MQTT
    assert_new_records_fit(influx_2)


def test_a_serial_port_for_dsmr2mqtt_from_the_network(tmp_path: Path) -> None:
    component("socat")
    port = tmp_path / "tty-dsmr"
    with tcp(tmp_path) as bridge:
        here = ("/tmp/tty-dsmr", str(port)), ("127.0.0.1:2000", bridge.url.removeprefix("tcp://"))  # noqa: S108
        with program(block("coming-from/dsmr2mqtt", "socat", *here).split()):
            bridge.send(b"before anybody reads\r\n")
            wait_until(port.exists, "the port")
            with plugin("run", str(port), log=tmp_path / "log") as process:
                wait_until(lambda: port.resolve() in map(Path, open_files(process.pid)), "the plugin to open it")
                bridge.send(GOLDEN.read_bytes())
                assert read_line(process).startswith(f"p1,meter={METER} ")


# --- Home Assistant ---

# The columns of its models StatisticsMeta and Statistics.
STATISTICS = """
CREATE TABLE statistics_meta (id INTEGER PRIMARY KEY, statistic_id VARCHAR(255), source VARCHAR(32),
  unit_of_measurement VARCHAR(255), has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255));
CREATE TABLE statistics (id INTEGER PRIMARY KEY, created CHAR(0), created_ts FLOAT, metadata_id INTEGER,
  start CHAR(0), start_ts FLOAT, mean FLOAT, min FLOAT, max FLOAT, last_reset CHAR(0), last_reset_ts FLOAT,
  state FLOAT, sum FLOAT);
INSERT INTO statistics_meta (id, statistic_id, source, unit_of_measurement, has_mean, has_sum) VALUES
  (1, 'sensor.electricity_meter_energy_consumption_tarif_1', 'recorder', 'kWh', 0, 1),
  (2, 'sensor.gas_meter_gas_consumption', 'recorder', 'm³', 0, 1),
  (3, 'sensor.electricity_meter_power_consumption', 'recorder', 'kW', 1, 0),
  (4, 'sensor.of_the_car', 'recorder', 'kWh', 0, 1);
"""


@pytest.fixture
def home_assistant(tmp_path: Path) -> Path:
    component("sqlite3")
    with sqlite3.connect(tmp_path / "home-assistant_v2.db") as database:
        database.executescript(STATISTICS)
        database.executemany(
            "INSERT INTO statistics (metadata_id, start_ts, mean, state, sum) VALUES (?, ?, ?, ?, ?)",
            [
                (1, BEGIN - 3600.0, None, 12345.678, 1.0),
                (2, BEGIN - 3600.0, None, 501.5, 2.0),
                (3, BEGIN - 3600.0, 0.5, None, None),
                (4, BEGIN - 3600.0, None, 99.0, 99.0),
                (1, BEGIN + 0.0, None, 12346.0, 1.322),
                (2, BEGIN + 0.0, None, None, None),
            ],
        )
    database.close()
    return tmp_path


HOURS = {0: {"energy_import_t1_kwh": 12345.678, "gas_m3": 501.5}, 3600: {"energy_import_t1_kwh": 12346}}


def test_the_statistics_of_home_assistant_into_influxdb_1(home_assistant: Path, influx_1: Influx) -> None:
    seen = run("coming-from/home-assistant", "counters", folder=home_assistant)
    assert "sensor.gas_meter_gas_consumption|m³\n" in seen
    assert "power_consumption" not in seen
    run("coming-from/home-assistant", "statistics", folder=home_assistant)
    run("coming-from/home-assistant", "write-1", (URL, influx_1.url), folder=home_assistant)
    assert copied(influx_1) == HOURS
    assert_new_records_fit(influx_1)


def test_the_statistics_of_home_assistant_into_influxdb_2(home_assistant: Path, influx_2: Influx2) -> None:
    run("coming-from/home-assistant", "statistics", folder=home_assistant)
    run("coming-from/home-assistant", "write-2", (URL, influx_2.url), folder=home_assistant)
    assert copied(influx_2) == HOURS
    assert_new_records_fit(influx_2)


def test_each_sensor_for_home_assistant_gets_its_topic(broker: Mosquitto) -> None:
    sensors = yaml.safe_load(block("coming-from/home-assistant", "sensors"))["mqtt"]["sensor"]
    wanted = {sensor["state_topic"] for sensor in sensors}
    words = arguments("coming-from/home-assistant", "publish")
    assert words[1:3] == ["/dev/ttyUSB0", "--publish"]
    words[1] = "sim:"
    words[3] = words[3].replace("p1@192.168.1.2", f"127.0.0.1:{broker.port}")
    with listening(broker, "home/meter/#") as heard, plugin(*words, log=broker.log.with_name("log")):
        wait_until(lambda: wanted <= heard.keys(), "a value for each sensor")
    assert min(float(heard[topic]) for topic in wanted) >= 0
