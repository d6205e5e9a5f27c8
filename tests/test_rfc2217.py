"""RFC 2217, spoken with servers that do what none should."""

import socket
import threading

import pytest

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import open_source
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data
from tests.helpers.far_port import IAC, SB, SE, far_port
from tests.helpers.programs import wait_until
from tests.helpers.server import serving
from tests.helpers.telegrams import START

TELEGRAM = Meter().telegram(START)
ENDLESS = IAC + SB + bytes(100_000)


def opened(port: int) -> Connection:
    return open_source(f"rfc2217://127.0.0.1:{port}?timeout=5s")()


def read_until(connection: Connection, reason: str) -> bytes:
    """Give what comes until OSError is raised, with this reason."""
    data = b""

    def read_on() -> None:
        nonlocal data
        while True:
            data += b"".join(event.data for event in connection.read() if isinstance(event, Data))

    with pytest.raises(OSError, match=reason):
        read_on()
    connection.close()
    return data


DTR_ON, DTR_OFF, RTS_ON, RTS_OFF = 8, 9, 11, 12  # RFC 2217, SET-CONTROL


@pytest.mark.parametrize(("request_", "off", "on"), [("rts", RTS_OFF, RTS_ON), ("dtr", DTR_OFF, DTR_ON)])
def test_a_telegram_is_asked_for_by_a_modem_line(request_: str, off: int, on: int) -> None:
    controls: list[int] = []
    with far_port("right", b"", controls) as port:
        connection = open_source(f"rfc2217://127.0.0.1:{port}?timeout=1s&request={request_}")()
        assert controls[-2:] == [DTR_ON, RTS_ON]
        connection.want(False)
        assert controls[-1] == off
        reasons: list[str | None] = []

        def read() -> None:
            try:
                connection.read()
            except OSError as error:
                reasons.append(error.strerror)

        reader = threading.Thread(target=read)
        reader.start()
        reader.join(1.5)
        assert reader.is_alive(), "silence is no trouble while nothing is wanted"
        connection.want(True)
        assert controls[-1] == on
        reader.join(20)
        assert reasons == ["connected, but no data for 1 s"]
        connection.close()


@pytest.mark.parametrize("telegrams", [1, 200])
def test_what_came_before_the_server_left_is_read_however_late(telegrams: int) -> None:
    with far_port("leaves", TELEGRAM * telegrams) as port:
        connection = opened(port)
        wait_until(lambda: "pySerial" not in str(threading.enumerate()), "the server to leave")
        assert read_until(connection, "the other side closed the connection") == TELEGRAM * telegrams


def test_a_command_without_end_is_given_up_and_what_came_before_is_read() -> None:
    with far_port("right", TELEGRAM + ENDLESS) as port:
        assert read_until(opened(port), "commands without end, and no data of the meter") == TELEGRAM


def test_a_command_without_end_is_given_up_while_the_port_is_set_up() -> None:
    def serve(peer: socket.socket) -> None:
        peer.sendall(ENDLESS)
        while peer.recv(4096):
            pass

    with serving(serve) as port, pytest.raises(OSError, match="commands without end, and no data of the meter"):
        opened(port)


def test_commands_between_telegrams_may_be_as_many_as_there_are() -> None:
    some = (IAC + SB + b"\x2c\x6b\x01" + IAC + SE) * 1000
    with far_port("leaves", (TELEGRAM + some) * 50) as port:
        assert read_until(opened(port), "the other side closed the connection") == TELEGRAM * 50


def test_the_end_of_a_command_that_has_not_begun_is_an_oserror() -> None:
    with far_port("right", TELEGRAM + IAC + SE) as port:
        assert read_until(opened(port), "the server does not answer like an RFC 2217 server") == TELEGRAM
