"""End to end with real parts: meter → pty or TCP → plugin under Telegraf → influxd."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from telegraf_p1.simulator.meter import Meter
from tests.helpers.databases import Influx
from tests.helpers.programs import (
    answers,
    assert_ends_at_once,
    component,
    free_port,
    plugin,
    program,
    required,
    something_to_read,
    wait_until,
)
from tests.helpers.telegraf import MeterAtWork, assert_stored, children, config, telegraf
from tests.helpers.telegrams import START

_NOT_WRITTEN = "Error writing to outputs.influxdb"


def test_what_ci_asks_for_is_there() -> None:
    for name in required():
        assert component(name)


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
