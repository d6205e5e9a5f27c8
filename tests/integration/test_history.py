"""`--history`, of the plugin as a process: in which order lines leave, and with which other options."""

import json
import subprocess
from pathlib import Path

import pytest

from telegraf_p1.simulator.meter import Meter
from tests.helpers.cable import Cable, open_files
from tests.helpers.mosquitto import Device, Mosquitto, subscribed
from tests.helpers.programs import PLUGIN, plugin, read_line, wait_until
from tests.helpers.telegrams import START

QUARTER = 900
MIDDAY = START // QUARTER * QUARTER  # a quarter begins
COUNTERS = ("energy_", "gas_m3", "water_m3")


def history_of(line: str) -> str:
    """Give what the history has to say of a record of the simulated Dutch meter."""
    head, _, rest = line.removeprefix("p1").partition(" ")
    fields = [one for one in rest.rpartition(" ")[0].split(",") if one.startswith(COUNTERS)]
    assert len(fields) > 3
    return f"p1_history{head} {','.join(fields)} {rest.rpartition(' ')[2]}"


def until_open(cable: Cable, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: cable.device in open_files(process.pid), "the port")


@pytest.mark.parametrize("options", [(), ("--crc", "require"), ("--every", "10s")])
def test_the_first_record_of_a_quarter_leaves_before_its_history(
    options: tuple[str, ...], tmp_path: Path, cable: Cable
) -> None:
    with plugin("run", str(cable.link), "--history", "15m", *options, log=tmp_path / "log") as process:
        until_open(cable, process)
        for second, is_first in ((870, True), (890, False), (900, True), (910, False), (1800, True), (1700, True)):
            cable.now = MIDDAY + second - 1
            line = cable.send()
            assert read_line(process) == line
            if is_first:
                assert read_line(process) == history_of(line)


def test_a_start_within_a_quarter_writes_its_first_record_too(tmp_path: Path, cable: Cable) -> None:
    for second in (1, 2):
        with plugin("run", str(cable.link), "--history", "15m", log=tmp_path / "log") as process:
            until_open(cable, process)
            cable.now = MIDDAY + second
            line = cable.send()
            assert [read_line(process), read_line(process)] == [line, history_of(line)]


def test_what_telegraf_asks_for_has_its_history(tmp_path: Path, cable: Cable) -> None:
    options = ("--history", "15m", "--emit", "signal", "--stats", "1s")
    with plugin("run", str(cable.link), *options, log=tmp_path / "log") as process:
        until_open(cable, process)
        assert process.stdin
        cable.now = MIDDAY
        line = [cable.send() for _ in range(2)][-1]
        while "accepted=2i," not in read_line(process):
            pass
        process.stdin.write(b"\n")
        found = [one for one in (read_line(process) for _ in range(4)) if not one.startswith("p1_stats,")]
        assert found[:2] == [line, history_of(line)]


def test_each_topic_has_a_history_of_its_own(tmp_path: Path, broker: Mosquitto) -> None:
    devices = [Device(broker, f"p1/{name}") for name in "ab"]
    try:
        with plugin("run", broker.url("p1/+"), "--history", "15m", log=tmp_path / "log") as process:
            subscribed(broker)
            for second in (1, 2):
                for device in devices:
                    device.send(Meter().telegram(MIDDAY + second))
                    line = read_line(process)
                    assert f",topic={device.topic} " in line
                    if second == 1:
                        assert read_line(process) == history_of(line)
    finally:
        for device in devices:
            device.stop()


def test_a_recording_has_a_history_as_lines_and_as_json(tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    recording.write_bytes(b"".join(Meter().telegram(MIDDAY + second) for second in range(0, 3600, 10)))
    fast, as_json = (
        subprocess.run(
            [*PLUGIN, "decode", "--history", "15m", *options, str(recording)],
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout.decode()
        for options in ((), ("--json",))
    )
    lines = fast.splitlines()
    records = [line for line in lines if line.startswith("p1,")]
    histories = [line for line in lines if line.startswith("p1_history,")]
    assert (len(records), len(histories)) == (360, 4)
    assert histories == [history_of(line) for line in records[::90]]
    objects = [json.loads(line, parse_float=str) for line in as_json.splitlines()]
    found = [one for one in objects if one["measurement"] == "p1_history"]
    assert [one["time_ns"] for one in found] == [(MIDDAY + second) * 10**9 for second in range(0, 3600, QUARTER)]
    for one, line in zip(found, histories, strict=True):
        assert f"gas_m3={one['fields']['gas_m3']}" in line.split(" ")[1].split(",")
