"""A meter with an optical port on a pty: `p0:pty:/tmp/ttyP0?mode=C&speed=9600&fault=bcc`.

Our end of the pty shows the speed that the reader has set: what is sent at another speed arrives garbled. Options:
`mode`, `speed`, `address`, `fault` (and `faults`, how often), `sleeps`, `medium`, `echo` (the reading head echoes what
the reader sends).
"""

import os
import select
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final
from urllib.parse import SplitResult, parse_qsl

from telegraf_p1.simulator.house import House
from telegraf_p1.simulator.p0_meter import Manner, P0Meter, Saying

_OPTIONS: Final = ("mode", "speed", "address", "fault", "faults", "sleeps", "medium", "echo")
_SPEEDS: Final = {getattr(termios, f"B{speed}"): speed for speed in (300, 600, 1200, 2400, 4800, 9600, 19200, 115200)}
_REACTION_S: Final = 0.2  # in which the reader must have changed its speed
_GARBLED: Final = 0x55


def serve(end: int, url: SplitResult, seed: int, readouts: int) -> None:
    """Simulate a meter at the master end of a pty, for a number of readouts (0: forever); raise ValueError."""
    options = dict(parse_qsl(url.query))
    if unknown := options.keys() - {*_OPTIONS}:
        raise ValueError(f"{url.geturl()!r}: unknown option {min(unknown)!r}; supported: {', '.join(_OPTIONS)}")
    manner = Manner(
        options.get("mode", "C"),
        int(options.get("speed", "9600")) if options.get("mode") != "A" else 300,
        options.get("address", ""),
        options.get("fault", ""),
        int(options.get("faults", "0")),
        options.get("sleeps", "no") != "no",
        options.get("medium") == "heat",
    )
    house = House(Random(seed), 10_000_000 + seed)  # noqa: S311  not used for secrets
    meter = P0Meter(house, manner)
    while not readouts or meter.readouts < readouts:
        select.select([end], [], [])
        baud = _baud(end)
        try:
            data = os.read(end, 4096)
        except OSError:  # nobody has the other end open
            time.sleep(0.05)
            continue
        if "echo" in options:
            os.write(end, data)
        for saying in meter.hear(data, baud, int(time.time())):
            time.sleep(_REACTION_S)
            _say(end, saying)


def _baud(end: int) -> int:
    return _SPEEDS.get(termios.tcgetattr(end)[4], 0)


def _say(end: int, saying: Saying) -> None:
    data = saying.data if saying.baud == _baud(end) else bytes(byte ^ _GARBLED | 0x80 for byte in saying.data)
    _all(lambda rest: os.write(end, rest), data)


def _all(write: Callable[[bytes], int], data: bytes) -> None:
    with suppress(OSError):  # the reader went away
        while data:
            data = data[write(data) :]
