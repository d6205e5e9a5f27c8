"""PyPI's dsmr-parser: CRC, a Telegram of text, and a line of that.

With `file FILE` the lines of all telegrams that its FileReader finds in a file, on stdout.
"""

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from dsmr_parser import telegram_specifications
from dsmr_parser.clients.filereader import FileReader
from dsmr_parser.objects import MBusObject
from dsmr_parser.parsers import TelegramParser

from benchmarks.readers.timed import run

NAMES = {
    "energy_import_t1_kwh": "electricity_used_tariff_1",
    "energy_import_t2_kwh": "electricity_used_tariff_2",
    "energy_export_t1_kwh": "electricity_delivered_tariff_1",
    "energy_export_t2_kwh": "electricity_delivered_tariff_2",
    "power_import_kw": "current_electricity_usage",
    "power_export_kw": "current_electricity_delivery",
}
GAS = ("1_hourly_gas_meter_reading", "1_mbus_meter_reading")  # in the telegrams of this benchmark


def specification() -> Any:
    """Give the one for the telegrams of the file, which the user of dsmr-parser has to choose."""
    with Path(sys.argv[2]).open("rb") as file:
        begin = file.read(100)
    if begin.startswith(b"/FLU"):
        return telegram_specifications.BELGIUM_FLUVIUS
    return telegram_specifications.V4 if b"0.2.8(42)" in begin else telegram_specifications.V5


def objects(telegram: Any) -> Iterator[tuple[str, Any]]:
    """Give each value with its name, those of M-Bus meters with their channel before it."""
    for name, value in telegram:
        if name != "MBUS_DEVICES":
            yield name.lower(), value
    for meter in getattr(telegram, "MBUS_DEVICES", ()):
        for name, value in meter:
            yield f"{meter.channel_id}_{name.lower()}", value


def line(telegram: Any) -> str:
    """Give a line of what are numbers and texts."""
    fields = []
    for name, one in objects(telegram):
        value = getattr(one, "value", None)
        if isinstance(value, Decimal):
            fields.append(f"{name}={value}")
        elif isinstance(value, int):
            fields.append(f"{name}={value}i")
        elif isinstance(value, str):
            fields.append(f'{name}="{value}"')
        if isinstance(one, MBusObject):
            fields.append(f"{name}_timestamp={int(one.datetime.timestamp())}i")
    return f"p1 {','.join(fields)} {int(telegram.P1_MESSAGE_TIMESTAMP.value.timestamp())}000000000\n"


def readings(line: str) -> dict[str, float]:
    """Take those that are compared from a line."""
    found = dict(re.findall(r"(\w+)=([0-9.]+)(?=[, ])", line))
    gas = next(found[name] for name in GAS if name in found)
    return {name: float(found[theirs]) for name, theirs in NAMES.items()} | {"gas_m3": float(gas)}


if sys.argv[1] == "file":
    for one in FileReader(file=sys.argv[2], telegram_specification=specification()).read_as_object():
        sys.stdout.write(line(one))
else:
    parser = TelegramParser(specification())
    run(lambda telegram: line(parser.parse(telegram.decode("ascii"))), readings)
