"""The settings of a line, found from what a UART with others receives, bit by bit."""

import os

import pytest

from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.line_search import LineSearch
from telegraf_p1.sources.serial_settings import SPEEDS, USUAL
from tests.helpers.telegrams import START, encrypt
from tests.helpers.uart import line, read

PIECE = 62  # bytes, of a USB adapter
FORMS = ("nl-2.2", "nl-5.0", "be", "se")  # short ones and long ones


class Cable:
    """A meter that sends `sent_as`, and a port that follows the search."""

    def __init__(self, search: LineSearch, sent_as: tuple[str, str], *, inverted: bool = False) -> None:
        self.search, self._sent_as, self._inverted = search, sent_as, inverted
        self.given = b""

    def send(self, data: bytes, *, pauses: bool = True) -> None:
        """Let the meter send; the port hears it at one speed to its end, or to where the search moves on."""
        speed, line_format = self._sent_as
        levels = line(data, line_format, inverted=self._inverted)
        place = 0
        while place < len(levels):
            place = self._listen(levels, place, int(speed))
        if pauses and not self.search.is_over:
            self.given += self.search.paused()

    def _listen(self, levels: list[int], place: int, speed: int) -> int:
        """Hear what comes from this place on; give the place where it stopped."""
        baudrate = self.search.baudrate
        heard = bytes(byte for byte, _ in read(levels[place:], "8N1", speed / int(baudrate)))
        for start in range(0, len(heard), PIECE):
            piece = heard[start : start + PIECE]
            if self.search.is_over:
                self.given += bytes(byte & 0x7F for byte in piece) if self.search.format == "7E1" else piece
            else:
                self.given += self.search.heard(piece)
            if self.search.baudrate != baudrate:
                return place + int(len(levels[place:]) * (start + PIECE) / len(heard))
        return len(levels)


def telegram(form: str = "nl-5.0", number: int = 0) -> bytes:
    return Meter(form).telegram(START + number)


@pytest.mark.parametrize("settings", USUAL)
@pytest.mark.parametrize("form", FORMS)
def test_a_meter_that_sends_each_10_s_is_found_within_three_telegrams(form: str, settings: tuple[str, str]) -> None:
    cable = Cable(LineSearch(SPEEDS), settings)
    cable.send(telegram(form)[200:])  # we began to listen in the middle of it
    for number in range(1, 4):
        cable.send(telegram(form, number))
    assert cable.search.is_over
    assert (cable.search.baudrate, cable.search.format) == settings
    assert telegram(form, 3) in cable.given


@pytest.mark.parametrize("settings", USUAL)
def test_a_meter_that_never_pauses_is_found(settings: tuple[str, str]) -> None:
    cable = Cable(LineSearch(SPEEDS), settings)
    for number in range(4):
        cable.send(telegram("nl-2.2", number), pauses=False)
    assert (cable.search.baudrate, cable.search.format) == settings
    assert telegram("nl-2.2", 3) in cable.given


@pytest.mark.parametrize("settings", USUAL)
def test_one_whose_other_speed_was_tried_by_mistake_is_found_too(settings: tuple[str, str]) -> None:
    search = LineSearch(SPEEDS[::-1] if settings[0] == SPEEDS[0] else SPEEDS)
    cable = Cable(search, settings)
    for number in range(4):
        cable.send(telegram(number=number))
    assert (search.baudrate, search.format) == settings
    assert telegram(number=3) in cable.given


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("line_format", ["8N1", "7E1"])
def test_at_the_first_speed_no_byte_is_lost_and_none_of_8n1_delayed(form: str, line_format: str) -> None:
    search = LineSearch(SPEEDS)
    sent = telegram(form)
    received = bytes(byte for byte, _ in read(line(sent, line_format), "8N1"))
    given = search.heard(received[:16])
    assert given == (sent[:16] if line_format == "8N1" else b"")
    given += search.heard(received[16:])
    assert given == sent
    assert search.has_moved == (line_format == "7E1")


def test_an_encrypted_telegram_is_no_noise_even_if_we_began_to_listen_in_the_middle() -> None:
    search = LineSearch(SPEEDS)
    frame = encrypt(telegram())
    assert search.heard(frame[30:]) + search.paused() == b""
    assert search.heard(frame).endswith(frame)
    assert (search.is_over, search.baudrate) == (True, "115200")


@pytest.mark.parametrize(
    "frame",
    [
        b"\x7e\xa0\x10\x02\x23\x10\x9a\x7a\xe6\xe7\x00\x0f\x00\x00\x00\x00\x0c\x7e",
        b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01\x76\x05\x01\x02",
        b"\x68\x05\x05\x68\x53\xff\x00\x01\x67\x2e\x16",
    ],
)
def test_a_frame_of_another_protocol_is_given_and_the_speed_stays(frame: bytes) -> None:
    search = LineSearch(SPEEDS)
    assert search.heard(frame) == frame
    assert (search.is_over, search.baudrate) == (True, "115200")


def test_what_was_found_stays_whatever_comes() -> None:
    search = LineSearch(SPEEDS)
    search.heard(telegram())
    assert search.is_over
    search.begin()  # the port is opened anew
    assert (search.is_over, search.baudrate, search.format) == (True, "115200", "8N1")


def test_silence_and_a_few_bytes_of_noise_prove_nothing() -> None:
    search = LineSearch(SPEEDS)
    assert [search.paused(), search.paused(is_long=True)] == [b"", b""]
    assert search.heard(b"\x00\xf8") == b""
    assert search.paused() == b""
    assert search.paused(is_long=True) == b"\x00\xf8"
    assert search.baudrate == "115200"
    assert search.heard(telegram()) == telegram()


def test_noise_is_held_back_until_each_speed_was_tried_and_then_given() -> None:
    search = LineSearch(SPEEDS)
    given = [search.heard(b"\x00\xf8\x80" * 1000), search.heard(b"\x80\xe0\xfe" * 1000)]
    assert given[0] == b""
    assert len(given[1]) == 3000
    assert search.baudrate == "115200"
    assert not search.is_over


@pytest.mark.parametrize("speed", SPEEDS)
def test_of_a_line_that_is_not_inverted_what_was_heard_at_its_own_speed_is_given(speed: str) -> None:
    cable = Cable(LineSearch(SPEEDS), (speed, "8N1"), inverted=True)
    for number in range(5):
        if not cable.given:
            cable.send(telegram(number=number))
    reversed_data = bytes((~byte >> 1) & 0x7F for byte in cable.given)
    assert b"1-0:1.8.1" in reversed_data
    assert not cable.search.is_over


def test_random_bytes_are_never_taken_for_text() -> None:
    noise = os.urandom(400_000)  # others in each run
    for search in (LineSearch(SPEEDS), LineSearch(SPEEDS, "7E1")):
        masked = noise if search.format == "8N1" else bytes(byte & 0x7F for byte in noise)
        for start in range(0, len(masked), PIECE):
            search.heard(masked[start : start + PIECE])
        assert not search.is_over


@pytest.mark.parametrize("line_format", ["7E1", "8N1"])
def test_a_given_format_stays_and_the_speed_is_found(line_format: str) -> None:
    search = LineSearch(SPEEDS, line_format)
    sent = line(telegram(), line_format)

    def characters(speed: int) -> bytes:
        mask = 0x7F if line_format == "7E1" else 0xFF
        return bytes(byte & mask for byte, _ in read(sent, "8N1", 9600 / speed))

    assert search.heard(characters(115200)) == b""
    assert search.baudrate == "9600"
    assert search.heard(characters(9600)) == telegram()
    assert (search.is_over, search.format) == (True, line_format)


@pytest.mark.parametrize("line_format", ["8N1", "7E1"])
def test_a_given_speed_stays_and_the_format_is_found(line_format: str) -> None:
    search = LineSearch(["2400"])
    assert search.heard(bytes(range(128, 256)) * 20)  # noise: there is nothing else to try
    assert search.baudrate == "2400"
    search.heard(bytes(byte for byte, _ in read(line(telegram(), line_format), "8N1")))
    assert (search.baudrate, search.format) == ("2400", line_format)


def test_zeros_in_a_row_have_no_format_of_their_own() -> None:
    """A text of zeros in hex: its characters have an even parity, with a bit for it and without."""
    search = LineSearch(SPEEDS)
    assert search.heard(b"30" * 200) == b"30" * 200
    assert not search.is_over
    received = bytes(byte for byte, _ in read(line(telegram(), "7E1"), "8N1"))
    assert search.heard(received) == telegram()
    assert search.format == "7E1"
