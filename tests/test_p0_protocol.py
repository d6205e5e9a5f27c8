"""The protocol of optical ports against a meter that follows it, without a port and in no time."""

from random import Random

import pytest

from telegraf_p1.simulator.house import House
from telegraf_p1.simulator.p0_meter import FAULTS, Manner, P0Meter
from telegraf_p1.sources.p0_protocol import (
    START_BAUD,
    Listen,
    NoReadout,
    Reply,
    Rest,
    Send,
    Settings,
    Speed,
    chosen,
    readout,
)
from telegraf_p1.telegram import TelegramError, parse
from tests.helpers.telegrams import START

_REACTION_S = 0.2


class Line:
    """What is between the reader and its meter, with a clock of its own: a wrong speed garbles what is said.

    `echo`: what is sent comes back. `piece` is how many bytes come at once.
    """

    def __init__(self, manner: Manner | None = None, *, echo: bool = False, piece: int = 7) -> None:
        self.meter = P0Meter(House(Random(1), 12345678), manner or Manner())  # noqa: S311
        self.now, self.baud = 0.0, 0
        self.sent: list[tuple[int, bytes]] = []
        self._echo, self._piece = echo, piece
        self._coming = b""

    def read(self, settings: Settings | None = None, *, has_fixed_speed: bool = False) -> bytes:
        exchange = readout(settings or Settings(), has_fixed_speed=has_fixed_speed)
        step = next(exchange)
        while True:
            try:
                step = exchange.send(Reply(self.now, self._do(step)))
            except StopIteration as end:
                return bytes(end.value)

    def _do(self, step: Send | Speed | Rest | Listen) -> bytes:
        match step:
            case Send(data):
                self.now += len(data) * 10 / self.baud
                self.sent.append((self.baud, data))
                self._coming = data * self._echo
                self._sayings = self.meter.hear(data, self.baud, START)
            case Speed(baud):
                self.baud = baud
            case Rest(seconds):
                self.now += seconds
            case Listen(seconds):
                return self._listen(seconds)
        return b""

    def _listen(self, seconds: float) -> bytes:
        if not self._coming and self._sayings:
            saying = self._sayings.pop(0)
            is_right = saying.baud == self.baud
            self._coming = saying.data if is_right else bytes(byte ^ 0x55 | 0x80 for byte in saying.data)
            self.now += _REACTION_S
        data, self._coming = self._coming[: self._piece], self._coming[self._piece :]
        self.now += len(data) * 10 / self.baud if data else seconds
        return data


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("piece", [1, 5, 1000])
@pytest.mark.parametrize(
    ("mode", "speed"), [("A", 300), ("B", 600), ("B", 19200), ("C", 300), ("C", 4800), ("C", 19200)]
)
def test_a_meter_of_each_mode_is_read_in_pieces_and_with_an_echo(
    mode: str, speed: int, piece: int, *, echo: bool
) -> None:
    line = Line(Manner(mode, speed), echo=echo, piece=piece)
    telegram = parse(line.read())
    assert telegram.identification.startswith("TST")
    assert ("1-0:96.1.0", ["12345678"]) in telegram.objects
    assert line.baud == speed
    assert line.meter.readouts == 1


def test_mode_c_acknowledges_at_300_baud_and_changes_then() -> None:
    line = Line(Manner("C", 9600))
    line.read()
    assert line.sent == [(300, b"/?!\r\n"), (300, b"\x06050\r\n")]


def test_a_meter_is_named_by_its_address() -> None:
    line = Line(Manner(address="0042"))
    assert line.read(Settings(address="42"))
    assert line.sent[0] == (300, b"/?42!\r\n")
    with pytest.raises(NoReadout, match="does not answer"):
        Line(Manner(address="0042")).read(Settings(address="43"))


def test_a_meter_with_a_battery_is_woken_first() -> None:
    line = Line(Manner(sleeps=True, is_heat=True))
    telegram = parse(line.read(Settings(wakeup_s=2.2)))
    assert ("5-0:9.21.0", ["12345678"]) in telegram.objects
    assert line.sent[0] == (300, bytes(66))
    with pytest.raises(NoReadout, match=r"does not answer.*\?wakeup=2.2s"):
        Line(Manner(sleeps=True)).read()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("speed", "noise")])
def test_what_went_wrong_twice_goes_right_at_the_third_attempt(fault: str) -> None:
    line = Line(Manner(fault=fault, faults=2))
    assert parse(line.read())
    assert line.meter.readouts == (1 if fault == "silent" else 3)


def test_a_meter_that_keeps_its_speed_is_asked_for_that() -> None:
    line = Line(Manner("C", 9600, fault="speed"))
    assert parse(line.read())
    assert [data for _, data in line.sent if data.startswith(b"\x06")] == [b"\x06050\r\n", b"\x06000\r\n"]
    assert line.baud == START_BAUD


def test_noise_of_light_before_the_answers_does_not_matter() -> None:
    assert parse(Line(Manner(fault="noise")).read())


def test_a_readout_whose_bcc_never_fits_is_given_for_what_reads_it_to_say_so() -> None:
    with pytest.raises(TelegramError, match="BCC"):
        parse(Line(Manner(fault="bcc")).read())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("silent", "3 attempts: the meter does not answer"),
        ("refuse", "refuses the readout"),
        ("cut", "cut off after"),
        ("nothing", "nothing at 300 baud"),
    ],
)
def test_what_happened_is_said(fault: str, said: str) -> None:
    with pytest.raises(NoReadout, match=said):
        Line(Manner(fault=fault)).read()


def test_no_reading_takes_longer_than_it_may() -> None:
    line = Line(Manner("C", 300))
    with pytest.raises(NoReadout, match=r"longer than 5 s: set \?whole="):
        line.read(Settings(whole_s=5))
    assert line.now < 120


def test_noise_that_does_not_end_is_no_answer() -> None:
    class Noisy(Line):
        def _listen(self, seconds: float) -> bytes:
            self.now += seconds / 2
            return b"\x00\xf8"

    line = Noisy()
    with pytest.raises(NoReadout, match="check that no light falls on the head"):
        line.read(Settings(whole_s=30))
    assert line.now < 200


def test_a_bridge_with_a_fixed_speed_stays_at_it() -> None:
    line = Line(Manner("C", 9600))
    assert parse(line.read(has_fixed_speed=True))
    assert (line.sent[-1], line.baud) == ((300, b"\x06000\r\n"), 300)
    with pytest.raises(NoReadout, match=r"changes to 600 baud.*p0\+rfc2217"):
        Line(Manner("B", 600)).read(has_fixed_speed=True)


def test_a_readout_without_stx_and_bcc_ends_with_its_silence() -> None:
    class Old(Line):
        def _listen(self, seconds: float) -> bytes:
            data = super()._listen(seconds).translate(None, b"\x02")
            return data.partition(b"\x03")[0]

    telegram = parse(Old(Manner("A", 300), piece=1000).read())
    assert ("1-0:96.1.0", ["12345678"]) in telegram.objects


@pytest.mark.parametrize(
    ("settings", "character", "expected"),
    [
        (Settings(), "5", ("C", 9600)),
        (Settings(), "0", ("C", 300)),
        (Settings(), "C", ("B", 2400)),
        (Settings(), "9", ("A", 300)),
        (Settings(), "@", ("A", 300)),
        (Settings(mode="A"), "5", ("A", 300)),
        (Settings(mode="B", speed=1200), "C", ("B", 1200)),
        (Settings(mode="C"), "@", ("C", 300)),
        (Settings(speed=2400), "6", ("C", 2400)),
    ],
)
def test_the_baud_character_says_mode_and_speed_unless_the_user_does(
    settings: Settings, character: str, expected: tuple[str, int]
) -> None:
    assert chosen(settings, character) == expected
