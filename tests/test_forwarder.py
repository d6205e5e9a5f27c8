"""Whatever goes away when, each letter arrives, and in order the first time."""

import itertools
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegraf_p1.forward.forwarder import Forwarder
from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.spool import Row, Spool
from telegraf_p1.forward.target import Target, TargetListener
from telegraf_p1.log import Log
from tests.helpers.programs import wait_until
from tests.helpers.telegrams import START

pytestmark = pytest.mark.usefixtures("closed_queues")

SIZE = 64_000_000


def letter(n: int) -> Letter:
    return Letter("E0001", b"%d" % n, START * 10**9 + n)


def number(one: Letter) -> int:
    return int(one.telegram)


class FakeTarget(Target):
    """A target that does what the test tells it."""

    def __init__(self, room: int = 10, *, needs_meter: bool = False) -> None:
        self.needs_meter = needs_meter
        self.room = room
        self.listener: TargetListener | None = None
        self.meter = ""
        self.unacknowledged: dict[int, Letter] = {}
        self.arrived: list[int] = []  # as they came, some of them twice
        self.is_available = self.is_closed = False

    def start(self, listener: TargetListener, meter: str) -> None:
        self.listener, self.meter = listener, meter

    def send(self, number: int, letter: Letter) -> bool:
        assert not self.is_closed
        if not self.is_available or len(self.unacknowledged) >= self.room:
            return False
        self.unacknowledged[number] = letter
        return True

    def close(self) -> None:
        self.is_closed = True

    def come(self) -> None:
        if self.listener and not self.is_available:
            self.is_available = True
            self.listener.available()

    def go(self, arrived: int = 0) -> None:
        """Go away; of what was on its way the first have arrived, and nobody heard of it."""
        if self.listener and self.is_available:
            self.arrived += [number(one) for one in list(self.unacknowledged.values())[:arrived]]
            self.is_available = False
            self.unacknowledged.clear()
            self.listener.unavailable()

    def acknowledge(self, most: int = 1000) -> None:
        numbers = list(self.unacknowledged)[:most]
        self.arrived += [number(self.unacknowledged.pop(one)) for one in numbers]
        if numbers and self.listener:
            self.listener.acknowledged(numbers)


class BadDisk(Spool):
    """A disk that may be full, or not to be read at all.

    Nothing is synced, which takes most of the time: the power that is cut here is that of the forwarder alone
    (test_spool.py holds that it is asked for).
    """

    is_full = is_gone = False

    def _connected(self) -> sqlite3.Connection:
        database = super()._connected()
        database.execute("PRAGMA synchronous = OFF")
        return database

    def append(self, letters: Iterable[Letter]) -> list[int]:
        self._check(is_full=self.is_full)
        return super().append(letters)

    def after(self, number: int, most: int) -> list[Row]:
        self._check()
        return super().after(number, most)

    def delete(self, numbers: Iterable[int]) -> None:
        self._check(is_full=self.is_full)
        super().delete(numbers)

    def last(self) -> int:
        self._check()
        return super().last()

    def _check(self, *, is_full: bool = False) -> None:
        if is_full or self.is_gone:
            raise OSError(28, "the disk is full")


class House:
    """A forwarder without a thread: the test lets time pass, and it do what there is to do."""

    def __init__(self, path: Path, size: int = SIZE, **target: object) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.path, self._size = path, size
        self.target = FakeTarget(**target)  # type: ignore[arg-type]
        self._log = Log(self.said.append, lambda: self.now)
        self.given = 0
        self.lost: set[int] = set()  # what was in memory alone when the power went
        self._begin()

    def _begin(self) -> None:
        self.spool = BadDisk(self.path, self._size, self._log)
        self.forwarder = Forwarder(self.target, self.spool, self._log, lambda: self.now)
        self._first = self.given
        self.step()

    def step(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.forwarder.step(0.0)

    def give(self, count: int = 1) -> None:
        self.forwarder.accept([letter(self.given + n) for n in range(count)])
        self.given += count
        self.step()

    def cut_power(self) -> None:
        self.lost |= set(range(self._first + self.safe(), self.given))
        self._end()

    def safe(self) -> int:
        """Count the letters that this forwarder has called safe."""
        return next(n for n in itertools.count(0) if not self._is_safe(n + 1))

    def _is_safe(self, count: int) -> bool:
        return count <= self.given - self._first and self.forwarder._safe >= count  # noqa: SLF001

    def close(self) -> None:
        """End it as a signal does, with the disk as it is."""
        self.forwarder.start()
        self.forwarder.close()
        self._end()

    def _end(self) -> None:
        self.spool.close()
        self.target.is_closed = False
        self.target.is_available, self.target.listener = False, None
        self.target.unacknowledged.clear()
        self._begin()

    def mend(self) -> None:
        self.spool.is_full = self.spool.is_gone = False

    def settle(self) -> None:
        """Let all be well."""
        self.mend()
        for _ in range(1000):
            self.target.come()
            self.step(1.0)
            self.target.acknowledge(100_000)
            self.step(11.0)
            if self.forwarder._is_all_delivered:  # noqa: SLF001
                return
        pytest.fail("not all was delivered")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "queue")
    yield house
    house.spool.close()


def firsts(arrived: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(arrived))


def test_letters_go_at_once_and_never_see_the_disk(house: House) -> None:
    house.target.come()
    house.give(3)
    assert [number(one) for one in house.target.unacknowledged.values()] == [0, 1, 2]
    assert house.safe() == 0
    house.target.acknowledge(2)
    house.step()
    assert house.safe() == 2
    house.target.acknowledge()
    house.step(10)
    assert house.safe() == 3
    assert house.spool.last() == 0


def test_what_is_not_acknowledged_for_some_seconds_is_safe_on_disk_and_not_sent_twice(house: House) -> None:
    house.target.come()
    house.give(3)
    house.step(3)
    assert house.safe() == 3
    assert house.spool.count() == 3
    house.target.acknowledge()
    house.step(1)
    house.step(1)
    assert house.spool.count() == 0
    assert house.target.arrived == [0, 1, 2]


def test_what_waits_goes_first_and_in_order(house: House) -> None:
    house.give(25)
    assert house.safe() == 0
    house.step(3)
    assert house.safe() == 25
    house.target.come()
    house.step()
    house.give(5)
    assert len(house.target.unacknowledged) == 10
    house.settle()
    assert house.target.arrived == list(range(30))
    house.step(1)
    assert house.spool.count() == 0
    assert "I! telegrams that waited on disk and are delivered now: 30\n" in house.said


def test_what_was_on_its_way_when_the_target_went_is_sent_again(house: House) -> None:
    house.target.come()
    house.give(5)
    house.target.acknowledge(2)
    house.target.go(arrived=1)
    house.step()
    assert house.safe() == 5
    house.settle()
    assert house.target.arrived == [0, 1, 2, 2, 3, 4]


def test_a_late_acknowledgement_is_passed_over(house: House) -> None:
    house.target.come()
    house.give(2)
    assert house.target.listener
    old = list(house.target.unacknowledged)
    house.target.go()
    house.step()
    house.target.listener.acknowledged([*old, 4711])
    house.step(1)
    assert house.spool.count() == 2


def test_a_target_that_needs_a_meter_starts_with_the_first(tmp_path: Path) -> None:
    house = House(tmp_path / "queue", needs_meter=True)
    assert house.target.listener is None
    house.give(1)
    assert house.target.meter == "E0001"
    house.step(3)
    house.target.meter = ""
    house.cut_power()
    assert house.target.meter == "E0001"
    assert house.target.listener is not None


def test_a_full_disk_leaves_the_newest_in_memory_and_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraf_p1.forward.forwarder._MOST_IN_MEMORY", 10_000)
    house.spool.is_full = True
    for _ in range(30):
        house.give(1)
    assert "are kept in memory" in "".join(house.said)
    dropped = 30 - 10_000 // 502
    assert house.safe() == dropped
    house.step(60)
    house.spool.is_full = False
    house.step(60)
    assert house.safe() == 30
    house.settle()
    assert house.target.arrived == list(range(dropped, 30))
    assert sum(int(found) for found in re.findall(r"telegrams dropped: (\d+)", "".join(house.said))) == dropped


def test_what_has_no_room_is_counted(tmp_path: Path) -> None:
    house = House(tmp_path / "queue", size=1024 * 1024, room=100_000)
    for _ in range(30):
        house.give(1000)
    assert "the queue is full" in "".join(house.said)
    house.settle()
    assert house.given - len(house.target.arrived) == house.spool.dropped > 0
    assert house.target.arrived == list(range(house.spool.dropped, house.given))


def test_who_can_wait_is_held_back_before_anything_is_dropped(tmp_path: Path) -> None:
    house = House(tmp_path / "queue", size=1024 * 1024, room=100_000)
    while house.forwarder.flush(0.0):
        house.give(100)
        house.step(3)
    assert 1000 < house.given < 30_000
    assert "reading pauses" in "".join(house.said)
    house.target.come()
    house.step()
    house.target.acknowledge(house.given)
    house.step(1)
    house.step(1)
    assert house.forwarder.flush(0.0)
    assert house.spool.dropped == 0


STEPS: dict[str, Callable[[House, int], None]] = {
    "give": lambda house, n: house.give(n),
    "give one": lambda house, _n: house.give(1),
    "step": lambda house, n: house.step(n / 4),
    "come": lambda house, _n: house.target.come(),
    "acknowledge": lambda house, n: house.target.acknowledge(n),
    "go": lambda house, n: house.target.go(n),
    "cut power": lambda house, _n: house.cut_power(),
}
BAD: dict[str, Callable[[House, int], None]] = {
    "full": lambda house, _n: setattr(house.spool, "is_full", True),
    "gone": lambda house, _n: setattr(house.spool, "is_gone", True),
    "good": lambda house, _n: house.mend(),
}


def plans(*names: str) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(names), st.integers(1, 15)), min_size=5, max_size=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("queues")


COUNT = itertools.count()


def lived(folder: Path, plan: list[tuple[str, int]]) -> House:
    house = House(folder / f"queue{next(COUNT)}")
    for name, n in plan:
        (STEPS | BAD)[name](house, n)
        house.step()
    house.settle()
    house.spool.close()
    return house


@given(plans(*STEPS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_letter_arrives_and_in_order_the_first_time(folder: Path, plan: list[tuple[str, int]]) -> None:
    house = lived(folder, plan)
    arrived = firsts(house.target.arrived)
    assert arrived == sorted(arrived)
    assert set(range(house.given)) - set(arrived) <= house.lost


@given(plans(*STEPS, *BAD))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_letter_arrives_whatever_the_disk_does(folder: Path, plan: list[tuple[str, int]]) -> None:
    house = lived(folder, plan)
    assert set(range(house.given)) - set(house.target.arrived) <= house.lost
    assert not any("dropped" in line for line in house.said)


class Running:
    """A forwarder as it is, with its thread."""

    def __init__(self, path: Path) -> None:
        self.target = FakeTarget(room=1000)
        self.path = path
        self.forwarder = Forwarder(self.target, Spool(path, SIZE, Log()), Log(lambda _line: None))
        self.forwarder.start()
        wait_until(lambda: self.target.listener, "the target to be started")


def test_flush_says_whether_all_is_safe(tmp_path: Path) -> None:
    running = Running(tmp_path / "queue")
    running.target.come()
    assert running.forwarder.flush(0)
    running.forwarder.accept([letter(1)])
    assert not running.forwarder.flush(0.05)
    wait_until(lambda: running.target.unacknowledged, "the letter")
    threading.Timer(0.05, running.target.acknowledge).start()
    assert running.forwarder.flush(None)
    running.forwarder.deliver()
    running.forwarder.close()
    assert running.target.is_closed


def test_the_end_writes_down_what_was_not_acknowledged(tmp_path: Path) -> None:
    running = Running(tmp_path / "queue")
    running.target.come()
    running.forwarder.accept([letter(n) for n in range(3)])
    wait_until(lambda: len(running.target.unacknowledged) == 3, "the letters")
    running.target.acknowledge(1)
    running.forwarder.close()
    assert running.target.is_closed
    assert [number(row.letter) for row in Spool(tmp_path / "queue", SIZE, Log()).after(0, 10)] == [1, 2]


def test_a_fault_of_ours_ends_the_program_and_costs_no_letter(tmp_path: Path) -> None:
    running = Running(tmp_path / "queue")
    running.target.is_closed = True  # which `send` does not expect
    assert running.target.listener
    running.target.listener.available()
    running.forwarder.accept([letter(1)])
    with pytest.raises(AssertionError):
        running.forwarder.flush(5)
    running.forwarder.close()
    assert [number(row.letter) for row in Spool(tmp_path / "queue", SIZE, Log()).after(0, 10)] == [1]
