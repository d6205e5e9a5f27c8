"""The examples of the pages under "Connect", as they stand there, with the test's own places in them."""

import difflib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers.pages import block, replaced
from tests.helpers.programs import PLUGIN, answers, component, free_port, plugin, program, read_line, wait_until
from tests.helpers.telegraf import telegraf
from tests.helpers.telegrams import KEY, ROOT

METER = "p1,meter=E0047010000000011"


@pytest.fixture
def cable(tmp_path: Path) -> str:
    """A simulated meter on a pty, of a folder that is gone with the test."""
    return str(tmp_path / "ttyP1")


def ser2net(stack: ExitStack, folder: Path, settings: str, port: int) -> None:
    (folder / "ser2net.yaml").write_text(settings)
    command = [component("ser2net"), "-n", "-u", "-c", str(folder / "ser2net.yaml")]
    stack.enter_context(program(command, stderr=subprocess.DEVNULL))
    wait_until(lambda: answers(port), "ser2net")


def test_without_max_connections_the_second_one_is_told_that_the_port_is_in_use(tmp_path: Path, cable: str) -> None:
    port = free_port()
    settings = block("devices/ser2net.md", "yaml", holding="max-connections").partition("  options:")[0]
    settings = replaced(settings, ("tcp,2000", f"tcp,127.0.0.1,{port}"), ("/dev/ttyUSB0", cable))
    with ExitStack() as stack:
        stack.enter_context(program([*PLUGIN, "simulate", f"pty:{cable}"], stderr=subprocess.PIPE))
        wait_until(Path(cable).exists, "the meter")
        ser2net(stack, tmp_path, settings, port)
        first = stack.enter_context(plugin("run", f"tcp://127.0.0.1:{port}", log=tmp_path / "first"))
        assert read_line(first).startswith(METER)
        stack.enter_context(plugin("run", f"tcp://127.0.0.1:{port}", log=tmp_path / "second"))
        wait_until(lambda: "Port already in use" in (tmp_path / "second").read_text(), "ser2net's refusal")


def shell(script: str, *places: tuple[str, str]) -> list[str]:
    """Give a command that runs a script of a page with this program."""
    return ["sh", "-c", "exec 2>&1\n" + replaced(script, ("telegraf-p1", " ".join(PLUGIN)), *places)]


def test_the_example_of_an_encrypted_meter_is_rejected_without_the_key_and_read_with_it(
    cable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("P1_DECRYPTION_KEY", raising=False)
    place = ("/tmp/ttyP1", cable)  # noqa: S108  that of the page
    # In place of the shell, so that it can be ended.
    meter = replaced(block("encrypted.md", "sh", name="simulate"), ("telegraf-p1", "exec telegraf-p1"))
    with program(shell(meter, place), stdout=subprocess.DEVNULL):
        wait_until(Path(cable).exists, "the meter")
        reader = shell(block("encrypted.md", "sh", name="read"), place)
        done = subprocess.run(reader, capture_output=True, text=True, timeout=120, check=True)
    without, is_read, with_key = done.stdout.partition("SIM_LU")
    assert "ask your grid company for the key" in re.sub(r"\s+", " ", without)
    assert is_read
    assert "2506" in with_key or "gas" in with_key


def wordless(text: str) -> str:
    """Give a text without what is another one each time: numbers, times, the place of the program."""
    text = re.sub(r'"[^"\n]*python[^"\n]*", "-m", "telegraf_p1"|"[^"\n]*/telegraf-p1"', "PROGRAM", text)
    text = re.sub(r"[+-](?=\d)", "", re.sub(r"[█░]+", "BAR", re.sub(r"read .* ago", "read AGO", text)))
    return re.sub(r"[ \t]+", " ", re.sub(r"\d+(?:\.\d+)?", "0", text)).replace(" \n", "\n").strip()


@pytest.mark.parametrize(("name", "source"), [("check-sim", "sim:"), ("check-missing", "/dev/ttyUSB9")])
def test_what_check_shows_is_what_the_page_shows(name: str, source: str) -> None:
    command = [*PLUGIN, "check", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (source != "sim:")
    shown, written = wordless(done.stdout), wordless(block("check.md", "text", name=name))
    shown, written = (re.sub(r"(ports here: ).*", r"\1SOME", text) for text in (shown, written))
    difference = "\n".join(difflib.unified_diff(written.splitlines(), shown.splitlines(), "docs/check.md", "check"))
    assert not difference, f"{difference}\n{done.stdout}"


def test_what_watch_shows_is_what_the_page_shows() -> None:
    written = wordless(block("check.md", "text", name="watch"))
    end, device = pty.openpty()
    fcntl.ioctl(device, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 90, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    shown = ""

    def shows_the_page() -> bool:
        nonlocal shown
        shown += os.read(end, 65536).decode(errors="replace")
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.replace("\r", ""))
        return written.replace("/tmp/ttyP0", "sim:") in wordless(plain)  # noqa: S108  as the page has it

    command = [*PLUGIN, "check", "--watch", "sim:"]
    with program(command, stdin=device, stdout=device, stderr=device, env=environment) as process:
        wait_until(shows_the_page, f"on the screen: {written}", 30)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    os.close(end)
    os.close(device)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_posts_a_telegram_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", "correct-horse")
    port = free_port()
    golden = ROOT / "tests" / "golden" / "nl-5.0-three-phases.telegram"
    script = replaced(block("http.md", "sh"), ("@telegram.txt", f"@{golden}"), ("127.0.0.1:8080", f"127.0.0.1:{port}"))
    with plugin("run", f"http-listen://0.0.0.0:{port}", log=tmp_path / "log") as process:
        wait_until(lambda: answers(port), "the listener")
        subprocess.run(["sh", "-c", script], capture_output=True, timeout=20, check=True)
        assert read_line(process).startswith("p1,meter=E0047000012345615,topic=api/v1/datalogger/dsmrreading ")


def test_a_block_has_an_environment_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P1_DECRYPTION_KEY", raising=False)
    monkeypatch.setenv("GARAGE_PASSWORD", KEY.hex())
    words = ", ".join(f'"{word}"' for word in PLUGIN)
    places = (
        ('"/opt/telegraf_p1/bin/telegraf-p1"', words),
        ("mqtt://user@192.168.1.3/p1/garage/raw", "sim:?form=lu&encrypted=yes"),
        ("P1_MQTT_PASSWORD", "P1_DECRYPTION_KEY"),  # which a source without a broker wants
    )
    text = replaced(block("sources.md", "toml", holding="environment"), *places)
    out = tmp_path / "out"
    path = tmp_path / "telegraf.conf"
    path.write_text(
        f'[agent]\n  interval = "1s"\n  flush_interval = "1s"\n{text}[[outputs.file]]\n  files = ["{out}"]\n'
    )
    with telegraf(path):
        wait_until(lambda: out.exists() and "SIM_LU" in out.read_text(), "a record", 30)
