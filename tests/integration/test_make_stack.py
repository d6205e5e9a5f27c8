"""`make stack`: the whole chain with one command, or a word about what is missing."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.databases import get
from tests.helpers.programs import answers, component, free_port, program, wait_until
from tests.helpers.telegrams import ROOT

COMMAND = [str(ROOT / "scripts" / "stack"), str(Path(sys.executable).with_name("telegraf-p1"))]


def environment(**more: str) -> dict[str, str]:
    ports = {"P1_STACK_INFLUXDB": str(free_port()), "P1_STACK_MQTT": str(free_port())}
    return os.environ | ports | more


def count(url: str, measurement: str) -> str:
    return get(f"{url}/query", db="p1", q=f"SELECT count(/./) FROM {measurement}")  # noqa: S608


def test_it_brings_the_chain_up_and_takes_it_down(tmp_path: Path) -> None:
    for name in ("mosquitto", "influxd"):
        component(name)
    chosen = environment(P1_TELEGRAF=component("telegraf"))
    said = tmp_path / "said"
    with (
        said.open("wb") as out,
        program(COMMAND, env=chosen, stdout=out, stderr=out, start_new_session=True) as process,
    ):
        wait_until(
            lambda: "With Grafana on this computer" in said.read_text() or process.poll() is not None,
            "the chain",
            180,  # a month of readings goes through it first
        )
        text = said.read_text()
        url = f"http://127.0.0.1:{chosen['P1_STACK_INFLUXDB']}"
        assert f"URL {url}, database p1" in text
        wait_until(lambda: all("count" in count(url, name) for name in ("p1", "p1_stats")), "records and statistics")
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        assert process.wait(20) == 0
    assert not any(answers(int(chosen[name])) for name in ("P1_STACK_INFLUXDB", "P1_STACK_MQTT"))
    (folder,) = re.findall(r"Logs and data are in (\S+) until", text)
    assert not Path(folder).exists()


def test_it_says_which_packages_are_missing(tmp_path: Path) -> None:
    tools = ("sh", "realpath", "dirname")
    for tool in tools:
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    done = subprocess.run(
        COMMAND, env=environment(PATH=str(tmp_path)), capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert re.search(r"packages are missing.*apt-get install.* influxdb$", done.stderr.strip())


def test_an_influxdb_2_is_not_taken_for_an_influxdb_1(tmp_path: Path) -> None:
    component("mosquitto")
    (tmp_path / "influxd").symlink_to(component("influxdb2"))
    chosen = environment(PATH=f"{tmp_path}:{os.environ['PATH']}")
    done = subprocess.run(COMMAND, env=chosen, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert f"{tmp_path}/influxd is no InfluxDB 1" in done.stderr


@pytest.mark.parametrize("name", ["P1_STACK_INFLUXDB", "P1_STACK_MQTT"])
def test_a_port_that_is_taken_is_named(name: str) -> None:
    for part in ("mosquitto", "influxd"):
        component(part)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        chosen = environment(P1_TELEGRAF=component("telegraf"), **{name: port})
        done = subprocess.run(COMMAND, env=chosen, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr


def test_a_part_that_ends_ends_all(tmp_path: Path) -> None:
    for part in ("mosquitto", "influxd"):
        component(part)
    broken = tmp_path / "telegraf"
    broken.write_text("#!/bin/sh\necho the configuration is wrong\nexit 1\n")
    broken.chmod(0o755)
    done = subprocess.run(
        COMMAND, env=environment(P1_TELEGRAF=str(broken)), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "the configuration is wrong" in done.stderr
