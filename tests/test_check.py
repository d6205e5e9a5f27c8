"""`telegraf-p1 check`: each situation at a port is told from the others, and what is found becomes configuration."""

import errno
import fcntl
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
import tomllib
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from telegraf_p1 import crc
from telegraf_p1.__main__ import main
from telegraf_p1.check import block, causes, form, listen, ports, screen
from telegraf_p1.check.receiver import Receiver
from telegraf_p1.decode import Memory, decode
from telegraf_p1.framer import Framer
from telegraf_p1.simulator.countries import COUNTRIES, FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources import advice, auto, events
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.helpers import uart_cable
from tests.helpers.programs import free_port
from tests.helpers.telegrams import GOLDEN, KEY, LUXEMBOURG, ROOT, START, encrypt, needs_shared, with_crc

# A DLMS notification in HDLC, as far as it is looked at: flag, format and length, …, flag.
DLMS = bytes.fromhex("7ea03041030013") + bytes(range(0x80, 0xA9)) + b"\x11\x7e"
Output = pytest.CaptureFixture[str]
speaking = partial(uart_cable.speaking, every=0.15)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meters that send each 10 s take long to be received; those here send each 0.15 s."""
    monkeypatch.setattr(events, "PAUSE_S", 0.12)
    monkeypatch.setattr(events, "SILENCE_S", 1.0)
    monkeypatch.setattr(listen, "_ONE_TELEGRAM_S", 0.8)
    monkeypatch.setattr(listen, "_LIMIT_S", 1.6)
    monkeypatch.setattr(listen, "_GAP_S", 0.08)
    monkeypatch.setattr(listen, "_SOON_S", 0.1)
    monkeypatch.setattr(screen, "_EACH_S", 0.01)


def check(*arguments: str) -> int:
    return main(["check", *arguments])


def as_json(capsys: Output, *arguments: str) -> dict[str, Any]:
    """Give the one source that was looked at, as JSON says it."""
    code = check("--json", *arguments)
    everything = json.loads(capsys.readouterr().out)
    assert code == (0 if everything["found"] else 1)
    (found,) = everything["sources"]
    return dict(found)


def telegrams(form: str = "nl-5.0") -> Callable[[], bytes]:
    meter = Meter(form)
    return lambda: meter.telegram(int(time.time()))


def command_of(text: str) -> list[str]:
    (execd,) = tomllib.loads(text)["inputs"]["execd"]
    return list(execd["command"])


@pytest.mark.parametrize(
    ("sent", "form", "options"),
    [
        ("115200 8N1", "nl-5.0", ""),
        ("9600 7E1", "nl-2.2", "?baudrate=9600&format=7E1"),
        ("115200 7E1", "nl-5.0", "?baudrate=115200&format=7E1"),
    ],
)
def test_a_meter_is_found_whatever_its_settings(
    sent: str, form: str, options: str, tmp_path: Path, capsys: Output
) -> None:
    link = tmp_path / "tty"
    with speaking(link, telegrams(form), sent):
        found = as_json(capsys, str(link))
    assert found["settings"] == sent
    assert command_of(found["block"])[-1] == f"{link}{options}"


def test_settings_that_are_given_are_never_changed(tmp_path: Path, capsys: Output) -> None:
    link = tmp_path / "tty"
    with speaking(link, telegrams(), "9600 7E1"):
        found = as_json(capsys, f"{link}?baudrate=115200")
        assert (found["cause"], found["block"]) == ("garbage", None)
        assert as_json(capsys, f"{link}?baudrate=9600&format=7E1")["cause"] is None


def noise() -> bytes:
    return os.urandom(300)


@pytest.mark.parametrize(
    ("data", "inverted", "cause", "word"),
    [
        (noise, False, "garbage", "speed"),
        (telegrams(), True, "inverted", "inverter"),
        (lambda: DLMS, False, "protocol", "DLMS"),
        (lambda: encrypt(Meter().telegram(START)), False, "encrypted", "P1_DECRYPTION_KEY"),
        (lambda: Meter().telegram(START).replace(b"kWh", b"kWH"), False, "rejected", "CRC does not match"),
        (lambda: b"ser2net port 2000 device /dev/ttyUSB0 [9600 N81] (Debian)\r\n", False, "no-telegram", "ser2net"),
    ],
    ids=["garbage", "inverted", "DLMS", "encrypted", "damaged", "text"],
)
def test_what_is_no_telegram_is_named(
    data: Callable[[], bytes],
    inverted: bool,  # noqa: FBT001
    cause: str,
    word: str,
    tmp_path: Path,
    capsys: Output,
) -> None:
    link = tmp_path / "tty"
    with speaking(link, data, inverted=inverted):
        found = as_json(capsys, str(link))
    assert found["cause"] == cause
    assert word in found["text"]


@contextmanager
def silent(link: Path) -> Iterator[None]:
    end, device = pty.openpty()
    tty.setraw(device)
    link.symlink_to(os.ttyname(device))
    os.close(device)  # nobody but us has it open then
    try:
        yield
    finally:
        os.close(end)


def test_silence_is_one_try_and_says_where_to_look(tmp_path: Path, capsys: Output) -> None:
    with silent(tmp_path / "tty"):
        assert check(str(tmp_path / "tty")) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "115200 8N1 0 bytes no data" in text
    assert "9600" not in text
    for place in ("cable", "request line", "grid company"):
        assert place in text


@pytest.mark.parametrize("is_locked", [True, False])
def test_another_program_on_the_port_is_named(*, is_locked: bool, tmp_path: Path, capsys: Output) -> None:
    """One that locks it, and one that just has it open and takes what comes."""
    code = "import fcntl, sys; f = open(sys.argv[1], 'rb', 0); fcntl.flock(f, int(sys.argv[2])); print(); input()"
    lock = str(fcntl.LOCK_EX if is_locked else fcntl.LOCK_UN)
    with silent(tmp_path / "tty"):
        command = [sys.executable, "-c", code, str(tmp_path / "tty"), lock]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout
            other.stdout.readline()
            found = as_json(capsys, str(tmp_path / "tty"))
            other.communicate(b"\n")
    assert found["cause"] == "busy"
    assert f"process {other.pid}" in found["text"]


def test_a_port_that_is_not_there_is_named(tmp_path: Path, capsys: Output) -> None:
    assert as_json(capsys, str(tmp_path / "tty"))["cause"] == "gone"
    assert check(f"{tmp_path}/tty*") == 1
    assert f"No port matches {tmp_path}/tty*" in capsys.readouterr().out.replace("\n", "")
    (tmp_path / "ttyText").write_text("no port")
    assert check(str(tmp_path / "ttyText")) == 2


def test_of_several_ports_that_with_the_meter_is_found_and_none_waits_for_the_others(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SILENCE_S", 60.0)
    with silent(tmp_path / "tty1"), speaking(tmp_path / "tty2", telegrams()):
        assert check(f"{tmp_path}/tty*", "--json") == 0
    found = {Path(one["source"]).name: one["cause"] for one in json.loads(capsys.readouterr().out)["sources"]}
    assert found == {"tty1": "not-finished", "tty2": None}


def test_the_ports_of_this_computer_are_looked_at(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    with speaking(tmp_path / "tty", telegrams()):
        monkeypatch.setattr(auto, "cables", lambda: [str(tmp_path / "tty")])
        assert check() == 0
    assert f"Meter found on {tmp_path / 'tty'}" in capsys.readouterr().out.replace("\n", "")
    monkeypatch.setattr(auto, "cables", list)
    assert check() == 1
    assert "No serial port found" in capsys.readouterr().out


def test_the_name_that_lasts_is_written(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "STABLE_NAMES", tmp_path)
    with speaking(tmp_path / "usb-FTDI-port0", telegrams()):
        found = as_json(capsys, os.path.realpath(tmp_path / "usb-FTDI-port0"))
    assert found["source"] == f"{tmp_path}/usb-FTDI-port0"


def test_all_that_is_known_of_a_meter_stands_in_the_json(capsys: Output) -> None:
    (meter,) = as_json(capsys, "sim:?form=be&interval=1s")["meters"]
    assert meter["maker"] == "Fluvius (Belgium)"
    assert (meter["countries"], meter["standard"], meter["version"]) == (["Belgium"], "e-MUCS 1.7", "50217")
    assert (meter["crc"], meter["interval_s"], meter["unknown_references"]) == ("fits", 1, [])
    assert abs(meter["clock_difference_s"]) < 5
    assert [(one["name"], one["unit"]) for one in meter["mbus"]] == [("gas", "m3"), ("water", "m3")]
    assert 0 <= meter["mbus"][0]["age_s"] <= 330
    assert meter["readings"]["energy_import_t1_kwh"] > 0
    assert meter["readings"]["identification"] == meter["identification"]


def test_stored_values_are_left_out_and_not_unknown(capsys: Output) -> None:
    readout = ROOT / "tests" / "golden" / "de-p0-short-codes.telegram"
    assert b"*01(" in readout.read_bytes()
    (meter,) = as_json(capsys, f"file://{readout}")["meters"]
    assert not [reference for reference in meter["unknown_references"] if "*" in reference]


def test_identifiers_are_masked_unless_they_are_asked_for(capsys: Output) -> None:
    for arguments in (["sim:?interval=0"], ["--json", "sim:?interval=0"]):
        assert check(*arguments) == 0
        masked = capsys.readouterr().out
        assert check("--show-ids", *arguments) == 0
        shown = capsys.readouterr().out
        for identifier in ("E0047010000000011", "G0039010000000011"):
            assert identifier not in masked
            assert identifier in shown
        assert "...011" in masked


@pytest.mark.parametrize("name", FORMS)
def test_the_country_of_each_form_is_told_and_its_time_zone_is_written(name: str, capsys: Output) -> None:
    (country,) = (one for one in COUNTRIES if name in [kind.form.name for kind in one.meters if kind.form])
    found = as_json(capsys, f"sim:?form={name}&interval=50ms")
    (meter,) = found["meters"]
    assert country.name in meter["countries"]
    assert meter["timezone"] == country.zone
    command = command_of(found["block"])
    assert ("--timezone" in command) == (country.zone != "Europe/Amsterdam")
    tags = tomllib.loads(found["block"])["inputs"]["execd"][0].get("tags")
    assert tags == (None if FORMS[name].has_identifier else {"meter": "home"})


def countries_of(data: bytes) -> tuple[str, ...]:
    framer = Framer()
    frame = (framer.feed(data) + framer.flush())[0]
    return form.form(parse(frame.data, "off", whole=frame.whole)).countries


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_no_other_country_is_named_than_that_of_a_golden(path: Path) -> None:
    names = {country.code: country.name for country in COUNTRIES}
    assert countries_of(path.read_bytes()) in ((), *[(names[path.stem[:2]],)], ("Sweden", "Finland"))


@needs_shared
def test_no_other_country_is_named_than_that_of_a_public_telegram() -> None:
    names = {country.code: country.name for country in COUNTRIES}
    known = unknown = 0
    for path in sorted((ROOT.parent / "shared" / "telegrams" / "good").glob("*.telegram")):
        if path.stem[:2] in names:
            found = countries_of(path.read_bytes())
            known += names[path.stem[:2]] in found
            unknown += not found
            assert not found or names[path.stem[:2]] in found, path.stem
    assert known > 9 * unknown


def x25(data: bytes) -> bytes:
    body = data[: data.rindex(b"!") + 1]
    return body + b"%04X\r\n" % crc.x25(body)


@pytest.mark.parametrize(
    ("change", "option"),
    [
        (x25, ["--crc", "x25"]),
        (lambda data: data[: data.rindex(b"!") + 1] + b"0000\r\n", ["--crc", "off"]),
        (lambda data: data[: data.rindex(b"!") + 1] + b"\r\n", ["--crc", "off"]),
        (lambda data: data, []),
    ],
    ids=["CRC-16/X-25", "0000", "cut off", "as it should be"],
)
def test_the_crc_is_found_out(
    change: Callable[[bytes], bytes], option: list[str], tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "telegrams"
    path.write_bytes(b"".join(change(Meter().telegram(START + n)) for n in range(4)))
    found = as_json(capsys, f"file:{path}")
    assert command_of(found["block"])[-len(option) - 1 :] == [f"file:{path}", *option]


def test_an_encrypted_meter_is_found_with_its_key_which_is_never_shown(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "telegrams"
    path.write_bytes(b"".join(encrypt(Meter().telegram(START + n), counter=n + 1) for n in range(3)))
    assert as_json(capsys, f"file:{path}")["cause"] == "encrypted"
    monkeypatch.setenv("P1_DECRYPTION_KEY", KEY.hex())
    monkeypatch.setenv("P1_AUTHENTICATION_KEY", LUXEMBOURG.hex())
    assert check(f"file:{path}") == 0
    text = capsys.readouterr().out
    assert "Telegraf needs P1_DECRYPTION_KEY" in text
    assert KEY.hex() not in text.lower()


def test_a_file_is_written_whole_and_replaces_only_what_is_ours(
    tmp_path: Path, capfd: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "telegraf", lambda: None)  # a trial takes seconds
    path = tmp_path / "p1.conf"
    for _ in range(2):
        assert check("sim:?interval=0", "--write", str(path)) == 0
    assert command_of(path.read_text())[-2:] == ["run", "sim:?interval=0"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]
    path.write_text("# mine\n")
    assert check("sim:?interval=0", "--write", str(path)) == 2
    assert path.read_text() == "# mine\n"
    assert check("sim:?interval=0", "--write", str(path), "--force") == 0
    assert "# mine" not in path.read_text()
    assert check("sim:?interval=0", "--write", str(tmp_path)) == 2
    assert check("sim:?interval=0", "--write", str(tmp_path / "no" / "p1.conf")) == 2
    assert "does not exist" in capfd.readouterr().err


def test_a_trial_is_bounded_however_rarely_a_meter_sends() -> None:
    assert [block.trial_s(interval) for interval in (0, 1, 10, 300)] == [5, 5, 25, 60]


@pytest.mark.parametrize("source", ['/dev/"odd"', "mqtt://u@h/müll/\\x", "/dev/ttyUSB0?baudrate=9600&format=7E1"])
def test_each_source_stands_in_the_block_as_it_was_written(source: str) -> None:
    assert command_of(block.text(source, ["--crc", "x25"], needs_tag=True))[-3:] == [source, "--crc", "x25"]


def test_no_terminal_gets_plain_text_without_blanks_at_line_ends_or_folded_lines(
    tmp_path: Path, capsys: Output
) -> None:
    message = "Power cut on 3 May, 9:00-11:00. " * 6
    telegram = with_crc(
        b"/TST5\\GOLD-50\r\n\r\n1-0:1.8.1(000057.460*kWh)\r\n0-0:96.14.0(0002)\r\n0-0:96.13.0(%b)\r\n"
        b"0-0:96.7.21(00004)\r\n!" % message.encode().hex().encode()
    )
    recording = tmp_path / f"{'long' * 20}.txt"
    recording.write_bytes(telegram)
    assert check(f"file://{recording}") == 0
    assert check("/dev/ttyUSB99") == 1
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    for line in (
        f"+ Meter found on file://{recording}",
        "  tariff  2    power failures  4",
        f"  message  {message.rstrip()}",
        "  no such device: check that the cable is plugged in. Serial ports on this computer: ",
    ):
        assert f"\n{line}" in f"\n{text}"


@pytest.mark.parametrize("source", ["ftp://host/x", "tcp://host", "sim:?form=xx"])
def test_a_wrong_source_is_exit_2(source: str, capfd: Output) -> None:
    assert check(source) == 2
    assert capfd.readouterr().err.startswith("E! ")


def test_a_clock_that_is_wrong_and_a_right_that_telegraf_lacks_are_told(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, begun = Meter(), int(time.time())
    monkeypatch.setattr(ports, "_TELEGRAF", "nobody")
    monkeypatch.setattr(ports, "_SERVICE", tmp_path)
    monkeypatch.setattr(ports, "_group", lambda _number: "dialout")
    with speaking(tmp_path / "tty", lambda: meter.telegram(begun + 1200)):
        assert check(str(tmp_path / "tty")) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "19 min ahead of this computer's; --time host" in text or "20 min ahead" in text
        assert "sudo usermod -aG dialout nobody" in text
        (tmp_path / "p1.conf").write_text("[Service]\nSupplementaryGroups=dialout\n")
        assert check(str(tmp_path / "tty")) == 0
    assert "usermod" not in capsys.readouterr().out


def test_the_block_for_a_simulated_meter_keeps_its_past_and_tells_the_same_at_each_start(capsys: Output) -> None:
    begun = time.time()
    assert check("sim:?since=31d&seed=3") == 0
    out = capsys.readouterr().out
    (command,) = re.findall(r"command = (\[.*\])", out)
    written = re.fullmatch(r"sim:\?since=(.+)&seed=3&until=(.+)", json.loads(command)[-1])
    assert written
    since, until = (datetime.fromisoformat(text).timestamp() for text in written.groups())
    assert until - since == 31 * 86400
    assert until % 60 == 0
    assert begun - 60 < until <= time.time()
    # What it sends now is what is shown.
    assert re.search(r"telegrams +one every second", out)
    assert re.search(r"clock +(same as|[2-5] s)", out)


@pytest.mark.parametrize(("days", "options"), [(150, ["--time", "host"]), (0.9, [])])
def test_the_block_for_a_meter_whose_clock_is_lost_takes_the_time_of_this_computer(
    tmp_path: Path, capsys: Output, days: float, options: list[str]
) -> None:
    meter, begun = Meter(), int(time.time() - days * 86400)
    with speaking(tmp_path / "tty", lambda: meter.telegram(begun)):
        assert check(str(tmp_path / "tty")) == 0
    (command,) = re.findall(r"command = (\[.*\])", capsys.readouterr().out)
    assert json.loads(command)[-1 - len(options) :] == [str(tmp_path / "tty"), *options]


def test_a_second_time_zone_is_tried_before_a_clock_is_called_wrong(capsys: Output) -> None:
    (meter,) = as_json(capsys, "sim:?form=fi&interval=50ms")["meters"]
    assert abs(meter["clock_difference_s"]) < 5


def test_what_was_wrong_before_the_first_telegram_is_no_note_of_a_meter() -> None:
    receiver = Receiver("/dev/ttyUSB0", advice("/dev/ttyUSB0"))
    receiver.receive(events.Data(b"\0" * 6000), START)
    assert "only NUL bytes received" in receiver.messages[0]
    receiver.receive(events.Data(Meter("nl-2.2").telegram(START)), START)
    assert len(receiver.accepted) == 1
    assert [text for text in receiver.messages if "NUL" in text] == []
    assert "contain no timestamp" in receiver.messages[0]  # what belongs to the telegram stays


def test_several_programs_on_a_port_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = OSError(errno.EBUSY, "busy")
    monkeypatch.setattr(ports, "holders", lambda _path: [ports.Process(7, "cat"), ports.Process(8, "cu")])
    assert "'cat' (process 7) and 'cu' (process 8) read it, and" in ports.why_not("/dev/ttyUSB0", busy).text
    monkeypatch.setattr(ports, "holders", lambda _path: [ports.Process(7, "cat")])
    assert "'cat' (process 7) reads it, and" in ports.why_not("/dev/ttyUSB0", busy).text


def live(form: str, width: int, height: int) -> tuple[str, str]:
    """Give what a live view shows on a terminal of a size, and what is left there at its end: all of it."""
    view = screen.View("/dev/ttyUSB0")
    view.record = decode(parse(Meter(form).telegram(START)), None, Memory(Zone()))
    shown, goes_on = io.StringIO(), iter([True, False])
    out = Console(file=shown, force_terminal=True, width=width, height=height)
    screen.watch(view, out, lambda _seconds: True, lambda: next(goes_on))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    before, during, at_the_end = (part.rstrip() for part in plain.split("/dev/ttyUSB0"))
    assert before == ""
    return during, at_the_end


@pytest.mark.parametrize("form", FORMS)
def test_a_terminal_of_24_lines_shows_what_is_live_and_how_it_ends(form: str) -> None:
    during, at_the_end = live(form, 80, 24)
    assert during.count("\n") < 24
    assert during.startswith("   Ctrl-C stops it")
    for row in ("gas", "water", "heat", "energy import", "voltage", "current  "):
        assert (f"\n  {row}" in during) == (f"\n  {row}" in at_the_end)


@pytest.mark.parametrize(("width", "height", "has_others"), [(80, 24, False), (100, 30, True), (160, 50, True)])
@pytest.mark.parametrize("form", ["nl-5.0", "be"])
def test_what_seldom_changes_is_live_only_where_it_has_room(
    form: str, width: int, height: int, *, has_others: bool
) -> None:
    during, at_the_end = live(form, width, height)
    assert during == at_the_end
    assert ("tariff" in during) == has_others


@pytest.mark.parametrize(
    "source", ["tcp://{}", "rfc2217://{}", "mqtt://{}/p1", "mqtt://{}", "http://{}/api", "ws://{}/ws"]
)
def test_where_nothing_listens_the_port_is_to_be_checked(source: str, capsys: Output) -> None:
    assert check(source.format(f"127.0.0.1:{free_port()}")) == 1
    assert "Connection refused: nothing listens there. Check the port" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("source", ["tcp://{}:1", "rfc2217://{}:1", "mqtt://{}/p1", "http://{}/api"])
def test_a_name_without_an_address_is_to_be_checked(source: str, capsys: Output) -> None:
    assert check(source.format("meter.invalid")) == 1
    assert ": check the name, or use the IP address" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("error", [OSError(errno.EHOSTUNREACH, "No route to host"), TimeoutError("timed out")])
def test_a_device_that_does_not_answer_is_to_be_switched_on(error: OSError) -> None:
    assert (
        causes.not_opened(error).text == f"{error.strerror or error}: check that the device is on, and in this network"
    )


def test_who_has_no_output_is_told_so_before_the_restart(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegraf = tmp_path / "telegraf"
    telegraf.write_text("#!/bin/sh\necho '> p1 power_import_kw=1.2'\n")
    telegraf.chmod(0o755)
    monkeypatch.setenv("P1_TELEGRAF", str(telegraf))
    config = tmp_path / "telegraf.conf"
    monkeypatch.setattr(block, "_TELEGRAF_CONF", config)
    folder = tmp_path / "telegraf.d"
    folder.mkdir()
    arguments = ("sim:?interval=0", "--write", str(folder / "p1.conf"))

    def last_lines() -> str:
        assert check(*arguments) == 0
        return "\n".join(capsys.readouterr().out.splitlines()[-2:])

    missing = (
        r"Telegraf has no output yet.*get-started/#4-where-the-records-go\n  Then: sudo systemctl restart telegraf"
    )
    assert re.search(missing, last_lines())
    config.write_text("# [[outputs.influxdb]]\n")
    assert re.search(missing, last_lines())
    for file in (config, folder / "influxdb.conf"):
        file.write_text("[agent]\n[[outputs.influxdb]]\n")
        assert last_lines().endswith("\n  Now: sudo systemctl restart telegraf")
        file.unlink()
