"""A meter with an optical port (P0, IEC 62056-21), without the port itself: takes and returns bytes.

With a `fault`, one of FAULTS, it does something wrong.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from telegraf_p1.crc import bcc
from telegraf_p1.simulator.house import House

START_BAUD: Final = 300
# The character for the speed in baud, by mode; in mode A it says nothing about the speed.
_CHARACTERS: Final = {
    "A": dict.fromkeys((300, 600, 1200, 2400, 4800, 9600, 19200), "@"),
    "B": dict(zip((600, 1200, 2400, 4800, 9600, 19200), "ABCDEF", strict=True)),
    "C": dict(zip((300, 600, 1200, 2400, 4800, 9600, 19200), "0123456", strict=True)),
}
MODES: Final = tuple(_CHARACTERS)
FAULTS: Final = {
    "silent": "it does not answer",
    "refuse": "it answers the acknowledgement with NAK",
    "speed": "it stays at 300 baud, whatever was agreed",
    "bcc": "its block check character is wrong",
    "cut": "its readout ends in the middle",
    "noise": "light falls in before each answer",
    "nothing": "it says who it is, and no more",
}
_REQUEST: Final = re.compile(rb"/\?([0-9A-Za-z]{0,32})!\r\n")
_ACKNOWLEDGEMENT: Final = re.compile(rb"\x060([0-6])0\r\n")
_NOISE: Final = bytes.fromhex("00f81c007e")
_WAKING_BYTES: Final = 40  # NUL bytes that wake a meter up
_LONGEST: Final = 256  # bytes that are remembered


class Manner(NamedTuple):
    """How a meter behaves: its mode, the speed of its readout in baud, the address that it answers to, and its fault.

    `faults` is how often the fault occurs, 0 for always. `sleeps`: it has to be woken with NUL bytes first.
    """

    mode: str = "C"
    speed: int = 9600
    address: str = ""
    fault: str = ""
    faults: int = 0
    sleeps: bool = False
    is_heat: bool = False


class Saying(NamedTuple):
    """Bytes that the meter sends, and their speed in baud."""

    data: bytes
    baud: int


class P0Meter:
    """One meter; `house` is what it measures. `readouts` counts its readouts, right or wrong."""

    def __init__(self, house: House, manner: Manner) -> None:
        if manner.mode not in MODES or manner.speed not in _CHARACTERS[manner.mode]:
            raise ValueError(f"mode {manner.mode} at {manner.speed} baud is not a valid combination")
        if manner.fault not in ("", *FAULTS):
            raise ValueError(f"fault={manner.fault!r} must be one of: {', '.join(FAULTS)}")
        self._house, self._manner = house, manner
        self._received = b""
        self._is_signed_on = False
        self.readouts = 0
        self._wrong = 0

    def hear(self, data: bytes, baud: int, now: int) -> list[Saying]:
        """Take bytes that were sent at a speed in baud, and return the answer; `now` is UTC in s since 1970."""
        if baud != START_BAUD:  # after the readout it listens at 300 baud again, and receives garbage
            return []
        self._received = (self._received + data)[-_LONGEST:]
        if match := _REQUEST.search(self._received):
            woken = self._received.count(b"\0", 0, match.start()) >= _WAKING_BYTES
            self._received = self._received[match.end() :]
            is_meant = match[1].decode("ascii").lstrip("0") in ("", self._manner.address.lstrip("0"))
            return self._signed_on(now) if is_meant and (woken or not self._manner.sleeps) else []
        if self._is_signed_on and (match := _ACKNOWLEDGEMENT.search(self._received)):
            self._received = b""
            speeds = {character: speed for speed, character in _CHARACTERS["C"].items()}
            return self._readout(speeds[match[1].decode("ascii")], now)
        return []

    def _does(self, fault: str) -> bool:
        return self._manner.fault == fault and (not self._manner.faults or self._wrong < self._manner.faults)

    def _signed_on(self, now: int) -> list[Saying]:
        if self._does("silent"):
            self._wrong += 1
            return []
        manner = self._manner
        model = "UH50" if manner.is_heat else "SIM100"
        identification = f"/TST{_CHARACTERS[manner.mode][manner.speed]}{model}\r\n".encode("ascii")
        said = [Saying(_NOISE * self._does("noise") + identification, START_BAUD)]
        self._is_signed_on = manner.mode == "C"
        if manner.mode == "C":
            return said
        return said + self._readout(START_BAUD if manner.mode == "A" else manner.speed, now)

    def _readout(self, baud: int, now: int) -> list[Saying]:
        self._is_signed_on = False
        self.readouts += 1
        self._house.live(now)
        lines = _heat(self._house) if self._manner.is_heat else _electricity(self._house, self._manner.mode)
        block = "\r\n".join(lines).encode("ascii") + b"\r\n!\r\n\x03"
        data = b"\x02%b%c" % (block, bcc(block) ^ self._does("bcc"))
        if self._does("noise"):
            data = _NOISE + data
        if self._does("cut"):
            data = data[: len(data) // 2]
        if self._does("refuse"):
            data = b"\x15"
        if self._does("nothing"):
            data = b""
        if self._does("speed"):
            baud = START_BAUD
        self._wrong += 1
        return [Saying(data, baud)]


def _electricity(house: House, mode: str) -> Iterator[str]:
    """Yield lines with short codes, as Iskra and Landis+Gyr send them."""
    imported, exported = (
        [f"{ws // 3600 // 1000:06}.{ws // 3600 % 1000:03}*kWh" for ws in (sum(both), *both)]
        for both in (house.import_ws, house.export_ws)
    )
    yield "F.F(00000000)"
    yield f"C.1.0({house.serial})"
    yield f"0.0.0({house.serial})"
    for tariff, reading in enumerate(imported):
        yield f"1.8.{tariff}({reading})"
        yield f"1.8.{tariff}*01(000000.001*kWh)"  # at the end of the last period
    yield "".join(f"2.8.{tariff}({reading})" for tariff, reading in enumerate(exported))
    if mode == "C":
        yield f"16.7.0({house.net_w() / 1000:+08.3f}*kW)"
        for code, voltage in zip((32, 52, 72), house.voltage_dv, strict=True):
            yield f"{code}.7.0({voltage // 10}.{voltage % 10}*V)"


def _heat(house: House) -> Iterator[str]:
    """Yield lines with the codes of heat meters, as a Landis+Gyr UH50 sends them."""
    kwh, litres = sum(house.import_ws) // 3_600_000, house.gas_l(house.now)
    volume = f"{litres // 1000:05}.{litres % 1000 // 10:02}*m3"
    yield f"6.8({kwh // 1000:04}.{kwh % 1000:03}*MWh)6.26({volume})9.21({house.serial})"
    yield "6.26*01(00001.00*m3)6.8*01(0000.001*MWh)"
    yield "F(0)6.31(0012345*h)"
