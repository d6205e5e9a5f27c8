"""The source that is posted to, against real clients: kind ones, and ones that are not."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import http_listen, http_server, open_source
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.envelope import LARGEST
from telegraf_p1.sources.events import Data, Dropped, Event, Pause, Silence, Trouble
from telegraf_p1.url import UsageError
from tests.helpers.datalogger import FORM, PATH, Answer, post_telegram, send
from tests.helpers.programs import free_port, wait_until
from tests.helpers.telegrams import START, encrypt

TELEGRAM = Meter().telegram(START)
JSON = TELEGRAM.decode().replace("\\", "\\\\").replace("\r\n", "\\r\\n")
STREAM = PATH.strip("/")


class Receiver:
    """The source at work, with a loop as the program's: what was read is done at once."""

    def __init__(self, connection: Connection, port: int) -> None:
        self.port = port
        self.connection = connection
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._is_over = False
        self._error: OSError | None = None

    def _run(self) -> None:
        while not self._is_over:
            try:
                self.events += self.connection.read()
            except OSError as error:
                self._error = error
                return
            self.connection.done()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over = True
        if self._thread.is_alive():
            send(self.port, b"", method="POST")  # refused, which is told
            self._thread.join(20)
        self.connection.close()

    def fails(self) -> None:
        """Wait until it raises OSError, and raise it here."""
        raise wait_until(lambda: self._error, "the error") or AssertionError

    def data(self) -> list[Data]:
        """Give the telegrams, each without its time."""
        return [untimed(event) for event in self.events if isinstance(event, Data)]

    def troubles(self) -> set[str]:
        return {event.text for event in self.events if isinstance(event, Trouble | Dropped)}


def untimed(event: Event) -> Data:
    """Take the time of reception off, which has to be now."""
    assert isinstance(event, Data)
    assert event.sent_ns
    assert abs(time.time_ns() - event.sent_ns) < 60 * 10**9
    return event._replace(sent_ns=None)


@contextmanager
def receiving(path: str = "", host: str = "127.0.0.1") -> Iterator[Receiver]:
    port = free_port()
    receiver = Receiver(open_source(f"http-listen://{host}:{port}{path}")(), port)
    try:
        yield receiver
    finally:
        receiver.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        receiver.start()
        yield receiver


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(100) as clients:
        yield clients


def raw(port: int, *pieces: bytes) -> bytes:
    """Send bytes as they are, then read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for piece in pieces:
            client.sendall(piece)
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_what_dsmr_readers_datalogger_posts_is_taken_and_answered_with_201(receiver: Receiver) -> None:
    cut = TELEGRAM.removesuffix(b"\r\n")
    answer = post_telegram(receiver.port, cut)
    assert (answer.status, answer.text, answer.headers["Connection"]) == (201, "", "close")
    assert receiver.data() == [Data(cut, STREAM, ends_message=True)]


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"Content-Type": "text/plain"}, TELEGRAM, TELEGRAM),
        ({}, b"\r\n" + TELEGRAM, TELEGRAM),
        (FORM, TELEGRAM, TELEGRAM),  # curl --data-binary @FILE
        ({}, b"other=1&telegram=%2FABC5x%0D%0A%0D%0A%21", b"/ABC5x\r\n\r\n!"),
        ({"Content-Type": "application/json"}, f'{{"telegram": "{JSON}"}}'.encode(), TELEGRAM),
        (FORM, f'{{"a": 1, "p1": "{JSON}"}}'.encode(), TELEGRAM),
        ({}, TELEGRAM.hex().encode(), TELEGRAM),
        ({"Content-Encoding": "gzip"}, gzip.compress(TELEGRAM), TELEGRAM),
        ({"Content-Type": "application/octet-stream"}, encrypt(TELEGRAM), encrypt(TELEGRAM)),
        (FORM, b"telegram=/x%E9%0D%0A%21", b"/x\xe9\r\n!"),
    ],
)
def test_a_telegram_is_found_in_whatever_it_is_sent_in(
    receiver: Receiver, headers: dict[str, str], body: bytes, expected: bytes
) -> None:
    assert send(receiver.port, body, headers).status == 201
    assert receiver.data() == [Data(expected, STREAM, ends_message=True)]


def test_each_path_is_a_stream_and_the_root_has_no_name(receiver: Receiver) -> None:
    for path in ("/home/1", "/home/2/?a=b", "/"):
        assert post_telegram(receiver.port, TELEGRAM, path=path).status == 201
    assert [event.origin for event in receiver.data()] == ["home/1", "home/2", ""]


def test_with_a_path_in_the_source_others_are_refused_and_the_stream_has_no_name() -> None:
    with receiving("/p1") as receiver:
        receiver.start()
        assert post_telegram(receiver.port, TELEGRAM, path="/p1").status == 201
        assert post_telegram(receiver.port, TELEGRAM, path="/p2")[:2] == (404, "the path must be /p1")
        assert receiver.data() == [Data(TELEGRAM, ends_message=True)]


@pytest.mark.parametrize("path", ["/" + 300 * "x", "/\xe9"])
def test_a_path_that_nobody_means_is_refused(receiver: Receiver, path: str) -> None:
    request = f"POST {path} HTTP/1.1\r\nContent-Length: 1\r\n\r\n/".encode("latin-1")
    assert raw(receiver.port, request).startswith(b"HTTP/1.1 404 ")
    assert receiver.data() == []


def test_the_answer_comes_when_the_record_is_written_and_not_before(clients: ThreadPoolExecutor) -> None:
    with receiving() as receiver:
        first = clients.submit(post_telegram, receiver.port, TELEGRAM)
        assert [untimed(one) for one in receiver.connection.read()] == [Data(TELEGRAM, STREAM, ends_message=True)]
        time.sleep(0.2)
        assert not first.done()
        receiver.connection.done()
        assert first.result(20).status == 201


def test_what_is_not_written_in_a_moment_is_answered_with_202_and_what_comes_then_at_once(
    clients: ThreadPoolExecutor,
) -> None:
    with receiving() as receiver:

        def post_and_read() -> Future[Answer]:
            answer = clients.submit(post_telegram, receiver.port, TELEGRAM)
            assert len(receiver.connection.read()) == 1
            return answer

        first = post_and_read()
        assert receiver.connection.read() == [Pause(http_listen._GRACE_S)]  # noqa: SLF001
        assert not first.done()
        for _ in range(3):
            second = post_and_read()
            assert first.result(20)[:2] == (202, "kept in memory, and written when Telegraf reads again")
            first = second
        receiver.connection.done()
        assert first.result(20).status == 201
        third = post_and_read()
        assert receiver.connection.read() == [Pause(http_listen._GRACE_S)]  # noqa: SLF001
        receiver.connection.done()
        assert third.result(20).status == 201


def test_who_waits_when_it_is_closed_is_told_what_was_handed_on_and_what_was_not(clients: ThreadPoolExecutor) -> None:
    with receiving() as receiver:
        first = clients.submit(post_telegram, receiver.port, TELEGRAM)
        assert receiver.connection.read()
        second = clients.submit(post_telegram, receiver.port, TELEGRAM)
        wait_until(lambda: not receiver.connection._waiting.empty(), "the second one")  # type: ignore[attr-defined]  # noqa: SLF001
        receiver.connection.close()
        assert (first.result(20).status, second.result(20).status) == (202, 503)


def test_more_than_may_wait_are_refused_and_told_to_come_again(clients: ThreadPoolExecutor) -> None:
    with receiving() as receiver:
        waiting = [clients.submit(post_telegram, receiver.port, TELEGRAM) for _ in range(80)]
        wait_until(lambda: sum(one.done() for one in waiting) == 16, "the answers to those that are too many")
        assert {one.result().status for one in waiting if one.done()} == {503}
        while len(receiver.events) < 64:
            receiver.events += receiver.connection.read()
        receiver.connection.done()
        assert sorted(one.result(20).status for one in waiting) == [201] * 64 + [503] * 16


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Token SECRET"}, 201),
        ({"Authorization": "Bearer SECRET"}, 201),
        ({"X-AUTHKEY": "SECRET"}, 201),
        ({"Authorization": "Token SECRE"}, 403),
        ({"X-AUTHKEY": "\xe9"}, 403),
        ({"Authorization": "SECRET "}, 403),
        ({}, 403),
    ],
)
def test_only_who_shows_the_token_is_taken(
    monkeypatch: pytest.MonkeyPatch, headers: Mapping[str, str], status: int
) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", "SECRET\r")
    with receiving(host="0.0.0.0") as receiver:
        receiver.start()
        answer = send(receiver.port, TELEGRAM, headers)
        assert answer.status == status
        assert len(receiver.data()) == (status == 201)
        assert "SECRET" not in f"{answer}{receiver.troubles()}"
        assert receiver.troubles() == set() or "another one than P1_HTTP_TOKEN" in str(receiver.troubles())


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.168.1.5", "name.example"])
def test_without_a_token_only_this_computer_is_listened_to(host: str) -> None:
    with pytest.raises(UsageError, match="set P1_HTTP_TOKEN in Telegraf's environment"):
        open_source(f"http-listen://{host}:8080")
    for own in ("127.0.0.1", "[::1]", "localhost", "127.1.2.3"):
        open_source(f"http-listen://{own}:8080")


@pytest.mark.parametrize("token", ["two words", "a\x07b"])
def test_a_token_that_no_header_can_carry_is_refused(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", token)
    with pytest.raises(UsageError, match="P1_HTTP_TOKEN contains") as caught:
        open_source("http-listen://127.0.0.1:8080")
    assert token not in str(caught.value)


def test_a_web_page_cannot_post_through_a_browser(receiver: Receiver) -> None:
    assert send(receiver.port, TELEGRAM, {"Origin": "https://elsewhere.example"}).status == 403
    assert receiver.data() == []


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("POST", FORM, b"meter=1", 400),
        ("POST", FORM, b"telegram=", 400),
        ("POST", FORM, b"&".join([b"a=1"] * 200), 400),
        ("POST", {}, b'{"telegram": "nothing"}', 400),
        ("POST", {}, f'{{"a": "{JSON}", "b": "{JSON.replace("SIM", "RST")}"}}'.encode(), 400),
        ("POST", {}, b"", 400),
        ("POST", {}, bytes(LARGEST + 1), 413),
        ("POST", {"Content-Length": "9" * 5000}, b"", 413),
        ("POST", {"Content-Length": "-1"}, b"", 400),
        ("POST", {"Content-Length": "\xb2"}, b"", 400),
        ("POST", {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n", 411),
        ("GET", {}, b"", 405),
        ("HEAD", {}, b"", 405),
        ("PUT", {}, TELEGRAM, 405),
    ],
)
def test_a_request_that_cannot_be_taken_is_answered_why(
    receiver: Receiver, method: str, headers: Mapping[str, str], body: bytes, status: int
) -> None:
    answer = send(receiver.port, body, headers, method=method)
    assert answer.status == status
    assert answer.text or method == "HEAD"
    assert receiver.data() == []
    assert post_telegram(receiver.port, TELEGRAM).status == 201


def test_what_holds_no_telegram_is_told(receiver: Receiver) -> None:
    send(receiver.port, b"meter=1", FORM)
    wait_until(receiver.troubles, "the trouble")
    assert "request rejected (400): no telegram found in the form field" in str(receiver.troubles())


def test_a_client_that_asks_whether_to_go_on_is_answered(receiver: Receiver) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(TELEGRAM)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as client:
        client.sendall(head)
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(TELEGRAM)
        assert client.recv(4096).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n/",
        b"POST / HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"POST /" + b"x" * 300_000,
        b"POST / HTTP/1.1\r\n: \r\n \xff\r\n\0\r\nContent-Length: \r\n\r\n",
    ],
)
def test_noise_costs_itself(receiver: Receiver, noise: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as client:
        try:
            client.sendall(noise)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        except ConnectionError:
            pass
    assert post_telegram(receiver.port, TELEGRAM).status == 201
    assert not any("bug" in text for text in receiver.troubles())
    assert capfd.readouterr().err == ""


def test_slow_clients_are_disconnected_and_delay_nobody(receiver: Receiver) -> None:
    with ExitStack() as stack:
        slow_clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port), timeout=20)) for _ in range(300)
        ]
        for one in slow_clients[-20:]:
            one.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n/")
        begun = time.monotonic()
        for _ in range(50):
            assert post_telegram(receiver.port, TELEGRAM).status == 201
        assert time.monotonic() - begun < 5
        assert threading.active_count() < 100
        assert slow_clients[0].recv(1) == b""


def test_those_who_do_not_go_once_they_are_answered_are_bounded(receiver: Receiver) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        for number in range(100):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port), timeout=20))
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(TELEGRAM) + TELEGRAM)
            assert client.recv(4096).startswith(b"HTTP/1.1 201 "), number
            assert threading.active_count() - before < 40


def test_a_request_that_drips_is_given_up_at_a_deadline_for_all_of_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_DEADLINE_S", 0.3)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as client:
        begun = time.monotonic()
        try:
            for byte in b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n":
                client.sendall(bytes([byte]))
                time.sleep(0.05)
        except ConnectionError:
            pass
        else:
            pytest.fail("it was heard for longer than the deadline")
        assert time.monotonic() - begun < 1.5


def test_when_nothing_is_posted_it_says_once_where_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_listen, "_SILENCE_S", 0.1)
    monkeypatch.setenv("P1_HTTP_TOKEN", "x")
    with receiving("/p1", host="0.0.0.0") as receiver:
        place = f"http://ADDRESS-OF-THIS-COMPUTER:{receiver.port}/p1"
        assert receiver.connection.read() == [Silence(0.1, f"check that the device posts to {place}")]
        receiver.start()
        time.sleep(0.3)
        assert receiver.events == []


def test_a_listener_that_can_let_nobody_in_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    with receiving() as receiver:
        monkeypatch.setattr(threading.Thread, "start", no_more)
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as client:
            assert client.recv(1) == b""
        monkeypatch.undo()
        receiver.start()
        with pytest.raises(OSError, match="cannot accept connections: can't start new thread"):
            receiver.fails()


def test_a_bug_costs_its_request_alone(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(http_listen, "unwrap", bug)
        assert raw(receiver.port, b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n/") == b""
    wait_until(receiver.troubles, "the trouble")
    assert "this is a bug, please report it: ZeroDivisionError" in str(receiver.troubles())
    assert post_telegram(receiver.port, TELEGRAM).status == 201


def test_many_clients_at_once_are_all_answered(receiver: Receiver, clients: ThreadPoolExecutor) -> None:
    telegrams = [Meter(seed=n).telegram(START) for n in range(30)]
    answers: list[Future[Answer]] = [clients.submit(post_telegram, receiver.port, one) for one in telegrams * 3]
    assert [one.result(20).status for one in answers] == [201] * 90
    assert sorted(event.data for event in receiver.data()) == sorted(telegrams * 3)
    assert receiver.troubles() == set()
