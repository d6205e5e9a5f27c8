"""When a port may rest: as long as a telegram cannot be complete, and never longer. The clock is simulated."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1.sources.rhythm import Rhythm

Piece = tuple[float, int]  # when it comes (s), and its bytes
FAST, SLOW = 10 / 115200, 10 / 9600  # s a byte


@dataclass
class Heard:
    """How a burst was heard."""

    wake_ups: int
    late_s: float  # from its last byte to when we saw that


def hear(rhythm: Rhythm, pieces: list[Piece]) -> Heard:
    """Hear a burst as a port does, which has waited for it."""
    now, wake_ups, left = pieces[0][0] - 1, 0, list(pieces)
    while left:
        rest = rhythm.rest(now)
        now += rest
        waited = max(0.0, left[0][0] - now)
        now += waited
        wake_ups += bool(rest) + bool(waited)
        there = [piece for piece in left if piece[0] <= now]
        left = left[len(there) :]
        rhythm.heard(sum(count for _, count in there), now, rest, waited)
    return Heard(wake_ups, now - pieces[-1][0])


def adapter(count: int, byte_s: float, begun: float, phase: float = 0.3) -> list[Piece]:
    """Give a burst as an adapter of FTDI delivers it: packets of 62 bytes, and what there is each 16 ms."""
    pieces, sent, timer = [], 0, begun + 0.016 * phase
    while sent < count:
        full = begun + (sent + 62) * byte_s
        at = min(full, timer)
        there = min(count, int((at - begun) / byte_s + 0.001))
        if there > sent:
            pieces.append((at, there - sent))
        sent, timer = there, at + 0.016
    return pieces


def uart(count: int, byte_s: float, begun: float, _phase: float = 0) -> list[Piece]:
    """Give a burst as a UART of a small computer delivers it: eight bytes at a time."""
    ends = [*range(8, count, 8), count]
    return [(begun + end * byte_s, end - start) for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("line", "byte_s", "most"), [(adapter, FAST, 4), (adapter, SLOW, 4), (uart, FAST, 6), (uart, SLOW, 3)]
)
def test_a_telegram_is_few_wake_ups_and_never_late(
    line: Callable[[int, float, float, float], list[Piece]], byte_s: float, most: int
) -> None:
    rhythm = Rhythm()
    for n in range(100):
        heard = hear(rhythm, line(911, byte_s, 10.0 * n, n * 0.37 % 1))
        assert heard.late_s < 1e-9
        assert heard.wake_ups <= most or n < 2


def test_one_that_grows_is_never_late() -> None:
    rhythm = Rhythm()
    for n in range(50):
        assert hear(rhythm, adapter(911 + 20 * n, FAST, float(n))).late_s < 1e-9


def test_one_that_gets_shorter_is_late_once() -> None:
    rhythm = Rhythm()
    heard = [hear(rhythm, adapter(1900 if n < 10 else 911, FAST, float(n))) for n in range(50)]
    assert [n for n, one in enumerate(heard) if one.late_s > 0.001] == [10]
    assert heard[10].late_s < 1000 * FAST
    assert heard[-1].wake_ups <= 4  # learnt anew


def test_one_that_is_now_and_then_shorter_is_not_late_again() -> None:
    rhythm = Rhythm()
    heard = [hear(rhythm, adapter(911 if n % 10 == 9 else 1900, FAST, float(n))) for n in range(60)]
    assert sum(one.late_s > 0.001 for one in heard) <= 1


def test_what_comes_at_once_is_never_waited_for() -> None:
    """A pty, which has no speed."""
    rhythm = Rhythm()
    for n in range(50):
        assert hear(rhythm, [(float(n), 911)]) == Heard(1, 0)


def test_what_comes_faster_than_before_is_soon_in_time() -> None:
    rhythm = Rhythm()
    heard = [hear(rhythm, adapter(911, SLOW if n < 20 else FAST, 3.0 * n)) for n in range(60)]
    late = [n for n, one in enumerate(heard) if one.late_s > 0.001]
    assert late == [*range(20, 20 + len(late))]
    assert len(late) <= 7
    assert heard[-1].wake_ups <= 4


def test_a_burst_whose_beginning_was_heard_late_costs_few_wake_ups() -> None:
    """Its pieces seem to come faster than any before it."""
    rhythm, begins_late = Rhythm(), 25
    wake_ups = []
    for n in range(begins_late + 20):
        pieces = adapter(911, FAST, float(n))
        if n == begins_late:
            pieces[0] = (pieces[0][0] + 0.004, pieces[0][1])
        wake_ups.append(hear(rhythm, pieces).wake_ups)
    assert sum(wake_ups[begins_late + 1 :]) <= sum(wake_ups[begins_late - 19 : begins_late]) + 20


def test_what_comes_over_a_network_in_its_own_time_is_hardly_ever_late() -> None:
    rhythm, chance = Rhythm(), random.Random(1)  # noqa: S311  no secret
    heard = []
    for n in range(2000):
        delays = sorted(chance.uniform(0, 0.08) for _ in range(15))
        heard.append(hear(rhythm, [(n + delay, 61) for delay in delays]))
    assert sum(one.late_s > 0.001 for one in heard) <= 20


def test_half_a_telegram_after_the_port_was_opened_is_no_model() -> None:
    rhythm = Rhythm()
    rhythm.heard(300, 0.5, 0, 0.05)
    assert hear(rhythm, adapter(911, FAST, 1.0)).wake_ups == len(adapter(911, FAST, 1.0))
    assert hear(rhythm, adapter(911, FAST, 2.0)).wake_ups <= 4


def test_bursts_that_ran_into_one_while_we_were_busy_are_no_model() -> None:
    rhythm = Rhythm()
    for n in range(50):
        at = 2.0 * n
        hear(rhythm, adapter(911, FAST, at))
        rhythm.heard(911, at + 1.5, 0, 0)  # nobody looked meanwhile
        rhythm.heard(62, at + 1.505, 0, 0.005)
        assert rhythm.rest(at + 1.505) == 0
    assert hear(rhythm, adapter(911, FAST, 100.0)).late_s < 1e-9


def test_a_meter_that_never_pauses_is_heard_piece_by_piece() -> None:
    rhythm = Rhythm()
    for n in range(1000):
        rhythm.heard(62, n * 0.005, 0, 0.005)
        assert rhythm.rest(n * 0.005) == 0


# A piece comes some time after the one before: two at once are one.
GAPS = st.floats(0.001, 0.09)


@given(st.lists(st.lists(st.tuples(GAPS, st.integers(1, 62)), min_size=1, max_size=12), min_size=2, max_size=40))
def test_no_burst_that_is_as_long_and_as_slow_as_the_last_ones_is_late(bursts: list[list[Piece]]) -> None:
    rhythm = Rhythm()
    before: list[tuple[int, float]] = []
    for n, burst in enumerate(bursts):
        at = n * 10.0
        pieces: list[Piece] = []
        for gap, count in burst:
            at += gap if pieces else 0.0
            pieces.append((at, count))
        size = sum(count for _, count in pieces)
        more = size - pieces[0][1]
        pace = (pieces[-1][0] - pieces[0][0]) / more if more else 0.0
        late_s = hear(rhythm, pieces).late_s
        if all(size >= other for other, _ in before[-20:]) and all(pace >= other for _, other in before[-20:]):
            assert late_s < 1e-9
        before.append((size, pace))
