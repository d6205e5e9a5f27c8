"""An optical port: the plugin reads a simulated meter over a pty, a bridge and RFC 2217, up to a real influxd."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from telegraf_p1.sources import open_source
from telegraf_p1.sources.events import Data
from tests.helpers.databases import Influx
from tests.helpers.programs import PLUGIN, answers, component, free_port, plugin, program, read_line, wait_until
from tests.helpers.telegraf import config, telegraf

pytestmark = pytest.mark.integration

_QUICK = "answer=1s&gap=500ms&every=1s"


@contextmanager
def meter(tmp_path: Path, options: str = "") -> Iterator[Path]:
    """Run a simulated meter, and give its device."""
    device = tmp_path / "ttyP0"
    command = [*PLUGIN, "simulate", f"p0:pty:{device}?{options}"]
    with program(command, stderr=subprocess.DEVNULL):
        wait_until(device.is_symlink, "the meter's device")
        yield device


def said(log: Path, words: str) -> None:
    wait_until(lambda: words in log.read_text(), f"{words!r} in the log", 40)


@pytest.mark.parametrize(
    "options", ["mode=A", "mode=B&speed=4800", "mode=C&speed=9600", "mode=C&speed=300", "echo=yes", "fault=noise"]
)
def test_a_meter_of_each_mode_is_read_again_and_again(tmp_path: Path, options: str) -> None:
    with (
        meter(tmp_path, options) as device,
        plugin("run", f"p0://{device}?{_QUICK}", log=tmp_path / "log") as process,
    ):
        for _ in range(2):
            line = read_line(process)
            assert line.startswith("p1,meter=10000001 identification=")
            assert "energy_import_kwh=9762.000," in line


def test_a_heat_meter_is_woken_and_read(tmp_path: Path) -> None:
    with (
        meter(tmp_path, "medium=heat&sleeps=yes") as device,
        plugin("run", f"p0://{device}?medium=heat&{_QUICK}", log=tmp_path / "log") as process,
    ):
        assert read_line(process).startswith('p1,meter=10000001 identification="TST5UH50",heat_kwh=9762,heat_m3=')


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silent", "the meter does not answer"),
        ("refuse", "the meter refuses the readout"),
        ("bcc", "telegram rejected: the BCC of the readout"),
        ("cut", "the readout was cut off"),
        ("nothing", "the meter sends its identification, but nothing"),
    ],
)
def test_what_goes_wrong_is_said_and_gives_no_record(tmp_path: Path, fault: str, words: str) -> None:
    log = tmp_path / "log"
    with (
        meter(tmp_path, f"fault={fault}") as device,
        plugin("run", f"p0://{device}?{_QUICK}&reaction=200ms", log=log) as process,
    ):
        said(log, words)
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0
        assert process.stdout
        assert process.stdout.read() == b""
    assert log.read_text().count("W! ") == 1


def test_a_refused_speed_costs_an_attempt_and_no_record(tmp_path: Path) -> None:
    with (
        meter(tmp_path, "fault=speed") as device,
        plugin("run", f"p0://{device}?{_QUICK}", log=tmp_path / "log") as process,
    ):
        assert "energy_import_kwh=9762.000," in read_line(process)


def test_a_device_that_is_not_there_is_named_and_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with plugin("run", f"p0://{tmp_path}/ttyP0?{_QUICK}", log=log) as process:
        said(log, "no such device")
        with meter(tmp_path):
            assert "energy_import_kwh=" in read_line(process)


def test_a_meter_behind_a_bridge_with_a_fixed_speed_is_read_at_300_baud(tmp_path: Path) -> None:
    port = free_port()
    with meter(tmp_path, "mode=C&speed=9600") as device:
        socat = [component("socat"), f"tcp-listen:{port},bind=127.0.0.1,fork", f"file:{device},b300,raw,echo=0"]
        with program(socat), ExitStack() as stack:
            source = f"p0+tcp://127.0.0.1:{port}?{_QUICK}"
            process = stack.enter_context(plugin("run", source, log=tmp_path / "log"))
            assert "energy_import_kwh=9762.000," in read_line(process)


def test_a_meter_behind_a_server_with_rfc_2217_is_read_at_its_speed(tmp_path: Path) -> None:
    port, settings = free_port(), tmp_path / "ser2net.yaml"
    with meter(tmp_path, "mode=C&speed=9600") as device, ExitStack() as stack:
        settings.write_text(
            f"connection: &telnet\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n"
            f"  connector: serialdev,{device},300n81,local\n"
        )
        ser2net = [component("ser2net"), "-n", "-u", "-c", str(settings)]
        stack.enter_context(program(ser2net, stderr=subprocess.DEVNULL))
        wait_until(lambda: answers(port), "ser2net")
        source = f"p0+rfc2217://127.0.0.1:{port}?format=8N1&{_QUICK}"
        process = stack.enter_context(plugin("run", source, log=tmp_path / "log"))
        assert "energy_import_kwh=9762.000," in read_line(process)


def test_a_readout_arrives_in_influxdb_through_telegraf(tmp_path: Path) -> None:
    influx = Influx(tmp_path)
    influx.start()
    try:
        with meter(tmp_path, "mode=C&speed=9600") as device:
            settings = config(tmp_path, influx.url, "run", f"p0://{device}?{_QUICK}")
            with telegraf(settings):
                wait_until(lambda: influx.count() >= 2, "two readouts in the database", 60)
        (row, *_) = influx.query("SELECT * FROM p1")
        assert row["meter"] == "10000001"
        assert row["energy_import_kwh"] == pytest.approx(9762.0)
        assert row["identification"] == "TST5SIM100"
    finally:
        influx.stop()


def test_no_meter_is_asked_while_no_readout_is_wanted(tmp_path: Path) -> None:
    with meter(tmp_path) as device:
        connection = open_source(f"p0://{device}?{_QUICK}")()
        connection.want(False)
        begun = time.monotonic()
        threading.Timer(2, connection.want, [True]).start()
        (event,) = connection.read()
        assert isinstance(event, Data)
        assert event.ends_message
        assert time.monotonic() - begun > 2
        connection.close()


def test_the_simulator_names_what_it_does_not_know(tmp_path: Path) -> None:
    for options, words in (
        ("colour=red", "unknown option 'colour'"),
        ("fault=odd", "must be one of: silent"),
        ("mode=B&speed=300", "is not a valid combination"),
    ):
        command = [sys.executable, "-m", "telegraf_p1", "simulate", f"p0:pty:{tmp_path}/tty?{options}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2
        assert words in done.stderr


@pytest.mark.parametrize(("options", "cause"), [("", None), ("fault=silent", "no-readout"), ("fault=bcc", "rejected")])
def test_check_asks_a_meter_once(tmp_path: Path, options: str, cause: str | None) -> None:
    """The next readout would be a quarter of an hour away, and a meter that is silent is asked without end."""
    with meter(tmp_path, options) as device:
        command = [*PLUGIN, "check", "--json", f"p0://{device}?answer=1s&attempts=1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (found,) = json.loads(done.stdout)["sources"]
    assert found["cause"] == cause
