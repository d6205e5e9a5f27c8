"""Records first, acknowledgement second."""

from collections.abc import Callable, Sequence

import pytest

from telegraf_p1 import loop, shape_learner
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.outputs.history import History
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.outputs.stdout import lines
from telegraf_p1.record import Record
from telegraf_p1.shapes import Shapes
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import START


class Broker(Connection):
    """Gives messages, many at once, and notes when they are acknowledged."""

    def __init__(self, notes: list[str], *messages: list[Event]) -> None:
        self._notes, self._messages = notes, list(messages)

    def read(self) -> list[Event]:
        return self._messages.pop(0) if self._messages else []

    def done(self) -> None:
        self._notes.append("done")


def message(number: int) -> Data:
    return Data(Meter(seed=number).telegram(START), f"p1/{number}", ends_message=True)


def interpreter(shapes: Shapes | None = None, log: Callable[[str], None] = lambda _: None) -> Interpreter:
    return Interpreter(Settings("auto", Zone(), host_time=False, shapes=shapes), Log(log), "broker")


def test_messages_that_came_together_are_acknowledged_together_when_all_are_written() -> None:
    notes: list[str] = []
    broker = Broker(notes, [message(1), message(2), message(3)], [message(4)])
    loop.run(broker, interpreter(), [lambda records: notes.extend(record.tags["topic"] for record in records)])
    assert notes == ["p1/1", "p1/2", "p1/3", "done", "p1/4", "done"]


def test_messages_are_acknowledged_when_their_history_is_written_too() -> None:
    notes: list[str] = []

    def write(lines: list[bytes]) -> None:
        notes.extend(line.decode().partition(",")[0] for line in lines)

    broker = Broker(notes, [message(1), message(2)], [message(1)])
    loop.run(broker, interpreter(), [lines(write, Mapping()), History(900, write, Mapping()).output])
    assert notes == ["p1", "p1", "p1_history", "p1_history", "done", "p1", "done"]


def test_telegrams_without_a_time_that_came_together_have_times_of_their_own() -> None:
    times: list[int | None] = []
    old = [Data(Meter("nl-2.2").telegram(START + n), "p1/1", ends_message=True) for n in range(20)]
    loop.run(Broker([], [*old]), interpreter(), [lambda records: times.extend(record.time_ns for record in records)])
    assert len(set(times)) == 20


def test_what_has_to_wait_for_telegraf_is_acknowledged_as_soon_as_it_is_written() -> None:
    """A pipe is full for some ms, again and again: until a message comes, or does not, would be a long time."""
    notes: list[str] = []
    broker = Broker(notes, [message(1)], [message(2)], [message(3)])
    broker.acknowledges = True
    is_written = iter((True, False, True))

    def flush(seconds: float | None) -> bool:
        assert seconds is not None
        assert 0 < seconds < 0.1
        notes.append("waited")
        return next(is_written)

    loop.run(broker, interpreter(), [], flush)
    assert notes == ["waited", "done", "waited", "waited", "done"]


def test_nothing_is_acknowledged_that_could_not_be_written() -> None:
    notes: list[str] = []

    def full(_records: Sequence[Record]) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        loop.run(Broker(notes, [message(1)]), interpreter(), [full])
    assert notes == []


@pytest.mark.parametrize("is_bug", [False, True])
def test_no_record_waits_until_a_shape_is_learnt(monkeypatch: pytest.MonkeyPatch, *, is_bug: bool) -> None:
    notes: list[str] = []

    def learn(*_: object) -> None:
        notes.append("learnt")
        if is_bug:
            raise KeyError("a bug")

    monkeypatch.setattr(shape_learner, "learn", learn)
    log: list[str] = []
    messages: list[list[Event]] = [[message(1)] for _ in range(17)]
    loop.run(
        Broker(notes, *messages), interpreter(Shapes(Zone(), "p1"), log.append), [lambda _: notes.append("written")]
    )
    assert notes == [*["written", "done"] * 16, "learnt", "written", "done", "written"]
    assert ["more slowly" in line for line in log] == [True] * is_bug


def test_the_end_of_a_source_ends_the_last_telegram() -> None:
    notes: list[str] = []
    old = Meter("nl-2.2").telegram(START).rstrip()  # what follows its `!` might be a CRC
    loop.run(
        Broker(notes, [Data(old)]),
        interpreter(),
        [lambda records: notes.extend(record.tags["meter"] for record in records)],
    )
    assert notes == ["done", "E0001010000000011"]
