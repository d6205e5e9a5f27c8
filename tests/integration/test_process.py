"""The plugin as a process: when it ends, how it comes back, what it says."""

import os
import pty
import signal
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.cable import Cable, open_files, waiting_in
from tests.helpers.far_port import MODES, far_port
from tests.helpers.programs import (
    PLUGIN,
    answers,
    assert_ends_at_once,
    free_port,
    plugin,
    program,
    read_line,
    something_to_read,
    wait_until,
)
from tests.helpers.telegrams import KEY, START, encrypt, records, with_crc


def exchange(process: subprocess.Popen[bytes], cable: Cable) -> None:
    """Send telegrams until their records come: what was sent before the port was opened is lost."""
    sent: list[str] = []

    def answered() -> bool:
        sent.append(cable.send())
        return something_to_read(process, 0.3)

    wait_until(answered, "a record")
    while (line := read_line(process)) != sent[-1]:
        assert line in sent


def logged(log: Path, text: str) -> bool:
    return text in log.read_text()


@contextmanager
def in_state(state: str, cable: Cable, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the plugin and wait until it is in this state."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as peers:
        address = server.getsockname()
        server.settimeout(20)
        source = {
            "reading": str(cable.link),
            "silent tcp": f"tcp://127.0.0.1:{address[1]}",
            "connecting": f"tcp://127.0.0.1:{address[1]}",
            "back-off": f"{cable.link}-missing",
            "writing": "sim:?interval=0",
            "finished": "sim:?interval=0&count=1",
        }[state]
        if state == "connecting":
            for _ in range(4):  # a full queue lets the next one wait
                waiting = peers.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
        process = peers.enter_context(plugin("run", source, log=log))
        match state:
            case "reading":
                exchange(process, cable)
            case "silent tcp":
                peers.enter_context(server.accept()[0])
            case "connecting":
                wait_until(lambda: sockets(process.pid), "an attempt to connect")
            case "back-off":
                wait_until(lambda: logged(log, "retrying"), "the warning")
            case "writing":
                wait_until(lambda: unread(process) > 40_000, "a full pipe")
            case "finished":
                read_line(process)
        yield process


@pytest.mark.parametrize("how", ["eof", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize("state", ["reading", "silent tcp", "connecting", "back-off", "writing", "finished"])
def test_it_ends_at_once_in_every_state(state: str, how: str, tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    assert_ends_at_once(lambda: in_state(state, cable, log), how)
    if state != "back-off":
        assert not logged(log, "E! ")


def sockets(pid: int) -> bool:
    return any("socket:" in link for link in open_files(pid))


def unread(process: subprocess.Popen[bytes]) -> int:
    """Count the bytes that lie in the pipe of its stdout."""
    assert process.stdout
    return waiting_in(process.stdout.fileno())


def test_the_port_is_free_after_it_ended(tmp_path: Path, cable: Cable) -> None:
    for _ in range(2):
        with plugin("run", str(cable.link), log=tmp_path / "log") as process:
            exchange(process, cable)


def test_it_ends_quietly_when_nobody_reads_stdout(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with plugin("run", "sim:?interval=0.05", log=log) as process:
        read_line(process)
        assert process.stdout
        process.stdout.close()
        process.wait(10)
        assert process.returncode == 0
    assert not logged(log, "E! ")


def test_a_cable_that_comes_later_is_waited_for(tmp_path: Path, cable: Cable) -> None:
    cable.pull_out()
    log = tmp_path / "log"
    with plugin("run", str(cable.link), log=log) as process:
        wait_until(lambda: logged(log, "E! "), "the message")
        assert logged(log, "check that the cable is plugged in")
        cable.plug_in()
        exchange(process, cable)


def test_a_second_reader_is_told_to_use_ser2net(tmp_path: Path, cable: Cable) -> None:
    with plugin("run", str(cable.link), log=tmp_path / "log") as process:
        exchange(process, cable)
        with plugin("run", str(cable.link), log=tmp_path / "second"):
            wait_until(lambda: logged(tmp_path / "second", "ser2net"), "the advice")
        exchange(process, cable)


def test_parity_bits_are_masked_on_a_line_of_7_bits(tmp_path: Path, cable: Cable) -> None:
    # A pty keeps 8 bits whatever is set, as some drivers do.
    with plugin("run", f"{cable.link}?baudrate=9600&format=7E1", log=tmp_path / "log") as process:
        telegram = Meter("nl-2.2").telegram(START)
        with_parity = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in telegram)

        def answered() -> bool:
            os.write(cable.end, with_parity)
            return something_to_read(process, 0.3)

        wait_until(answered, "a record")
        assert read_line(process).rpartition(" ")[0] == lineproto.line(records(telegram)[0]).rpartition(" ")[0]


@pytest.mark.parametrize("mode", MODES)
def test_whatever_an_rfc_2217_server_answers_it_goes_on(tmp_path: Path, mode: str) -> None:
    log = tmp_path / "log"
    with (
        far_port(mode, Meter().telegram(START)) as port,
        plugin("run", f"rfc2217://127.0.0.1:{port}", log=log) as process,
    ):
        wait_until(lambda: something_to_read(process, 0) or logged(log, "E! "), "a record, or why there is none")
        if mode == "right":
            assert read_line(process) == lineproto.line(records(Meter().telegram(START))[0])
        assert process.poll() is None
        said = log.read_text()
    assert "bug" not in said
    assert "Traceback" not in said


def test_a_tcp_peer_that_is_down_is_waited_for(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with plugin("run", f"tcp://127.0.0.1:{port}", log=log) as process:
        wait_until(lambda: logged(log, "E! "), "the message")
        with socket.create_server(("127.0.0.1", port)) as server:
            server.settimeout(20)
            connection, _ = server.accept()
            with connection:
                connection.sendall(Meter().telegram(START))
                assert read_line(process).startswith("p1,meter=")
    assert not answers(port)


def test_a_rejected_telegram_gives_one_warning_and_no_record(tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    with plugin("run", str(cable.link), log=log) as process:
        exchange(process, cable)
        good = Meter().telegram(START)
        for _ in range(3):
            os.write(cable.end, good.replace(b"kWh", b"kwh"))
        exchange(process, cable)
    assert log.read_text().count("telegram rejected") == 1
    assert log.read_text().startswith("W! ")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run"], "SOURCE"),
        (["run", "sim:", "--crc", "maybe"], "--crc"),
        (["run", "sim:", "--timezone", "Mars/Base"], "time zone"),
        (["run", "sim:", "--measurement", ""], "measurement"),
        (["run", "gopher://x"], "source 'gopher://x'"),
        (["run", "tcp://host"], "port"),
        (["run", "tcp://host:99999"], "from 1 to 65535"),
        (["run", "tcp://127.0.0.1:1?speed=9600"], "'speed'"),
        (["run", "/dev/ttyUSB0?baudrate=fast"], "baudrate"),
        (["run", "/dev/ttyUSB0?format=9X3"], "format"),
        (["run", "serial://ttyUSB0"], "three slashes"),
        (["run", "/dev/null"], "is not a serial port"),
        (["run", "sim:?form=xx"], "nl-5.0"),
        (["run", "sim:?interval=1e300"], "interval"),
        (["run", "sim:", "--stats", "soon"], "60s"),
        (["run", "sim:", "--stats", "10ms"], "at least 1s"),
        (["run", "sim:", "--history", "59s"], "at least 60s"),
        (["decode", "--history", "soon"], "60s"),
        (["run", "sim:form=lu"], "write the options after a ?"),
        (["run", "sim:?form=be&form=lu"], "is given twice"),
        (["run", "recording.txt"], "file:NAME"),
        (["run", "tcp://a..b:23"], "not a valid host name"),
        (["run", "/dev/ptmx?baudrate=1e12"], "baudrate"),
        (["run", "/dev"], "is not a serial port"),
        (["run", "file:%00"], "only printable characters"),
        (["decode", "/proc/self/mem"], "Input/output error"),
        (["run", "file:/no/such/file"], "No such file"),
        (["decode", "/no/such/file"], "No such file"),
        (["run", "sim:", "--publish", "tcp://h/x"], "mqtt://host/root"),
        (["run", "sim:", "--publish", "mqtt://a..b/x"], "not a valid host name"),
        (["run", "sim:", "--publish", f"mqtt://{'h' * 70}/x"], "not a valid host name"),
        (["run", "sim:", "--publish", f"mqtt://h/{'x' * 65_536}"], "too long"),
        (["run", "sim:", "--publish", "mqtt://h/a%0Ab"], "only printable characters"),
        (["run", "sim:", "--publish", "mqtt://h/a%EF%BF%BEb"], "only printable characters"),
        (["run", "sim:", "--publish", f"mqtt://{'u' * 65_536}@h/x"], "too long"),
        (["run", "sim:", "--publish", "mqtt://h/+/x"], "cannot contain + or #"),
        (["run", "sim:", "--publish", "mqtts://h/x?ca=%00"], "only printable characters"),
        (["run", "sim:", "--definitions", "/dev/zero"], "regular file"),
        (["run", "sim:", "--meter-tag", "hash"], "P1_HASH_KEY"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_a_wrong_option_is_one_error_line_and_exit_code_2(arguments: list[str], word: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with plugin(*arguments, log=log) as process:
        assert process.wait(20) == 2
        assert process.stdout
        assert process.stdout.read() == b""
    assert log.read_text().startswith("E! ")
    assert log.read_text().count("\n") == 1
    assert logged(log, word)


def test_decode_gives_lines_json_and_an_exit_code(tmp_path: Path) -> None:
    good, bad = tmp_path / "good?x.raw", tmp_path / "bad.raw"
    good.write_bytes(Meter().telegram(START) + Meter("be").telegram(START))
    bad.write_bytes(Meter().telegram(START).replace(b"kWh", b"kwh"))

    def decode(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*PLUGIN, "decode", *arguments], input=data, capture_output=True, timeout=20, check=False)

    done = decode(str(good))
    assert (done.returncode, done.stdout.count(b"\n"), b"rejected" in done.stderr) == (0, 2, False)
    assert decode(data=good.read_bytes()).stdout == done.stdout
    assert decode("--json", str(good)).stdout.startswith(
        b'{"time_ns": 1700000000000000000, "measurement": "p1", "tags": {"meter": '
    )
    mixed = decode(str(bad), str(good))
    assert (mixed.returncode, mixed.stdout) == (1, done.stdout)
    assert b"telegrams: 2 accepted, 1 rejected" in mixed.stderr


def test_a_meter_that_sends_no_end_mark_is_read_with_crc_off(tmp_path: Path, cable: Cable) -> None:
    telegram = Meter("nl-2.2").telegram(START).rstrip(b"!\r\n") + b"\r\n"
    with plugin("run", str(cable.link), "--crc", "off", log=tmp_path / "log") as process:
        wait_until(lambda: f"{cable.device}" in open_files(process.pid), "the port")
        os.write(cable.end, telegram)
        assert read_line(process).startswith("p1,meter=E0001010000000011 ")


def test_a_second_reader_that_takes_bytes_away_is_noticed(tmp_path: Path, cable: Cable) -> None:
    log = tmp_path / "log"
    with (
        plugin("run", str(cable.link), log=log) as process,
        cable.link.open("rb", buffering=0) as other,
    ):
        os.set_blocking(other.fileno(), False)
        exchange(process, cable)

        def noticed() -> bool:
            process.send_signal(signal.SIGSTOP)  # so that the other one is first
            os.write(cable.end, b"x")
            process.send_signal(signal.SIGCONT)
            with suppress(BlockingIOError):
                other.read(1)
            return logged(log, "another program also reads this port")

        wait_until(noticed, "the warning")
        exchange(process, cable)


def test_encrypted_telegrams_are_read_with_the_key_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram = Meter().telegram(START)
    (tmp_path / "encrypted").write_bytes(encrypt(telegram))
    monkeypatch.setenv("P1_DECRYPTION_KEY", KEY.hex())
    with plugin("run", f"file:{tmp_path / 'encrypted'}", log=tmp_path / "log") as process:
        assert read_line(process) == lineproto.line(records(telegram)[0])
    monkeypatch.setenv("P1_DECRYPTION_KEY", "SECRET")
    done = subprocess.run([*PLUGIN, "run", "sim:"], capture_output=True, timeout=20, check=False)
    assert done.returncode == 2
    assert b"P1_DECRYPTION_KEY must be 32 hex digits" in done.stderr
    assert b"SECRET" not in done.stderr


def test_statistics_come_also_while_no_telegram_does(tmp_path: Path, cable: Cable) -> None:
    with plugin("run", str(cable.link), "--stats", "1s", log=tmp_path / "log") as process:
        silent = read_line(process)
        assert silent.startswith(f"p1_stats,source={cable.link} accepted=0i,rejected=0i,bytes=0i,reconnects=0i,age_s=")
        os.write(cable.end, Meter().telegram(START))
        assert read_line(process).startswith("p1,meter=")
        assert "accepted=1i,rejected=0i,bytes=911i," in read_line(process)


def test_decode_says_so_when_there_is_no_telegram(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"Welcome to the gateway")
    done = subprocess.run([*PLUGIN, "decode", str(empty)], capture_output=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"E! no telegram found")
    log = tmp_path / "log"
    with plugin("run", f"file:{empty}", log=log):
        wait_until(lambda: logged(log, "no telegram found"), "the error")


def test_decode_says_so_when_a_telegram_is_cut_off() -> None:
    telegram = Meter().telegram(START)
    # Its end is no fault of a recording that holds others.
    for data, accepted, code in (
        (telegram[:400], 0, 1),
        (telegram[:400] + telegram, 1, 1),
        (telegram + telegram[:400], 1, 0),
    ):
        done = subprocess.run([*PLUGIN, "decode"], input=data, capture_output=True, timeout=20, check=False)
        assert done.returncode == code
        assert done.stdout.count(b"\n") == accepted
        assert b"cut off after 400 bytes" in done.stderr


def test_a_stdout_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    telegram = tmp_path / "telegram"
    telegram.write_bytes(Meter().telegram(START))
    for arguments in (["decode", str(telegram)], ["run", "sim:"]):
        with (
            Path("/dev/full").open("wb") as full,
            subprocess.Popen(
                [*PLUGIN, *arguments], stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE
            ) as process,
        ):
            assert process.stderr
            assert process.stderr.read().endswith(b"E! cannot write to stdout: No space left on device\n")
            assert process.wait(20) == 1


def test_without_a_stdout_it_ends_quietly(cable: Cable) -> None:
    # Else the port would be opened in its place, and records written to the meter.
    command = 'exec "$@" >&-'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *PLUGIN, "run", str(cable.link)], capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_decode_into_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.write_bytes(Meter().telegram(START) * 500)
    with program([*PLUGIN, "decode", str(many)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert b"E! " not in process.stderr.read()


def test_decode_scrubs_a_recording_and_keeps_the_crc_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, scrubbed = tmp_path / "recording", tmp_path / "scrubbed"
    first, second = Meter().telegram(START), Meter("be").telegram(START)
    recording.write_bytes(first[300:] + first + b"noise" + second + encrypt(first) + first[:200])
    monkeypatch.setenv("P1_DECRYPTION_KEY", KEY.hex())
    with scrubbed.open("wb") as out:
        done = subprocess.run(
            [*PLUGIN, "decode", "--scrub", str(recording)], stdout=out, stderr=subprocess.PIPE, timeout=20, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")
    lines = subprocess.run([*PLUGIN, "decode", "--plain", str(scrubbed)], capture_output=True, timeout=20, check=False)
    assert lines.stdout.count(b"\n") == 3
    assert b"cut off after 200 bytes" in lines.stderr
    for meter in (Meter(), Meter("be")):
        for secret in (str(meter.serial).encode(), str(meter.serial).encode().hex().encode()):
            assert secret not in scrubbed.read_bytes()
            assert secret not in lines.stdout


def test_decode_cannot_scrub_what_it_cannot_open(tmp_path: Path) -> None:
    (tmp_path / "encrypted").write_bytes(encrypt(Meter().telegram(START)))
    for data, said in (
        ((tmp_path / "encrypted").read_bytes(), b"W! -: the telegrams are encrypted"),
        (b"x", b"E! no tel"),
    ):
        done = subprocess.run([*PLUGIN, "decode", "--scrub"], input=data, capture_output=True, timeout=20, check=False)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(said)


@pytest.mark.parametrize("what", [["decode"], ["decode", "--json"], ["decode", "--scrub"]])
def test_records_are_utf_8_whatever_the_locale(what: list[str], tmp_path: Path) -> None:
    definitions, telegram = tmp_path / "my.toml", tmp_path / "telegram"
    definitions.write_text('[[row]]\nvalue = "tariff"\nfield = "énergie"\n', encoding="utf-8")
    telegram.write_bytes(
        with_crc(b"/TST5\r\n\r\n0-0:1.0.0(231114231320W)\r\n0-0:96.13.0(caf\xe9)\r\n0-0:96.14.0(0002)\r\n!")
    )
    done = [
        subprocess.run(
            [*PLUGIN, *what, "--definitions", str(definitions), str(telegram)],
            capture_output=True,
            timeout=20,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        )
        for encoding in ("ascii", "utf-8", "utf-16")
    ]
    assert {(one.returncode, one.stderr) for one in done} == {(0, b"")}
    (written,) = {one.stdout for one in done}
    if what == ["decode"]:
        assert 'énergie=2i,message="café"'.encode() in written


@contextmanager
def terminal() -> Iterator[tuple[int, Callable[[], bytes]]]:
    """Give the program's end of a terminal, and what was written to it so far."""
    ours, its = pty.openpty()
    tty.setraw(its)
    os.set_blocking(ours, False)
    seen = bytearray()

    def so_far() -> bytes:
        with suppress(BlockingIOError):
            while data := os.read(ours, 65536):
                seen.extend(data)
        return bytes(seen)

    try:
        yield its, so_far
    finally:
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("what", [["decode"], ["decode", "--scrub"]])
@pytest.mark.parametrize("stdout", ["closed", "another terminal"])
def test_a_long_recording_shows_its_progress_on_the_terminal(what: list[str], stdout: str) -> None:
    close = ["sh", "-c", 'exec "$@" >&-', "sh"] if stdout == "closed" else []
    telegram = Meter().telegram(START)
    with (
        terminal() as (errors, said),
        terminal() as (out, records_so_far),
        program([*close, *PLUGIN, *what], stdin=subprocess.PIPE, stdout=out, stderr=errors) as process,
    ):
        assert process.stdin

        def feed() -> bool:
            os.write(process.stdin.fileno(), telegram)  # type: ignore[union-attr]
            records_so_far()  # else the terminal is full
            return b" MB\r" in said()

        wait_until(feed, "the progress")
        process.stdin.close()
        assert process.wait(20) == 0
        assert b"\n" not in said()
        assert said().rpartition(b"MB\r")[2].strip(b" ") == b"\r"


@pytest.mark.parametrize("stderr", ["the same terminal", "a file"])
def test_no_progress_is_shown_among_records_or_in_a_file(stderr: str, tmp_path: Path) -> None:
    telegram = Meter().telegram(START)
    with (
        terminal() as (both, seen),
        (tmp_path / "log").open("wb") as log,
        program(
            [*PLUGIN, "decode"], stdin=subprocess.PIPE, stdout=both, stderr=log if stderr == "a file" else both
        ) as process,
    ):
        assert process.stdin
        end = time.monotonic() + 1.5

        def feed() -> bool:
            os.write(process.stdin.fileno(), telegram)  # type: ignore[union-attr]
            return bool(seen()) and time.monotonic() > end

        wait_until(feed, "a while")
        process.stdin.close()
        wait_until(lambda: seen() and process.poll() is not None, "the end")
        assert process.returncode == 0
        assert b" MB" not in seen()
        assert (tmp_path / "log").read_bytes() == b""


def loaded_when_the_port_is_opened(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Its stdout are the modules; nothing when it has ended before."""
    script = f"""if True:
        import os, sys
        from telegraf_p1 import __main__
        from telegraf_p1.sources import serial_port
        def opened(path, line):
            print(*sys.modules, flush=True)
            os._exit(0)
        serial_port.opened = opened
        sys.exit(__main__.console(["run", "/dev/ttyUSB0", *{options}]))
    """
    stdin, open_end = os.pipe()
    command = [sys.executable, "-c", script]
    env = {name: text for name, text in os.environ.items() if not name.startswith("COV")}  # which loads much itself
    done = subprocess.run(
        command, stdin=stdin, capture_output=True, text=True, timeout=20, check=False, env=env | environment
    )
    os.close(stdin)
    os.close(open_end)
    return done


def test_the_port_is_open_before_what_reads_telegrams_is_loaded() -> None:
    """On a small computer that takes as long as a telegram; nor is loaded what another source or command needs."""
    loaded = set(loaded_when_the_port_is_opened().stdout.split())
    reads = {"interpreter", "framer", "telegram", "crc", "decode", "shapes", "timestamp", "values", "record"}
    writes = {"lineproto", "identifiers", "obis.table", "outputs.mapping", "outputs.stdout"}
    costly = {
        "shutil",
        "encodings.idna",
        "crcmod",
        "influx_line_protocol",
        "datetime",
        "decimal",
        "zoneinfo",
        "paho",
        "asyncio",
        "logging",
        "subprocess",
        "socket",
        "ssl",
    }
    assert not loaded & {*(f"telegraf_p1.{name}" for name in reads | writes), *costly}
    assert "serial" in loaded


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--timezone", "Mars/Base"], {}),
        (["--timezone", ""], {}),
        (["--measurement", ""], {}),
        (["--definitions", "/no/such/file"], {}),
        (["--meter-tag", "hash"], {}),
        (["--publish", "tcp://h/x"], {}),
        (["--stats", "soon"], {}),
        (["--history", "soon"], {}),
        ([], {"P1_DECRYPTION_KEY": "short"}),
        ([], {"P1_AUTHENTICATION_KEY": "without the other"}),
    ],
)
def test_what_is_wrong_is_said_before_the_port_is_opened(options: list[str], environment: dict[str, str]) -> None:
    done = loaded_when_the_port_is_opened(*options, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("E! ")


def test_options_that_are_right_let_the_port_be_opened() -> None:
    done = loaded_when_the_port_is_opened("--timezone", "Europe/Vilnius", "--measurement", "meters", "--time", "host")
    assert (done.returncode, done.stderr) == (0, "")
    assert "telegraf_p1.interpreter" not in done.stdout.split()
