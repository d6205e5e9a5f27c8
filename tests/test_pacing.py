"""Which records are written, which are let go, and when a meter is asked for one."""

import queue
from collections.abc import Callable, Sequence

import pytest

from telegraf_p1 import execd, lineproto, loop
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.outputs.pacing import AtSignals, Every
from telegraf_p1.record import Record
from telegraf_p1.shapes import Shapes
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.timestamp import Zone
from tests.helpers.programs import wait_until
from tests.helpers.telegrams import START


class Outputs:
    """What was written, as (meter, second), and what was said of telegrams that are wanted."""

    def __init__(self) -> None:
        self.written: list[tuple[str, int]] = []
        self.wanted: list[bool] = []
        self.fails = False

    def output(self, records: Sequence[Record]) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")
        for record in records:
            meter = record.tags.get("meter", "") or record.line.decode().rpartition("a=1 ")[0]
            self.written.append((meter, (record.time_ns or 0) // 10**9))

    def seconds(self) -> list[int]:
        return [second for _, second in self.written]


@pytest.fixture
def outputs() -> Outputs:
    return Outputs()


def every(seconds: float, outputs: Outputs) -> Every:
    return Every(seconds, [outputs.output], "p1", outputs.wanted.append)


def at_signals(outputs: Outputs) -> AtSignals:
    return AtSignals([outputs.output], "p1", outputs.wanted.append)


def record(second: float, meter: str = "E1") -> Record:
    """A record as the plain way gives it."""
    return Record({"meter": meter} if meter else {}, {"a": 1}, int(second * 10**9), [])


def known(second: float, meter: str = "E1") -> Record:
    """The same as the fast way gives it: a line without tags."""
    plain = record(second, meter)
    return Record({}, {}, plain.time_ns, [], f"{lineproto.line(plain)}\n".encode())


def test_the_first_of_each_period_passes(outputs: Outputs) -> None:
    pace = every(10, outputs)
    for second in range(1003, 1033):
        pace.output([record(second)])
    assert outputs.seconds() == [1003, 1010, 1020, 1030]


def test_a_period_may_be_shorter_than_a_second(outputs: Outputs) -> None:
    every(0.5, outputs).output([record(second) for second in (1, 1.25, 1.5, 1.75, 2)])
    assert outputs.written == [("E1", 1), ("E1", 1), ("E1", 2)]


@pytest.mark.parametrize("make", [record, known])
def test_each_meter_has_its_own_periods(outputs: Outputs, make: Callable[[float, str], Record]) -> None:
    pace = every(10, outputs)
    pace.output([make(11, "E 1"), make(12, "E 2"), make(13, ""), make(14, "E 1"), make(15, "E 2"), make(16, "")])
    assert outputs.seconds() == [11, 12, 13]


def test_a_meter_is_the_same_one_on_the_fast_way_and_on_the_plain_one(outputs: Outputs) -> None:
    pace = every(10, outputs)
    pace.output([make(11, meter) for meter in ("E1", "my meter, 1=2", "") for make in (record, known)])
    assert outputs.seconds() == [11, 11, 11]


def test_topics_are_told_apart(outputs: Outputs) -> None:
    one, other = record(11), record(12)
    one.tags["topic"], other.tags["topic"] = "p1/1", "p1/2"
    every(10, outputs).output([one, other])
    assert outputs.seconds() == [11, 12]


def test_a_clock_that_steps_back_silences_no_meter(outputs: Outputs) -> None:
    pace = every(10, outputs)
    for second in (7200, 7201, 3601, 3602, 3610, 7200):
        pace.output([record(second)])
    assert outputs.seconds() == [7200, 3601, 3610, 7200]


def test_it_remembers_ten_thousand_meters_and_forgets_the_first(outputs: Outputs) -> None:
    pace = every(10, outputs)
    pace.output([record(1, f"E{n}") for n in range(10_001)])
    outputs.written.clear()
    pace.output([record(2, "E10000"), record(3, "E0")])
    assert outputs.seconds() == [3]


def test_a_telegram_is_wanted_a_second_before_the_next_period(outputs: Outputs) -> None:
    pace = every(10, outputs)
    pace.start()
    pace.output([record(1008.95)])  # 1.05 s before it
    assert outputs.wanted[0] is False
    wait_until(lambda: outputs.wanted == [False, True], "the next one to be wanted", 5)
    pace.output([record(1009.95)])
    pace.output([record(1019.5)])
    assert outputs.wanted == [False, True]  # the next period begins too soon for the meter to be left alone


def test_at_a_signal_the_newest_of_each_meter_is_written(outputs: Outputs) -> None:
    pace = at_signals(outputs)
    pace.output([record(1), record(2, "E2"), record(3)])
    pace.output([known(4), record(4.5, "E3")])
    assert outputs.written == []
    pace.signal()
    assert sorted(outputs.seconds()) == [2, 4, 4]
    outputs.written.clear()
    pace.output([record(5), record(6)])
    assert outputs.written == []
    pace.signal()
    assert outputs.written == [("E1", 6)]


def test_a_signal_that_finds_none_takes_the_next_one_at_once_and_once_only(outputs: Outputs) -> None:
    pace = at_signals(outputs)
    pace.signal()
    pace.signal()
    pace.output([record(1), record(2)])
    assert outputs.seconds() == [1]
    pace.signal()
    assert outputs.seconds() == [1, 2]
    pace.signal()
    assert outputs.seconds() == [1, 2]
    pace.output([record(3)])
    pace.output([record(4)])
    assert outputs.seconds() == [1, 2, 3]


def test_a_telegram_is_wanted_from_a_signal_on_until_it_came(outputs: Outputs) -> None:
    pace = at_signals(outputs)
    assert outputs.wanted == []
    pace.signal()
    assert outputs.wanted == [True]
    pace.output([])
    assert outputs.wanted == [True]
    pace.output([record(1)])
    assert outputs.wanted == [True, False]
    pace.output([record(2)])  # it was on its way
    pace.signal()
    assert outputs.wanted == [True, False]
    pace.signal()
    assert outputs.wanted == [True, False, True]


def test_it_waits_for_ten_thousand_meters_and_forgets_the_first(outputs: Outputs) -> None:
    pace = at_signals(outputs)
    pace.output([record(1, f"E{n}") for n in range(10_001)])
    pace.signal()
    assert outputs.written[0] == ("E1", 1)
    assert len(outputs.written) == 10_000
    pace.output([record(2, "E0")])
    assert outputs.written[-1] == ("E0", 2)


def test_signals_are_heard_and_what_goes_wrong_is_raised_where_records_come(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(execd, "wait_for_signal", signals.get)
    pace = at_signals(outputs)
    pace.start()
    assert outputs.wanted == [False]
    pace.output([record(1)])
    signals.put("SIGUSR1")
    wait_until(outputs.seconds, "what was written at the signal")
    outputs.fails = True
    pace.output([record(2)])
    signals.put("SIGUSR1")

    def output_fails() -> bool:
        try:
            pace.output([])
        except OSError as error:
            return error.strerror == "No space left on device"
        return False

    wait_until(output_fails, "the error")


class Port(Connection):
    """A meter that speaks each second, and somebody who is told what was dealt with."""

    def __init__(self, telegrams: int) -> None:
        self._left = [Data(Meter().telegram(START + n)) for n in range(telegrams)]
        self.done_count = 0

    def read(self) -> list[Event]:
        return [self._left.pop(0)] if self._left else []

    def done(self) -> None:
        self.done_count += 1


def test_what_is_let_go_counts_as_accepted_and_is_acknowledged(outputs: Outputs) -> None:
    settings = Settings("auto", Zone(), host_time=False, shapes=Shapes(Zone(), "p1"))
    interpreter = Interpreter(settings, Log(lambda _: None), "port")
    port = Port(60)
    loop.run(port, interpreter, [every(10, outputs).output])
    assert outputs.seconds() == list(range(START, START + 60, 10))
    assert (interpreter.accepted, port.done_count) == (60, 60)
