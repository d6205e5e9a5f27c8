"""Every number of a telegram is in its record: read here by other means than the decoder's."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.obis.table import ROWS
from telegraf_p1.record import Record
from telegraf_p1.sources.events import Data
from telegraf_p1.telegram import CrcMode
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import RECEIVED_NS, SHARED, needs_shared

pytestmark = needs_shared

_NUMBER = re.compile(
    r"^(\d+-\d+:\d+[.:]\d+[.:]\d+)(?:[*.]255)? *\(([-+]?\d+(?:\.\d+)?)\*?([A-Za-z]\w*)? *\)\s*$", re.MULTILINE
)
_METER = re.compile(
    r"^0-(\d):24\.2\.[13]\((\d\d)(\d\d)(\d\d)\d{6}[SW]?\)\(([\d.]+)(?:\*(\w+))?\)\s*$", re.MULTILINE | re.IGNORECASE
)
_TYPE = re.compile(r"^0-(\d):24\.1\.0\((\d+)\)\s*$", re.MULTILINE)
_MEDIA = {"2": "sub", "3": "gas", "4": "heat", "7": "water", "10": "cooling", "12": "heat"}


# Reference → field of the numbers that stand alone in brackets.
FIELDS = {
    row.reference: row.fields[0].name
    for row in ROWS
    if len(row.fields) == 1 and row.fields[0].type in ("float", "integer") and "{" not in row.fields[0].name
}


def read(path: Path, crc: CrcMode) -> Record | None:
    interpreter = Interpreter(Settings(crc, Zone(), host_time=False), Log(lambda _: None), path.name)
    return next(iter(interpreter.records(Data(path.read_bytes(), ends_message=True), RECEIVED_NS)), None)


def scaled(number: str, unit: str, field: str) -> Decimal:
    """Move the point from the unit sent to the one in the field's name."""
    wanted, sent = field.rpartition("_")[2], unit.lower()
    if sent and f"k{sent}" == wanted:
        return Decimal(number) / 1000
    if sent == f"k{wanted}":
        return Decimal(number) * 1000
    assert not sent or sent == wanted or field.endswith("_s"), (field, unit)
    return Decimal(number)


def expected(text: str) -> dict[str, Decimal]:
    """Give field → value of what stands in a telegram."""
    found: dict[str, Decimal] = {}
    objects = {reference.replace(":", "."): (number, unit) for reference, number, unit in _NUMBER.findall(text)}
    for dotted, (number, unit) in objects.items():
        reference = dotted.replace(".", ":", 1)
        if set(number) <= set("09.") and "9" in number and re.search(r"[137][17]\.[40]\.0$", reference):
            continue  # a limit of nines is switched off
        if reference == "0-0:17.0.0" and unit:
            found[f"limiter_threshold_{unit.lower()}"] = Decimal(number)
        elif reference in FIELDS:
            found.setdefault(FIELDS[reference], scaled(number, unit, FIELDS[reference]))
    return found


@pytest.mark.parametrize("path", sorted((SHARED / "good").glob("*.telegram")), ids=lambda path: path.stem)
def test_every_number_is_in_the_record_with_its_value_and_unit(path: Path) -> None:
    # What its CRC or its missing end mark keeps out otherwise is read without that check here.
    record = read(path, "auto") or read(path, "off")
    assert record
    text = path.read_bytes().decode("latin-1")
    for field, value in expected(text).items():
        assert record.fields.get(field) == value, field


@pytest.mark.parametrize("path", sorted((SHARED / "good").glob("*.telegram")), ids=lambda path: path.stem)
def test_every_reading_of_a_live_meter_is_in_the_record(path: Path) -> None:
    record = read(path, "auto") or read(path, "off")
    assert record
    text = path.read_bytes().decode("latin-1")
    types = dict(_TYPE.findall(text))
    for channel, year, month, day, number, unit in _METER.findall(text):
        if not (8 <= int(year) <= 40 and 1 <= int(month) <= 12 and 1 <= int(day) <= 31) or not Decimal(number):
            continue
        of_unit = {"GJ": "heat"} if channel not in types else {}
        medium = _MEDIA.get(types.get(channel, "").lstrip("0"), of_unit.get(unit, f"mbus_{channel}"))
        wanted = {"MJ": "gj"}.get(unit, (unit or "m3").lower())
        names = [f"{medium}{suffix}_{wanted}" for suffix in ("", f"_{channel}")]
        value = Decimal(number) / (1000 if unit == "MJ" else 1)
        assert value in [record.fields.get(name) for name in names], names


def test_these_tests_saw_many_numbers() -> None:
    texts = [path.read_bytes().decode("latin-1") for path in (SHARED / "good").glob("*.telegram")]
    assert sum(len(expected(text)) for text in texts) > 1500
    assert sum(len(_METER.findall(text)) for text in texts) > 60
