"""The only retry: what is said, how long it waits, and that nothing is acknowledged twice."""

import errno
from collections.abc import Callable

import pytest

from telegraf_p1.backoff import waiting_time
from telegraf_p1.log import Log
from telegraf_p1.reconnect import Reconnecting, opened_now
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event, Lost, Pause

GONE = OSError(errno.ENODEV, "device disconnected")


class Scripted(Connection):
    """Gives what it was told to give, an error among it."""

    def __init__(self, *script: list[Event] | OSError) -> None:
        self._script = list(script)
        self.heard: list[str] = []

    def read(self) -> list[Event]:
        step = self._script.pop(0)
        if isinstance(step, OSError):
            raise step
        return step

    def done(self) -> None:
        self.heard.append("done")

    def want(self, is_wanted: bool) -> None:  # noqa: FBT001
        self.heard.append("wanted" if is_wanted else "not wanted")

    def close(self) -> None:
        self.heard.append("close")
        raise OSError(errno.EIO, "closing fails too")


def test_one_that_was_opened_at_once_is_read_and_later_opened_anew() -> None:
    connections = [Scripted(), Scripted()]
    left = list(connections)
    source = opened_now(lambda: left.pop(0))
    assert left == connections[1:]
    assert [source(), source()] == connections


def test_whether_a_telegram_is_wanted_is_told_to_each_connection(naps: list[float]) -> None:
    first, second = Scripted([Data(b"/")], GONE), Scripted([Data(b"/")])
    left = [first, second]
    connection = Reconnecting(lambda: left.pop(0), Log(lambda _: None), "port", lambda: 0)
    connection.want(False)
    assert connection.read() == [Data(b"/")]
    assert connection.read() == [Lost()]
    assert connection.read() == [Data(b"/")]
    connection.want(True)
    assert first.heard == ["not wanted", "close"]
    assert second.heard == ["not wanted", "wanted"]
    assert naps


def test_a_connection_that_cannot_be_told_what_is_wanted_is_lost_when_it_is_read() -> None:
    class Gone(Scripted):
        def want(self, is_wanted: bool) -> None:  # noqa: ARG002, FBT001
            raise GONE

    connection = Reconnecting(lambda: Gone([Data(b"/")], GONE), Log(lambda _: None), "port", lambda: 0)
    assert connection.read() == [Data(b"/")]
    connection.want(False)
    assert connection.read() == [Lost()]


def test_one_that_could_not_be_opened_at_once_is_lost_like_any_other_and_tried_once(naps: list[float]) -> None:
    attempts: list[int] = []
    log: list[str] = []

    def source() -> Connection:
        attempts.append(1)
        if len(attempts) == 1:
            raise GONE
        return Scripted([Data(b"/")])

    connection = Reconnecting(opened_now(source), Log(log.append), "port", lambda: 0)
    assert connection.read() == [Lost()]
    assert len(attempts) == 1
    assert log == ["E! port: device disconnected; retrying\n"]
    assert connection.read() == [Data(b"/")]
    assert len(naps) == 2


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps: list[float] = []
    monkeypatch.setattr("telegraf_p1.reconnect.time.sleep", naps.append)
    return naps


class Clock:
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def reconnecting(
    *connections: Connection | OSError, accepted: Callable[[], int] = lambda: 0, clock: Clock | None = None
) -> tuple[Reconnecting, list[str]]:
    log: list[str] = []
    waiting = list(connections)

    def source() -> Connection:
        one = waiting.pop(0)
        if isinstance(one, OSError):
            raise one
        return one

    return Reconnecting(source, Log(log.append, clock or Clock()), "cable", accepted), log


def test_what_is_lost_is_opened_again_and_said_once_each_way(naps: list[float]) -> None:
    accepted = [1]
    first, second = Scripted([Data(b"a")], GONE), Scripted([Pause(2)], [Data(b"noise")], [Data(b"b")], [])
    connection, log = reconnecting(first, GONE, GONE, second, accepted=lambda: accepted[0])
    assert [connection.read() for _ in range(7)] == [
        [Data(b"a")], [Lost()], [Lost()], [Lost()], [Pause(2)], [Data(b"noise")], [Data(b"b")]
    ]  # fmt: skip
    lost = "W! cable: device disconnected; retrying\n"
    assert log == [lost]  # bytes are no telegram
    accepted[0] += 1
    connection.read()
    assert log == [lost, "I! cable: connection restored\n"]
    assert first.heard == ["close"]
    assert len(naps) == 4  # no time is lost before the first


def test_another_reason_is_said_too(naps: list[float]) -> None:
    accepted = [0]
    missing = Scripted([Data(b"a")], [])
    connection, log = reconnecting(
        GONE, OSError(errno.EACCES, "not allowed"), GONE, missing, accepted=lambda: accepted[0]
    )
    for _ in range(4):
        connection.read()
    accepted[0] += 1
    connection.read()
    assert log == [
        "E! cable: device disconnected; retrying\n",
        "I! cable: still unavailable: not allowed\n",
        "I! cable: connected\n",
    ]
    assert len(naps) == 4


@pytest.mark.usefixtures("naps")
def test_two_clients_that_kick_each_other_out_give_two_lines_a_minute() -> None:
    accepted, clock = [0], Clock()
    kicked_out = [Scripted([Data(b"a")], GONE) for _ in range(600)]
    connection, log = reconnecting(*kicked_out, accepted=lambda: accepted[0], clock=clock)
    for _ in range(599):
        connection.read()
        accepted[0] += 1
        connection.read()
        clock.now += 1
    assert len(log) <= 20
    assert "W! cable: device disconnected; retrying (59 similar messages suppressed)\n" in log


@pytest.mark.parametrize(("error", "longest"), [(GONE, 5), (OSError(errno.EACCES, "not allowed"), 60)])
def test_it_waits_longer_each_time_until_a_telegram_was_accepted(
    naps: list[float], error: OSError, longest: float
) -> None:
    """Not for long where somebody is away, since what the meter says meanwhile is lost."""
    accepted = [0]
    connection, _ = reconnecting(*[error] * 9, Scripted([Data(b"a")], error), error, accepted=lambda: accepted[0])
    for _ in range(10):
        connection.read()
    accepted[0] = 1
    connection.read()
    connection.read()
    assert naps[0] == 0
    assert naps[1:4] == sorted(naps[1:4])
    assert all(longest * 0.75 <= nap <= longest for nap in naps[8:10])
    assert naps[10] == 0.5


def test_what_has_lasted_is_opened_again_soon(naps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that got stuck and a bridge that is silent are reopened, and have to be open when bytes come."""
    clock = Clock()
    monkeypatch.setattr("telegraf_p1.reconnect.time.monotonic", clock)
    for error, wait in ((GONE, 0.5), (OSError(errno.ETIMEDOUT, "no data for 60 s"), 0.0)):
        naps.clear()
        connection, _ = reconnecting(*[Scripted([Pause(2)], error) for _ in range(9)])
        for _ in range(9):
            connection.read()
            clock.now += 60
            connection.read()
        assert naps == [0.0, *[wait] * 8]


def test_the_end_of_a_source_is_passed_on() -> None:
    connection, log = reconnecting(Scripted([Data(b"a")], []))
    assert [connection.read(), connection.read()] == [[Data(b"a")], []]
    assert log == []


@pytest.mark.usefixtures("naps")
def test_done_goes_to_the_connection_that_is_open() -> None:
    first, second = Scripted([Data(b"a")], GONE), Scripted([Data(b"b")])
    connection, _ = reconnecting(first, second)
    connection.read()
    connection.done()
    connection.read()
    connection.done()  # it is lost: nobody is there to hear it
    connection.read()
    connection.done()
    assert (first.heard, second.heard) == (["done", "close"], ["done"])


def test_the_waiting_time_doubles_up_to_the_longest() -> None:
    for attempt in range(1, 200):
        longest = min(2.0 ** (attempt - 1), 60)
        assert max(0.5, longest * 0.75) <= waiting_time(attempt, 60) <= longest
    assert waiting_time(0, 60) == 0.5
