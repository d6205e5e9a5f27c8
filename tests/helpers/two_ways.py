"""The plain way and the fast way side by side: both have to read the same bytes in the same way."""

import re
from collections.abc import Callable
from random import Random

from telegraf_p1 import lineproto
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.record import Record
from telegraf_p1.shapes import Shapes
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.timestamp import DEFAULT_ZONE, Zone
from tests.helpers.telegrams import GOLDEN, RECEIVED_NS, SHARED, START, with_crc, zone_of


class Eager(Shapes):
    """Shapes that are learnt from every telegram."""

    def is_due(self) -> bool:
        return True


class TwoWays:
    """Two interpreters with the same input; `used` counts the telegrams that took the fast way."""

    def __init__(self, zone: str = DEFAULT_ZONE) -> None:
        self.shapes = Eager(Zone(zone), "p1")
        self.used = 0
        self.logs: tuple[list[str], list[str]] = ([], [])
        self.plain, self.fast = (
            Interpreter(Settings("auto", Zone(zone), host_time=False, shapes=shapes), Log(log.append, lambda: 0.0), "m")
            for shapes, log in zip((None, self.shapes), self.logs, strict=True)
        )
        self.fast.last_ns = self.plain.last_ns

    def hear(self, *pieces: bytes, origin: str = "", ends_message: bool = False) -> list[bytes]:
        """Return the lines; raise AssertionError if the two ways differ in anything visible."""
        found = []
        for piece in pieces:
            event = Data(piece, origin, ends_message)
            records, fast_ones = (one.records(event, RECEIVED_NS + 1) for one in (self.plain, self.fast))
            self.fast.learn()
            self.used += sum(bool(record.line) for record in fast_ones)
            plain, fast = _lines(records), _lines(fast_ones)
            assert fast == plain, f"{piece!r}\n{fast}\n{plain}"
            found += plain
        self._compare()
        return found

    def tell(self, event: Event) -> None:
        """Return both an event other than bytes."""
        for one in (self.plain, self.fast):
            one.records(event, RECEIVED_NS + 1)
        self._compare()

    def _compare(self) -> None:
        for name in ("accepted", "rejected", "rejected_by_cause", "bytes", "last_ns"):
            assert getattr(self.fast, name) == getattr(self.plain, name), name
        assert self.logs[1] == self.logs[0]


def _lines(records: list[Record]) -> list[bytes]:
    return [record.line or f"{lineproto.line(record)}\n".encode() for record in records]


def sources() -> list[tuple[str, bytes]]:
    """Return the telegrams to change, with their time zones: one of each form, the goldens, and public ones."""
    paths = [*GOLDEN, *sorted(SHARED.glob("good/*.telegram"))]
    found = [(zone_of(form), Meter(form).telegram(START)) for form in FORMS]
    return found + [(zone_of(path.name), path.read_bytes()) for path in paths]


def changed(random: Random, telegram: bytes) -> bytes:
    """Return a telegram with random changes, and with the correct CRC."""
    if b"!" not in telegram:
        return telegram
    body = bytearray(telegram[: telegram.rindex(b"!") + 1])
    for _ in range(random.choice((1, 1, 2, 5))):
        random.choice(_CHANGES)(random, body)
    return with_crc(bytes(body)) + b"\r\n"


def _digits(random: Random, body: bytearray) -> None:
    """Change many digits: those of readings, times and identifiers."""
    for match in re.finditer(rb"\d", bytes(body)):
        if random.random() < 0.1:
            body[match.start()] = random.choice(b"0123456789")


def _reading(random: Random, body: bytearray) -> None:
    places = [*re.finditer(rb"\((\d+)(\.\d+)?(?=[*)])", bytes(body))]
    match = random.choice(places) if places else None
    if match:
        whole, fraction = match[1], match[2] or b""
        new = random.choice(
            (
                bytes(random.choices(b"0123456789", k=len(whole))) + fraction,
                b"0" * len(whole) + fraction.replace(b"1", b"0"),
                b"9" * len(whole) + re.sub(rb"\d", b"9", fraction),
                b"-" + whole[1:] + fraction,
                b"0" * 9 + whole + fraction,
                whole + b".5",
                b"",
            )
        )
        body[match.start() + 1 : match.end()] = new


def _text(random: Random, body: bytearray) -> None:
    place = random.randrange(1, len(body) - 1)
    body[place : place + random.choice((0, 1))] = random.choice(
        (
            b"/",
            b"!",
            b"(",
            b")",
            b")(",
            b" ",
            b'"',
            b"\\",
            b",",
            b"=",
            b"\x7f",
            b"\xdb\x08",
            b"A",
            b"9",
            b"+",
            b"_",
            b"S",
            b"\r\n",
            b"\n",
            b"%",
        )
    )


def _line(random: Random, body: bytearray) -> None:
    lines = bytes(body).split(b"\r\n")
    if len(lines) < 3:
        return
    place, other = random.randrange(1, len(lines)), random.randrange(1, len(lines))
    if random.random() < 0.4:
        del lines[place]
    elif random.random() < 0.5:
        lines.insert(place, lines[other])
    else:
        lines[place], lines[other] = lines[other], lines[place]
    body[:] = b"\r\n".join(lines)
    if not body.endswith(b"!"):
        body += b"\r\n!"


def _time(random: Random, body: bytearray) -> None:
    places = [*re.finditer(rb"\d{12}[SW]", bytes(body))]
    if places:
        match = random.choice(places)
        body[match.start() : match.end()] = random.choice(
            (
                b"632525252525W",
                b"000101000000W",
                b"231114221360W",
                b"231114251300W",
                b"230230120000S",
                b"231029023000S",
                b"231029023000W",
                b"231114221320",
                b"231114221320w",
                b"070101000000W",
                b"240101000000W",
            )
        )


def _unit(random: Random, body: bytearray) -> None:
    units = (b"*MWh", b"*kWh", b"*kW", b"*W", b"*Wh", b"*m3", b"*GJ", b"*V", b"*A", b"")
    body[:] = bytes(body).replace(random.choice(units[:-1]), random.choice(units), random.choice((1, -1)))


_CHANGES: tuple[Callable[[Random, bytearray], None], ...] = (
    _digits,
    _digits,
    _reading,
    _reading,
    _text,
    _line,
    _time,
    _unit,
)


_TAILS = (b"", b"", b"\r\n", b"\n", b"\0", b"\xff", b'"}', b"\r\n\0\r\n")


def compare(seed: int, sources: list[tuple[str, bytes]], count: int = 40) -> int:
    """Compare the two ways with changed telegrams, cut anywhere; return how many took the fast way."""
    random = Random(seed)  # noqa: S311  has to be reproducible from its seed
    zone, telegram = random.choice(sources)
    ways = TwoWays(zone)
    ways.hear(telegram, telegram, telegram)
    known = telegram
    for _ in range(count):
        known = changed(random, random.choice((telegram, known)))
        stream = (
            random.choice((b"", b"", b"noise", b"\x7e"))
            + known
            + random.choice(_TAILS)
            + random.choice((b"", telegram, telegram[:50]))
        )
        size = random.choice((7, 100, len(stream)))
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        ways.hear(*pieces, origin=random.choice(("", "", "p1/a b", "p1/b")), ends_message=random.random() < 0.2)
        if len(known) > 8000:
            known = telegram
    return ways.used
