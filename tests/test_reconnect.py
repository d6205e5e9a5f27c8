"""The only retry: what is said, how long it waits, and that nothing is acknowledged twice."""

import errno
from collections.abc import Callable

import pytest

from telegraf_p1.log import Log
from telegraf_p1.reconnect import Reconnecting, waiting_time
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event, Lost, Pause

GONE = OSError(errno.ENODEV, "the device is gone")


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

    def close(self) -> None:
        self.heard.append("close")
        raise OSError(errno.EIO, "closing fails too")


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps: list[float] = []
    monkeypatch.setattr("telegraf_p1.reconnect.time.sleep", naps.append)
    return naps


def reconnecting(
    *connections: Connection | OSError, accepted: Callable[[], int] = lambda: 0
) -> tuple[Reconnecting, list[str]]:
    log: list[str] = []
    waiting = list(connections)

    def source() -> Connection:
        one = waiting.pop(0)
        if isinstance(one, OSError):
            raise one
        return one

    return Reconnecting(source, Log(log.append), "cable", accepted), log


def test_what_is_lost_is_opened_again_and_said_once_each_way(naps: list[float]) -> None:
    first, second = Scripted([Data(b"a")], GONE), Scripted([Pause(2)], [Data(b"b")])
    connection, log = reconnecting(first, GONE, GONE, second)
    assert [connection.read() for _ in range(6)] == [
        [Data(b"a")], [Lost()], [Lost()], [Lost()], [Pause(2)], [Data(b"b")]
    ]  # fmt: skip
    assert log == ["W! cable: the device is gone; trying again until it is there\n", "I! cable is back\n"]
    assert first.heard == ["close"]
    assert len(naps) == 4  # no time is lost before the first


def test_another_reason_is_said_too(naps: list[float]) -> None:
    connection, log = reconnecting(GONE, OSError(errno.EACCES, "not allowed"), GONE, Scripted([Data(b"a")]))
    for _ in range(4):
        connection.read()
    assert log == [
        "E! cable: the device is gone; trying again until it is there\n",
        "I! cable: still not there: not allowed\n",
        "I! cable is there\n",
    ]
    assert len(naps) == 4


def test_it_waits_longer_each_time_until_a_telegram_was_accepted(naps: list[float]) -> None:
    accepted = [0]
    connection, _ = reconnecting(*[GONE] * 6, Scripted([Data(b"a")], GONE), GONE, accepted=lambda: accepted[0])
    for _ in range(7):
        connection.read()
    accepted[0] = 1
    connection.read()
    connection.read()
    assert naps[0] == 0
    assert naps[1:7] == sorted(naps[1:7])
    assert 24 < naps[6] <= 60
    assert naps[7] == 1


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


def test_the_waiting_time_doubles_to_a_minute() -> None:
    for attempt in range(1, 200):
        longest = min(2.0**attempt, 60)
        assert max(1, longest * 0.75) <= waiting_time(attempt) <= longest
    assert waiting_time(0) == 1
