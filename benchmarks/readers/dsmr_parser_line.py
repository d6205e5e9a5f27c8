"""PyPI's dsmr-parser: checks the CRC, parses text into a Telegram, and writes it as a line.

With `file FILE`, prints the lines of all telegrams that its FileReader finds in a file.
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
GAS = ("1_hourly_gas_meter_reading", "1_mbus_meter_reading")  # its names in the telegrams of this benchmark


def specification() -> Any:
    """Return the specification for the telegrams of the file; users of dsmr-parser have to choose it."""
    with Path(sys.argv[2]).open("rb") as file:
        begin = file.read(100)
    if begin.startswith(b"/FLU"):
        return telegram_specifications.BELGIUM_FLUVIUS
    return telegram_specifications.V4 if b"0.2.8(42)" in begin else telegram_specifications.V5


def objects(telegram: Any) -> Iterator[tuple[str, Any]]:
    """Yield each value with its name; names of M-Bus meters begin with the channel."""
    for name, value in telegram:
        if name != "MBUS_DEVICES":
            yield name.lower(), value
    for meter in getattr(telegram, "MBUS_DEVICES", ()):
        for name, value in meter:
            yield f"{meter.channel_id}_{name.lower()}", value


def line(telegram: Any) -> str:
    """Return a line with all numbers and texts."""
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
    """Return the readings in a line that are compared."""
    found = dict(re.findall(r"(\w+)=([0-9.]+)(?=[, ])", line))
    gas = next(found[name] for name in GAS if name in found)
    return {name: float(found[theirs]) for name, theirs in NAMES.items()} | {"gas_m3": float(gas)}


if sys.argv[1] == "file":
    for one in FileReader(file=sys.argv[2], telegram_specification=specification()).read_as_object():
        sys.stdout.write(line(one))
else:
    parser = TelegramParser(specification())
    run(lambda telegram: line(parser.parse(telegram.decode("ascii"))), readings)
