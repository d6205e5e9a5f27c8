"""The real Telegraf, which runs the plugin, and a meter whose telegrams it reads."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from telegraf_p1.record import Record
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from tests.helpers import pages
from tests.helpers.databases import Influx
from tests.helpers.programs import PLUGIN, component, program, wait_until
from tests.helpers.telegrams import ROOT, START, records

EXAMPLE = ROOT / "telegraf.conf.example"


class Wire(Protocol):
    """A connection that carries telegrams to the plugin."""

    def send(self, telegram: bytes) -> None: ...


class MeterAtWork:
    """Sends telegrams over a wire, one second apart by the meter's clock, and remembers them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._meters = {form: Meter(form) for form in FORMS if FORMS[form].has_crc}
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
            self.sent[record.time_ns or 0] = record

    def send_until_stored(self, influx: Influx) -> None:
        """Send until one arrives: any cable loses what is sent before the port is open."""
        before = influx.count()

        def stored() -> bool:
            self.send(1)
            time.sleep(0.3)
            return influx.count() > before

        wait_until(stored, "a record in the database", 60)


def config(tmp_path: Path, influx_url: str, *command: str) -> Path:
    """Make a configuration for the test from telegraf.conf.example: other paths and ports, the same settings."""
    places = {
        '"/opt/telegraf_p1/bin/telegraf-p1", "run", "/dev/ttyUSB0"': ", ".join(map(json.dumps, [*PLUGIN, *command])),
        "http://127.0.0.1:8086": influx_url,
        "/var/lib/telegraf/buffer": str(tmp_path / "buffer"),
        'interval = "10s"': 'interval = "1s"',
        'restart_delay = "10s"': 'restart_delay = "1s"',
    }
    path = tmp_path / "telegraf.conf"
    path.write_text(pages.replaced(EXAMPLE.read_text(), *places.items()))
    return path


@contextmanager
def telegraf(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        config.with_suffix(".log").open("ab") as log,
        program([component("telegraf"), "--config", str(config)], stdout=log, stderr=log) as process,
    ):
        yield process


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def assert_stored(influx: Influx, sent: dict[int, Record]) -> None:
    """Check that everything in the database is from a telegram, to the last digit and with its type."""
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
