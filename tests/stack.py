"""The real parts behind the plugin: Telegraf, influxd, mosquitto."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from support import HERE, PLUGIN, answers, component, free_port, program, records, wait_until

from telegraf_p1.decode import Record
from telegraf_p1.forms import FORMS, WITHOUT_CRC
from telegraf_p1.simulator import Meter

START = 1_700_000_000

EXAMPLE = HERE.parent / "telegraf.conf.example"


class Influx:
    """An influxd of the test's own: its folder, its port, stopped and started at will."""

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
        """Give the rows of an InfluxQL query; none while the database is away or empty."""
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
    """Run an InfluxDB 2 with buckets; give its URL and a token."""
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


def post(url: str, body: dict[str, Any], token: str = "") -> Any:
    headers = {"Authorization": f"Token {token}"} if token else {}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert answer.status == 201
        return json.load(answer)


@contextmanager
def victoria_metrics(folder: Path, *options: str) -> Iterator[str]:
    """Run a VictoriaMetrics; give its URL."""
    port = free_port()
    command = [component("victoria-metrics"), f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}"]
    command += ["-search.latencyOffset=0s", *options]
    with (folder / "victoria-metrics.log").open("wb") as log, program(command, stdout=log, stderr=log):
        wait_until(lambda: answers(port), "VictoriaMetrics", 60)
        yield f"http://127.0.0.1:{port}"


def get(url: str, token: str = "", **parameters: str) -> str:
    """Ask for a page; a refusal is an error that shows what the server said."""
    request = urllib.request.Request(f"{url}?{urllib.parse.urlencode(parameters)}")  # noqa: S310
    if token:
        request.add_header("Authorization", f"Token {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url} {parameters}: {error.code} {error.read().decode()}") from error


def blocks(language: str) -> list[str]:
    """Give the blocks of docs/mqtt.md in a language: what it says is what the tests run."""
    page = (HERE.parent / "docs" / "mqtt.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


class Mosquitto:
    """A broker of the test's own, set up as docs/mqtt.md says; more lines of its file may be given."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._running = ExitStack()
        config = folder / "mosquitto.conf"
        config.write_text(
            "\n".join(
                (
                    "user root",
                    *(() if "allow_anonymous false" in lines else ("allow_anonymous true",)),
                    *blocks("conf"),
                    f"persistence_location {folder}/",
                    "log_type all",
                    f"listener {self.port} 127.0.0.1",
                    *lines,
                    "",
                )
            )
        )
        self._command = [component("mosquitto"), "-c", str(config)]

    def start(self) -> "Mosquitto":
        with self.log.open("ab") as log:
            self._running.enter_context(program(self._command, stdout=log, stderr=log))
        wait_until(lambda: answers(self.port), "mosquitto")
        return self

    def stop(self) -> None:
        self._running.close()

    def url(self, topic: str) -> str:
        return f"mqtt://127.0.0.1:{self.port}/{topic}"


class Wire(Protocol):
    """What carries telegrams to the plugin."""

    def send(self, telegram: bytes) -> None: ...


class MeterAtWork:
    """Sends telegrams over a wire, a second of the meter's clock apart, and remembers them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._meters = {form: Meter(form) for form in FORMS if form not in WITHOUT_CRC}
        self._now = START
        self.sent: dict[int, Record] = {}

    def send(self, count: int) -> None:
        """Send telegrams of all forms in turn."""
        for _ in range(count):
            self._now += 1
            meter = list(self._meters.values())[self._now % len(self._meters)]
            telegram = meter.telegram(self._now)
            self._wire.send(telegram)
            (record,) = records(telegram)
            self.sent[record.time_ns] = record

    def send_until_stored(self, influx: Influx) -> None:
        """Send until one arrives: what is sent before the port is open is lost on any cable."""
        before = influx.count()

        def stored() -> bool:
            self.send(1)
            time.sleep(0.3)
            return influx.count() > before

        wait_until(stored, "a record in the database", 60)


def config(tmp_path: Path, influx_url: str, *command: str) -> Path:
    """Turn telegraf.conf.example into one for the test: other places, the same words."""
    text = EXAMPLE.read_text()
    replaced = {
        '"/opt/telegraf_p1/bin/telegraf-p1", "run", "/dev/ttyUSB0"': ", ".join(map(json.dumps, [*PLUGIN, *command])),
        "http://127.0.0.1:8086": influx_url,
        "/var/lib/telegraf/buffer": str(tmp_path / "buffer"),
        'interval = "10s"': 'interval = "1s"',
        'restart_delay = "10s"': 'restart_delay = "1s"',
    }
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "telegraf.conf"
    path.write_text(text)
    return path


@contextmanager
def telegraf(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        config.with_suffix(".log").open("ab") as log,
        program([component("telegraf"), "--config", str(config)], stdout=log, stderr=log) as process,
    ):
        yield process


def children(pid: int) -> list[int]:
    """Give the process ids of a process's children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def assert_stored(influx: Influx, sent: dict[int, Record]) -> None:
    """Everything in the database is what a telegram said, to the last digit and with its type."""
    types = {row["fieldKey"]: row["fieldType"] for row in influx.query("SHOW FIELD KEYS FROM p1")}
    rows = influx.query("SELECT * FROM p1")
    assert rows
    for row in rows:
        record = sent[row["time"]]
        assert row.get("meter") == record.tags.get("meter")
        for field, value in record.fields.items():
            assert type(value)(str(row[field])) == value, (field, row["time"])
            assert types[field] == {"Decimal": "float", "int": "integer", "str": "string"}[type(value).__name__]
        stored = {name for name, value in row.items() if value is not None} - {"time", "host", "meter", "topic"}
        assert stored == record.fields.keys()
