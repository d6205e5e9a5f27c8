"""The HTTP source against a real web server that answers as the devices do."""

import hashlib
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.certificates import self_signed
from tests.helpers.programs import PLUGIN, assert_ends_at_once, plugin, read_line, something_to_read, wait_until
from tests.helpers.telegrams import START, records
from tests.helpers.web_device import Device, ok, question, running, speaking


def test_each_telegram_is_taken_once_over_one_connection(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(Device()) as device, plugin("run", device.url, "--every", "0.1", log=log) as process:
        wait_until(lambda: len(device.seen) >= 3, "questions before there is a telegram")
        for _ in range(3):
            sent, before = device.telegram(), len(device.seen)
            assert read_line(process) == sent
            wait_until(lambda before=before: len(device.seen) > before + 3, "more questions")  # type: ignore[misc]
        assert not something_to_read(process, 0.1)
        assert len(device.clients) == 1
    assert "retrying" not in log.read_text()


def test_a_device_that_closes_its_connection_costs_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(Device()) as device, plugin("run", device.url, "--every", "0.1", log=log) as process:
        device.headers = {"Connection": "close"}
        for _ in range(3):
            sent = device.telegram()
            assert read_line(process) == sent
    assert "retrying" not in log.read_text()


def test_homewizard_2_is_asked_with_token_and_version_and_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path, "device")
    log = tmp_path / "log"
    monkeypatch.setenv("P1_HTTP_TOKEN", "SECRET")
    with running(Device(certificate, "Bearer SECRET")) as device:
        device.telegram()
        with plugin("run", device.url, log=log):
            wait_until(lambda: "E! " in log.read_text(), "the error")
        pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate[0].read_text())).hexdigest()
        assert f"not trusted (self-signed certificate); if this is your device, add ?pin={pin}" in log.read_text()
        assert device.seen == []

        wrong = "00" * 32
        with plugin("run", f"{device.url}?pin={wrong}", log=log):
            wait_until(lambda: "E! " in log.read_text(), "the error")
        assert "does not match the pin" in log.read_text()
        assert device.seen == []

        for query in (f"?pin={pin}", f"?ca={certificate[0]}"):
            sent = device.telegram()
            with plugin("run", device.url + query, log=log) as process:
                assert read_line(process) == sent
        path, headers = device.seen[-1]
        assert path == "/api/v1/telegram"
        assert headers["X-Api-Version"] == "2"
    assert "SECRET" not in log.read_text()


def test_what_is_not_ours_of_the_query_goes_to_the_device(tmp_path: Path) -> None:
    with running(Device()) as device:
        sent = device.telegram()
        device.body = b'{"p1": "%b"}' % device.body.replace(b"\\", b"\\\\").replace(b"\r\n", b"\\r\\n")
        with plugin("run", f"{device.url}?id=a%20b&every=0.5&member=p1", log=tmp_path / "log") as process:
            assert read_line(process) == sent
        assert device.seen[0][0] == "/api/v1/telegram?id=a+b"


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {}, "check P1_HTTP_TOKEN"),
        (404, {}, "the device answers 404 Not Found"),
        (301, {"Location": "https://other/"}, "with a redirect to 'https://other/'"),
    ],
)
def test_a_device_that_refuses_is_named_and_asked_again(
    tmp_path: Path, status: int, headers: dict[str, str], said: str
) -> None:
    log = tmp_path / "log"
    with running(Device()) as device, plugin("run", device.url, log=log) as process:
        device.status, device.headers = status, headers
        wait_until(lambda: "E! " in log.read_text() or "W! " in log.read_text(), "the error")
        assert said in log.read_text()
        device.headers = {}
        sent = device.telegram()
        assert read_line(process) == sent


def test_an_endless_answer_costs_itself(tmp_path: Path) -> None:
    with running(Device()) as device, plugin("run", device.url, "--every", "0.1", log=tmp_path / "log") as process:
        device.status, device.body = 200, b"x" * 30_000_000
        wait_until(lambda: len(device.seen) >= 3, "questions")
        sent = device.telegram()
        assert read_line(process) == sent
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        assert memory < 64 * 1024


def test_an_answer_with_several_telegrams_is_told_of_with_the_cure(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(Device()) as device, plugin("run", device.url, "--every", "0.1", log=log) as process:
        device.show(json.dumps(["/ISK5\r\n!", {"before": "/OLD5\r\n!"}]).encode())
        wait_until(lambda: "?member=NAME" in log.read_text(), "the warning")
        sent = device.telegram()
        assert read_line(process) == sent


def test_an_answer_that_waits_for_the_next_telegram_is_waited_for(tmp_path: Path) -> None:
    sent = Meter().telegram(START)

    def wait(connection: socket.socket, _number: int) -> None:
        while question(connection):
            time.sleep(11)
            connection.sendall(ok(sent))

    log = tmp_path / "log"
    with speaking(wait) as speaker, plugin("run", speaker.url, log=log) as process:
        assert read_line(process) == lineproto.line(records(sent)[0])
    assert log.read_text() == ""


def test_a_device_that_drips_is_named_within_its_time(tmp_path: Path) -> None:
    def drip(connection: socket.socket, _number: int) -> None:
        question(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b"/")
            time.sleep(0.2)

    log = tmp_path / "log"
    with speaking(drip) as speaker, plugin("run", f"{speaker.url}?timeout=2s", log=log):
        wait_until(lambda: "no complete answer within 2 s" in log.read_text(), "the warning", 10)


def test_no_secret_leaves_the_plugin_whatever_is_wrong_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", "SECRET\r\n")
    log = tmp_path / "log"
    with running(Device(token="Bearer SECRET")) as device:  # noqa: S106
        sent = device.telegram()
        with plugin("run", device.url, "--stats", "1s", log=log) as process:
            lines = [read_line(process) for _ in range(2)]
    assert sent in lines
    assert "SECRET" not in log.read_text() + "".join(lines)
    monkeypatch.setenv("P1_HTTP_TOKEN", "SEC\rRET")
    done = subprocess.run([*PLUGIN, "run", device.url], capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"E! P1_HTTP_TOKEN contains a control character")
    assert b"RET" not in done.stderr


@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
def test_it_ends_at_once(tmp_path: Path, how: str) -> None:
    with running(Device()) as device:

        @contextmanager
        def asked() -> Iterator[subprocess.Popen[bytes]]:
            before = len(device.seen)
            with plugin("run", device.url, "--every", "60", log=tmp_path / "log") as process:
                wait_until(lambda: len(device.seen) > before, "a question")
                yield process

        assert_ends_at_once(asked, how)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["http://host/x", "--every", "soon"], "every"),
        (["http:///x"], "for example http://"),
        (["https://host/x?pin=abc"], "64 hex digits"),
        (["https://host/x?ca=/no/such/file"], "No such file"),
        (["http://me:SECRET@host/x"], "P1_HTTP_TOKEN"),
    ],
)
def test_a_wrong_option_is_refused(arguments: list[str], word: str) -> None:
    done = subprocess.run([*PLUGIN, "run", *arguments], capture_output=True, timeout=20, check=False)
    assert done.returncode == 2
    assert word in done.stderr.decode()
    assert b"SECRET" not in done.stderr
