"""The WebSocket source against a real WebSocket server."""

import hashlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import events, open_source, websocket
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import DEVICE, Data, Dropped, Pause, Silence
from telegraf_p1.timestamp import Zone
from telegraf_p1.url import UsageError
from tests.helpers.certificates import self_signed
from tests.helpers.programs import wait_until
from tests.helpers.telegrams import ROOT, START, encrypt
from tests.helpers.web_device import Device, running
from tests.helpers.websocket_device import WebSocketDevice, listening

TELEGRAM = Meter().telegram(START)


@pytest.fixture
def device() -> Iterator[WebSocketDevice]:
    with listening(WebSocketDevice()) as device:
        yield device


@pytest.fixture
def connection(device: WebSocketDevice) -> Iterator[Connection]:
    connection = open_source(device.url)()
    yield connection
    connection.close()


def data_of(connection: Connection, least: int = 1) -> list[Data]:
    """Read until this many events with bytes have come."""
    found: list[Data] = []
    while len(found) < least:
        found += [event for event in connection.read() if isinstance(event, Data)]
    return found


def why_it_ends(connection: Connection) -> str:
    try:
        while True:
            connection.read()
    except OSError as error:
        return str(error.strerror)


def test_text_and_bytes_whole_and_in_frames_are_given_as_they_are(
    device: WebSocketDevice, connection: Connection
) -> None:
    encrypted = encrypt(TELEGRAM)
    device.send(TELEGRAM)
    device.send(TELEGRAM.decode())
    device.send(b"")
    device.client().send([encrypted[:5], b"", encrypted[5:]])
    assert data_of(connection, 3) == [Data(TELEGRAM), Data(TELEGRAM), Data(encrypted)]
    assert device.paths == ["/ws"]


@pytest.mark.parametrize("place", [3, 10, 20, 40, -9, -6, -5, -4, -3, -2, -1])
def test_a_telegram_in_pieces_is_read_wherever_it_is_cut(
    device: WebSocketDevice, connection: Connection, place: int
) -> None:
    log: list[str] = []
    interpreter = Interpreter(Settings("auto", Zone(), host_time=False), Log(log.append), "dongle")
    for _ in range(2):
        device.send(TELEGRAM[:place])
        device.send(TELEGRAM[place:])
    found = [record for event in data_of(connection, 4) for record in interpreter.records(event, 1)]
    assert (len(found), log) == (2, [])


def test_a_telegram_in_json_is_taken_out(device: WebSocketDevice, connection: Connection) -> None:
    plain = TELEGRAM.decode().replace("\\", "\\\\").replace("\r\n", "\\r\\n")
    device.send(f'{{"p1": "{plain}"}}')
    assert data_of(connection) == [Data(TELEGRAM, ends_message=True)]


def test_json_in_which_nobody_knows_the_telegram_is_dropped(device: WebSocketDevice, connection: Connection) -> None:
    device.send(b'{"a": "/ABC5x\\r\\n!", "b": "/ABC5y\\r\\n!"}')
    (dropped,) = connection.read()
    assert isinstance(dropped, Dropped)
    assert "?member=NAME" in dropped.text


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (1008, "Connection limit reached", "(1008 (policy violation) Connection limit reached): a Homey Energy Dongle"),
        (1008, "Local API disabled", "local API switched on in the Homey app"),
        (1001, "", "closed the connection (1001 (going away))"),
        (1013, "later", "closed the connection (1013 (try again later) later)"),
    ],
)
def test_why_a_device_closes_is_said(device: WebSocketDevice, code: int, reason: str, said: str) -> None:
    device.refusal = code, reason
    connection = open_source(device.url)()
    assert said in why_it_ends(connection)
    connection.close()


def test_what_came_before_the_close_is_read_first(device: WebSocketDevice, connection: Connection) -> None:
    device.send(TELEGRAM)
    device.client().close(1001)
    assert data_of(connection) == [Data(TELEGRAM)]
    assert "1001" in why_it_ends(connection)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (404, {}, "the device answers 404 Not Found, and does not open a WebSocket"),
        (401, {}, "401 Unauthorized"),
        (302, {"Location": "/other"}, "with a redirect to '/other'"),
        (200, {}, "200 OK"),
    ],
)
def test_a_web_server_without_a_websocket_is_named(status: int, headers: dict[str, str], said: str) -> None:
    with running(Device()) as web:
        web.status, web.headers = status, headers
        with pytest.raises(OSError, match=r"\w") as caught:
            open_source(web.url.replace("http:", "ws:"))()
    assert said in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"Port already in use\r\n", b"HTTP/1.1 101 Yes\r\n\r\n", b"\0" * 100_000])
def test_what_is_no_websocket_raises_oserror(answer: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = server_thread(server, lambda peer: peer.sendall(answer))
        with pytest.raises(OSError, match=r"does not answer like a WebSocket server|closed the connection without"):
            open_source(f"ws://127.0.0.1:{server.getsockname()[1]}/")()
        other()
    assert capfd.readouterr().err == ""


def server_thread(server: socket.socket, serve: Callable[[socket.socket], None]) -> Callable[[], None]:
    """Serve one client in a thread: read its request, then do as told, then close; give what waits for that."""

    def run() -> None:
        with server.accept()[0] as peer, suppress(OSError):  # it may have given up
            peer.recv(4096)
            serve(peer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return lambda: thread.join(10)


def test_a_server_that_never_answers_or_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "_CONNECT_S", 0.3)

    def drip(peer: socket.socket) -> None:
        for _ in range(10):
            peer.sendall(b"H")
            time.sleep(0.1)

    for serve in (drip, lambda _: time.sleep(0.6)):
        with socket.create_server(("127.0.0.1", 0)) as server:
            other = server_thread(server, serve)
            begun = time.monotonic()
            with pytest.raises(OSError, match="connected, but the device does not answer like a WebSocket server"):
                open_source(f"ws://127.0.0.1:{server.getsockname()[1]}/")()
            assert time.monotonic() - begun < 0.9
            other()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\x82\x7f" + (1 << 40).to_bytes(8, "big"), "longer than 262144 bytes"),
        (b"\x83\x00", "violates the WebSocket protocol"),
        (b"\x82\x81abcdx", "violates the WebSocket protocol"),
        (b"\x80\x01x", "violates the WebSocket protocol"),
        (b"\x88\x01x", "violates the WebSocket protocol"),
        (b"\x88\x00", "(1005 (no status received [internal]))"),
        (b"\x82\x7e\x10", "closed the connection"),
    ],
)
def test_what_breaks_the_protocol_raises_oserror(
    device: WebSocketDevice, connection: Connection, raw: bytes, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    client = device.client()
    client.socket.sendall(raw)
    client.socket.shutdown(socket.SHUT_WR)
    assert said in why_it_ends(connection)
    assert capfd.readouterr().err == ""


def test_a_message_without_end_is_given_up(device: WebSocketDevice, connection: Connection) -> None:
    piece = b"\x7e\x80\x00" + bytes(0x8000)
    device.client().socket.sendall(b"\x02" + piece + (b"\x00" + piece) * 8)
    assert "longer than 262144 bytes" in why_it_ends(connection)


def test_silence_is_told_and_then_given_up_though_the_device_answers_pings_and_sends_its_own(
    device: WebSocketDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE_S", 0.05)
    monkeypatch.setattr(events, "SILENCE_S", 0.1)
    connection = open_source(f"{device.url}?timeout=1s")()
    device.send(TELEGRAM[:100])
    assert connection.read() == [Data(TELEGRAM[:100])]
    begun = time.monotonic()
    assert [*connection.read(), *connection.read()] == [Pause(0.05), Silence(0.1, DEVICE)]
    for _ in range(200):
        device.client().socket.sendall(b"\x89\x00")  # a ping
        device.client().socket.sendall(b"\x82\x00")  # a message without a byte
    assert why_it_ends(connection) == "no data for 1 s"
    assert 0.9 < time.monotonic() - begun < 2
    connection.close()


def test_a_device_that_went_without_a_word_is_noticed_when_it_is_asked(
    device: WebSocketDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE_S", 0.05)
    connection = open_source(device.url)()
    client = device.client()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, as after a restart
    assert connection.read() == [Pause(0.05)]
    client.socket.close()
    assert why_it_ends(connection)
    connection.close()


def test_closing_says_goodbye_so_that_another_one_may_come(device: WebSocketDevice) -> None:
    connection = open_source(device.url)()
    device.client()
    connection.close()
    wait_until(lambda: device.closed == [1000], "the close code")


def test_tls_is_checked(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "dongle")
    with listening(WebSocketDevice(certificate)) as device:
        pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate[0].read_text())).hexdigest()
        with pytest.raises(OSError, match=rf"self-signed certificate\); if this is your device, add \?pin={pin}"):
            open_source(device.url)()
        with pytest.raises(OSError, match="does not match the pin"):
            open_source(f"{device.url}?pin={'00' * 32}")()
        for query in (f"?ca={certificate[0]}", f"?pin={pin}"):
            connection = open_source(device.url + query)()
            device.send(TELEGRAM)
            assert data_of(connection) == [Data(TELEGRAM)]
            connection.close()


def test_tls_to_a_plain_port_raises_oserror(device: WebSocketDevice) -> None:
    with pytest.raises(OSError, match="use ws://"):
        open_source(device.url.replace("ws:", "wss:"))()


def test_a_port_for_tls_is_named(tmp_path: Path) -> None:
    with listening(WebSocketDevice(self_signed(tmp_path, "dongle"))) as device, pytest.raises(OSError, match="wss://"):
        open_source(device.url.replace("wss:", "ws:"))()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\x15\x03\x03\0\2\2\x46", "uses TLS on this port: use wss://"),
        (b"", "if this port needs TLS, use wss://"),
    ],
)
def test_how_a_port_for_tls_answers_is_understood(answer: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = server_thread(server, lambda peer: peer.sendall(answer))
        with pytest.raises(OSError, match=said):
            open_source(f"ws://127.0.0.1:{server.getsockname()[1]}/")()
        other()


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("ws:///ws", "for example ws://192.168.1.20/ws"),
        ("ws://a..b/ws", "not a valid host name"),
        ("ws://host/ws?timeout=x", "timeout='x'"),
        ("wss://host/ws?ca=/no/such/file", "No such file"),
        ("ws://host/ws?ca=/some/file", "use wss://"),
    ],
)
def test_a_wrong_option_is_refused(source: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        open_source(source)


def test_a_missing_package_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "telegraf_p1.sources.websocket")
    monkeypatch.setitem(sys.modules, "websockets.client", None)
    with pytest.raises(UsageError, match=r"needs a package that is not installed: run \S+ -m pip install 'websockets>"):
        open_source("ws://host/ws")


def test_the_package_is_the_one_of_the_extra() -> None:
    from telegraf_p1.sources import _KINDS

    assert f'ws = ["{_KINDS["ws"].needs}"]' in (ROOT / "pyproject.toml").read_text()
