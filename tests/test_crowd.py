"""The telegrams that benchmarks/district.py publishes are good ones, and their lines are told apart."""

from benchmarks.crowd import Crowd, numbers
from benchmarks.members import arrivals
from tests.helpers.mosquitto import line
from tests.helpers.telegrams import records

METERS, INTERVAL, COUNT = 7, 10, 35


class Read:
    """What a reader has read."""

    def __init__(self, *pieces: tuple[int, bytes]) -> None:
        self.pieces = list(pieces)


def lines() -> list[bytes]:
    crowd = Crowd(METERS, INTERVAL)
    return [f"{line(crowd.telegram(n), f'p1/{n % METERS}/raw')}\n".encode() for n in range(COUNT)]


def test_each_telegram_is_another_one_with_a_crc_that_fits() -> None:
    crowd = Crowd(METERS, INTERVAL)
    read = [one for n in range(COUNT) for one in records(crowd.telegram(n))]
    assert len(read) == COUNT
    assert len({one.tags["meter"] for one in read}) == METERS
    assert len({(one.tags["meter"], one.time_ns) for one in read}) == COUNT
    assert len({str(one.fields) for one in read}) == COUNT


def test_the_number_of_a_telegram_is_found_in_its_line() -> None:
    assert list(numbers(b"".join(lines()), METERS, INTERVAL)) == list(range(COUNT))


def test_a_line_counts_when_it_first_came_whole() -> None:
    zero, one, two, *_ = lines()
    first, again = arrivals(
        [Read((5, zero + one[:40]), (6, one[40:])), Read((4, zero + two[:40]))], COUNT, METERS, INTERVAL
    )
    assert list(first[:3]) == [4, 6, 0]
    assert again == 1
