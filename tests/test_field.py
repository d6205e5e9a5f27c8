"""Telegrams that people posted, and what a right reader gives for them."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from telegraf_p1.__main__ import parser
from telegraf_p1.commands import options
from telegraf_p1.interpreter import Interpreter
from telegraf_p1.log import Log
from telegraf_p1.record import Record
from telegraf_p1.sources.events import Data
from tests.helpers.telegrams import RECEIVED_NS, SHARED, needs_shared

pytestmark = needs_shared

FIELD = SHARED / "field"
# Named as another protocol there, since it is a readout of an optical port. Those are read now.
READOUT = "si-iskra-mt174-stx"


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FIELD / "field.json").read_text()) if FIELD.is_dir() else []
    return [case for case in found if case["name"] != READOUT]


def read(path: Path, *more: str) -> tuple[list[Record], str]:
    """Give the records of a recording as `decode` reads it, and its log."""
    settings = options.Understood(parser().parse_args(["decode", *more])).settings(is_fast=False)
    log: list[str] = []
    interpreter = Interpreter(settings, Log(log.append), "recording")
    found = interpreter.records(Data(path.read_bytes()), RECEIVED_NS)
    return [*found, *interpreter.finish()], "".join(log)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_a_telegram_of_the_field_is_read_right(case: dict[str, Any]) -> None:
    found, log = read(FIELD / f"{case['name']}.telegram", *case["options"])
    assert len(found) == len(case["records"])
    for record, wanted in zip(found, case["records"], strict=True):
        if wanted["time"]:
            assert record.time_ns == datetime.fromisoformat(wanted["time"]).timestamp() * 10**9
        if wanted["meter"]:
            assert record.tags.get("meter") == wanted["meter"]
        for field, value in wanted["fields"].items():
            if isinstance(record.fields.get(field), str):
                assert record.fields[field] == value, field
            else:
                assert Decimal(str(record.fields.get(field))) == Decimal(value), field
        assert not record.fields.keys() & wanted["absent"]
    assert all(words in log for words in case["log_has"]), log
    assert not any(words in log for words in case["log_not"]), log


def test_a_readout_of_an_optical_port_is_read() -> None:
    (record,), _ = read(FIELD / f"{READOUT}.telegram")
    assert record.fields["energy_export_kwh"] == Decimal("98697.318")
    assert record.time_ns == datetime.fromisoformat("2022-01-27T10:56:44+01:00").timestamp() * 10**9
