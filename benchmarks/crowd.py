"""Telegrams of many meters, made quickly: each meter has its own, with a new time and new readings each time.

A telegram is split once; then the values that change are inserted, and the CRC is calculated. So a core makes 200,000
telegrams a second, and benchmarks do not measure the simulator. Topic and time of a telegram give its number.
"""

import re
import time
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from typing import Final

from benchmarks.telegrams import file_of
from telegraf_p1.crc import checksum
from telegraf_p1.simulator.meter import Meter
from tests.helpers.telegrams import START

_ZONE_S: Final = 3600  # Dutch winter time, in which START is
_CHANGES: Final = re.compile(
    rb"(?<=0-0:1\.0\.0\()\d{12}(?=W)|(?<=1-0:1\.8\.1\()\d{6}\.\d{3}|(?<=1-0:1\.7\.0\()\d\d\.\d{3}|(?<=32\.7\.0\()\d{3}\.\d"
)
_TELEGRAM: Final = re.compile(rb"/[^!]*!")
_LINE: Final = re.compile(rb"topic=p1/(\d+)/raw [^\n]* (\d{10})0{9}\n")


def neighbours(form: str) -> Iterator[bytes]:
    """The first telegram of each of many meters."""
    return (Meter(form, seed).telegram(START) for seed in count(1))


def numbers(lines: bytes, meters: int, interval: int) -> "array[int]":
    """Return the numbers of a crowd's telegrams, from their lines."""
    return array(
        "q",
        ((int(when) - START) // interval * meters + int(meter) for meter, when in _LINE.findall(lines)),
    )


class Crowd:
    """Many meters, each of which sends once in `interval` seconds."""

    def __init__(self, meters: int, interval: int) -> None:
        self.meters, self.interval = meters, interval
        first = file_of(neighbours, "nl-5.0", meters).read_bytes()
        self._parts = [_CHANGES.split(telegram) for telegram in _TELEGRAM.findall(first)]
        self._counts = [seed * 7919 % 8_000_000 for seed in range(1, meters + 1)]

    def telegram(self, number: int) -> bytes:
        """Make the telegram with a number: they are counted meter by meter, then the next telegram of each meter."""
        turn, meter = divmod(number, self.meters)
        watt = (self._counts[meter] + 37 * turn) % 9000
        when = turn * self.interval + meter * self.interval // self.meters
        energy = self._counts[meter] + turn * self.interval
        head, after_time, after_energy, after_power, tail = self._parts[meter]
        body = b"%b%b%b%06d.%03d%b%02d.%03d%b%03d.%d%b" % (
            *(head, _clock(START + when), after_time, energy // 1000, energy % 1000),
            *(after_energy, watt // 1000, watt % 1000, after_power, 225 + watt % 11, turn % 10, tail),
        )
        return b"%b%04X\r\n" % (body, checksum(body))


@lru_cache(maxsize=64)
def _clock(now: int) -> bytes:
    return time.strftime("%y%m%d%H%M%S", time.gmtime(now + _ZONE_S)).encode()
