"""The cloud service with real mosquitto, InfluxDB 2 and Telegraf: a household has its own, and nothing else."""

import itertools
import json
import os
import pty
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from deploy.cloud.enrolment import device, grafana
from deploy.cloud.enrolment.files import Refused
from deploy.cloud.enrolment.household import add, enrolled, remove
from deploy.cloud.enrolment.influxdb import InfluxDB
from deploy.cloud.enrolment.settings import Settings, load
from telegraf_p1.simulator.meter import Meter
from tests.helpers.cloud import ENROL, Cloud, Household
from tests.helpers.programs import PLUGIN, answers, component, free_port, program, wait_until
from tests.helpers.telegraf import children
from tests.helpers.telegrams import ROOT

QUARTER = 900
YESTERDAY = int(time.time()) // QUARTER * QUARTER - 86_400


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    for name in ("mosquitto", "influxdb2", "telegraf", "openssl"):
        component(name)
    with ExitStack() as stack:
        cloud = Cloud(tmp_path_factory.mktemp("cloud"))
        stack.callback(cloud.stop)
        cloud.start()
        yield cloud


class Device:
    """A household's device: connected with TLS, as somebody; it remembers what the broker sends it."""

    def __init__(self, cloud: Cloud, name: str, password: str, client_id: str = "", will: str = "") -> None:
        self.name, self.refused = name, False
        self.received: list[str] = []
        self.meter = Meter(seed=sum(name.encode()))
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        self.client.username_pw_set(name, password)
        context = ssl.create_default_context(cafile=str(cloud.state / "mosquitto" / "server.crt"))
        self.client.tls_set_context(context)
        self.client.on_connect = lambda *found: setattr(self, "refused", found[3].is_failure)
        self.client.on_message = lambda *found: self.received.append(found[2].topic)
        if will:
            self.client.will_set(will, self.meter.telegram(YESTERDAY - 1), qos=1)
        self.client.connect("127.0.0.1", cloud.mqtt)
        self.client.loop_start()

    def publish(self, telegram: bytes, topic: str = "", sent_at: int = 0) -> None:
        properties = None
        if sent_at:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = [("time", str(sent_at))]
        self.client.publish(topic or f"p1/{self.name}/raw", telegram, qos=1, properties=properties)

    def settle(self) -> None:
        wait_until(lambda: not self.client._out_messages, "the broker to take all")  # noqa: SLF001


@contextmanager
def connected(cloud: Cloud, household: Household, **options: str) -> Iterator[Device]:
    """Give a device that the broker has let in."""
    with speaking(cloud, household.name, household.password, **options) as device:
        wait_until(device.client.is_connected, "the device's connection")
        yield device


@contextmanager
def speaking(cloud: Cloud, name: str, password: str, **options: str) -> Iterator[Device]:
    device = Device(cloud, name, password, **options)
    try:
        yield device
    finally:
        device.client.disconnect()
        device.client.loop_stop()


def is_refused(cloud: Cloud, name: str, password: str) -> bool:
    with speaking(cloud, name, password) as device:
        wait_until(lambda: device.refused or device.client.is_connected(), "an answer of the broker")
        return device.refused


def times(cloud: Cloud, household: Household, measurement: str = "p1") -> list[int]:
    """Give when a household's records were, in s, as its own token finds them."""
    rows = cloud.rows(household.token, household.name, f"SELECT * FROM {measurement}")  # noqa: S608
    return [row["time"] // 10**9 for row in rows]


def until_stored(cloud: Cloud, household: Household, *expected: int) -> None:
    wait_until(lambda: {*expected} <= {*times(cloud, household)}, f"the records of {household.name}", 30)


def test_each_household_sees_its_own_readings_only(cloud: Cloud) -> None:
    smith, jones = cloud.household("smith"), cloud.household("jones")
    for household in (smith, jones):
        with connected(cloud, household) as device:
            device.publish(device.meter.telegram(YESTERDAY))
            device.settle()
    for household in (smith, jones):
        until_stored(cloud, household, YESTERDAY)
    (mine,) = cloud.rows(smith.token, "smith")
    (theirs,) = cloud.rows(jones.token, "jones")
    assert mine["meter"] != theirs["meter"]
    assert "topic" not in mine
    wait_until(lambda: times(cloud, smith, "history.p1_history") == [YESTERDAY], "the history")
    assert "database not found" in cloud.ask(smith.token, "/query", db="jones", q="SELECT * FROM p1")[1]
    # Nor may it know that there are others, or write, or ask what tokens there are.
    assert [row["name"] for row in cloud.rows(smith.token, "smith", "SHOW DATABASES")] == ["smith"]
    listed = json.loads(cloud.ask(smith.token, "/api/v2/buckets")[1])["buckets"]
    assert {bucket["name"] for bucket in listed} == {"smith", "smith/history"}
    for bucket in ("smith", "jones", "p1_operator"):
        assert cloud.ask(smith.token, "/api/v2/write", b"p1 a=1", org="p1", bucket=bucket)[0] in (403, 404)
    assert json.loads(cloud.ask(smith.token, "/api/v2/authorizations")[1])["authorizations"] == []
    assert times(cloud, jones) == [YESTERDAY]


def test_flux_gives_another_households_readings_no_more_than_influxql(cloud: Cloud) -> None:
    smith, jones = cloud.household("flux-1"), cloud.household("flux-2")
    for bucket, token, status in (
        ("flux-1", smith.token, 200),
        ("flux-2", jones.token, 200),
        ("flux-2", smith.token, 404),
    ):
        flux = f'from(bucket: "{bucket}") |> range(start: 0)'
        assert cloud.ask(token, "/api/v2/query", flux.encode(), org="p1")[0] == status


def test_the_plugins_own_statistics_are_of_no_household(cloud: Cloud) -> None:
    telegraf = cloud.environment()["INFLUX_TOKEN"]
    assert cloud.rows(telegraf, "p1_operator", "SELECT * FROM p1_stats") == []  # it may write, and not read
    operator = cloud.settings()["P1_CLOUD_TOKEN"]
    wait_until(lambda: cloud.rows(operator, "p1_operator", "SELECT * FROM p1_stats"), "statistics", 70)


def test_a_household_writes_on_no_other_topic(cloud: Cloud) -> None:
    smith, jones = cloud.household("writes-1"), cloud.household("writes-2")
    with connected(cloud, smith, will="p1/writes-2/raw") as device:
        for topic in ("p1/writes-2/raw", "p1/p1_reader/raw"):
            device.publish(device.meter.telegram(YESTERDAY), topic)
        device.publish(device.meter.telegram(YESTERDAY + 1))
        until_stored(cloud, smith, YESTERDAY + 1)
        device.client._sock.close()  # type: ignore[union-attr] # noqa: SLF001  so that its will is done
    with connected(cloud, jones) as device:
        device.publish(device.meter.telegram(YESTERDAY + 2))
        until_stored(cloud, jones, YESTERDAY + 2)
    assert times(cloud, jones) == [YESTERDAY + 2]
    assert times(cloud, smith) == [YESTERDAY + 1]


def test_a_device_says_which_topic_it_may_not_write_to(cloud: Cloud, tmp_path: Path) -> None:
    household, log = cloud.household("writes-3"), tmp_path / "log"
    target = household.target.replace("/p1/writes-3/", "/p1/writes-4/")
    assert target != household.target
    command = [*PLUGIN, "forward", "sim:?interval=0.2s", target, "--queue", str(tmp_path / "queue")]
    environment = {**os.environ, "P1_MQTT_PASSWORD": household.password}
    with log.open("wb") as file, program(command, stdin=subprocess.DEVNULL, stderr=file, env=environment):
        wait_until(lambda: "'p1/writes-4/raw'" in log.read_text(), "the topic")
    assert "connection restored" not in log.read_text()


def test_a_household_reads_no_topic(cloud: Cloud) -> None:
    smith, jones = cloud.household("reads-1"), cloud.household("reads-2")
    with connected(cloud, smith) as listener, connected(cloud, jones) as speaker:
        for topic in ("#", "p1/reads-2/raw", "p1/+/raw", "$share/readers/p1/+/raw", "$share//p1/+/raw", "$SYS/#"):
            listener.client.subscribe(topic, qos=1)
        for n in range(20):
            speaker.publish(speaker.meter.telegram(YESTERDAY + n))
            listener.publish(listener.meter.telegram(YESTERDAY + n))
        until_stored(cloud, jones, *range(YESTERDAY, YESTERDAY + 20))
        until_stored(cloud, smith, *range(YESTERDAY, YESTERDAY + 20))
        assert listener.received == []


def test_nobody_takes_the_connection_of_another_by_its_client_id(cloud: Cloud) -> None:
    smith, jones = cloud.household("takes-1"), cloud.household("takes-2")
    before = cloud.log("mosquitto").count("as p1_reader")
    with (
        connected(cloud, jones) as victim,
        connected(cloud, smith, client_id="p1_reader"),
        connected(cloud, smith, client_id="takes-2"),
    ):
        victim.publish(victim.meter.telegram(YESTERDAY))
        until_stored(cloud, jones, YESTERDAY)
        assert victim.client.is_connected()
    assert cloud.log("mosquitto").count("as p1_reader") == before == 1


def test_who_has_no_right_to_come_in_does_not(cloud: Cloud) -> None:
    smith = cloud.household("refused")
    assert not is_refused(cloud, "refused", smith.password)
    for name, password in (("refused", "guessed"), ("p1_reader", smith.password), ("nobody", smith.password), ("", "")):
        assert is_refused(cloud, name, password)
    plain = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    plain.username_pw_set("refused", smith.password)
    plain.connect("127.0.0.1", cloud.mqtt)
    wait_until(lambda: plain.loop(0.1) != mqtt.MQTT_ERR_SUCCESS, "the broker to hang up")
    assert not plain.is_connected()


def test_a_removed_household_is_cut_off_at_once(cloud: Cloud) -> None:
    smith = cloud.household("removed")
    with connected(cloud, smith) as device:
        device.publish(device.meter.telegram(YESTERDAY))
        until_stored(cloud, smith, YESTERDAY)
        assert "data is dropped" in cloud.enrol("remove", "removed", "--drop-data")
        wait_until(lambda: device.refused, "the connection to be cut, and a new one to be refused")
    assert is_refused(cloud, "removed", smith.password)
    assert cloud.ask(smith.token, "/query", db="removed", q="SELECT * FROM p1")[0] == 401
    assert cloud.run("remove", "removed", "--drop-data").returncode == 2
    again = cloud.household("removed")
    assert (times(cloud, again), again.password != smith.password) == ([], True)


def test_what_a_removed_household_left_behind_holds_up_nobody(cloud: Cloud) -> None:
    gone, stays = cloud.household("gone"), cloud.household("stays")
    cloud.stop_telegraf()
    for n in range(3):
        for household in (gone, stays):
            with connected(cloud, household) as device:
                device.publish(device.meter.telegram(YESTERDAY + n))
                device.settle()
    cloud.enrol("remove", "gone", "--drop-data")
    cloud.start_telegraf()
    until_stored(cloud, stays, *range(YESTERDAY, YESTERDAY + 3))
    wait_until(lambda: 'bucket "gone" not found' in cloud.log("telegraf"), "a word about what was dropped")
    with connected(cloud, stays) as device:
        device.publish(device.meter.telegram(YESTERDAY + 3))
        until_stored(cloud, stays, YESTERDAY + 3)
    said = cloud.log("telegraf").count('bucket "gone" not found')
    time.sleep(2.5)  # two flushes: it is dropped, and not tried again
    assert cloud.log("telegraf").count('bucket "gone" not found') == said


def test_kept_data_waits_for_the_same_household(cloud: Cloud) -> None:
    before = cloud.household("kept")
    with connected(cloud, before) as device:
        device.publish(device.meter.telegram(YESTERDAY))
        until_stored(cloud, before, YESTERDAY)
    assert cloud.run("remove", "kept").returncode == 2  # it has to be told
    assert "data is kept" in cloud.enrol("remove", "kept", "--keep-data")
    refused = cloud.run("kept")
    assert (refused.returncode, "--comes-back" in refused.stderr) == (2, True)
    after = cloud.household("kept", "--comes-back")
    assert times(cloud, after) == [YESTERDAY]
    cloud.enrol("remove", "kept", "--keep-data")
    cloud.enrol("remove", "kept", "--drop-data")
    assert times(cloud, cloud.household("kept")) == []


@contextmanager
def away_from(request: int) -> Iterator[list[str]]:
    """Let InfluxDB be away from a request of ours on; give what it was asked."""
    ask, asked = InfluxDB._ask, list[str]()  # noqa: SLF001

    def cut(self: InfluxDB, method: str, path: str, body: dict[str, Any] | None = None) -> object:
        asked.append(f"{method} {path}")
        if len(asked) >= request:
            raise OSError("InfluxDB is away")
        return ask(self, method, path, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InfluxDB, "_ask", cut)
        yield asked


def wherever_it_ends(before: Callable[[], object], what: Callable[[], object], after: Callable[[], object]) -> None:
    """Do something again and again, with InfluxDB away from one request later each time, until it is done whole."""
    for request in itertools.count(1):
        before()
        with away_from(request) as asked, suppress(OSError):
            what()
        if len(asked) < request:
            return
        after()


@pytest.fixture
def known(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("P1_CLOUD", str(cloud.state))
    return load()


def buckets(known: Settings, name: str) -> list[str]:
    """Give what is said of a household's buckets, of those that are there."""
    influxdb = InfluxDB(known.influxdb, known.organization, known.token)
    found = [influxdb.bucket(bucket) for bucket in (name, f"{name}/history")]
    return [bucket.get("description", "") for bucket in found if bucket]


@pytest.mark.parametrize("data", ["kept", "dropped", "dropped-later"])
def test_a_removal_that_ends_in_the_middle_leaves_the_readings_to_nobody_else(known: Settings, data: str) -> None:
    name, keep_data, was_removed = f"ends-{data}", data == "kept", data == "dropped-later"
    seen = []

    def begin() -> None:
        add(known, name, comes_back=True)
        if was_removed:
            remove(known, name, keep_data=True)

    def look() -> None:
        if is_enrolled := name in enrolled(known):
            assert add(known, name, comes_back=False) is None
            assert buckets(known, name) == ["", ""]
        else:
            with pytest.raises(Refused, match="--comes-back"):
                add(known, name, comes_back=False)
            remove(known, name, keep_data=keep_data)
            assert len(buckets(known, name)) == (2 if keep_data else 0)
        seen.append(is_enrolled)

    wherever_it_ends(begin, lambda: remove(known, name, keep_data=keep_data), look)
    assert {*seen} == ({False} if was_removed else {True, False})


def test_a_return_that_ends_in_the_middle_leaves_the_readings_to_nobody_else(known: Settings) -> None:
    name = "returns"
    seen = []

    def leave() -> None:
        add(known, name, comes_back=True)
        remove(known, name, keep_data=True)

    def look() -> None:
        assert name not in enrolled(known)
        with pytest.raises(Refused, match="--comes-back"):
            add(known, name, comes_back=False)
        seen.append(name)

    wherever_it_ends(leave, lambda: add(known, name, comes_back=True), look)
    assert (len(seen) > 5, buckets(known, name)) == (True, ["", ""])


@pytest.mark.parametrize("data", ["--keep-data", "--drop-data"])
def test_a_removal_that_grafana_could_not_be_told_of_is_done_by_the_next(known: Settings, data: str) -> None:
    name, told, keep_data = f"untold{data[1:]}", known.folder / "told", data == "--keep-data"
    add(known, name, comes_back=False)
    with pytest.raises(OSError, match="`false` failed"):
        remove(known._replace(grafana="false"), name, keep_data=keep_data)
    remove(known._replace(grafana=f"touch {told}"), name, keep_data=keep_data)
    assert told.exists()
    told.unlink()
    assert not grafana.has(known.data_sources, name)


def telegrams(form: str) -> dict[int, bytes]:
    """Give yesterday's telegrams of a meter, two in each quarter of an hour."""
    meter = Meter(form)
    return {second: meter.telegram(second) for second in range(YESTERDAY, YESTERDAY + 86_400, QUARTER // 2)}


def forwarded(cloud: Cloud, household: Household, form: str) -> None:
    """Let telegrams with a time of their own wait in the device while the broker is away, and there for Telegraf."""
    recording = cloud.folder / f"{household.name}.telegrams"
    recording.write_bytes(b"".join(telegrams(form).values()))
    queue = cloud.folder / f"{household.name}.queue"
    arguments = ["forward", f"file:{recording}", household.target, "--queue", str(queue)]
    environment = {**os.environ, "P1_MQTT_PASSWORD": household.password}
    cloud.stop_telegraf()
    cloud.stop_broker()
    with program([*PLUGIN, *arguments], env=environment, stdin=subprocess.DEVNULL) as process:
        wait_until(queue.exists, "telegrams that wait")
        cloud.start_broker()
        assert process.wait(30) == 0
    cloud.start_telegraf()


def sent_with_their_time(cloud: Cloud, household: Household, form: str) -> None:
    """Send telegrams without a time of their own, as a device that was away does."""
    with connected(cloud, household) as device:
        for second, telegram in telegrams(form).items():
            device.publish(telegram, sent_at=second)
        device.settle()


@pytest.mark.parametrize(
    ("name", "form", "send"), [("clock", "nl-5.0", forwarded), ("no-clock", "nl-2.2", sent_with_their_time)]
)
def test_a_day_that_comes_late_is_dated_right_and_coming_again_changes_nothing(
    cloud: Cloud, name: str, form: str, send: Callable[[Cloud, Household, str], None]
) -> None:
    household = cloud.household(name)
    expected = [*telegrams(form)]
    send(cloud, household, form)
    until_stored(cloud, household, *expected)
    wait_until(lambda: len(times(cloud, household, "history.p1_history")) >= 96, "the history")
    tables = ("p1", "history.p1_history")
    end = YESTERDAY + 86_400

    def day() -> list[list[dict[str, Any]]]:
        return [cloud.rows(household.token, name, f"SELECT * FROM {table} WHERE time < {end}s") for table in tables]  # noqa: S608

    before = day()
    assert [[row["time"] // 10**9 for row in rows] for rows in before] == [expected, expected[::2]]
    sent_with_their_time(cloud, household, form)  # replayed, by whoever has heard it
    with connected(cloud, household) as device:  # what comes behind it says that it was dealt with
        device.publish(Meter(form).telegram(end), sent_at=end)
    until_stored(cloud, household, end)
    assert day() == before


def test_enrolling_twice_changes_nothing_and_renewing_changes_all_secrets(cloud: Cloud) -> None:
    before = cloud.household("twice")
    users = (cloud.state / "mosquitto" / "passwords").read_text()
    assert "is enrolled" in (said := cloud.enrol("twice"))
    assert before.password not in said
    assert (cloud.state / "mosquitto" / "passwords").read_text() == users
    assert not is_refused(cloud, "twice", before.password)
    after = cloud.household("twice", "renew")
    wait_until(lambda: is_refused(cloud, "twice", before.password), "the old password to be worthless")
    assert not is_refused(cloud, "twice", after.password)
    assert cloud.ask(before.token, "/query", db="twice", q="SHOW DATABASES")[0] == 401
    assert cloud.ask(after.token, "/query", db="twice", q="SHOW DATABASES")[0] == 200
    assert "twice" in cloud.enrol("list").split()


def test_setting_up_twice_changes_nothing(cloud: Cloud) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in cloud.state.rglob("*") if path.is_file()}

    before = files()
    cloud.enrol("setup", f"127.0.0.1:{cloud.mqtt}", "--with", "systemd")
    assert files() == before


def test_an_update_in_the_order_of_the_page_loses_no_telegram(cloud: Cloud) -> None:
    household = cloud.household("updated")
    acl = cloud.state / "mosquitto" / "acl"
    new = acl.read_text()
    command = [*PLUGIN, "forward", "sim:", household.target, "--queue", str(cloud.folder / "updated.queue")]
    environment = {**os.environ, "P1_MQTT_PASSWORD": household.password}
    with program(command, env=environment, stdin=subprocess.DEVNULL):
        wait_until(lambda: len(times(cloud, household)) > 2, "records before the update")
        acl.write_text(f"# of the version before\n{new}")
        cloud.enrol("setup", f"127.0.0.1:{cloud.mqtt}")
        assert acl.read_text() == new
        cloud.stop_broker()
        cloud.start_broker()
        cloud.stop_telegraf()
        cloud.start_telegraf()
        updated = int(time.time())
        wait_until(lambda: times(cloud, household)[-1] > updated, "a record of the time after it", 30)
    found = times(cloud, household)
    assert found == [*range(found[0], found[-1] + 1)]


def test_a_failure_leaves_nothing_that_works_by_half(cloud: Cloud) -> None:
    settings = cloud.state / "settings"
    right = settings.read_text()
    for old, new, words in (
        (f"sh -c 'kill -HUP $(cat {cloud.folder}/mosquitto.pid)'", "false", "`false` failed"),
        ("P1_CLOUD_GRAFANA=", "P1_CLOUD_GRAFANA=false", "`false` failed"),
        (cloud.url, "http://127.0.0.1:1", "InfluxDB does not answer"),
        (cloud.settings()["P1_CLOUD_TOKEN"], "another", "rejects the token"),
    ):
        settings.write_text(right.replace(old, new))
        assert settings.read_text() != right
        done = cloud.run("half")
        assert (done.returncode in (1, 2), words in done.stderr, "P1_MQTT_PASSWORD" in done.stdout) == (
            True,
            True,
            False,
        )
        assert "half" not in cloud.enrol("list").split()
        settings.write_text(right)
    household = cloud.household("half")  # goes on where it ended
    settings.write_text(right.replace("P1_CLOUD_RELOAD=sh", "P1_CLOUD_RELOAD=false"))
    assert cloud.run("remove", "half", "--drop-data").returncode == 1
    settings.write_text(right)
    with connected(cloud, household) as device:  # it is still one, whole
        device.publish(device.meter.telegram(YESTERDAY))
        until_stored(cloud, household, YESTERDAY)


def test_the_data_source_asks_as_its_household_may(cloud: Cloud) -> None:
    household = cloud.household("source")
    (source,) = yaml.safe_load((cloud.state / "datasources" / "source.yaml").read_text())["datasources"]
    assert source["secureJsonData"]["httpHeaderValue1"] == f"Token {household.token}"
    assert source["jsonData"]["dbName"] == "source"
    policies = cloud.rows(household.token, "source", "SHOW RETENTION POLICIES")  # as the dashboards find the history
    assert [row["name"] for row in policies] == ["autogen", "history"]
    cloud.enrol("remove", "source", "--drop-data")
    assert household.token not in (cloud.state / "datasources" / "source.yaml").read_text()


def test_a_terminal_shows_a_code_for_a_phone(cloud: Cloud) -> None:
    end, other = pty.openpty()
    done = subprocess.Popen([*ENROL, "phone"], env={**os.environ, "P1_CLOUD": str(cloud.state)}, stdout=other)
    os.close(other)
    said = b""
    try:
        while piece := os.read(end, 65_536):
            said += piece
    except OSError:  # the terminal is closed
        pass
    os.close(end)
    assert done.wait(20) == 0
    lines = said.decode().replace("\r\n", "\n")
    first = lines.index("P1_MQTT_PASSWORD=")
    needed = lines[first:].split("\n\n")[0]
    assert device.picture(needed) in lines


def processes() -> list[int]:
    """Give the ids of all that was started from here: the parts, and what they have started."""
    found, more = [], [os.getpid()]
    while more:
        more = [child for process in more for child in children(process)]
        found += more
    return found


def test_secrets_stand_in_no_log_and_on_no_command_line_and_nobody_else_reads_them(cloud: Cloud) -> None:
    household = cloud.household("quiet")
    assert is_refused(cloud, "quiet", household.password[:-1])
    settings, environment = cloud.settings(), cloud.environment()
    secrets = [household.password, household.token, settings["P1_CLOUD_TOKEN"], settings["P1_CLOUD_PASSWORD"]]
    secrets += [environment["P1_MQTT_PASSWORD"], environment["INFLUX_TOKEN"]]
    assert all(len(secret) >= 24 for secret in secrets)
    said = "".join(map(cloud.log, ("mosquitto", "telegraf", "influxdb2")))
    said += "".join(Path(f"/proc/{process}/cmdline").read_text() for process in processes())
    assert "p1_reader@" in said
    assert not [secret for secret in secrets if secret in said]
    files = [path for path in cloud.state.rglob("*") if path.is_file() and path.name != "lock"]
    assert {path.name for path in files if path.stat().st_mode & 0o077} == set()
    users = (cloud.state / "mosquitto" / "passwords").read_text()
    assert household.password not in users


def test_make_cloud_brings_three_households_up_and_takes_them_down(tmp_path: Path) -> None:
    ports = {"P1_CLOUD_MQTT": str(free_port()), "P1_CLOUD_INFLUXDB": str(free_port())}
    parts = {f"P1_{name.upper()}": component(name) for name in ("telegraf", "influxdb2")}
    said = tmp_path / "said"
    command = [sys.executable, str(ROOT / "scripts" / "cloud")]
    with (
        said.open("wb") as out,
        program(
            command, env={**os.environ, **ports, **parts}, stdout=out, stderr=out, start_new_session=True
        ) as process,
    ):
        wait_until(lambda: "until Ctrl-C" in said.read_text() or process.poll() is not None, "the households", 90)
        text = said.read_text()
        found = re.findall(r"^ +(smith|jones|miller) +(\d+) +(\d+) +(\d+)$", text, re.MULTILINE)
        assert [[int(count) > 0 for count in counts] for _, *counts in found] == [
            [True, False, False],
            [False, True, False],
            [False, False, True],
        ]
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        assert process.wait(30) == 0
    assert not any(answers(int(port)) for port in ports.values())
    (folder,) = re.findall(r"are in (\S+) until", text)
    assert not Path(folder).exists()
