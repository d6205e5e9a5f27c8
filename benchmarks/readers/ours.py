"""The loop of `run` without its I/O: from bytes to lines.

    ours.py read FILE               the readings of each telegram
    ours.py time FILE PASSES [HOW]  CPU time per telegram in µs

HOW: `messages` (a telegram at a time, the default), `chunks` (64 KiB at a time), `plain` (messages, without the fast
way). Each pass is like a program that has just started and has read a few telegrams.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator

from benchmarks.readers.timed import print_time, telegrams
from telegraf_p1 import loop
from telegraf_p1.__main__ import parser
from telegraf_p1.commands.options import Understood
from telegraf_p1.interpreter import Interpreter
from telegraf_p1.log import Log
from telegraf_p1.outputs.stdout import lines
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event

HEARD = 40  # telegrams before the measurement
CHUNK = 65_536
READING = re.compile(rb"(energy_(?:im|ex)port_t[12]_kwh|power_(?:im|ex)port_kw|gas_m3)=([0-9.]+)")


class Source(Connection):
    """Returns pieces, one after the other."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def read(self) -> list[Event]:
        """Return the next piece."""
        return [Data(piece) for piece in [next(self._pieces, b"")] if piece]


def program(how: str, sink: Callable[[list[bytes]], object]) -> Callable[[list[bytes]], None]:
    """Return a function that reads pieces and writes their lines to the sink."""
    understood = Understood(parser().parse_args(["decode"]))
    settings, mapping = understood.settings(is_fast=how != "plain"), understood.mapping
    interpreter, output = Interpreter(settings, Log(), "benchmark"), lines(sink, mapping)
    return lambda pieces: loop.run(Source(pieces), interpreter, [output])


def passes(count: int, how: str) -> Iterator[Callable[[], object]]:
    """Yield the passes, and check that each has made all lines."""
    found = telegrams()
    before, pieces = found[:HEARD], found[HEARD:]
    if how == "chunks":
        stream = b"".join(pieces)
        pieces = [stream[place : place + CHUNK] for place in range(0, len(stream), CHUNK)]
    for _ in range(count):
        made: list[bytes] = []
        hear = program(how, made.extend)
        hear(before)
        yield lambda hear=hear: hear(pieces)  # type: ignore[misc]
        assert sum(line.count(b"\n") for line in made) == len(found)


if sys.argv[1] == "read":
    read: list[bytes] = []
    program("messages", read.extend)(telegrams())
    for line in read:
        print(json.dumps({name.decode(): float(value) for name, value in READING.findall(line)}))
else:
    print_time(passes(int(sys.argv[3]), " ".join(sys.argv[4:]) or "messages"), len(telegrams()) - HEARD)
