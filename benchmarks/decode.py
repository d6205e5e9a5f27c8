"""CPU time per telegram, from bytes to a line, of this package and of PyPI's dsmr-parser.

Both read the same generated telegrams in turn, in one process; the median of the rounds counts.
dsmr-parser stops at its Telegram object: it writes no line.

    make bench
"""

import time
from collections.abc import Callable
from statistics import median

from dsmr_parser import telegram_specifications
from dsmr_parser.parsers import TelegramParser

from telegraf_p1 import lineproto
from telegraf_p1.decode import Memory, decode
from telegraf_p1.framer import Framer
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone

COUNT, ROUNDS = 2000, 5
FORMS = {
    "nl-4.2": telegram_specifications.V4,
    "nl-5.0": telegram_specifications.V5,
    "be": telegram_specifications.BELGIUM_FLUVIUS,
}


def ours(telegrams: list[bytes]) -> None:
    framer, memory = Framer(), Memory(Zone())
    for telegram in telegrams:
        for frame in framer.feed(telegram):
            assert lineproto.line(decode(parse(frame.data), 0, memory))


def theirs(specification: object) -> Callable[[list[bytes]], None]:
    parser = TelegramParser(specification)

    def read(telegrams: list[bytes]) -> None:
        for telegram in telegrams:
            assert parser.parse(telegram.decode("ascii"))

    return read


def microseconds(read: Callable[[list[bytes]], None], telegrams: list[bytes]) -> float:
    start = time.process_time()
    read(telegrams)
    return (time.process_time() - start) / len(telegrams) * 1e6


def main() -> None:
    print(f"CPU time per telegram in µs, {COUNT} telegrams, median of {ROUNDS} rounds")
    print(f"{'form':8} {'bytes':>6} {'telegraf_p1':>12} {'dsmr-parser':>12} {'times':>6}")
    for form, specification in FORMS.items():
        meter = Meter(form)
        telegrams = [meter.telegram(1_700_000_000 + n) for n in range(COUNT)]
        read_theirs = theirs(specification)
        rounds = [(microseconds(ours, telegrams), microseconds(read_theirs, telegrams)) for _ in range(ROUNDS)]
        mine, other = (median(column) for column in zip(*rounds, strict=True))
        print(f"{form:8} {len(telegrams[0]):6} {mine:12.0f} {other:12.0f} {other / mine:6.1f}")


if __name__ == "__main__":
    main()
