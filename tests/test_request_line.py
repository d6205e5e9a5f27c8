"""The data-request line: raised only while a telegram is wanted.

A pty has no modem lines: a port that remembers them stands for pyserial's.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from telegraf_p1.sources import events, open_source
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event, Pause, Silence, Trouble
from telegraf_p1.url import UsageError
from tests.helpers.devices import STANDS, Stand
from tests.helpers.programs import wait_until


class Lines:
    """The modem lines of all ports that are opened."""

    rts = dtr = True
    is_gone = False


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    lines = Lines()

    class Port(serial.Serial):
        def _update_rts_state(self) -> None:
            if lines.is_gone:
                raise OSError(5, "Input/output error")
            lines.rts = self.rts

        def _update_dtr_state(self) -> None:
            lines.dtr = self.dtr

    monkeypatch.setattr(serial, "Serial", Port)
    return lines


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with STANDS["serial_port"](tmp_path) as stand:
        yield stand


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSE_S", 0.05)
    monkeypatch.setattr(events, "SILENCE_S", 0.1)


def opened(stand: Stand, request: str) -> Connection:
    return open_source(f"{stand.url}?request={request}&timeout=1s")()


@pytest.mark.parametrize(
    ("request_", "unwanted"), [("rts", (False, True)), ("dtr", (True, False)), ("always", (True, True))]
)
def test_only_the_line_that_asks_is_lowered_while_nothing_is_wanted(
    stand: Stand, lines: Lines, request_: str, unwanted: tuple[bool, bool]
) -> None:
    connection = opened(stand, request_)
    assert (lines.rts, lines.dtr) == (True, True)
    connection.want(False)
    assert (lines.rts, lines.dtr) == unwanted
    connection.want(True)
    assert (lines.rts, lines.dtr) == (True, True)
    connection.close()


@pytest.mark.usefixtures("lines", "impatient")
def test_while_nothing_is_wanted_silence_is_no_trouble_and_then_it_is(stand: Stand) -> None:
    connection = opened(stand, "rts")
    connection.want(False)
    found: list[list[Event]] = []

    def read() -> None:
        found.extend(connection.read() for _ in range(3))

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(0.5)  # longer than a silence that is told of
    assert found == []
    stand.send(b"/")  # of a meter that speaks unasked
    wait_until(lambda: found == [[Data(b"/")]], "the byte")
    connection.want(True)
    reader.join(20)
    assert found[1:] == [[Pause(0.05)], [Silence(0.1)]]
    with pytest.raises(OSError, match="no data for 1 s"):
        connection.read()
    connection.close()


@pytest.mark.usefixtures("impatient")
def test_without_a_request_line_silence_counts_whatever_is_wanted(stand: Stand) -> None:
    connection = opened(stand, "always")
    connection.want(False)
    assert connection.read() == [Pause(0.05)]
    connection.close()


def test_a_port_that_is_gone_or_closed_says_so_where_it_is_read_alone(stand: Stand, lines: Lines) -> None:
    connection = opened(stand, "rts")
    lines.is_gone = True
    connection.want(False)
    stand.go_away()
    with pytest.raises(OSError, match="device disconnected"):
        connection.read()
    connection.close()
    connection.want(True)


def test_a_port_without_such_a_line_is_told_of_and_read(stand: Stand) -> None:
    connection = opened(stand, "dtr")
    (event,) = connection.read()
    assert isinstance(event, Trouble)
    assert "no DTR line that can be switched" in event.text
    stand.send(b"/")
    assert connection.read() == [Data(b"/")]
    connection.close()


def test_another_line_is_refused() -> None:
    with pytest.raises(UsageError, match="must be always, rts or dtr"):
        open_source("/dev/ttyUSB0?request=cts")
