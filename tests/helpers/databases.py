"""Real databases for Telegraf: InfluxDB 1 and 2, VictoriaMetrics, Prometheus."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.programs import answers, component, free_port, program, wait_until


class Influx:
    """The test's own influxd, with its own folder and port; it can be started and stopped."""

    def __init__(self, folder: Path) -> None:
        self.port, rpc = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [component("influxd"), "run", "-config", str(folder / "influxdb.conf")]
        self._log = folder / "influxd.log"
        self._running = ExitStack()
        (folder / "influxdb.conf").write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n'
            f'[meta]\n  dir = "{folder}/meta"\n'
            f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n'
            f'[http]\n  bind-address = "127.0.0.1:{self.port}"\n'
        )

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._running.enter_context(program(self._command, stdout=log, stderr=log))
        wait_until(lambda: answers(self.port), "influxd", 60)

    def stop(self) -> None:
        self._running.close()

    def query(self, statement: str, database: str = "p1") -> list[dict[str, Any]]:
        """Return the rows of an InfluxQL query; none while the database is unavailable or empty."""
        parameters = urllib.parse.urlencode({"db": database, "epoch": "ns", "q": statement})
        try:
            with urllib.request.urlopen(f"{self.url}/query?{parameters}", timeout=10) as answer:  # noqa: S310
                results = json.load(answer)["results"]
        except urllib.error.URLError:
            return []
        return [
            dict(zip(series["columns"], row, strict=True))
            for series in results[0].get("series", [])
            for row in series["values"]
        ]

    def count(self) -> int:
        rows = self.query('SELECT count("identification") FROM p1')
        return int(rows[0]["count"]) if rows else 0


@contextmanager
def influxdb2(folder: Path, *buckets: str) -> Iterator[tuple[str, str]]:
    """Run an InfluxDB 2 with buckets; yield its URL and a token."""
    port = free_port()
    url, token = f"http://127.0.0.1:{port}", "the-token-of-this-test"
    command = [component("influxdb2"), "--http-bind-address", f"127.0.0.1:{port}", "--reporting-disabled"]
    for option in ("bolt", "sqlite", "engine"):
        command += [f"--{option}-path", str(folder / option)]
    with (folder / "influxd2.log").open("wb") as log, program(command, stdout=log, stderr=log):
        wait_until(lambda: answers(port), "InfluxDB 2", 60)
        setup = {"username": "me", "password": "a password", "org": "home", "bucket": "p1", "token": token}
        organization = post(f"{url}/api/v2/setup", setup)["org"]["id"]
        for bucket in buckets:
            post(f"{url}/api/v2/buckets", {"orgID": organization, "name": bucket}, token)
        yield url, token


def send(url: str, body: bytes, token: str = "") -> None:
    """Post bytes unchanged; a refusal is an error."""
    headers = {"Authorization": f"Token {token}"} if token else {}
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="POST"), timeout=30).close()  # noqa: S310


def post(url: str, body: dict[str, Any], token: str = "") -> Any:
    headers = {"Authorization": f"Token {token}"} if token else {}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert answer.status == 201
        return json.load(answer)


@contextmanager
def victoria_metrics(folder: Path, *options: str) -> Iterator[str]:
    """Run a VictoriaMetrics; yield its URL."""
    port = free_port()
    command = [component("victoria-metrics"), f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}"]
    command += ["-search.latencyOffset=0s", *options]
    with (folder / "victoria-metrics.log").open("wb") as log, program(command, stdout=log, stderr=log):
        wait_until(lambda: answers(port), "VictoriaMetrics", 60)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """Run a Prometheus that accepts writes; yield its URL."""
    port = free_port()
    (folder / "prometheus.yml").write_text("")
    command = [component("prometheus"), f"--config.file={folder}/prometheus.yml", "--web.enable-remote-write-receiver"]
    command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "prometheus.log").open("wb") as log, program(command, stdout=log, stderr=log):
        wait_until(lambda: answers(port) and _answers_well(f"http://127.0.0.1:{port}/-/ready"), "Prometheus", 60)
        yield f"http://127.0.0.1:{port}"


def get(url: str, token: str = "", **parameters: str) -> str:
    """Return a page; a refusal is an error with the server's answer."""
    request = urllib.request.Request(f"{url}?{urllib.parse.urlencode(parameters)}")  # noqa: S310
    if token:
        request.add_header("Authorization", f"Token {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url} {parameters}: {error.code} {error.read().decode()}") from error


def _answers_well(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=10).close()  # noqa: S310
    except urllib.error.URLError:
        return False
    return True
