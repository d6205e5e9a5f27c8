"""The telegrams that all readers read, made once and kept in build/bench/telegrams."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.results import BUILD
from telegraf_p1.crc import checksum
from telegraf_p1.simulator.meter import Meter

# Netherlands with one phase and with three, both with gas; Belgium with gas and water.
FORMS: Final = {"nl-4.2": "NL 4.2, one phase", "nl-5.0": "NL 5.0, three phases", "be": "Belgium"}
_FIRST_S: Final = 1_700_000_000
_SELDOM: Final = (b"0-0:17.0.0", b"1-0:31.4.0", b"0-0:98.1.0")  # limits, the history of monthly peaks
# Lines that every telegram contains.
_KEPT: Final = re.compile(rb"0-0:(1\.0\.0|96\.1\.[14])|1-3:0\.2\.8|0-[1-4]:|[/!]|\Z")
_READING: Final = re.compile(rb"(?<=\()\d+(\.\d+)?(?=\*(kWh|kW|V|A|m3)\))")
_IDENTIFIER: Final = re.compile(rb"(?<=:96\.1\.[01]\()[0-9A-F]+(?=\))")
_MBUS_TIME: Final = re.compile(rb"(?<=:24\.2\.[13]\()\d{12}[SW](?=\))")


def usual(form: str) -> Iterator[bytes]:
    """One meter's telegrams, one per second."""
    meter, now = Meter(form), _FIRST_S
    while True:
        yield meter.telegram(now)
        now += 1


def different(form: str) -> Iterator[bytes]:
    """Telegrams in which every reading, identifier and time differs from those before.

    Except for what changes once a month at most: limits, and the history of monthly peaks.
    """
    random = Random(form)  # noqa: S311

    def digits(match: re.Match[bytes]) -> bytes:
        return re.sub(rb"\d", lambda _: b"%d" % random.randrange(1, 10), match[0])

    def identifier(match: re.Match[bytes]) -> bytes:
        return match[0][:4] + b"".join(b"3%d" % random.randrange(10) for _ in range(len(match[0]) // 2 - 2))

    def time(_: re.Match[bytes]) -> bytes:
        hour, minute = divmod(random.randrange(1440), 60)
        return b"2311%02d%02d%02d00W" % (random.randrange(1, 15), hour, minute)

    for telegram in usual(form):
        lines = [
            line if line.startswith(_SELDOM) else _READING.sub(digits, line) for line in telegram[:-6].split(b"\r\n")
        ]
        yield _with_crc(_MBUS_TIME.sub(time, _IDENTIFIER.sub(identifier, b"\r\n".join(lines))))


def unseen(form: str) -> Iterator[bytes]:
    """Telegrams of which no two have the same set of objects."""
    random, seen = Random(form), set()  # noqa: S311
    for telegram in usual(form):
        lines = telegram[:-6].split(b"\r\n")
        places = [place for place, line in enumerate(lines) if not _KEPT.match(line)]
        while (without := frozenset(random.sample(places, random.randrange(1, 5)))) in seen:
            pass
        seen.add(without)
        yield _with_crc(b"\r\n".join(line for place, line in enumerate(lines) if place not in without))


def _with_crc(body: bytes) -> bytes:
    return b"%b%04X\r\n" % (body, checksum(body))


def file_of(make: Callable[[str], Iterator[bytes]], form: str, count: int) -> Path:
    """Return a file with `count` telegrams."""
    first = checksum(next(make(form)))  # if the telegrams change, so does the file's name
    path = BUILD / "telegrams" / f"{form}-{make.__name__}-{count}-{first:04X}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with (unfinished := path.with_suffix(".unfinished")).open("wb") as file:
            file.writelines(islice(make(form), count))
        unfinished.rename(path)
    return path
