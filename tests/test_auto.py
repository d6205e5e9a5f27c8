"""The one port where a meter speaks, of several ptys."""

import os
import pty
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from serial.tools import list_ports

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import auto, events, open_source
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event, Notice, Trouble
from telegraf_p1.url import UsageError
from tests.helpers.telegrams import START, encrypt

TELEGRAM = Meter().telegram(START)


class Port:
    """A pty with a name that goes when it is pulled out."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self.end, device = pty.openpty()
        tty.setraw(device)
        name.symlink_to(os.ttyname(device))
        os.close(device)

    def send(self, data: bytes) -> None:
        os.write(self.end, data)

    def pull_out(self) -> None:
        self.name.unlink()
        os.close(self.end)


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Callable[[str], Port]]:
    """Plug a port in, by its name."""
    plugged: list[Port] = []

    def plug_in(name: str) -> Port:
        plugged.append(Port(tmp_path / name))
        return plugged[-1]

    yield plug_in
    for port in plugged:
        if port.name.is_symlink():
            port.pull_out()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "_LOOK_AROUND_S", 0.02)


def heard(connection: Connection, is_enough: Callable[[Event], bool]) -> list[Event]:
    """Give what is told, up to the event that is enough."""
    found: list[Event] = []
    while not any(map(is_enough, found)):
        found += connection.read()
    return found


def is_data(event: Event) -> bool:
    return isinstance(event, Data)


@pytest.mark.parametrize("telegram", [TELEGRAM, Meter("nl-2.2").telegram(START), encrypt(TELEGRAM)])
def test_the_port_that_sends_a_telegram_is_taken_and_nothing_of_it_lost(
    telegram: bytes, ports: Callable[[str], Port], tmp_path: Path
) -> None:
    silent, gps, meter = (ports(f"tty{n}") for n in range(3))
    connection = open_source(f"auto:{tmp_path}/tty*")()
    gps.send(b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n" * 3 + b"/usr/bin/x\r\n!\r\n")
    silent.send(b"\0")
    meter.send(telegram)
    notice, data = heard(connection, is_data)
    assert notice == Notice(f"meter found on {meter.name} (115200 8N1): reading this port")
    assert data == Data(telegram)
    meter.send(telegram)
    assert heard(connection, is_data) == [Data(telegram)]
    gps.send(TELEGRAM)  # what it says is of no interest now
    meter.pull_out()
    with pytest.raises(OSError, match=r"tty2: device disconnected"):
        connection.read()
    connection.close()


@pytest.mark.parametrize(
    "telegram",
    [
        b"/ADN9 6534\r\n\r\n1-0:1.8.0(00000123.456*kWh)\r\n1-0:31.7.0(123.1*A)!\r\n",
        b"/ISK5\\2ME382-1003\r\n\r\n1-0:1.8.1(00000.123*kWh)\r\n1-0:1.7.0(0000.98*kW)\r\n" * 2,
    ],
)
def test_a_meter_without_a_line_of_an_end_mark_is_taken(
    telegram: bytes, ports: Callable[[str], Port], tmp_path: Path
) -> None:
    meter = ports("tty0")
    connection = open_source(f"auto:{tmp_path}/tty*?baudrate=115200&format=8N1")()
    meter.send(telegram)
    assert heard(connection, is_data)[-1] == Data(telegram)
    connection.close()


def test_half_a_telegram_takes_no_port(ports: Callable[[str], Port], tmp_path: Path) -> None:
    meter = ports("tty0")
    connection = open_source(f"auto:{tmp_path}/tty*")()
    meter.send(TELEGRAM[300:] + TELEGRAM[:300])
    sender = threading.Timer(0.2, meter.send, [TELEGRAM[300:]])
    sender.start()
    _, data = heard(connection, is_data)
    assert data == Data(TELEGRAM[300:] + TELEGRAM)
    sender.join()
    connection.close()


def test_one_that_is_plugged_in_later_is_found(ports: Callable[[str], Port], tmp_path: Path) -> None:
    source = open_source(f"auto:{tmp_path}/tty*")
    with pytest.raises(OSError, match=r"no port matches .*/tty\*: plug the cable in"):
        source()
    ports("tty0")
    connection = source()
    is_found = threading.Event()

    def plug_in() -> None:
        meter = ports("tty1")
        while not is_found.wait(0.05):
            meter.send(TELEGRAM)

    thread = threading.Thread(target=plug_in)
    thread.start()
    notice, _ = heard(connection, is_data)
    assert isinstance(notice, Notice)
    assert "tty1" in notice.text
    is_found.set()
    thread.join()
    connection.close()


def test_the_same_port_is_named_once_and_another_one_again(ports: Callable[[str], Port], tmp_path: Path) -> None:
    source = open_source(f"auto:{tmp_path}/tty*")
    meter = ports("tty0")
    for expected in (2, 1):  # the notice, and the telegram
        connection = source()
        meter.send(TELEGRAM)
        assert len(heard(connection, is_data)) == expected
        connection.close()
    meter.pull_out()
    meter = ports("tty1")
    connection = source()
    meter.send(TELEGRAM)
    assert "tty1" in str(heard(connection, is_data)[0])
    connection.close()


def test_all_that_are_listened_to_may_be_pulled_out(ports: Callable[[str], Port], tmp_path: Path) -> None:
    both = [ports("tty0"), ports("tty1")]
    connection = open_source(f"auto:{tmp_path}/tty*")()
    for port in both:
        port.pull_out()
    with pytest.raises(OSError, match="plug the cable in"):
        connection.read()
    connection.close()


def test_a_port_that_is_busy_or_none_is_named_once_with_advice(ports: Callable[[str], Port], tmp_path: Path) -> None:
    busy, meter = ports("tty0"), ports("tty1")
    (tmp_path / "tty2").mkdir()
    other = open_source(str(busy.name))()
    source = open_source(f"auto:{tmp_path}/tty*")
    connection = source()
    named = connection.read()
    assert [type(event) for event in named] == [Trouble, Trouble]
    assert f"{busy.name}: port in use by another program" in str(named[0])
    assert "tty2 is not a serial port" in str(named[1])
    connection.close()
    connection = source()
    meter.send(TELEGRAM)
    assert not any(isinstance(event, Trouble) for event in heard(connection, is_data))
    connection.close()
    meter.pull_out()
    with pytest.raises(OSError, match=r"port in use by another program.*; .*is not a serial port"):
        source()
    other.close()


def test_what_bytes_without_a_telegram_are_is_for_others_to_say(
    ports: Callable[[str], Port], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "_ENOUGH_S", 0.3)
    monkeypatch.setattr(events, "PAUSE_S", 0.05)
    loud, _ = ports("tty0"), ports("tty1")
    connection = open_source(f"auto:{tmp_path}/tty*")()
    loud.send(b"Welcome to the gateway\r\n")
    trouble, data, pause = connection.read()
    assert isinstance(trouble, Trouble)
    assert f"listening on {tmp_path}/tty0 (data, no telegram), {tmp_path}/tty1 (no data)" in trouble.text
    assert (data, pause) == (Data(b"Welcome to the gateway\r\n"), events.Pause(0.05))
    (again,) = connection.read()
    assert "no telegram for 0.6 s" in str(again)
    connection.close()


def test_the_settings_of_each_port_are_found(ports: Callable[[str], Port], tmp_path: Path) -> None:
    meter = ports("tty0")
    connection = open_source(f"auto:{tmp_path}/tty*")()
    telegram = Meter("nl-2.2").telegram(START)
    meter.send(bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in telegram))
    notice, data = heard(connection, is_data)
    assert "(115200 7E1)" in str(notice)
    assert data == Data(telegram)
    connection.close()


def test_ports_are_those_that_may_have_a_cable_with_lasting_names_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [tmp_path / name for name in ("ttyS0", "ttyS1", "ttyAMA0", "ttyUSB0", "ttyUSB1", "rfcomm0")]
    for device in devices:
        device.touch()
    names, ttys = tmp_path / "by-id", tmp_path / "class"
    names.mkdir()
    (names / "usb-FTDI").symlink_to(devices[4])
    for name, kind in (("ttyS0", "0"), ("ttyS1", "4"), ("ttyAMA0", "32")):
        (ttys / name).mkdir(parents=True)
        (ttys / name / "type").write_text(f"{kind}\n")
    monkeypatch.setattr(auto, "STABLE_NAMES", names)
    monkeypatch.setattr(auto, "_TTYS", ttys)
    monkeypatch.setattr(list_ports, "comports", lambda: [SimpleNamespace(device=str(one)) for one in devices])
    assert auto.cables() == [str(one) for one in (names / "usb-FTDI", devices[2], devices[1], devices[3])]
    (ttys / "console").mkdir()
    (ttys / "console" / "active").write_text("tty0 ttyAMA0\n")
    assert auto.cables() == [str(one) for one in (names / "usb-FTDI", devices[1], devices[3])]


def test_without_a_pattern_the_ports_of_this_computer_are_listened_to(
    ports: Callable[[str], Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = ports("ttyUSB0")
    monkeypatch.setattr(list_ports, "comports", lambda: [SimpleNamespace(device=str(meter.name))])
    connection = open_source("auto:")()
    meter.send(TELEGRAM)
    assert heard(connection, is_data)[1] == Data(TELEGRAM)
    connection.close()
    meter.pull_out()
    monkeypatch.setattr(list_ports, "comports", list)
    with pytest.raises(OSError, match="no serial port found: plug the cable in"):
        open_source("auto:")()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("auto:ttyUSB0", "write auto:, or a pattern"),
        ("auto://host", "write auto:, or a pattern"),
        ("auto:/", "write auto:, or a pattern"),
        pytest.param(
            *("auto:/dev/**x", "pattern"),
            marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python 3.13 takes ** for * there"),
        ),
        ("auto:?baudrate=fast", "baudrate"),
        ("auto:?request=cts", "request"),
    ],
)
def test_what_cannot_be_is_refused(url: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        open_source(url)
