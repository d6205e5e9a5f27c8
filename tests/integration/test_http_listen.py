"""The source that is posted to in the plugin: what is answered with 201 has been written."""

import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from select import PIPE_BUF

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.datalogger import PATH, post_telegram
from tests.helpers.programs import (
    PLUGIN,
    answers,
    assert_ends_at_once,
    component,
    free_port,
    plugin,
    read_line,
    something_to_read,
    wait_until,
)
from tests.helpers.telegrams import START, records, with_crc


def line(telegram: bytes, topic: str = "") -> str:
    (record,) = records(telegram)
    tags = {"topic": topic} if topic else {}
    return lineproto.line(record._replace(tags={**record.tags, **tags}))


@contextmanager
def listening(tmp_path: Path, path: str = "") -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    with plugin("run", f"http-listen://127.0.0.1:{port}{path}", log=tmp_path / "log") as process:
        wait_until(lambda: answers(port), "the plugin")
        yield process, port


def test_what_is_answered_with_201_is_written(tmp_path: Path) -> None:
    with listening(tmp_path) as (process, port):
        for second in range(20):
            telegram = Meter().telegram(START + second)
            assert post_telegram(port, telegram).status == 201
            assert something_to_read(process, 0)
            assert read_line(process) == line(telegram, PATH.strip("/"))
    assert (tmp_path / "log").read_text() == ""


def test_while_telegraf_does_not_read_telegrams_are_kept_in_order_and_no_client_waits(tmp_path: Path) -> None:
    telegrams = [Meter().telegram(START + second) for second in range(300)]
    with listening(tmp_path) as (process, port):
        begun = time.monotonic()
        answers = [post_telegram(port, telegram, seconds=5).status for telegram in telegrams]  # each once
        assert time.monotonic() - begun < 30
        assert {*answers[:10]} == {201}  # the pipe has room for these
        assert {*answers[-100:]} == {202}
        assert answers == sorted(answers)
        assert [read_line(process) for _ in telegrams] == [line(one, PATH.strip("/")) for one in telegrams]
        telegram = Meter().telegram(START + 1000)
        wait_until(lambda: post_telegram(port, telegram).status == 201, "Telegraf's reading to be noticed")
        assert read_line(process) == line(telegram, PATH.strip("/"))


def test_a_record_that_is_longer_than_a_pipe_takes_at_once_is_answered_with_201(tmp_path: Path) -> None:
    body = Meter().telegram(START).replace(b"0-0:96.13.0()", b"0-0:96.13.0(" + b"41" * 5000 + b")")
    telegram = with_crc(body.partition(b"!")[0] + b"!")
    assert len(line(telegram)) > PIPE_BUF
    with listening(tmp_path) as (process, port):
        for _ in range(3):
            assert post_telegram(port, telegram).status == 201
            read_line(process)


def is_taken(port: int, telegram: bytes) -> bool:
    """Whether somebody listens, and has written the record."""
    try:
        return post_telegram(port, telegram).status == 201
    except OSError:
        return False


def test_more_clients_than_there_are_descriptors_stop_nothing(tmp_path: Path) -> None:
    telegram = Meter().telegram(START)
    with listening(tmp_path) as (process, port), ExitStack() as stack:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (16, 16))
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))

        wait_until(lambda: is_taken(port, telegram), "the plugin to listen again")
        assert read_line(process) == line(telegram, PATH.strip("/"))
    assert "cannot accept connections" in (tmp_path / "log").read_text()


def test_curl_posts_a_telegram_with_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", "SECRET")
    telegram = Meter().telegram(START)
    (tmp_path / "telegram").write_bytes(telegram)
    curl = [component("curl"), "--silent", "--write-out", "%{http_code}", "--max-time", "20"]
    with listening(tmp_path, "/p1") as (process, port):
        url = f"http://127.0.0.1:{port}/p1"
        for token, status in (("WRONG", b"403"), ("SECRET", b"201")):
            shown = ["--header", f"Authorization: Token {token}"]
            for form in ("--data-urlencode", "telegram@"), ("--data-binary", "@"):
                body = [form[0], f"{form[1]}{tmp_path}/telegram"]
                done = subprocess.run([*curl, *shown, *body, url], capture_output=True, check=True, timeout=30)
                assert done.stdout.endswith(status)
        assert [read_line(process), read_line(process)] == [line(telegram)] * 2
    log = (tmp_path / "log").read_text()
    assert log.count("request rejected (403)") == 1
    assert "SECRET" not in log


def test_a_telegram_that_is_wrong_is_answered_and_named_and_costs_itself(tmp_path: Path) -> None:
    telegram = Meter().telegram(START)
    with listening(tmp_path) as (process, port):
        assert post_telegram(port, telegram.replace(b"(", b"[", 1)).status == 201
        assert post_telegram(port, telegram).status == 201
        assert read_line(process) == line(telegram, PATH.strip("/"))
    assert "the CRC does not match" in (tmp_path / "log").read_text()


def test_a_place_that_another_program_has_is_waited_for(tmp_path: Path) -> None:
    port, log, telegram = free_port(), tmp_path / "log", Meter().telegram(START)
    with socket.create_server(("127.0.0.1", port)) as other, plugin("run", f"http-listen://127.0.0.1:{port}", log=log):
        wait_until(lambda: "Address already in use" in log.read_text(), "the error")
        other.close()

        wait_until(lambda: is_taken(port, telegram), "the plugin to listen")


@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
def test_it_ends_at_once_though_a_client_is_slow(tmp_path: Path, how: str) -> None:
    @contextmanager
    def receiving() -> Iterator[subprocess.Popen[bytes]]:
        with listening(tmp_path) as (process, port), socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\n")
            yield process

    assert_ends_at_once(receiving, how)


def test_to_listen_to_others_without_a_token_is_refused() -> None:
    done = subprocess.run([*PLUGIN, "run", "http-listen://0.0.0.0:8080"], capture_output=True, timeout=20, check=False)
    assert done.returncode == 2
    assert b"P1_HTTP_TOKEN" in done.stderr


def test_a_flood_costs_no_memory(tmp_path: Path) -> None:
    telegram = Meter().telegram(START)
    with listening(tmp_path) as (process, port):
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(100)]
        for client in clients:
            with suppress(ConnectionError):
                client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 262144\r\n\r\n" + bytes(262_000))
        assert post_telegram(port, telegram).status == 201
        assert read_line(process) == line(telegram, PATH.strip("/"))
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        for client in clients:
            client.close()
    assert memory < 64 * 1024
