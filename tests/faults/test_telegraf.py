"""What happens to the Telegraf around the plugin, and to the database behind it.

telegraf.conf.example is what runs, with its disk buffer; what is counted is what the database holds.
"""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen

from tests.faults.matrix import PACE, Row, either, fault
from tests.helpers.cable import Cable
from tests.helpers.databases import Influx
from tests.helpers.datalogger import PATH, post_telegram
from tests.helpers.mosquitto import TOPIC, Device, Mosquitto
from tests.helpers.programs import answers, free_port, wait_until
from tests.helpers.telegraf import children, config, telegraf

PART = "Telegraf"
NOBODY = "telegrams while no plugin ran"


@contextmanager
def at_work(row: Row, influx: Influx, source: str) -> Iterator[Popen[bytes]]:
    path = config(row.folder, influx.url, "run", source)

    def stored() -> list[int]:
        return [one["time"] for one in influx.query('SELECT "identification" FROM p1')]

    with telegraf(path) as process, row.under(process, path.with_suffix(".log"), stored):
        yield process


@fault(
    PART,
    "Telegraf killed (SIGKILL) and restarted",
    f"{NOBODY}, and those in Telegraf's memory but not yet in its disk buffer",
    within=10,
)
def test_killed(row: Row, cable: Cable, influx: Influx) -> None:
    row.wire = cable.write_at_once
    with at_work(row, influx, str(cable.link)) as process:
        row.begin()
        row.steady()
        with row.unheard():
            row.send(either(10, 60), PACE)
            process.kill()
            process.wait(10)
            row.send(5, PACE)
    with at_work(row, influx, str(cable.link)):
        row.recovered()
        row.steady()


def freeze(row: Row, process: subprocess.Popen[bytes], count: int, pace: float) -> None:
    """Let Telegraf stand still for so many telegrams, each of which has to come once it goes on."""
    process.send_signal(signal.SIGSTOP)
    row.send(count, pace)
    process.send_signal(signal.SIGCONT)
    begun = time.monotonic()
    row.wait_for_all()
    row.took(begun)
    row.steady()


@fault(PART, "Telegraf suspended (SIGSTOP)", within=10)
def test_frozen(row: Row, cable: Cable, influx: Influx) -> None:
    row.wire = cable.write
    with at_work(row, influx, str(cable.link)) as process:
        row.begin()
        row.steady()
        freeze(row, process, either(100, 240), either(0.02, 1.0))


@fault(PART, "Telegraf suspended (SIGSTOP), with a client that posts each telegram once", within=10)
def test_frozen_behind_a_listener(row: Row, influx: Influx) -> None:
    port, row.topic = free_port(), PATH.strip("/")

    def post(telegram: bytes) -> None:
        assert post_telegram(port, telegram, seconds=5).status in (201, 202)

    row.wire = post
    with at_work(row, influx, f"http-listen://127.0.0.1:{port}") as process:
        wait_until(lambda: answers(port), "the plugin")
        row.steady()
        freeze(row, process, either(300, 240), either(0.0, 1.0))


@fault(PART, "Telegraf reloads its configuration (SIGHUP), and restarts the plugin", NOBODY, within=10)
def test_reloaded(row: Row, cable: Cable, influx: Influx) -> None:
    row.wire = cable.write_at_once
    with at_work(row, influx, str(cable.link)) as process:
        row.begin()
        for _ in range(either(2, 10)):
            row.steady()
            before = children(process.pid)
            process.send_signal(signal.SIGHUP)
            with row.unheard():
                wait_until(lambda before=before: children(process.pid) not in ([], before), "the plugin")  # type: ignore[misc]
            row.recovered()
        row.steady()


@fault(PART, "Telegraf stopped and restarted", NOBODY, within=10)
def test_restarted(row: Row, cable: Cable, influx: Influx) -> None:
    row.wire = cable.write_at_once
    with at_work(row, influx, str(cable.link)):
        row.begin()
        row.steady()
        row.send(either(10, 60), PACE)
    with row.unheard():
        row.send(5, PACE)
    with at_work(row, influx, str(cable.link)):
        row.recovered()
        row.steady()


@fault(PART, "reload and restart of Telegraf, with telegrams from a broker", within=10)
def test_reloaded_and_restarted_behind_a_broker(row: Row, broker: Mosquitto, influx: Influx) -> None:
    device = Device(broker)
    row.wire, row.topic = device.send, TOPIC
    with at_work(row, influx, broker.url(TOPIC)) as process:
        row.begin()
        for _ in range(either(2, 10)):
            process.send_signal(signal.SIGHUP)
            row.steady(20)
    row.send(10, PACE)
    device.settle()
    with at_work(row, influx, broker.url(TOPIC)):
        begun = time.monotonic()
        row.wait_for_all()
        row.took(begun)
    device.stop()


@fault("Database", "InfluxDB unavailable for an hour of telegrams", within=30)
def test_database_away(row: Row, cable: Cable, influx: Influx) -> None:
    row.wire = cable.write
    with at_work(row, influx, str(cable.link)):
        row.begin()
        row.steady()
        influx.stop()
        row.send(3600)
        influx.start()
        begun = time.monotonic()
        row.wait_for_all(60)
        row.took(begun)
        row.steady()
