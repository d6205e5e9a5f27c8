"""`telegraf-p1 check` as a program: with Telegraf, without rights, on a terminal, beside a plugin at work."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import tomllib
import tty
from pathlib import Path

import pytest

from telegraf_p1.simulator.meter import Meter
from tests.helpers.announcements import LOOPBACK, announced, info
from tests.helpers.mosquitto import TOPIC, Device, Mosquitto, subscribed
from tests.helpers.programs import PLUGIN, component, free_port, plugin, program, read_line, wait_until
from tests.helpers.telegrams import START
from tests.helpers.terminal import terminal
from tests.helpers.uart_cable import speaking

CHECK = [*PLUGIN, "check"]


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CHECK, *arguments], capture_output=True, text=True, timeout=100, check=False, env=os.environ | environment
    )


def test_telegraf_reads_the_meter_with_the_file_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "p1.conf"
    done = check("sim:?form=fi", "--write", str(path), "--json", P1_TELEGRAF=component("telegraf"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["written"] == str(path)
    assert found["telegraf"]["is_good"]
    assert re.search(r"power_import_kw=\d", found["telegraf"]["text"])
    (execd,) = tomllib.loads(path.read_text())["inputs"]["execd"]
    assert execd["command"][-2:] == ["--timezone", "Europe/Helsinki"]
    assert execd["tags"] == {"meter": "home"}


def test_telegraf_tries_a_simulated_meter_without_its_past(tmp_path: Path) -> None:
    path = tmp_path / "p1.conf"
    begun = time.monotonic()
    done = check("sim:?since=31d", "--write", str(path), P1_TELEGRAF=component("telegraf"))
    assert time.monotonic() - begun < 30
    assert "Telegraf tests it, for 5 s." in done.stdout
    assert "Telegraf reads the meter with it" in done.stdout
    assert "since=20" in path.read_text()
    shown = re.findall(r"energy import +(\d+)\.\d+ +(\d+)", done.stdout)[0]
    tried = re.findall(r"energy_import_t[12]_kwh=(\d+)", done.stdout)
    assert len(tried) == 2
    # In the 31 days it counts more than that.
    assert all(abs(int(one) - int(other)) <= 1 for one, other in zip(tried, shown, strict=True))


def test_what_telegraf_says_in_place_of_a_record_is_shown(tmp_path: Path) -> None:
    refusing = tmp_path / "telegraf"
    refusing.write_text("#!/bin/sh\necho '2026-01-01T00:00:00Z E! error loading config file' >&2\nexit 1\n")
    refusing.chmod(0o755)
    done = check("sim:?interval=0", "--write", str(tmp_path / "p1.conf"), P1_TELEGRAF=str(refusing))
    assert "Telegraf produced no record with it" in done.stdout
    assert "error loading config file" in done.stdout


def test_who_may_not_open_a_port_is_told_the_command() -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() or not setpriv:
        pytest.skip("only root can give its rights away, with setpriv")
    nobody = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*nobody, *PLUGIN, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("nobody may not read this folder")
    end, device = pty.openpty()
    name = os.ttyname(device)
    try:
        shutil.chown(name, group="dialout")
        os.chmod(name, 0o660)  # noqa: PTH101
        done = subprocess.run([*nobody, *CHECK, name], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "sudo usermod -aG dialout nobody" in done.stdout
        os.chmod(name, 0o000)  # noqa: PTH101
        done = subprocess.run(
            [*nobody, *CHECK, "--json", name], capture_output=True, text=True, timeout=60, check=False
        )
        (found,) = json.loads(done.stdout)["sources"]
        assert (found["cause"], found["command"]) == ("permission", f"sudo chmod g+rw {name}")
    finally:
        os.close(end)
        os.close(device)


def test_on_a_terminal_it_shows_what_it_does_and_the_meter_live_until_ctrl_c(tmp_path: Path) -> None:
    meter = Meter()
    times = iter(range(START, START + 1000))
    with (
        speaking(tmp_path / "tty", lambda: meter.telegram(next(times))),
        terminal() as (screen, environment),
        program(
            [*CHECK, "--watch", str(tmp_path / "tty")],
            stdin=screen.device,
            stdout=screen.device,
            stderr=screen.device,
            env=environment,
        ) as process,
    ):
        wait_until(lambda: screen.shows(r"115200 8N1.*\d+ bytes"), "the line that shows what it does")
        wait_until(lambda: screen.shows("Meter found on"), "the meter")
        wait_until(lambda: screen.shows("L3.*[█░]{3}"), "the bars")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_without_a_terminal_watch_is_a_line_for_each_record() -> None:
    with program([*CHECK, "--watch", "sim:"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: "L3 +" in read_line(process), "a line for a record")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_no_color_is_plain_text_on_a_terminal_too() -> None:
    end, device = pty.openpty()
    tty.setraw(device)
    environment = os.environ | {"TERM": "xterm-256color", "NO_COLOR": "1"}
    with program([*CHECK, "sim:?interval=0"], stdout=device, stderr=device, env=environment) as process:
        os.close(device)
        shown = b""
        while b"data_format" not in shown:
            assert select.select([end], [], [], 20)[0], "nothing is shown"
            shown += os.read(end, 65536)
        assert process.wait(20) == 0
    os.close(end)
    assert b"\x1b" not in shown


def test_a_broker_keeps_nothing_for_it_and_the_plugin_at_work_loses_nothing(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path).start()
    try:
        device = Device(broker)
        with plugin("run", broker.url(TOPIC), log=tmp_path / "log") as process:
            subscribed(broker)
            with program([*CHECK, "--json", broker.url(TOPIC)], stdout=subprocess.PIPE) as checking:
                subscribed(broker, 2)
                lines = []

                def publish() -> bool:
                    lines.append(device.telegram())
                    return checking.poll() is not None

                wait_until(publish, "the end of the check")
                assert checking.stdout
                assert json.loads(checking.stdout.read())["found"]
            assert [read_line(process).partition(" ")[0] for _ in lines] == [line.partition(" ")[0] for line in lines]
        device.stop()
    finally:
        broker.stop()
    (connected,) = re.findall(r"as p1-check-\w+ \((.*)\)", broker.log.read_text())
    assert "c1" in connected


def test_of_a_broker_without_a_topic_the_topics_with_telegrams_are_found_and_read(broker: Mosquitto) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    with program([*PLUGIN, "simulate", f"{url}/p1/{{n}}/raw", "--meters", "2"]):
        done = check(url)
        assert done.returncode == 0, done.stderr
        assert "2 topics with telegrams\np1/1/raw: " in done.stdout
        (execd,) = tomllib.loads(done.stdout[done.stdout.index("[[inputs.execd]]") :])["inputs"]["execd"]
        assert execd["command"][-1] == f"{url}/p1/+/raw"


def test_of_a_broker_that_is_not_there_the_reason_is_said() -> None:
    done = check(f"mqtt://127.0.0.1:{free_port()}", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["topics"] == found["sources"] == []
    assert "refused" in found["text"]


def test_a_device_in_the_house_is_found_and_read() -> None:
    port = free_port()
    home_wizard = info("_hwenergy._tcp", "p1meter-1", port, product_type="HWE-P1", api_enabled="1")
    off = info("_energydongle._tcp", "dongle", free_port())
    with program([*PLUGIN, "simulate", f"http-listen://127.0.0.1:{port}"]), announced(home_wizard, off):
        done = check("--network", LOOPBACK[0])
    assert done.returncode == 0, done.stderr
    assert f"HomeWizard P1 meter 'p1meter-1' at 127.0.0.1\n  telegraf-p1 check http://127.0.0.1:{port}" in done.stdout
    assert "first: switch on its local API" in done.stdout
    (execd,) = tomllib.loads(done.stdout[done.stdout.index("[[inputs.execd]]") :])["inputs"]["execd"]
    assert execd["command"][-1] == f"http://127.0.0.1:{port}/api/v1/telegram"


def test_where_no_device_announces_itself_it_is_said_what_to_do() -> None:
    done = check("--network", LOOPBACK[0])
    assert done.returncode == 1
    assert done.stdout.startswith("No device that reads a meter announced itself on this network. ")


def test_one_place_is_looked_at() -> None:
    done = check("--network", LOOPBACK[0], "/dev/ttyUSB0")
    assert done.returncode == 2
    assert "not both" in done.stderr
