"""The HTTP source against servers that say what no device should, byte for byte."""

import errno
import gzip
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import events, open_source
from telegraf_p1.sources.connection import Connection
from telegraf_p1.sources.events import Data, Event, Silence, Unchanged
from tests.helpers.certificates import self_signed
from tests.helpers.programs import wait_until
from tests.helpers.telegrams import START
from tests.helpers.web_device import Device, Speaker, ok, question, running, speaking

TELEGRAM = Meter().telegram(START)
Speak = Callable[[socket.socket, int], None]


def answer(*pieces: bytes) -> Speak:
    """Give what answers each question so, until the other side has closed."""

    def speak(connection: socket.socket, _number: int) -> None:
        while question(connection):
            connection.sendall(b"".join(pieces))

    return speak


def answer_once(data: bytes) -> Speak:
    """Give what answers one question so, and closes."""

    def speak(connection: socket.socket, _number: int) -> None:
        question(connection)
        connection.sendall(data)

    return speak


def opened(url: str, options: str = "timeout=1s") -> Connection:
    return open_source(f"{url}?every=100ms&{options}")()


def trouble(speaker: Speaker, options: str = "timeout=1s") -> str:
    """Read from it, which has to fail, and give the reason."""
    connection = opened(speaker.url, options)
    try:
        while True:
            connection.read()
    except OSError as error:
        return str(error.strerror)
    finally:
        connection.close()


def read(connection: Connection) -> bytes:
    (event,) = connection.read()
    assert isinstance(event, Data)
    return event.data


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (CHUNKED + b"-5\r\nabc\r\n", "like a web server"),
        (CHUNKED + b"\xff\r\nabc\r\n", "IncompleteRead"),
        (CHUNKED + b"f" * 5000 + b"\r\nabc\r\n", "IncompleteRead"),
        (CHUNKED + b"3\r\n/ab\r\n99\r\nabc", None),
        (CHUNKED + b"f" * 70_000, "like a web server"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n/", None),
        (HEAD + b"Content-Length: -1\r\n\r\n/", None),
        (HEAD + b"Content-Length: 10\r\n\r\n", "IncompleteRead"),
        (HEAD + b"X: y\r\n" * 200 + b"\r\n", "like a web server"),
        (b"HTTP/7 200 OK\r\n\r\n", "HTTP/7"),
        (b"\x00\xff garbage\r\n\r\n", "garbage"),
        (b"HTTP/1.1 999 \xff\x1b[0m\r\nContent-Length: 0\r\n\r\n", "answers 999 (unknown)"),
        (b"HTTP/1.1 404 SECRET\r\nContent-Length: 0\r\n\r\n", "answers 404 Not Found"),
        (b"", "closed the connection without an answer"),
        (HEAD + b"\r\n" + b"x" * 1_000_000, "too long to be a telegram"),
        (HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, "too long to be a telegram"),
    ],
)
def test_whatever_a_device_answers_is_an_oserror_with_a_reason_or_nothing_yet(data: bytes, said: str | None) -> None:
    with speaking(answer_once(data)) as speaker:
        if said:
            assert said in trouble(speaker)
        else:
            connection = opened(speaker.url)
            assert read(connection)
            connection.close()


ANSWER_PIECES = st.sampled_from(
    [HEAD, b"HTTP/1.1 ", b"HTTP/1.0 200 OK\r\n", b"100 Continue\r\n\r\n", b"200", b"503", b"Content-Length: ",
     b"Content-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Type: multipart/mixed; boundary=a\r\n",
     b"\r\n", b"\n", b"\r\n\r\n", b"-5", b"10", b"fffffffffffffffff", b"\0", b"\xff", b"\x1f\x8b\x08\0", b":", b" ",
     gzip.compress(TELEGRAM), TELEGRAM]
)  # fmt: skip


def test_random_answers_give_nothing_but_bytes_or_an_oserror() -> None:
    now = [b""]

    def speak(connection: socket.socket, _number: int) -> None:
        question(connection)
        connection.sendall(now[0])

    @given(st.lists(ANSWER_PIECES, max_size=8).map(b"".join))
    def ask(data: bytes) -> None:
        now[0] = data
        connection = opened(speaker.url)
        with suppress(OSError):
            connection.read()
        connection.close()

    with pytest.MonkeyPatch.context() as patch, speaking(speak) as speaker:
        patch.setattr(events, "SILENCE_S", 0.0)  # so that `read` comes back after an answer without a body
        ask()


def say_nothing(connection: socket.socket, _number: int) -> None:
    connection.recv(4096)
    time.sleep(4)


def drip(connection: socket.socket, _number: int) -> None:
    question(connection)
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(40):
        connection.sendall(b"x")
        time.sleep(0.1)


def drip_headers(connection: socket.socket, _number: int) -> None:
    question(connection)
    connection.sendall(HEAD + b"X: ")
    for _ in range(40):
        connection.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize("speak", [say_nothing, drip, drip_headers])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_deadline_is_for_the_whole_answer(speak: Speak, scheme: str, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "device") if scheme == "https" else None
    trust = f"&ca={certificate[0]}" if certificate else ""
    with speaking(speak, certificate) as speaker:
        begun = time.monotonic()
        assert "no complete answer within 1 s" in trouble(speaker, f"timeout=1s{trust}")
        assert time.monotonic() - begun < 2.5


def test_the_deadline_is_for_tls_too(tmp_path: Path) -> None:
    with speaking(say_nothing) as speaker:
        url = speaker.url.replace("http:", "https:")
        begun = time.monotonic()
        with pytest.raises(OSError, match="does not answer"):
            opened(url).read()
        assert time.monotonic() - begun < 2.5

    certificate = self_signed(tmp_path, "device")

    def busy(connection: socket.socket, number: int) -> None:
        """Let the certificate be seen once; the second look at it gets no answer."""
        if number > 1:
            say_nothing(connection, number)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.wrap_socket(connection, server_side=True)

    with speaking(busy) as speaker:
        begun = time.monotonic()
        with pytest.raises(OSError, match="does not answer"):
            opened(speaker.url.replace("http:", "https:")).read()
        assert time.monotonic() - begun < 2.5
        assert speaker.accepted == 2


def test_an_endless_100_continue_costs_little() -> None:
    def go_on(connection: socket.socket, _number: int) -> None:
        question(connection)
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    with speaking(go_on) as speaker:
        begun = time.thread_time()
        # Newer releases of Python stop by themselves, after 100 of them.
        assert re.search("too long to be a telegram|more than 100 interim", trouble(speaker, "timeout=5s"))
        assert time.thread_time() - begun < 1


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say_goodbye(connection: socket.socket) -> None:
    if isinstance(connection, ssl.SSLSocket):
        connection.settimeout(0.1)
        with suppress(OSError):
            connection.unwrap()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("farewell", [lambda _connection: None, reset, say_goodbye], ids=["fin", "rst", "goodbye"])
def test_a_connection_that_the_device_closed_meanwhile_is_opened_again_silently(
    farewell: Callable[[socket.socket], None], scheme: str, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path, "device") if scheme == "https" else None
    taken = threading.Semaphore(0)

    def once(connection: socket.socket, number: int) -> None:
        question(connection)
        connection.sendall(ok(Meter().telegram(START + number)))
        taken.acquire(timeout=5)
        farewell(connection)

    with speaking(once, certificate) as speaker:
        connection = opened(speaker.url, f"ca={certificate[0]}" if certificate else "")
        for number in (1, 2, 3):
            assert read(connection) == Meter().telegram(START + number)
            taken.release()
            wait_until(lambda number=number: speaker.ended == number, "the connection to be closed")  # type: ignore[misc]
        connection.close()


def test_a_connection_that_is_closed_at_each_question_is_tried_again_once(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "device")

    def first_only(connection: socket.socket, number: int) -> None:
        if question(connection) and number == 1:
            connection.sendall(ok(TELEGRAM))

    with speaking(first_only, certificate) as speaker:
        connection = opened(speaker.url, f"ca={certificate[0]}")
        assert read(connection) == TELEGRAM
        wait_until(lambda: speaker.ended == 1, "the connection to be closed")
        with pytest.raises(OSError, match="closed the connection without an answer"):
            connection.read()
        assert speaker.accepted == 2
        connection.close()


def test_what_stands_behind_an_answer_does_not_end_the_next_one() -> None:
    telegrams = [Meter().telegram(START + n) for n in range(2)]

    def with_more(connection: socket.socket, number: int) -> None:
        question(connection)
        connection.sendall(ok(telegrams[number - 1]))
        time.sleep(0.05)
        with suppress(OSError):
            connection.sendall(b"\r\n\n")  # as DSMRloggerAPI does
            question(connection)

    with speaking(with_more) as speaker:
        connection = opened(speaker.url)
        assert [read(connection) for _ in range(2)] == telegrams
        connection.close()


def bad_request(connection: socket.socket, _number: int) -> None:
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def test_plain_http_on_a_port_for_tls_and_the_reverse_are_named(tmp_path: Path) -> None:
    with running(Device()) as device:
        connection = opened(device.url.replace("http:", "https:"), "timeout=3s")
        with pytest.raises(OSError, match="http://"):
            connection.read()
    with speaking(bad_request) as speaker, pytest.raises(OSError, match="does not use TLS on this port: use http://"):
        opened(speaker.url.replace("http:", "https:")).read()

    def alert(connection: socket.socket, _number: int) -> None:
        question(connection)
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")

    with speaking(alert) as speaker:
        assert "uses TLS on this port: use https://" in trouble(speaker)
    with speaking(answer_once(b"")) as speaker:
        assert "if this port needs TLS, use https://" in trouble(speaker)
    nginx = b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"
    with speaking(answer_once(nginx)) as speaker:
        assert "use https://" in trouble(speaker)
    with speaking(answer(ok(TELEGRAM)), self_signed(tmp_path, "device")) as speaker:
        connection = opened(speaker.url.replace("https:", "http:"))
        with pytest.raises(OSError, match="https://"):
            connection.read()


def test_a_certificate_for_another_name_names_both_and_its_pin(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "device")
    with speaking(answer(ok(TELEGRAM)), certificate) as speaker:
        url = speaker.url.replace("127.0.0.1", "localhost")
        connection = opened(url, f"ca={certificate[0]}")
        with pytest.raises(OSError, match=r"is for '127\.0\.0\.1' and not for 'localhost'") as caught:
            connection.read()
        pin = str(caught.value).rpartition("?pin=")[2]
        pinned = opened(url, f"pin={pin}")
        assert read(pinned) == TELEGRAM
        pinned.close()


def test_a_homewizard_whose_api_is_switched_off_says_where_to_switch_it_on() -> None:
    body = b'{"error": {"id": 202, "description": "API not enabled"}}'
    with speaking(answer(ok(body).replace(b"200 OK", b"403 Forbidden"))) as speaker:
        connection = opened(speaker.url)
        with pytest.raises(OSError, match="switch it on in its app") as caught:
            connection.read()
        connection.close()
    assert caught.value.errno != errno.EACCES  # which is asked once a minute only


@pytest.mark.parametrize("headers", [(), ("Content-Encoding: gzip",)])
def test_a_body_that_is_gzip_is_unpacked(headers: tuple[str, ...]) -> None:
    with speaking(answer(ok(gzip.compress(TELEGRAM), *headers))) as speaker:
        connection = opened(speaker.url)
        assert read(connection) == TELEGRAM
        connection.close()


def test_a_gzip_bomb_costs_nothing() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    with speaking(answer(ok(bomb, "Content-Encoding: gzip"))) as speaker:
        begun = time.thread_time()
        connection = opened(speaker.url)
        assert read(connection) == bomb  # what it is, the diagnosis will say
        connection.close()
        assert time.thread_time() - begun < 0.5


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SILENCE_S", 0.15)


@pytest.mark.usefixtures("impatient")
def test_equal_answers_and_no_answers_are_told_apart_each_once() -> None:
    found: list[Event] = []
    with running(Device()) as device:
        connection = opened(device.url)

        def read_on() -> None:
            with suppress(OSError):
                while True:
                    found.extend(connection.read())

        thread = threading.Thread(target=read_on, daemon=True)
        thread.start()

        def told(count: int) -> None:
            wait_until(lambda: len(found) >= count, f"{count} events")
            before = len(device.seen)
            wait_until(lambda: len(device.seen) > before + 3, "more questions")
            assert len(found) == count

        told(1)
        device.show(TELEGRAM)
        told(3)
        device.status = 503
        told(4)
        device.status = 200
        told(4)
        device.show(Meter().telegram(START + 1))
        told(6)
        assert [type(event) for event in found] == [Silence, Data, Unchanged, Silence, Data, Unchanged]
    thread.join(5)
    connection.close()
