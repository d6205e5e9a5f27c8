"""Telegrams of real meters and of other projects' tests, where they are there."""

import csv
from pathlib import Path

import pytest
from support import RECEIVED_NS, SHARED, needs_shared, records

from telegraf_p1 import lineproto
from telegraf_p1.decode import Record
from telegraf_p1.log import Log
from telegraf_p1.run import Reader, Settings
from telegraf_p1.sources import Chunk
from telegraf_p1.timestamp import Zone

pytestmark = needs_shared


def listed(name: str) -> list[dict[str, str]]:
    if not SHARED.is_dir():
        return []
    with (SHARED / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(path: Path) -> tuple[list[Record], list[str]]:
    log: list[str] = []
    reader = Reader(Settings("auto", Zone(), host_time=False, measurement="p1"), Log(log.append), path.name)
    return list(reader.records(Chunk(path.read_bytes(), complete=True), RECEIVED_NS)), log


@pytest.mark.parametrize("row", listed("good"), ids=lambda row: row["name"])
def test_a_good_telegram_has_the_fate_its_crc_gives_it(row: dict[str, str]) -> None:
    found, log = read(SHARED / "good" / f"{row['name']}.telegram")
    has_crc, fits = row["has_crc"] == "yes", row["crc_valid"] == "yes"
    if has_crc:
        assert len(found) == (1 if fits else 0)
        assert fits or "CRC" in log[0]
    elif (
        row["has_crc"] == "no"
        and not row["version_field"].startswith("1-3")
        and row["country"] != "mixed (NL+IL+LT+BE)"
    ):
        assert len(found) == 1


@pytest.mark.parametrize("row", listed("broken"), ids=lambda row: row["name"])
def test_a_broken_telegram_is_believed_only_with_a_fitting_crc(row: dict[str, str]) -> None:
    found, log = read(SHARED / "broken" / f"{row['name']}.telegram")
    for record in found:
        assert lineproto.line(record).count("\n") == 0
    printed, computed = row["crc_printed"], row["crc_over_whole"]
    if row["expected_outcome"].startswith(("InvalidChecksum", "ChecksumError", "SmartMeterError")):
        assert (found, len(log)) == ([], 1)
    elif printed and computed and printed.upper() == computed:
        assert len(found) == 1


@pytest.mark.parametrize(
    ("name", "accepted", "rejected"), [("nielsbasjes-iskra-567", 566, 0), ("hansij66-sagemcom", 51, 3)]
)
def test_a_recording_gives_a_record_for_each_fitting_crc(name: str, accepted: int, rejected: int) -> None:
    data = (SHARED / "streams" / f"{name}.raw").read_bytes()
    reader = Reader(Settings("auto", Zone(), host_time=False, measurement="p1"), Log(lambda _: None), name)
    found = [record for i in range(0, len(data), 61) for record in reader.records(Chunk(data[i : i + 61]), 1)]
    assert (len(found), reader.accepted, reader.rejected) == (accepted, accepted, rejected)
    # One telegram a second, and no field lost on the way.
    assert len({record.time_ns for record in found}) == accepted
    assert len({tuple(record.fields) for record in found}) == 1


def test_both_readings_of_a_two_line_gas_value_are_read() -> None:
    (record,) = records((SHARED / "good" / "nl-v22-kmp5-no-blank-line.telegram").read_bytes())
    assert str(record.fields["gas_m3"]) == "124.477"
