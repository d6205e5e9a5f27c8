"""Gas, water and heat meters behind the M-Bus channels of the electricity meter.

The channel number is the order of installation; the device type says what a meter measures. A replaced meter leaves its
channel behind, so a channel may be dead.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from telegraf_p1 import values
from telegraf_p1.values import Value

if TYPE_CHECKING:
    from decimal import Decimal

# EN 13757-3 device types, as sent in 0-n:24.1.0 (decimal).
_MEDIA: Final = {
    2: "sub",
    3: "gas",
    4: "heat",
    6: "hot_water",
    7: "water",
    10: "cooling",
    11: "cooling",
    12: "heat",
    13: "heat",
    21: "hot_water",
    22: "water",
}
# What a reading measures if the channel has no type, by its unit; m3 could be gas or water.
_MEDIUM_OF_BASE: Final = {"J": "heat", "Wh": "sub"}
_UNIT_OF_BASE: Final = {"m3": "m3", "J": "GJ", "Wh": "kWh"}
_UNIT_OF_MEDIUM: Final = {"heat": "GJ", "cooling": "GJ", "sub": "kWh"}
# Live meters are read at least once an hour. Of two of one type, one that is a day behind the other was removed.
_STALE_S: Final = 24 * 3600


class Channel:
    """What the objects of one channel contain."""

    def __init__(self, number: int, type_: int | None = None) -> None:
        self.number = number
        self.type = type_
        self.medium = ""
        self.meter_id: str | None = None  # None: not sent; empty: no meter is paired
        self.ean = ""
        self.valve: int | None = None
        self.reading: Decimal | None = None
        self.unit = ""
        self.time: int | None = None
        self.more: dict[str, Decimal] = {}  # flow, temperatures, energy: by field, `{medium}_flow_m3h`
        self.was_read = False  # a reading was sent, valid or not

    def set_id(self, text: str) -> None:
        """Set the equipment identifier; `()` and zeros mean that no meter is paired."""
        name = values.paired(text)
        if not self.meter_id or (values.is_serial(name) and not values.is_serial(self.meter_id)):
            self.meter_id = name

    def set_ean(self, text: str) -> None:
        """Set the EAN of the connection; zeros mean that there is none."""
        self.ean = values.paired(text)

    def set_reading(self, text: str, unit: str, time: int | None) -> None:
        """Set a reading and its capture time (UTC, s since 1970); raise Unreadable for an unknown unit."""
        reading, sent = values.quantity(text)
        unit = unit or sent or _UNIT_OF_MEDIUM.get(self.named_medium(), "m3")
        base = values.base_unit(unit)
        if base not in _UNIT_OF_BASE:
            message = f"unexpected unit {unit!r} for an M-Bus meter"
            raise values.Unreadable(message)
        self.unit = _UNIT_OF_BASE[base]
        self.reading = values.convert(reading, unit, self.unit)
        self.time = time
        if not self.medium and self.type is None:
            self.medium = _MEDIUM_OF_BASE.get(base, "")

    def named_medium(self) -> str:
        """Return `gas`, `water`, …, or `mbus_2` if nothing says what channel 2 measures."""
        return self.medium or _MEDIA.get(self.type or 0, f"mbus_{self.number}")

    def is_live(self) -> bool:
        """Whether a meter is there and was read."""
        return self.reading is not None and (self.meter_id != "" or self.reading != 0)


def fields(channels: Iterable[Channel], now: int | None = None) -> dict[str, Value]:
    """Return the fields of the channels: `gas_m3`, `gas_timestamp`, `gas_meter_id` and the like.

    Of several live channels of one medium, the first has the plain name and the others have their channel in it
    (`water_2_m3`). A dead one has no fields. `now` is the telegram's own time (UTC, s), if it has one.
    """
    by_medium = defaultdict(list)
    for channel in sorted(channels, key=lambda c: c.number):
        by_medium[channel.named_medium()].append(channel)
    result: dict[str, Value] = {}
    for medium, group in by_medium.items():
        chosen = _live(group, now) or [c for c in group if not c.was_read][:1]
        for place, channel in enumerate(chosen):
            result |= _named(channel, medium if place == 0 else f"{medium}_{channel.number}")
    return result


def _live(group: list[Channel], now: int | None) -> list[Channel]:
    live = [c for c in group if c.is_live()]
    if len(live) < 2:
        return live
    live = [c for c in live if c.meter_id != ""] or live
    live = [c for c in live if c.reading] or live
    newest = max((c.time or 0 for c in live), default=0)
    if now is not None:
        newest = min(newest, now)  # a wrong time in the future makes no other meter old
    return [c for c in live if c.time is None or c.time > newest - _STALE_S]


def _named(channel: Channel, name: str) -> dict[str, Value]:
    result: dict[str, Value] = {}
    if channel.reading is not None:
        result[f"{name}_{channel.unit.lower()}"] = channel.reading
    if channel.time is not None:
        result[f"{name}_timestamp"] = channel.time
    if channel.meter_id:
        result[f"{name}_meter_id"] = channel.meter_id
    if channel.ean:
        result[f"{name}_ean"] = channel.ean
    if channel.valve is not None:
        result[f"{name}_valve_state"] = channel.valve
    for field, value in channel.more.items():
        result[field.replace("{medium}", name)] = value
    return result
