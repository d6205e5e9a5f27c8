"""Feeds damaged telegrams to the whole path, as fast as it can: `make fuzz`, or python -m tests.fuzz COUNT SEED.

Nothing but TelegramError may be raised, the time for each byte and the memory stay bounded, no telegram is believed
whose CRC does not fit, and the fast way gives what the plain way gives. A failure names the seed of the stream that
shows it.
"""

import multiprocessing
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from random import Random

from telegraf_p1 import lineproto
from telegraf_p1.decode import Memory, decode
from telegraf_p1.decrypt import decrypt_frame
from telegraf_p1.framer import LIMIT, Framer
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.keys import Keys
from telegraf_p1.log import Log
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.events import Data
from telegraf_p1.telegram import CrcMode, TelegramError, parse
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import GOLDEN, KEY, LUXEMBOURG, SHARED, START, encrypt
from tests.helpers.two_ways import compare, sources

PER_STREAM = 50
MODES: tuple[CrcMode, ...] = ("auto", "auto", "auto", "require", "x25", "off")
LONGEST_S = 0.02  # for a telegram, on average over a stream: a hundred times what it takes
GROWTH_KIB = 32 * 1024

_TABLE = [0] * 256
for _n in range(256):
    _crc = _n
    for _ in range(8):
        _crc = _crc >> 1 ^ (0xA001 if _crc & 1 else 0)
    _TABLE[_n] = _crc


def crc16(data: bytes) -> int:
    """CRC-16/ARC once more, so that the oracle shares nothing with what it judges."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def may_be_believed(frame: bytes) -> bool:
    """Whether the CRC of a frame fits, as it stands or as a known transport must have got it."""
    if readout := re.match(rb"(?:/[^\r\n]*\r?\n(?:\r?\n)?)?\x02", frame):
        odd = 0
        for byte in frame[readout.end() :]:
            odd ^= byte & 0x7F
        return odd == 0  # the BCC itself is among them
    body, _, digits = frame.rpartition(b"!")
    text = digits.strip(b"\0\xff \t\r\n")
    if not text:
        return not re.search(rb"(?m)^[\s\0\xff]*(1-3[:.]0[.:]2[.:]8|0-0[:.]96[.:]1[.:]4)(?:[*.]255)? *\(", body)
    starts = [0, *(match.start() for match in re.finditer(rb"/[A-Za-z]{3}", body))]
    versions = [version for start in starts for version in _versions(body[start:] + b"!")]
    return any(crc16(version) == int(text, 16) for version in versions)


def _versions(data: bytes) -> list[bytes]:
    crlf = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    versions = [data, crlf, data.replace(b"\n\n", b"\r\n"), data.replace(b"\r", b"\r\n"), data.replace(b"\0", b"")]
    versions += [data.replace(b"\r\n\r\n", b"\r\n"), data.replace(b"\r\n\n", b"\r\n")]
    return [*versions, *(version.replace(b"\r\n", b"\r\n\r\n", 1) for version in (data, crlf))]


def telegrams() -> list[bytes]:
    """Give what is damaged: one of each form, the goldens, and the public ones where they are there."""
    paths = [*GOLDEN, *sorted(SHARED.glob("good/*.telegram"))]
    made = [Meter(form).telegram(START) for form in FORMS]
    return [*made, *(path.read_bytes() for path in paths), *(encrypt(telegram) for telegram in made[:3])]


def damaged(random: Random, source: list[bytes]) -> bytes:
    """Give a telegram with up to six faults; one in three gets the CRC that fits the damage."""
    data = bytearray(random.choice(source))
    for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
        random.choice(FAULTS)(random, data, source)
    if random.random() < 0.35 and b"\n!" in data:
        del data[data.rindex(b"\n!") + 2 :]
        data += b"%04X\r\n" % crc16(bytes(data[max(0, data.find(b"/")) :]))
    return bytes(data)


Fault = Callable[[Random, bytearray, list[bytes]], None]


def _place(random: Random, data: bytearray) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 2, 5, 30, 300)))


def _flip(random: Random, data: bytearray, _: list[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _delete(random: Random, data: bytearray, _: list[bytes]) -> None:
    start, end = _place(random, data)
    del data[start:end]


def _repeat(random: Random, data: bytearray, _: list[bytes]) -> None:
    start, end = _place(random, data)
    data[end:end] = data[start:end]


def _insert(random: Random, data: bytearray, _: list[bytes]) -> None:
    words = (
        b"/",
        b"!",
        b"\r\n",
        b"\n",
        b"(",
        b")",
        b")(",
        b"*",
        b"\0",
        b"\xff",
        b"-",
        b":",
        b".",
        b"9" * 20,
        b"/ABC5\r\n",
        b"\r\n!",
        b"\xdb\x08",
        b"\x021.8.0(",
        b"\x03",
    )
    start = random.randrange(len(data) + 1)
    data[start:start] = random.choice((random.choice(words), random.randbytes(random.randrange(1, 9))))


def _splice(random: Random, data: bytearray, source: list[bytes]) -> None:
    other = random.choice(source)
    start, end = _place(random, data)
    data[start:end] = other[random.randrange(len(other)) :][: random.choice((10, 100, 2000))]


def _swap_lines(random: Random, data: bytearray, _: list[bytes]) -> None:
    lines = bytes(data).split(b"\r\n")
    random.shuffle(lines)
    data[:] = b"\r\n".join(lines)


def _line_ends(random: Random, data: bytearray, _: list[bytes]) -> None:
    data[:] = bytes(data).replace(b"\r\n", random.choice((b"\n", b"\r", b"\n\n", b"\r\n\n", b"\r\n\r\n", b"")))


FAULTS: tuple[Fault, ...] = (
    _flip,
    _flip,
    _delete,
    _delete,
    _repeat,
    _insert,
    _insert,
    _splice,
    _swap_lines,
    _line_ends,
)


def pieces(random: Random, stream: bytes) -> list[bytes]:
    """Cut a stream as a serial port, a network or a file would."""
    size = random.choice((7, 61, 512, 4096, len(stream)))
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def run_stream(seed: int, source: list[bytes]) -> tuple[int, int]:
    """Feed one stream through both ways; give the numbers of records and of rejected telegrams."""
    random = Random(seed)  # noqa: S311  a stream has to come again from its seed
    stream = b"".join(damaged(random, source) for _ in range(PER_STREAM))
    mode, cut = random.choice(MODES), pieces(random, stream)
    keys = Keys(KEY, LUXEMBOURG)
    settings = Settings(mode, Zone(), host_time=False, keys=keys, plain=True)
    interpreter = Interpreter(settings, Log(lambda _: None), "fuzz")
    lines = [lineproto.line(record) for piece in cut for record in interpreter.records(Data(piece), 1)]
    lines += [lineproto.line(record) for record in interpreter.finish()]
    assert not any("\n" in line for line in lines)
    framer = Framer()
    for frame in [frame for piece in cut for frame in framer.feed(piece)] + framer.flush():
        assert len(frame.data) <= LIMIT + 16
        try:
            data = decrypt_frame(frame, keys).data
            telegram = parse(data, mode, whole=frame.whole)
        except TelegramError:
            continue
        assert mode in ("off", "x25") or may_be_believed(data), f"believed: {data[:100]!r}"
        decode(telegram, 1, Memory(settings.zone))
    return interpreter.accepted, interpreter.rejected


memory: list[int] = []  # of this process after each run, in KiB


def run(streams: range) -> tuple[int, int]:
    """Run streams by their seeds; raise AssertionError with the seed that shows a fault."""
    source, of_shapes = telegrams(), sources()
    accepted = rejected = 0
    for seed in streams:
        begun = time.process_time()
        try:
            found = run_stream(seed, source)
            seconds = (time.process_time() - begun) / PER_STREAM
            compare(seed, of_shapes, PER_STREAM)  # learns a shape from each, which takes ms
        except Exception as error:
            raise AssertionError(f"stream {seed}: {type(error).__name__}: {error}") from error
        assert seconds < LONGEST_S, f"stream {seed}: {seconds:.3f} s a telegram"
        accepted, rejected = accepted + found[0], rejected + found[1]
    memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert memory[-1] - memory[0] < GROWTH_KIB, f"memory has grown by {memory[-1] - memory[0]} KiB"
    return accepted, rejected


def main(count: int, first_seed: int = 0) -> None:
    """Run `count` telegrams on all cores."""
    share = 200
    streams = range(first_seed, first_seed + -(-count // PER_STREAM))
    ranges = [streams[start : start + share] for start in range(0, len(streams), share)]
    accepted = rejected = 0
    begun = time.monotonic()
    with multiprocessing.Pool(os.cpu_count(), maxtasksperchild=50) as pool:
        for done, found in enumerate(pool.imap_unordered(run, ranges), 1):
            accepted, rejected = accepted + found[0], rejected + found[1]
            if sys.stderr.isatty() or done % 100 == 0:
                print(f"{done * share * PER_STREAM} telegrams", file=sys.stderr)
    seconds = time.monotonic() - begun
    print(f"{len(streams) * PER_STREAM} damaged telegrams: {accepted} records, {rejected} rejected, {seconds:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["100000"]))
