"""A newcomer follows the README: each command that stands in it is run, in its order, in a root of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers.databases import Influx
from tests.helpers.own_root import own_root
from tests.helpers.pages import blocks
from tests.helpers.programs import PLUGIN, answers, component, free_port, program, wait_until
from tests.helpers.telegrams import ROOT

PAGE = ROOT / "README.md"
README = PAGE.read_text()
HOST = "https://github.com/metertrekker/telegraf_p1"
SHELL = "".join(block.text for block in blocks(PAGE) if block.language == "sh")
COMMANDS = [line.partition(" #")[0].rstrip() for line in SHELL.splitlines()]
OUTPUT, INPUT = (block.text for block in blocks(PAGE) if block.language == "toml")
P1_CONF = "/etc/telegraf/telegraf.d/p1.conf"


class Newcomer:
    """Sits at a computer with Telegraf and databases; sudo and systemctl are stand-ins."""

    def __init__(self, folder: Path, enter: list[str], running: ExitStack) -> None:
        self.folder, self.running, self._enter = folder, running, enter
        self.place = folder
        self.influx = Influx(folder)
        tools = folder / "tools"
        tools.mkdir()
        (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (tools / "systemctl").write_text(f'#!/bin/sh\n[ "$*" = "restart telegraf" ] && touch {folder}/restarted\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        (tools / "telegraf").symlink_to(component("telegraf"))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        self.environment = {
            **inherited,
            "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "EXTRAS": "",  # of make install: it is quicker so
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": f"url.{ROOT}.insteadOf",
            "GIT_CONFIG_VALUE_0": HOST,
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
        }

    def command(self, command: str) -> list[str]:
        return [*self._enter, "env", f"--chdir={self.place}", "sh", "-c", command]

    def run(self, command: str, code: int = 0, **more: str) -> str:
        """Run a command in the root; give what it wrote."""
        done = subprocess.run(
            self.command(command),
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def picture(self, url: str) -> None:
        drawn = self.run("make picture", FROM=url)
        assert re.search(r"p1-dark-1600.png$", drawn, re.MULTILINE), drawn
        assert (self.place / "build" / "pictures" / "p1-dark-1600.png").stat().st_size > 100_000


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    for name in ("mosquitto", "influxd", "grafana", "grafana_ui", "chromium", "telegraf"):
        component(name)
    (tmp_path / "root").mkdir()
    with own_root(tmp_path / "root") as enter, ExitStack() as running:
        yield Newcomer(tmp_path, enter, running)


def packages(at: Newcomer, command: str) -> None:
    at.run(command.replace("sudo apt install", "apt-get install --simulate"))


def clone(at: Newcomer, command: str) -> None:
    at.run(command)
    # What make would install there is what runs these tests: pip is not waited for again.
    venv = at.folder / "telegraf_p1" / ".venv"
    venv.symlink_to(Path(sys.executable).parent.parent)
    at.run(f"touch {venv}/.installed {venv}/.test {venv}/.dev")


def go_there(at: Newcomer, command: str) -> None:
    at.place /= command.removeprefix("cd ")


def demo(at: Newcomer, command: str) -> None:
    assert at.run(f"timeout -s INT 10 {command} | head -n 1").startswith("p1,")


def dry_run(at: Newcomer, command: str) -> None:
    assert "-m pytest" in at.run(command, MAKEFLAGS="--dry-run")  # this runs in it


def stack(at: Newcomer, command: str) -> None:
    ports = {"P1_STACK_INFLUXDB": str(free_port()), "P1_STACK_MQTT": str(free_port())}
    said = at.folder / "stack"
    with said.open("wb") as out:
        process = at.running.enter_context(
            program(at.command(f"exec {command}"), env=at.environment | ports, stdout=out, stderr=out)
        )
    wait_until(lambda: "make picture" in said.read_text() or process.poll() is not None, "the chain", 120)
    (at.folder / "url").write_text(re.findall(r"make picture FROM=(\S+)", said.read_text())[0])


def picture_of_the_stack(at: Newcomer, _command: str) -> None:
    at.picture((at.folder / "url").read_text())


def install(at: Newcomer, command: str) -> None:
    at.run(command)
    assert "usage" in at.run("/opt/telegraf_p1/bin/telegraf-p1 --help").lower()


def check(at: Newcomer, command: str) -> None:
    at.run("mkdir -p /etc/telegraf/telegraf.d")  # as Telegraf's package does
    assert re.search("serial port|/dev/tty", at.run(command, code=1))  # no cable is here
    port = free_port()
    at.running.enter_context(program([*PLUGIN, "simulate", f"tcp-listen://127.0.0.1:{port}"]))
    wait_until(lambda: answers(port), "the meter")
    (simulated,) = re.findall(r"add `('sim:[^`]*')`", README)
    at.run(f"{command} {simulated}")
    assert re.search(r'"sim:\?since=[\dT:-]+Z&until=[\dT:-]+Z"\]', at.run(f"cat {P1_CONF}"))
    at.run(f"{command} tcp://127.0.0.1:{port}")
    written = at.run(f"cat {P1_CONF}")
    block = INPUT.replace("/opt/telegraf_p1/bin/", "/usr/local/bin/")  # which links there
    assert block.replace("/dev/ttyUSB0", f"tcp://127.0.0.1:{port}") in written


def restart(at: Newcomer, command: str) -> None:
    at.run(command)
    assert (at.folder / "restarted").exists()
    at.influx.start()
    at.running.callback(at.influx.stop)
    output = OUTPUT.replace("http://127.0.0.1:8086", at.influx.url)
    assert output != OUTPUT
    at.run(f"cat >/etc/telegraf/telegraf.d/influxdb.conf <<'END'\n{output}\nEND")
    agent = '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n'
    at.run(f"printf '{agent}' >/etc/telegraf/telegraf.conf")
    telegraf = at.command("exec telegraf --config-directory /etc/telegraf/telegraf.d")
    with (at.folder / "telegraf.log").open("wb") as log:
        at.running.enter_context(program(telegraf, env=at.environment, stdout=log, stderr=log))
    wait_until(lambda: at.influx.count() > 2, "records in the database", 60)
    at.picture(at.influx.url)


FOLLOWED = {
    "sudo apt install git make python3-venv": packages,
    f"git clone {HOST}": clone,
    "cd telegraf_p1": go_there,
    "make demo": demo,
    "make test": dry_run,
    "make stack": stack,
    "make picture": picture_of_the_stack,
    "sudo make install": install,
    f"sudo telegraf-p1 check --write {P1_CONF}": check,
    "sudo systemctl restart telegraf": restart,
}


def test_each_command_of_the_readme_is_followed() -> None:
    assert list(FOLLOWED) == COMMANDS


def test_who_follows_the_readme_gets_a_graph(newcomer: Newcomer) -> None:
    for command in COMMANDS:
        FOLLOWED[command](newcomer, command)
