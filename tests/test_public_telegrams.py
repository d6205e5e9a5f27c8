"""Telegrams of real meters and of other projects' tests, where they are there."""

import csv
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.record import Record
from telegraf_p1.sources.events import Data
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import RECEIVED_NS, SHARED, needs_shared, records

pytestmark = needs_shared


def listed(name: str) -> list[dict[str, str]]:
    if not SHARED.is_dir():
        return []
    with (SHARED / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(path: Path) -> tuple[list[Record], list[str]]:
    log: list[str] = []
    interpreter = Interpreter(Settings("auto", Zone(), host_time=False), Log(log.append), path.name)
    return interpreter.records(Data(path.read_bytes(), ends_message=True), RECEIVED_NS), log


@pytest.mark.parametrize("row", listed("good"), ids=lambda row: row["name"])
def test_a_good_telegram_has_the_fate_its_crc_gives_it(row: dict[str, str]) -> None:
    found, log = read(SHARED / "good" / f"{row['name']}.telegram")
    has_crc, fits = row["has_crc"] == "yes", row["crc_valid"] == "yes"
    if has_crc:
        assert len(found) == (1 if fits else 0)
        assert fits or "CRC" in "".join(log)
    elif (
        row["has_crc"] == "no"
        and not row["version_field"].startswith("1-3")
        and row["country"] != "mixed (NL+IL+LT+BE)"
    ):
        assert len(found) == 1


# Where peers disagree the rules of CONTRIBUTING.md decide: nothing is believed whose CRC does not
# fit; without a CRC every line has to be an object; with one, a bad line or value costs itself.
MISFIT = "the CRC does not match"
NO_CRC = "the CRC is missing, though this meter sends one"
NOT_WHOLE = "has no CRC and is incomplete"
NOT_A_CRC = "is not a CRC"
NO_TELEGRAM = "received text, but no telegram"
FAULTS = ("rejected", "no telegram", "not a COSEM object", "is not a number", "unit '")
FATES: dict[str, tuple[int, str]] = {  # number of records, and what is said
    "dsmr_parser-v42-line-removed": (0, MISFIT),
    "dsmr_parser-v42-crc-line-removed": (0, "cut off after 886 bytes"),
    "dsmr_parser-fluvius-line-removed": (0, MISFIT),
    "esphome-obis-over-255": (0, NOT_WHOLE),
    "esphome-version-too-short": (0, NO_CRC),
    "esphome-version-too-long": (0, NO_CRC),
    "esphome-missing-close-paren": (0, NOT_WHOLE),
    "esphome-no-crlf-before-bang": (1, ""),  # Aidon sends this
    "esphome-missing-unit": (1, ""),  # Luxembourg sends this
    "esphome-unit-on-counter": (1, "unexpected unit 's'"),
    "esphome-letter-in-decimals": (1, "'00.A23*kW' is not a number"),
    "esphome-garbage-line": (0, NOT_WHOLE),
    "esphome-no-paren": (0, NOT_WHOLE),
    "esphome-unit-too-short": (1, "unit 'kW' cannot be converted to 'kWh'"),
    "esphome-nested-paren": (1, "'0(0.123*kW)' is not a number"),
    "esphome-slash-a-bang": (0, NO_TELEGRAM),
    "esphome-crc-mismatch": (0, NO_TELEGRAM),
    "esphome-stream-garbage-crc": (0, NO_TELEGRAM),
    "esphome-half-crc": (0, NO_TELEGRAM),
    "esphome-stream-two-no-crlf-after-crc": (2, ""),
    "dsmrreader-crc-abcd": (0, MISFIT),
    "dsmrreader-starts-halfway": (1, ""),
    "wassasin-overflow": (0, "bytes are missing at 'This message overflows"),
    "nb-letter-in-obis": (0, "bytes are missing at 'A-0:96.1.1"),
    "nb-crc-0000": (0, "use --crc off"),
    "robthree-ident-only": (0, NO_TELEGRAM),
    "mv-crc-word": (0, NOT_A_CRC),
    "mv-mixed-eol": (1, "rewrites line endings"),
    "mv-extra-blank-lines": (0, MISFIT),
    "mv-cut-mid-line": (0, "cut off after 20 bytes"),
    "mv-no-bang": (0, "cut off after 24 bytes"),
    "mv-no-final-crlf": (0, MISFIT),
    "mv-empty-crc-with-version": (0, NO_CRC),
    "mv-crc-3-digits": (0, MISFIT),
    "mv-crc-not-hex": (0, NOT_A_CRC),
    "mv-failure-log-count-5-of-3": (0, MISFIT),
    "mv-month-13": (0, NOT_A_CRC),
    "mv-day-32": (0, NOT_A_CRC),
    "mv-feb-30": (0, NOT_A_CRC),
    "mv-timestamp-no-dst": (0, NOT_A_CRC),
    "mv-two-decimal-points": (0, MISFIT),
    "mv-empty-value-with-unit": (0, MISFIT),
    "mv-obis-5-parts": (0, "bytes are missing at '1-0:1.8(123.45*kWh)'"),
    "mv-empty-brackets-on-register": (0, MISFIT),
    "smeterd-crc-invalid": (0, MISFIT),
    "smeterd-no-ident": (0, NO_TELEGRAM),
    "athom-hello-world": (0, NO_TELEGRAM),
    "athom-crc-lower-case": (1, "'Hello, world!' in a telegram is not a COSEM object"),
}


@pytest.mark.parametrize("row", listed("broken"), ids=lambda row: row["name"])
def test_a_broken_telegram_has_its_stated_fate(row: dict[str, str]) -> None:
    count, said = FATES[row["name"]]
    found, log = read(SHARED / "broken" / f"{row['name']}.telegram")
    assert len(found) == count
    assert said in "".join(log)
    if not said:
        assert not [line for line in log if any(words in line for words in FAULTS)]
    for record in found:
        assert lineproto.line(record).count("\n") == 0


def test_every_broken_telegram_has_a_fate() -> None:
    assert {row["name"] for row in listed("broken")} == FATES.keys()


@pytest.mark.parametrize(
    ("name", "accepted", "rejected"), [("nielsbasjes-iskra-567", 566, 0), ("hansij66-sagemcom", 51, 3)]
)
def test_a_recording_gives_a_record_for_each_fitting_crc(name: str, accepted: int, rejected: int) -> None:
    data = (SHARED / "streams" / f"{name}.raw").read_bytes()
    interpreter = Interpreter(Settings("auto", Zone(), host_time=False), Log(lambda _: None), name)
    found = [record for i in range(0, len(data), 61) for record in interpreter.records(Data(data[i : i + 61]), 1)]
    assert (len(found), interpreter.accepted, interpreter.rejected) == (accepted, accepted, rejected)
    # One telegram a second, and no field lost on the way.
    assert len({record.time_ns for record in found}) == accepted
    assert len({tuple(record.fields) for record in found}) == 1


def test_both_readings_of_a_two_line_gas_value_are_read() -> None:
    (record,) = records((SHARED / "good" / "nl-v22-kmp5-no-blank-line.telegram").read_bytes())
    assert str(record.fields["gas_m3"]) == "124.477"
