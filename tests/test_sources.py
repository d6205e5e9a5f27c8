"""What `sources/connection.py` promises, asked of every kind of source against its real other side."""

import os
import re
import socket
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from telegraf_p1 import sources
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import events, open_source
from telegraf_p1.sources.connection import Connection, SilenceTimer
from telegraf_p1.sources.events import Data, Event, Pause, Silence, Trouble
from telegraf_p1.timestamp import Zone, epoch
from telegraf_p1.url import UsageError
from tests.helpers.devices import STANDS, Stand
from tests.helpers.programs import wait_until
from tests.helpers.telegrams import START

ENDLESS = sorted(STANDS)
FINITE = ["file", "sim"]
# Whose other side takes seconds to start, or has to speak: test_p0.py and test_kafka.py in tests/integration.
ELSEWHERE = ["p0", "kafka"]


@pytest.fixture
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    with STANDS[request.param](tmp_path) as stand:
        yield stand


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSE_S", 0.05)
    monkeypatch.setattr(events, "SILENCE_S", 0.1)


def opened(stand: Stand) -> Connection:
    return open_source(stand.url)()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def heard(connection: Connection, least: int) -> bytes:
    """Read until this many bytes have come."""
    data = b""
    while len(data) < least:
        found = connection.read()
        assert found, "an endless source is not at its end"
        data += b"".join(event.data for event in found if isinstance(event, Data))
        connection.done()
    return data


def test_every_kind_of_source_is_asked() -> None:
    assert {*ENDLESS, *FINITE, *ELSEWHERE} == {kind.module for kind in sources._KINDS.values()}  # noqa: SLF001


@pytest.mark.parametrize("stand", ENDLESS, indirect=True)
def test_it_gives_the_bytes_that_were_sent_and_again_after_it_was_opened_anew(stand: Stand) -> None:
    for second in range(2):
        connection = opened(stand)
        telegram = Meter().telegram(START + second)
        stand.send(telegram)
        assert heard(connection, len(telegram)) == telegram
        connection.close()
        stand.leave()


@pytest.mark.parametrize("stand", [kind for kind in ENDLESS if kind != "http_listen"], indirect=True)
def test_a_lost_connection_raises_oserror_with_a_reason(stand: Stand) -> None:
    connection = opened(stand)
    telegram = Meter().telegram(START)
    stand.send(telegram)
    heard(connection, len(telegram))
    stand.go_away()
    with pytest.raises(OSError, match=r"\w+") as caught:
        heard(connection, 1)
    assert caught.value.strerror or str(caught.value)
    with suppress(OSError):
        connection.close()


@pytest.mark.parametrize("stand", ENDLESS, indirect=True)
def test_one_that_is_not_there_raises_oserror_when_it_is_opened_or_read(stand: Stand) -> None:
    stand.go_away()
    with pytest.raises(OSError, match=r"\w+"):
        heard(opened(stand), 1)


@pytest.mark.parametrize("stand", ENDLESS, indirect=True)
def test_close_leaves_nothing_open(stand: Stand) -> None:
    source = open_source(stand.url)
    before = open_files()
    for _ in range(3):
        connection = source()
        stand.send(Meter().telegram(START))
        heard(connection, 1)
        connection.close()
        del connection
        stand.leave()
    # What the other side has in this process goes a little later.
    wait_until(lambda: open_files() <= before, "the descriptors to be closed")


@pytest.mark.parametrize(
    "example", [one for one in sources.EXAMPLES if not one.startswith("http:")]
)  # those are the device's
def test_an_unknown_option_is_refused(example: str) -> None:
    with pytest.raises(UsageError, match="unknown option 'colour'"):
        open_source(f"{example.replace('port', '2000')}?colour=red")


@pytest.mark.parametrize("kind", FINITE)
def test_a_finite_one_gives_an_empty_list_at_its_end(kind: str, tmp_path: Path) -> None:
    telegrams = b"".join(Meter().telegram(START + n) for n in range(3))
    (tmp_path / "recording").write_bytes(telegrams)
    connection = open_source({"file": f"file:{tmp_path}/recording", "sim": "sim:?count=3&interval=0s"}[kind])()
    found: list[Event] = []
    while more := connection.read():
        found += more
        connection.done()
    connection.close()
    assert sum(event.data.count(b"!") for event in found if isinstance(event, Data)) == 3


def test_a_simulated_meter_begins_with_its_past() -> None:
    connection = open_source("sim:?since=49h&interval=0s&count=2895")()
    found = [event for _ in range(2896) for event in connection.read()]
    shown = [one.data.split(b"0-0:1.0.0(")[1][:13].decode() for one in found if isinstance(one, Data)]
    times = [epoch(text, Zone()) or 0 for text in shown]
    assert [after - before for before, after in pairwise(times)] == [300] * 12 + [60] * 2880 + [1, 1]


def told(url: str, count: int) -> list[bytes]:
    connection = open_source(url)()
    return [event.data for _ in range(count) for event in connection.read() if isinstance(event, Data)]


def counters(telegram: bytes) -> list[float]:
    """Give the readings of electricity and gas."""
    found = re.findall(rb"(?:1-0:[12]\.8\.[12]|24\.2\.1\(\w+\))\(([\d.]+)", telegram)
    assert len(found) == 5
    return [float(one) for one in found]


def test_a_simulated_meter_tells_the_same_past_at_each_start_and_goes_on_from_there() -> None:
    begin = int(time.time()) // 60 * 60 - 7200
    since, until = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (begin, begin + 3600))
    url = f"sim:?since={since}&until={until}"
    first = told(url, 62)
    time.sleep(1.1)  # they start at different times
    second = told(url, 62)
    assert first[:60] == second[:60]
    assert first[60] != second[60]
    shown = [epoch(one.split(b"0-0:1.0.0(")[1][:13].decode(), Zone()) or 0 for one in first]
    assert shown[:60] == [begin + 60 * n for n in range(60)]
    assert 0 <= time.time() - shown[61] < 10
    assert all(after >= before for pair in pairwise(map(counters, first)) for before, after in zip(*pair, strict=True))
    assert sum(counters(first[60])) > sum(counters(first[59]))  # it went on meanwhile


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("until=2026-10-30T18:05:00Z", "until='2026-10-30T18:05:00Z' needs a since, such as since=31d"),
        ("since=2026-10-30T18:05:00Z&until=2026-10-30T18:04:00Z", "until='.*' is before since='2026-10-30T18:05:00Z'"),
        ("since=1d&until=2d", "until='2d' is before since='1d'"),
        ("since=1d&until=2199-01-01T00:00:00Z", "until='2199-01-01T00:00:00Z' is in the future"),
        ("since=2199-01-01T00:00:00Z", "since='2199-01-01T00:00:00Z' is in the future"),
        ("since=1month", "since='1month' must be a time such as 2026-10-30T18:05:00Z, or how long ago: 5m, 31d"),
        ("since=2026-10-30T18:05:00", "must be a time such as"),  # in which time zone?
        ("since=0001-01-01T00:00:00Z", "must be a time such as"),
    ],
)
def test_a_past_that_cannot_be_is_refused(query: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_source(f"sim:?{query}")


def waits(limit: float | None) -> list[float | None]:
    """Give how long a source waits each time, until it is told to wait for ever or gives up."""
    timer, found = SilenceTimer(limit), []
    while True:
        found.append(timer.wait())
        if found[-1] is None:
            return found
        try:
            timer.event()
        except OSError:
            return found


def test_a_source_speaks_twice_and_then_sleeps() -> None:
    assert waits(None) == [2, 13, None]
    timer = SilenceTimer()
    assert [timer.event(), timer.event()] == [Pause(2), Silence(15)]


def test_a_connection_is_given_up_at_its_limit() -> None:
    assert waits(30) == [2, 13, 15]
    assert waits(10) == [2, 8]
    assert waits(2) == [2]
    assert waits(1) == [1]


def test_a_byte_begins_it_anew() -> None:
    timer = SilenceTimer()
    timer.event()
    timer.renew()
    assert timer.wait() == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stand", ["serial_port"], indirect=True)
def test_a_serial_port_tells_of_silence_once_after_each_byte(stand: Stand) -> None:
    connection = opened(stand)
    for _ in range(2):
        assert [*connection.read(), *connection.read()] == [Pause(0.05), Silence(0.1)]
        stand.send(b"/")
        assert connection.read() == [Data(b"/")]
    connection.close()


@pytest.mark.usefixtures("impatient")
def test_silence_over_tcp_is_explained_and_then_the_connection_given_up() -> None:
    log: list[str] = []
    interpreter = Interpreter(Settings("auto", Zone(), host_time=False), Log(log.append), "bridge")
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = open_source(f"tcp://127.0.0.1:{server.getsockname()[1]}?timeout=1s")()
        assert connection.read() == [Pause(0.05)]
        with server.accept()[0] as peer:
            peer.sendall(Meter().telegram(START)[:100])

            def read_on() -> None:
                while True:
                    for event in connection.read():
                        interpreter.records(event, 1)

            with pytest.raises(OSError, match="no data for 1 s"):
                read_on()
        connection.close()
    assert any("a telegram was cut off after 100 bytes, and then no data for 0.1 s" in line for line in log)


@pytest.mark.parametrize("stand", ["serial_port"], indirect=True)
def test_a_serial_port_wakes_up_seldom_while_a_telegram_comes(stand: Stand) -> None:
    connection = opened(stand)
    telegram = Meter().telegram(START)
    pieces = [telegram[start : start + 62] for start in range(0, len(telegram), 62)]
    enough = threading.Event()

    def speak() -> None:
        while not enough.wait(0.2):  # as long as meters pause, or longer
            for piece in pieces:
                stand.send(piece)
                time.sleep(0.01)

    meter = threading.Thread(target=speak)
    meter.start()
    reads: list[int] = []
    while len(reads) < 50 and min(reads, default=15) > 5:  # a machine that is busy may oversleep now and then
        data, count = b"", 0
        while len(data) < len(telegram):
            data += heard(connection, 1)
            count += 1
        assert data == telegram
        reads.append(count)
    enough.set()
    meter.join()
    connection.close()
    assert reads[0] > 5 >= reads[-1], reads


@pytest.mark.parametrize("stand", ["serial_port"], indirect=True)
def test_a_silent_port_is_given_up_to_be_opened_anew(stand: Stand) -> None:
    connection = open_source(f"{stand.url}?timeout=1s")()
    with pytest.raises(OSError, match="connected, but no data for 1 s"):
        connection.read()
    connection.close()


@pytest.mark.parametrize("stand", ["serial_port"], indirect=True)
def test_bytes_that_somebody_else_took_are_no_lost_port(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """He has set VMIN for himself, so that the port says EAGAIN and not that it is empty."""
    connection = opened(stand)
    port = os.open(stand.url, os.O_RDWR | os.O_NOCTTY)
    settings = termios.tcgetattr(port)
    settings[6][termios.VMIN] = 1
    termios.tcsetattr(port, termios.TCSANOW, settings)
    os.close(port)
    monkeypatch.setattr("telegraf_p1.sources.serial_port.select.select", lambda *_: ([0], [], []))
    (event,) = connection.read()
    assert isinstance(event, Trouble)
    assert "another program also reads this port" in event.text
    connection.close()


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        (b"Port already in use\r\n", "'Port already in use'; in ser2net, max-connections allows more than one client"),
        (b"ser2net ready\r\n", "'ser2net ready'"),
        (Meter().telegram(START)[:150], ""),
        (Meter().telegram(START), ""),
        (b"", ""),
    ],
)
def test_what_a_bridge_said_before_it_hung_up_is_quoted(said: bytes, quoted: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = open_source(f"tcp://127.0.0.1:{server.getsockname()[1]}")()
        with server.accept()[0] as peer:
            peer.sendall(said)
        if said:
            connection.read()
        with pytest.raises(ConnectionResetError) as caught:
            connection.read()
        connection.close()
    expected = f" after sending {quoted}" if quoted else ""
    assert caught.value.strerror == f"the other side closed the connection{expected}"


def test_the_time_between_two_questions_is_for_sources_that_ask() -> None:
    assert [sources.asks(text) for text in ("https://host/x", "/dev/ttyUSB0", "sim:", "gopher://x")] == [
        True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(UsageError, match="every='soon'"):
        open_source("http://host/x", every="soon")
