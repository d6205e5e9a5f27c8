"""What can be checked of deploy/ without systemd, udev and a container engine of one's own."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.helpers.programs import component
from tests.helpers.telegrams import ROOT

PROJECT = ROOT
DEPLOY = PROJECT / "deploy"
# A key of a udev rule, compared or assigned: ATTRS{idVendor}=="0403"
PART = r'([A-Z]+(?:\{\w+\})?)(?:==|\+=|=)"([^"]+)"'


# What counts of the unit in Telegraf's package (1.39.3).
UNIT = """[Service]
Type=notify
NotifyAccess=all
User={user}
ExecStart={program} -config /etc/telegraf/telegraf.conf
KillMode=mixed
LimitMEMLOCK=8M:8M
PrivateMounts=true
"""


def test_systemd_knows_every_word_of_the_drop_ins(tmp_path: Path) -> None:
    unit = tmp_path / "telegraf.service"
    unit.write_text(UNIT.format(user="root", program="/bin/true"))
    shutil.copytree(DEPLOY / "telegraf.service.d", tmp_path / "telegraf.service.d")
    command = [component("systemd-analyze"), "verify", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


def test_systemd_knows_every_word_of_the_forwarders_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "p1-forward.service").read_text()
    (program,) = re.findall(r"^ExecStart=(\S+) forward \$\{P1_SOURCE\} \$\{P1_TARGET\}$", text, re.MULTILINE)
    unit = tmp_path / "p1-forward.service"
    unit.write_text(text.replace(program, "/bin/true"))
    command = [component("systemd-analyze"), "verify", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


def test_the_forwarder_is_hardened_as_telegraf_is() -> None:
    unit = DEPLOY / "p1-forward.service"
    assert exposure(unit) < 2
    hardening = (DEPLOY / "telegraf.service.d" / "hardening.conf").read_text().splitlines()
    lines = unit.read_text().splitlines()
    ours = {
        line for line in hardening if "=" in line and not line.startswith(("#", "ReadWritePaths", "Wants", "After"))
    }
    assert ours <= set(lines)


def exposure(unit: Path) -> float:
    """Give what systemd thinks can be done through a unit: 0 (nothing) to 10."""
    command = [component("systemd-analyze"), "security", "--offline=true", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    (found,) = re.findall(r"exposure level for \S+: ([\d.]+)", done.stdout)
    return float(found)


def test_the_hardening_leaves_little_to_get_at(tmp_path: Path) -> None:
    unit = tmp_path / "telegraf.service"
    unit.write_text(UNIT.format(user="telegraf", program="/usr/bin/telegraf"))
    assert exposure(unit) > 9
    shutil.copytree(DEPLOY / "telegraf.service.d", tmp_path / "telegraf.service.d")
    assert exposure(unit) < 2


def test_the_hardening_leaves_what_the_plugin_and_telegraf_need() -> None:
    text = (DEPLOY / "telegraf.service.d" / "hardening.conf").read_text()
    words = [line.partition("=")[::2] for line in text.splitlines() if "=" in line and not line.startswith("#")]
    found = {name: value for name, value in words if name != "DeviceAllow"}
    devices = {value for name, value in words if name == "DeviceAllow"}
    # The disk buffer of telegraf.conf.example, brokers and databases, systemd's notification, the cables.
    assert "/var/lib/telegraf" in found["ReadWritePaths"]
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} <= set(found["RestrictAddressFamilies"].split())
    assert {"char-ttyUSB rw", "char-ttyACM rw", "char-ttyAMA rw"} <= devices
    assert not found.keys() & {"PrivateDevices", "PrivateNetwork", "ProcSubset", "StateDirectory", "IPAddressDeny"}


def test_the_udev_rules_match_cables_and_give_a_name() -> None:
    lines = (DEPLOY / "99-p1.rules").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    cables = set()
    for rule in rules:
        assert re.fullmatch(rf"{PART}(, {PART})*", rule)
        keys = dict(re.findall(PART, rule))
        assert keys["SUBSYSTEM"] == "tty"
        assert (keys["SYMLINK"], keys["GROUP"], keys["MODE"]) == ("p1", "dialout", "0660")
        cables.add(f"{keys['ATTRS{idVendor}']}:{keys['ATTRS{idProduct}']}")
    # FTDI, FTDI, Prolific, CH340, CP210x
    assert cables == {"0403:6001", "0403:6015", "067b:2303", "1a86:7523", "10c4:ea60"}


def test_what_the_container_copies_is_there() -> None:
    lines = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    sources = [source for line in lines for source in line.split()]
    assert "telegraf_p1" in sources
    assert all((PROJECT / source).exists() for source in sources)


def test_the_build_gets_to_see_what_the_container_copies_and_no_more() -> None:
    lines = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == sources


def test_what_compose_mounts_is_there_and_where_grafana_looks() -> None:
    grafana = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"] if volume.startswith(".."))
    assert all((DEPLOY / source).exists() for source in mounts)
    provisioning = DEPLOY / next(source for source, target in mounts.items() if target == "/etc/grafana/provisioning")
    for kind in ("datasources", "dashboards"):
        text = (provisioning / kind / "telegraf_p1.yaml").read_text()
        (variable,) = re.findall(r"\$(P1_\w+)", text)
        assert variable in grafana["environment"]
    assert any(target.startswith(grafana["environment"]["P1_DASHBOARDS"]) for target in mounts.values())


def test_only_this_computer_reaches_a_port_of_the_containers() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    ports = [port for service in services for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", ["compose.yaml", "compose.cable.yaml"])
def test_the_container_has_the_source_that_its_telegraf_reads(name: str) -> None:
    telegraf = yaml.safe_load((DEPLOY / name).read_text())["services"]["telegraf"]
    assert "${P1_SOURCE}" in (DEPLOY / "telegraf.conf").read_text()
    assert telegraf["environment"]["P1_SOURCE"]
