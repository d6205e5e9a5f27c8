"""The cloud service with its real programs, without containers: deploy/cloud's files, with other paths and ports."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from tests.helpers import pages
from tests.helpers.programs import PLUGIN, answers, component, free_port, program, wait_until
from tests.helpers.telegrams import ROOT

CLOUD = ROOT / "deploy" / "cloud"
ENROL = [sys.executable, str(CLOUD / "enrol")]


class Household(NamedTuple):
    """The secrets of a household, for its device and its Grafana."""

    name: str
    password: str
    command: list[str]
    token: str

    @property
    def target(self) -> str:
        return self.command[-1].strip("'")


def replaced(name: str, replacements: dict[str, str]) -> str:
    """Return a file of deploy/cloud with replacements; each of them has to match."""
    return pages.replaced((CLOUD / name).read_text(), *replacements.items())


def _words(path: Path) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in path.read_text().splitlines())}


class Cloud:
    """Broker, database and Telegraf in a folder, which can be started and stopped, and the enrolled households."""

    def __init__(self, folder: Path, mqtt: int = 0, influxdb: int = 0) -> None:
        self.folder, self.state = folder, folder / "state"
        self.mqtt, self.influxdb = mqtt or free_port(), influxdb or free_port()
        self.url = f"http://127.0.0.1:{self.influxdb}"
        self._running = {name: ExitStack() for name in ("influxdb2", "mosquitto", "telegraf")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._mosquitto, self._telegraf = folder / "mosquitto.conf", folder / "telegraf.conf"
        for inner in ("state", "data", "state/mosquitto", "state/datasources"):
            (folder / inner).mkdir(exist_ok=True)
        (self.state / "settings").write_text(
            f"P1_CLOUD_BROKER=127.0.0.1:{self.mqtt}\n"
            f"P1_CLOUD_INFLUXDB={self.url}\n"
            f"P1_CLOUD_RELOAD=sh -c 'kill -HUP $(cat {folder}/mosquitto.pid)'\n"
            "P1_CLOUD_GRAFANA=\n"
        )
        places = {
            "listener 8883": f"listener {self.mqtt} 127.0.0.1",
            "/mosquitto/state": str(self.state / "mosquitto"),
            "/mosquitto/data": str(folder / "data"),
        }
        user = "user root\n" if os.geteuid() == 0 else ""
        self._mosquitto.write_text(f"{user}pid_file {folder}/mosquitto.pid\n{replaced('mosquitto.conf', places)}")
        self._telegraf.write_text(
            replaced(
                "telegraf.conf",
                {
                    '"/opt/telegraf_p1/bin/telegraf-p1"': ", ".join(map(json.dumps, PLUGIN)),
                    "http://influxdb:8086": self.url,
                    "/var/lib/telegraf": str(folder),
                    'interval = "10s"': 'interval = "1s"',  # and flush_interval
                    '"60s"': '"5s"',
                    'restart_delay = "10s"': 'restart_delay = "1s"',
                },
            )
        )

    def start(self) -> None:
        """Start everything, in the order of docs/cloud.md."""
        self.start_influxdb()
        self.enrol("setup", f"127.0.0.1:{self.mqtt}", "--with", "systemd")
        self.start_broker()
        self.start_telegraf()
        # The broker stores nothing for the plugin before its first connection.
        wait_until(lambda: "as p1_reader" in self.log("mosquitto"), "the plugin's connection")

    def stop(self) -> None:
        for name in ("telegraf", "mosquitto", "influxdb2"):
            self._running[name].close()

    def start_influxdb(self) -> None:
        command = [component("influxdb2"), "--http-bind-address", f"127.0.0.1:{self.influxdb}", "--reporting-disabled"]
        for option in ("bolt", "sqlite", "engine"):
            command += [f"--{option}-path", str(self.folder / option)]
        self._start("influxdb2", command)
        wait_until(lambda: answers(self.influxdb), "InfluxDB 2", 60)

    def start_broker(self) -> None:
        self._start("mosquitto", [component("mosquitto"), "-c", str(self._mosquitto)])
        wait_until(lambda: answers(self.mqtt), "mosquitto")

    def stop_broker(self) -> None:
        self._running["mosquitto"].close()

    def start_telegraf(self) -> None:
        self._start("telegraf", [component("telegraf"), "--config", str(self._telegraf)], self.environment())

    def stop_telegraf(self) -> None:
        self._running["telegraf"].close()

    def ended(self) -> str:
        """Return the name of a part that has ended by itself; empty if all run."""
        return next((name for name, process in self._processes.items() if process.poll() is not None), "")

    def environment(self) -> dict[str, str]:
        """Return the variables in Telegraf's environment."""
        return _words(self.state / "telegraf.env")

    def settings(self) -> dict[str, str]:
        return _words(self.state / "settings")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _start(self, name: str, command: list[str], more: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = program(command, stdout=log, stderr=log, env={**os.environ, **(more or {})})
            self._processes[name] = self._running[name].enter_context(process)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `enrol`."""
        return subprocess.run(
            [*ENROL, *arguments],
            env={**os.environ, "P1_CLOUD": str(self.state)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def enrol(self, *arguments: str) -> str:
        """Run `enrol`, which has to succeed; return its output."""
        done = self.run(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def household(self, name: str, *options: str) -> Household:
        """Enrol a household; return what its device needs."""
        said = self.enrol(*options, name).splitlines()
        (password,) = (line.partition("=")[2] for line in said if line.startswith("P1_MQTT_PASSWORD="))
        (command,) = (line for line in said if line.startswith("telegraf-p1 forward "))
        return Household(name, password, command.split(), [line for line in said if line][-1])

    def ask(self, token: str, path: str, body: bytes | None = None, **query: str) -> tuple[int, str]:
        """Send a request with a token to InfluxDB; return the status and the answer."""
        request = urllib.request.Request(f"{self.url}{path}?{urllib.parse.urlencode(query)}", body)  # noqa: S310
        request.add_header("Content-Type", "application/vnd.flux")  # for queries; writes accept any type
        request.add_header("Authorization", f"Token {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def rows(self, token: str, name: str, statement: str = "SELECT * FROM p1") -> list[dict[str, Any]]:
        """Return the rows of an InfluxQL query, sent as Grafana does; none if there are none, or access is denied."""
        status, answer = self.ask(token, "/query", db=name, epoch="ns", q=statement)
        if status != 200:
            return []
        return [
            dict(zip(series["columns"], row, strict=True))
            for series in json.loads(answer)["results"][0].get("series", [])
            for row in series["values"]
        ]
