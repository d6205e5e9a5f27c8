"""`telegraf-p1 simulate`: the plugin reads every target it can stand for."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.programs import PLUGIN, answers, free_port, plugin, program, read_line, wait_until
from tests.helpers.telegrams import KEY

METER = "p1,meter=E0047010000000011 "


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("pty:{folder}/meter", "{folder}/meter"),
        ("tcp-listen://127.0.0.1:{port}", "tcp://127.0.0.1:{port}"),
        ("http-listen://127.0.0.1:{port}", "http://127.0.0.1:{port}/api/v1/telegram?every=0.1"),
    ],
)
def test_the_plugin_reads_a_simulated_meter(target: str, source: str, tmp_path: Path) -> None:
    port = free_port()
    target, source = (text.format(folder=tmp_path, port=port) for text in (target, source))
    command = [*PLUGIN, "simulate", target, "--interval", "100ms"]
    with program(command, stderr=subprocess.PIPE) as meter:
        wait_until(lambda: answers(port) if str(port) in target else (tmp_path / "meter").exists(), "the meter")
        with plugin("run", source, log=tmp_path / "log") as process:
            assert read_line(process).startswith(METER)
            assert read_line(process).startswith(METER)
        meter.send_signal(signal.SIGINT)
        assert meter.wait(10) == 130
    assert not (tmp_path / "meter").is_symlink()


def test_decode_reads_it_from_a_pipe() -> None:
    command = "{0} simulate - --count 5 --interval 0 --meters 3 --form be | {0} decode".format(" ".join(PLUGIN))
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=20, check=True)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 15
    assert len({line.partition(" ")[0] for line in lines}) == 3


def test_several_meters_have_a_number_in_their_target(tmp_path: Path) -> None:
    command = [*PLUGIN, "simulate", f"pty:{tmp_path}/meter{{n}}", "--meters", "3"]
    with program(command, stderr=subprocess.PIPE):
        wait_until(lambda: all((tmp_path / f"meter{n}").is_symlink() for n in (1, 2, 3)), "three meters")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["xx:"], "tcp-listen://"),
        (["meter"], "pty:NAME"),
        (["pty:/tmp/x", "--meters", "2"], "{n}"),
        (["tcp-listen://127.0.0.1"], "host and port"),
        (["http-listen://127.0.0.1:99999"], "host and port"),
        (["mqtt://127.0.0.1"], "host and topic"),
        (["mqtt://127.0.0.1:1/x"], "Connection refused"),
        (["pty:/no/such/folder/x"], "No such file"),
        (["-", "--form", "xx"], "nl-5.0"),
        (["-", "--interval", "soon"], "such as 60s"),
    ],
)
def test_a_wrong_target_is_refused(arguments: list[str], word: str) -> None:
    done = subprocess.run([*PLUGIN, "simulate", *arguments], capture_output=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"E! ")
    assert word in done.stderr.decode()


def test_the_plugin_reads_a_meter_that_encrypts_with_its_key_and_says_what_a_wrong_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P1_DECRYPTION_KEY", KEY.hex())
    command = [*PLUGIN, "simulate", f"pty:{tmp_path}/meter", "--form", "lu", "--encrypt"]
    with program(command, stderr=subprocess.PIPE):
        wait_until((tmp_path / "meter").exists, "the meter")
        with plugin("run", f"{tmp_path}/meter", log=tmp_path / "log") as process:
            assert read_line(process).startswith("p1,meter=TST1000000001 ")
        monkeypatch.setenv("P1_DECRYPTION_KEY", "00" * 16)
        with plugin("run", f"{tmp_path}/meter", log=tmp_path / "wrong"):
            wait_until(lambda: "P1_DECRYPTION_KEY does not" in (tmp_path / "wrong").read_text(), "a warning")


@pytest.mark.parametrize("target", ["-", "p0:pty:/tmp/x"])
def test_a_meter_encrypts_with_a_key_and_at_a_p1_port_alone(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P1_DECRYPTION_KEY", raising=False)
    done = subprocess.run([*PLUGIN, "simulate", target, "--encrypt"], capture_output=True, timeout=10, check=False)
    assert done.returncode == 2
    assert (b"P1_DECRYPTION_KEY" if target == "-" else b"optical port") in done.stderr
