"""What the .deb carries is what the program asks for."""

import re
import tomllib

from packaging.requirements import Requirement

from tests.helpers.telegrams import ROOT

# What the .deb leaves to Debian, or leaves out.
NOT_CARRIED = {"cryptography", "fastcrc", "confluent-kafka", "segno", "grafana-foundation-sdk"}


def test_the_deb_carries_each_package_in_a_version_that_the_program_takes() -> None:
    lines = (ROOT / "deploy" / "debian" / "vendored.txt").read_text().splitlines()
    pinned = [Requirement(line.partition(" --hash")[0]) for line in lines if line and not line.startswith("#")]
    carried = {one.name: str(one.specifier).removeprefix("==") for one in pinned}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    wanted += [Requirement(text) for name in ("ws", "discover") for text in extras[name]]
    for one in wanted:
        assert one.specifier.contains(carried[one.name]), one
    left = {
        Requirement(text).name for name in ("crypto", "fast", "kafka", "cloud", "dashboards") for text in extras[name]
    }
    assert left == NOT_CARRIED


def test_the_deb_names_the_licence_of_each_package_that_it_carries() -> None:
    text = (ROOT / "deploy" / "debian" / "copyright").read_text()
    named = set(re.findall(r"^Files: opt/telegraf_p1/lib/(\w+)/\*$", text, re.MULTILINE))
    lines = (ROOT / "deploy" / "debian" / "vendored.txt").read_text().splitlines()
    carried = {line.partition("==")[0] for line in lines if "==" in line}
    imported = {"paho-mqtt": "paho", "pyserial": "serial"}
    assert named == {imported.get(name, name.replace("-", "_")) for name in carried}
    assert set(re.findall(r"^License: (\S+)$", text, re.MULTILINE)) == {"Expat", "BSD-3-Clause", "LGPL-2.1+"}
