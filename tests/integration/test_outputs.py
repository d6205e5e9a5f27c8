"""Every block of docs/databases.md (of years: test_years.py), as it stands, against the real program behind it."""

import json
import subprocess
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.helpers import pages
from tests.helpers.databases import Influx, get, influxdb2, prometheus, send, victoria_metrics
from tests.helpers.mosquitto import Mosquitto
from tests.helpers.outputs_page import BLOCKS, METER, configured, run, until_stored


def test_each_block_has_a_test() -> None:
    tested = {name.removeprefix("test_into_").replace("_", "-") for name in globals() if name.startswith("test_into_")}
    assert tested == {name for name in BLOCKS if not name.endswith("-years")}


def test_into_influxdb(tmp_path: Path, influx: Influx) -> None:
    path = configured(tmp_path, "influxdb", ("http://127.0.0.1:8086", influx.url))
    until_stored(path, influx.count)


def test_a_record_is_deleted_by_its_time_as_the_page_on_dashboards_says(influx: Influx) -> None:
    send(f"{influx.url}/query?q=CREATE+DATABASE+p1", b"")
    begin = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp())
    for second, gas in ((begin - 1, 777), (begin, 0), (begin + 10, 777)):
        send(f"{influx.url}/write?db=p1&precision=s", f"p1 gas_m3={gas} {second}".encode())
    command = pages.replaced(pages.block("dashboards.md", "sh", name="delete"), ("http://127.0.0.1:8086", influx.url))
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=60)
    assert [row["gas_m3"] for row in influx.query("SELECT gas_m3 FROM p1")] == [777, 777]


def test_into_influxdb2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with influxdb2(tmp_path) as (url, token):
        monkeypatch.setenv("INFLUX_TOKEN", token)
        path = configured(tmp_path, "influxdb2", ("http://127.0.0.1:8086", url))
        query = 'SELECT last("power_import_kw") FROM p1'
        until_stored(path, lambda: '"last"' in get(f"{url}/query", token, db="p1", q=query))


def test_a_bucket_of_another_name_answers_through_the_mapping_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with influxdb2(tmp_path, "meters") as (url, token):
        monkeypatch.setenv("INFLUX_TOKEN", token)
        buckets = json.loads(get(f"{url}/api/v2/buckets", token, name="meters"))["buckets"]
        run("dbrp", ("http://127.0.0.1:8086", url), ("BUCKET_ID", buckets[0]["id"]))
        other_bucket = ('bucket = "p1"', 'bucket = "meters"')
        path = configured(tmp_path, "influxdb2", ("http://127.0.0.1:8086", url), other_bucket)
        until_stored(
            path, lambda: '"last"' in get(f"{url}/query", token, db="p1", q="SELECT last(power_import_kw) FROM p1")
        )


def test_into_victoria_metrics(tmp_path: Path) -> None:
    with victoria_metrics(tmp_path) as url:
        path = configured(tmp_path, "victoria-metrics", ("http://127.0.0.1:8428", url))
        query = f'p1_energy_import_t1_kwh{{meter="{METER}"}}'
        until_stored(path, lambda: json.loads(get(f"{url}/api/v1/query", query=query))["data"]["result"])
        names = json.loads(get(f"{url}/api/v1/label/__name__/values"))["data"]
        assert "p1_identification" not in names


def test_into_prometheus(tmp_path: Path) -> None:
    with prometheus(tmp_path) as url:
        path = configured(tmp_path, "prometheus", ("http://127.0.0.1:9090", url))
        path.write_text(path.read_text().replace('flush_interval = "1s"', 'flush_interval = "4s"'))
        query = f'count_over_time(p1_energy_import_t1_kwh{{meter="{METER}"}}[16s])'

        def most_telegrams_are_stored() -> bool:
            result = json.loads(get(f"{url}/api/v1/query", query=query))["data"]["result"]
            return bool(result) and int(result[0]["value"][1]) > 8  # of 16; the last of each flush alone would be 4

        until_stored(path, most_telegrams_are_stored)


def test_into_http(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        until_stored(
            configured(tmp_path, "http", ("127.0.0.1:8080", f"127.0.0.1:{server.server_port}")), lambda: bodies
        )
        server.shutdown()
    assert f"meter={METER} " in bodies[0].decode()


def test_into_mqtt(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path).start()
    try:
        path = configured(tmp_path, "mqtt", ("127.0.0.1:1883", f"127.0.0.1:{broker.port}"))
        until_stored(path, lambda: f"home/{METER}/power_import_kw" in broker.log.read_text())
    finally:
        broker.stop()


def test_into_file(tmp_path: Path) -> None:
    file = tmp_path / "p1.lines"
    until_stored(
        configured(tmp_path, "file", ("/var/lib/telegraf/p1.lines", str(file))),
        lambda: file.exists() and f"meter={METER} " in file.read_text(),
    )
