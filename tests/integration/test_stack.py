"""End to end with real parts: meter → pty or TCP → plugin under Telegraf → influxd."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import (
    HERE,
    PLUGIN,
    answers,
    assert_ends_at_once,
    component,
    free_port,
    plugin,
    program,
    records,
    required,
    something_to_read,
    wait_until,
)

from telegraf_p1.decode import Record
from telegraf_p1.forms import FORMS, WITHOUT_CRC
from telegraf_p1.simulator import Meter

START = 1_700_000_000
_NOT_WRITTEN = "Error writing to outputs.influxdb"
EXAMPLE = HERE.parent / "telegraf.conf.example"


def test_what_ci_asks_for_is_there() -> None:
    for name in required():
        assert component(name)


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

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Give the rows of an InfluxQL query; none while the database is away or empty."""
        parameters = urllib.parse.urlencode({"db": "p1", "epoch": "ns", "q": statement})
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


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[Influx]:
    folder = tmp_path / "influx"
    folder.mkdir()
    influx = Influx(folder)
    influx.start()
    yield influx
    influx.stop()


class Pty:
    """socat's pair of ptys: the meter writes to one end, the plugin reads the other."""

    def __init__(self, folder: Path) -> None:
        self.meter_end, self.device = folder / "meter", folder / "ttyUSB0"
        self._socat = component("socat")
        self._running = ExitStack()

    def plug_in(self) -> None:
        ends = [f"pty,raw,echo=0,link={end}" for end in (self.meter_end, self.device)]
        self._running.enter_context(program([self._socat, *ends]))
        wait_until(lambda: self.meter_end.exists() and self.device.exists(), "socat")

    def pull_out(self) -> None:
        self._running.close()

    def send(self, telegram: bytes) -> None:
        with self.meter_end.open("wb", buffering=0) as port:
            port.write(telegram)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Pty]:
    wire = Pty(tmp_path)
    wire.plug_in()
    yield wire
    wire.pull_out()


class MeterAtWork:
    """Sends telegrams over a wire, a second of the meter's clock apart, and remembers them."""

    def __init__(self, wire: Pty) -> None:
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
        stored = {name for name, value in row.items() if value is not None} - {"time", "host", "meter"}
        assert stored == record.fields.keys()


def test_the_database_holds_what_the_telegrams_said_whatever_breaks(tmp_path: Path, influx: Influx, wire: Pty) -> None:
    meter = MeterAtWork(wire)
    path = config(tmp_path, influx.url, "run", str(wire.device))
    with telegraf(path) as process:
        meter.send_until_stored(influx)

        (child,) = children(process.pid)
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: children(process.pid) not in ([], [child]), "the plugin's restart")
        meter.send_until_stored(influx)

        wire.pull_out()
        wire.plug_in()
        meter.send_until_stored(influx)

        stored = influx.count()
        influx.stop()
        meter.send(20)
        failures = path.with_suffix(".log").read_text().count(_NOT_WRITTEN)
        wait_until(
            lambda: path.with_suffix(".log").read_text().count(_NOT_WRITTEN) > failures + 1, "Telegraf to fail twice"
        )
    with telegraf(path):
        influx.start()
        wait_until(lambda: influx.count() >= stored + 20, "what was sent without a database", 60)
        meter.send_until_stored(influx)
    wait_until(lambda: influx.count() >= stored + 21, "the last record")
    assert_stored(influx, meter.sent)


def test_the_same_over_ser2net(tmp_path: Path, influx: Influx, wire: Pty) -> None:
    raw, telnet = free_port(), free_port()
    settings = tmp_path / "ser2net.yaml"
    settings.write_text(
        f"connection: &raw\n  accepter: tcp,127.0.0.1,{raw}\n  connector: serialdev,{wire.device},115200n81,local\n"
        "  options:\n    kickolduser: true\n"
        f"connection: &telnet\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{telnet}\n"
        f"  connector: serialdev,{wire.device},115200n81,local\n  options:\n    kickolduser: true\n"
    )
    ser2net = [component("ser2net"), "-n", "-u", "-c", str(settings)]
    meter = MeterAtWork(wire)
    for source in (f"tcp://127.0.0.1:{raw}", f"rfc2217://127.0.0.1:{telnet}?ign_set_control"):
        with telegraf(config(tmp_path, influx.url, "run", source)):
            for _ in range(2):  # ser2net goes down and comes up
                with program(ser2net, stderr=subprocess.DEVNULL):
                    wait_until(lambda: answers(raw), "ser2net")
                    meter.send_until_stored(influx)
    assert_stored(influx, meter.sent)


@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
def test_it_ends_at_once_over_rfc2217(how: str, tmp_path: Path, wire: Pty) -> None:
    port, settings = free_port(), tmp_path / "ser2net.yaml"
    settings.write_text(
        f"connection: &telnet\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n"
        f"  connector: serialdev,{wire.device},115200n81,local\n  options:\n    kickolduser: true\n"
    )

    @contextmanager
    def reading() -> Iterator[subprocess.Popen[bytes]]:
        source = f"rfc2217://127.0.0.1:{port}?ign_set_control"
        with plugin("run", source, log=tmp_path / "log") as process:

            def answered() -> bool:
                wire.send(Meter().telegram(START))
                return something_to_read(process, 0.3)

            wait_until(answered, "a record")
            yield process

    with program([component("ser2net"), "-n", "-u", "-c", str(settings)], stderr=subprocess.DEVNULL):
        wait_until(lambda: answers(port), "ser2net")
        assert_ends_at_once(reading, how)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopping_telegraf_ends_the_plugin_within_a_second(how: signal.Signals, tmp_path: Path, wire: Pty) -> None:
    with telegraf(config(tmp_path, "http://127.0.0.1:1", "run", str(wire.device))) as process:
        (child,) = wait_until(lambda: children(process.pid), "the plugin")
        wait_until(lambda: b"telegraf_p1" in Path(f"/proc/{child}/cmdline").read_bytes(), "its start")
        process.send_signal(how)
        wait_until(lambda: not is_running(child), "the plugin's end", 1)


def test_the_example_needs_no_change_to_be_read_by_telegraf(tmp_path: Path) -> None:
    # --test gathers from the inputs and prints; only the plugin's path is not this machine's.
    path = config(tmp_path, "http://127.0.0.1:1", "run", "sim:")
    done = subprocess.run(
        [component("telegraf"), "--config", str(path), "--test", "--test-wait", "3"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("> p1,")]
    assert len(lines) >= 2
    assert re.search(r"energy_import_t1_kwh=\d+\.?\d*,", lines[0])


def test_the_output_for_influxdb_2_is_accepted_by_telegraf_too(tmp_path: Path) -> None:
    path = config(tmp_path, "http://127.0.0.1:1", "run", "sim:")
    before, _, second = path.read_text().partition("# [[outputs.influxdb_v2]]")
    path.write_text(
        before.partition("[[outputs.influxdb]]")[0] + "[[outputs.influxdb_v2]]" + second.replace("\n# ", "\n")
    )
    done = subprocess.run(
        [component("telegraf"), "config", "check", "--config", str(path)],
        env=os.environ | {"INFLUX_TOKEN": "secret"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
