"""What can be checked of deploy/cloud without the programs that it is for."""

import base64
import hashlib
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.cloud.enrolment import certificate, device, files, grafana, household, passwords, settings
from deploy.cloud.enrolment.command import main
from deploy.cloud.enrolment.files import Refused
from tests.helpers import pages
from tests.helpers.cloud import CLOUD
from tests.helpers.programs import component
from tests.helpers.telegrams import ROOT


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setenv("P1_CLOUD", str(tmp_path / "state"))
    for inner in ("mosquitto", "datasources"):  # else they would be of users that may not be here
        (tmp_path / "state" / inner).mkdir(parents=True, mode=0o700)
    return settings.make("broker.example:8883", "systemd")


@pytest.mark.parametrize("name", ["abc", "smith", "smith-2", "4-main-street", "a" * 32])
def test_a_name_that_may_be_one(name: str) -> None:
    assert household.checked(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "ab",
            "a" * 33,
            "+",
            "#",
            "a/b",
            "a+b",
            "../smith",
            "smith/history",
            "Smith",
            "sm ith",
            "sm:ith",
            "-smith",
        ),
        *("smith-", "smith\n", "smíth", "٣٣٣", "p1_reader", "p1_operator", "$SYS", "%u"),
        *("remove", "setup", "list", "renew"),
    ],
)
def test_a_name_that_would_be_something_else_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        household.checked(name)


def test_a_users_password_is_written_as_mosquitto_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    for user, password in (("smith", "one"), ("smith-2", "two"), ("smith", "three")):
        passwords.add(path, user, password)
    lines = path.read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["smith-2", "smith"]
    kind, iterations, salt, digest = lines[1].partition(":")[2][1:].split("$")
    expected = hashlib.pbkdf2_hmac("sha512", b"three", base64.b64decode(salt), int(iterations))
    assert (kind, base64.b64decode(digest)) == ("7", expected)
    assert path.stat().st_mode & 0o777 == 0o600
    passwords.remove(path, "smith")
    assert not passwords.has(path, "smith")
    assert passwords.has(path, "smith-2")


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "passwords"
    files.write(path, "before")

    def fail(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        files.write(path, "after")
    assert path.read_text() == "before"
    assert [*tmp_path.iterdir()] == [path]


def test_settings_are_made_once_and_what_was_changed_stays(state: settings.Settings) -> None:
    path = state.folder / "settings"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text().replace("systemctl reload mosquitto", "true"))
    again = settings.make("other.example:8884", "compose")
    assert (again.address, again.reload, again.token) == ("other.example:8884", "true", state.token)


def test_without_settings_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("P1_CLOUD", str(tmp_path))
    assert main(["smith"]) == 2
    assert f"no settings found in {tmp_path}: run `enrol setup HOST` first" in capsys.readouterr().err


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Folders of both kinds of service, in neither of which `enrol setup` was run; it asks no InfluxDB."""
    found = {kind: tmp_path / kind for kind in settings.KINDS}
    for place, inner in itertools.product(found.values(), ("mosquitto", "datasources")):
        (place / inner).mkdir(parents=True, mode=0o700)
    monkeypatch.delenv("P1_CLOUD", raising=False)
    monkeypatch.setattr(settings, "_FOLDERS", found)
    monkeypatch.setattr(household, "set_up", lambda *_: None)
    return found


def set_up_in(places: dict[str, Path]) -> list[str]:
    return [kind for kind, place in places.items() if (place / "settings").exists()]


@pytest.mark.parametrize("kind", [*settings.KINDS])
def test_setting_up_again_goes_on_with_the_service_that_is_there(
    kind: str, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["setup", "one.example", "--with", kind]) == 0
    token = settings.load().token

    def fail(*_: object) -> None:
        raise OSError("InfluxDB does not answer")

    monkeypatch.setattr(household, "set_up", fail)
    assert main(["setup", "two.example"]) == 1
    assert set_up_in(places) == [kind]
    known = settings.load()
    assert (known.folder, known.address, known.token) == (places[kind], "two.example:8883", token)
    assert known.reload == settings.KINDS[kind]["P1_CLOUD_RELOAD"]


def test_the_first_setting_up_is_for_containers_where_nothing_else_is_said(places: dict[str, Path]) -> None:
    assert main(["setup", "broker.example"]) == 0
    assert set_up_in(places) == ["compose"]


@pytest.mark.parametrize(("kind", "other"), [("compose", "systemd"), ("systemd", "compose")])
def test_a_service_of_the_other_kind_is_not_set_up_beside_one(
    kind: str, other: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup", "one.example", "--with", kind]) == 0
    assert main(["setup", "two.example", "--with", other]) == 2
    assert f"{places[kind]} belongs to a service with {kind}: omit `--with {other}`" in capsys.readouterr().err
    assert set_up_in(places) == [kind]
    assert settings.load().address == "one.example:8883"


@pytest.mark.parametrize(
    "arguments", [["list"], ["setup", "two.example"], ["setup", "two.example", "--with", "compose"]]
)
def test_between_two_services_it_does_not_choose(
    arguments: list[str], places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for place in places.values():
        (place / "settings").write_text("P1_CLOUD_ADDRESS=one.example:8883\n")
    assert main(arguments) == 2
    assert f"settings found in {places['compose']} and {places['systemd']}: move" in capsys.readouterr().err


def test_containers_are_told_of_a_change_wherever_the_clone_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, docker = tmp_path / "a clone's; place" / "cloud", tmp_path / "programs" / "docker"
    shutil.copytree(CLOUD / "enrolment", clone / "enrolment")
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >'{tmp_path}/told'\n")
    docker.chmod(0o755)
    for inner in ("mosquitto", "datasources"):
        (clone / "state" / inner).mkdir(parents=True)
    script = "from enrolment import household, settings; settings.make('h:1', 'compose');"
    script += "household._run(settings.load().reload)"
    monkeypatch.delenv("P1_CLOUD", raising=False)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    subprocess.run([sys.executable, "-c", script], cwd=clone, check=True)
    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["compose", "--project-directory", str(clone), "exec", "-T", "mosquitto", "kill", "-HUP", "1"]


def test_who_may_not_write_is_told_to_be_root(
    state: settings.Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(state.passwords))

    monkeypatch.setattr(household, "add", refuse)
    assert main(["smith"]) == 2
    assert f"{state.passwords}: Permission denied; run it as root" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["remove", "smith"], ["remove", "smith", "--keep-data", "--drop-data"], []])
def test_what_becomes_of_data_has_to_be_said(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_a_certificate_of_its_own_has_a_pin_and_is_made_once(tmp_path: Path) -> None:
    component("openssl")
    certificate.make(tmp_path, "broker.example")
    made = (tmp_path / "server.crt").read_bytes()
    asked = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "server.crt", "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert certificate.pin(tmp_path) == asked.stdout.partition("=")[2].strip().replace(":", "").lower()
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    certificate.make(tmp_path, "other.example")
    assert (tmp_path / "server.crt").read_bytes() == made


def test_a_certificate_that_somebody_else_signed_has_no_pin(tmp_path: Path) -> None:
    component("openssl")
    authority = tmp_path / "authority"
    authority.mkdir()
    certificate.make(authority, "authority.example")
    script = (
        "openssl req -newkey rsa:2048 -noenc -subj /CN=broker.example -keyout server.key -out server.csr &&"
        "openssl x509 -req -in server.csr -CA authority/server.crt -CAkey authority/server.key -out server.crt"
    )
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    assert certificate.pin(tmp_path) == ""
    secrets = household.Secrets("secret", "token")
    assert device.lines("smith", "broker.example:8883", "", secrets)[1].endswith("/p1/smith/raw'")


def test_the_picture_holds_the_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = device.picture("P1_MQTT_PASSWORD=…\ntelegraf-p1 forward …")
    assert "█" in drawn
    assert len(drawn.splitlines()[0]) < 80
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    assert device.picture("anything") == ""


def test_grafana_is_told_to_forget_a_household(tmp_path: Path) -> None:
    grafana.add(tmp_path, "smith", "the-token")
    (added,) = yaml.safe_load((tmp_path / "smith.yaml").read_text())["datasources"]
    assert (added["name"], added["jsonData"]["dbName"]) == ("smith", "smith")
    assert added["secureJsonData"] == {"httpHeaderValue1": "Token the-token"}
    grafana.remove(tmp_path, "smith")
    assert not grafana.has(tmp_path, "smith")
    assert "the-token" not in (tmp_path / "smith.yaml").read_text()
    assert yaml.safe_load((tmp_path / "smith.yaml").read_text())["deleteDatasources"] == [{"name": "smith", "orgId": 1}]


# What YAML takes for something else when it is not quoted; some of it in version 1.2 only, which ours does not read.
@pytest.mark.parametrize("name", ["101", "true", "null", "1e3", "yes", "off", "0x1f", "007", "2026-11-30", "smith-2"])
def test_a_name_is_a_text_for_grafana_whatever_it_looks_like(tmp_path: Path, name: str) -> None:
    assert household.checked(name) == name
    path = tmp_path / f"{name}.yaml"
    grafana.add(tmp_path, name, "the-token")
    added = path.read_text()
    (source,) = yaml.safe_load(added)["datasources"]
    assert (source["name"], source["uid"], source["jsonData"]["dbName"]) == (name, f"p1-{name}", name)
    grafana.remove(tmp_path, name)
    removed = path.read_text()
    assert yaml.safe_load(removed)["deleteDatasources"] == [{"name": name, "orgId": 1}]
    scalars = [event for text in (added, removed) for event in yaml.parse(text) if isinstance(event, yaml.ScalarEvent)]
    assert [event.style for event in scalars if event.value in (name, f"p1-{name}")] == ['"'] * 4


def services() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = yaml.safe_load((CLOUD / "compose.yaml").read_text())["services"]
    return found


@pytest.mark.parametrize("host", ["broker:abc", "broker:0", "broker:65536", ":8883", "broker:"])
def test_a_host_with_something_else_than_a_port_is_refused(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", host]) == 2
    assert "is not a host, or a host and a port" in capsys.readouterr().err


def test_what_compose_mounts_is_there_or_made_by_setup(state: settings.Settings) -> None:
    mounts = [mount.split(":")[0] for service in services().values() for mount in service["volumes"]]
    for mount in (mount for mount in mounts if mount.startswith(".")):
        of_state = mount.partition("./state/")[2]
        assert (state.folder / of_state if of_state else CLOUD / mount).exists(), mount


def test_the_broker_finds_what_compose_mounts() -> None:
    targets = [mount.split(":")[1] for mount in services()["mosquitto"]["volumes"]]
    named = re.findall(r"^\w+ (/mosquitto\S*)", (CLOUD / "mosquitto.conf").read_text(), re.MULTILINE)
    assert len(named) == 5
    assert all(any(name.startswith(target) for target in targets) for name in named)


def test_the_broker_keeps_what_waits_as_the_page_on_mqtt_says() -> None:
    lines = pages.block("mqtt.md", "conf").splitlines()
    assert {*lines} <= {*(CLOUD / "mosquitto.conf").read_text().splitlines()}


def test_the_world_sees_one_port() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == ["8883:8883"]
    listeners = re.findall(r"^listener (.+)", (CLOUD / "mosquitto.conf").read_text(), re.MULTILINE)
    assert listeners == ["8883"]


def test_it_runs_where_nothing_is_installed(tmp_path: Path) -> None:
    python = shutil.which("python3", path="/usr/bin")
    if not python:
        pytest.skip("there is no /usr/bin/python3")
    done = subprocess.run(
        [python, "-E", "-S", "-s", CLOUD / "enrol", "list"],
        env={"P1_CLOUD": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)


def block(name: str) -> str:
    """Give a block of docs/cloud.md, as far as it does not need to be root."""
    return pages.block("cloud.md", "sh", name=name).partition("| sudo tee")[0]


def test_without_containers_nothing_points_into_one() -> None:
    made = {}
    for name in ("mosquitto", "telegraf"):
        done = subprocess.run(["sh", "-c", block(name)], cwd=ROOT, capture_output=True, text=True, check=True)
        made[name] = done.stdout
    assert re.findall(r"(\S*/mosquitto/[\w.]+)", made["mosquitto"]) == [
        f"/etc/p1-cloud/mosquitto/{name}" for name in ("server.crt", "server.key", "passwords", "acl")
    ]
    # Debian's own file says these, and mosquitto refuses to be told twice.
    assert re.findall(r"^(?:pid_file|persistence_location|log_dest) ", made["mosquitto"], re.MULTILINE) == []
    assert re.findall(r"http://\S+?:8086", made["telegraf"]) == ["http://127.0.0.1:8086"]


def test_telegraf_gets_each_variable_from_setup() -> None:
    named = {*re.findall(r"\$\{(\w+)\}", (CLOUD / "telegraf.conf").read_text())} - {"1"}
    written = (CLOUD / "enrolment" / "household.py").read_text()
    assert named == {"P1_CLOUD_BROKER", "P1_CLOUD_PIN", "INFLUX_TOKEN"}
    assert all(f'"{name}"' in written for name in named)
