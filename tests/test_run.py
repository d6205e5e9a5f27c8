"""The loop: what is remembered of a stream, and what is said about it."""

import pytest
from support import RECEIVED_NS

from telegraf_p1.crc import checksum
from telegraf_p1.decode import Record
from telegraf_p1.log import Log
from telegraf_p1.run import Reader, Settings
from telegraf_p1.simulator import Meter
from telegraf_p1.sources import Chunk
from telegraf_p1.timestamp import Zone

START = 1_700_000_000


class Heard:
    """A reader, and what it logged."""

    def __init__(self) -> None:
        self.log: list[str] = []
        settings = Settings("auto", Zone(), host_time=False, measurement="p1")
        self.reader = Reader(settings, Log(self.log.append), "cable")

    def records(self, *data: bytes, origin: str = "") -> list[Record]:
        return [r for piece in data for r in self.reader.records(Chunk(piece, origin), RECEIVED_NS)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_stream_that_showed_a_crc_needs_one(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    body = old.rstrip()
    assert len(heard.records(old)) == 1
    assert len(heard.records(body + b"%04X\r\n" % checksum(body))) == 1
    assert heard.records(old) == []
    assert len(heard.records(old, origin="another meter")) == 1


def test_noise_behind_the_mark_does_not_deafen_an_old_meter(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    assert len(heard.records(old, old.rstrip() + b"1\r\n", old, old)) == 3
    assert heard.reader.rejected == 1


def test_half_a_telegram_at_the_start_is_passed_over_in_silence(heard: Heard) -> None:
    half = b"/abc) of it)\r\n1-0:1.8.0(1*kWh)\r\n!ABCD\r\n"
    assert heard.records(half) == []
    assert (heard.reader.rejected, heard.log) == (0, [])
    assert heard.records(half) == []
    assert (heard.reader.rejected, len(heard.log)) == (1, 1)


def test_the_time_of_an_old_meter_is_that_of_the_first_byte(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    list(heard.reader.records(Chunk(old[:10]), 5))
    (record,) = heard.reader.records(Chunk(old[10:]), 9)
    assert record.time_ns == 5


def test_a_line_that_is_no_object_is_named_once_a_minute(heard: Heard) -> None:
    for n in range(100):
        body = b"/TST5\r\nTime %d\r\n!" % n
        assert len(heard.records(body + b"%04X\r\n" % checksum(body))) == 1
    assert heard.log == ["W! cable: 'Time 0' in a telegram is no COSEM object, and is left out\n"]


def test_an_unreadable_value_is_named_once(heard: Heard) -> None:
    for n in range(100):
        body = b"/TST5\r\n1-0:1.8.0(x%d)\r\n!" % n
        heard.records(body + b"%04X\r\n" % checksum(body))
    assert heard.log == ["W! cable: '1-0:1.8.0': 'x0' is no number\n"]


def test_rewritten_line_ends_are_named_once_and_accepted(heard: Heard) -> None:
    telegram = Meter().telegram(START).replace(b"\r\n", b"\n")
    assert len(heard.records(telegram, telegram)) == 2
    (line,) = heard.log
    assert "rewrites line endings" in line


def test_the_end_of_the_source_ends_the_last_telegram(heard: Heard) -> None:
    assert heard.records(Meter("nl-4.2").telegram(START).rstrip()[:-1]) == []
    assert list(heard.reader.finish()) == []
    assert heard.reader.rejected == 1


def test_what_was_begun_before_a_connection_was_lost_is_forgotten(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    assert heard.records(telegram[:300]) == []
    heard.reader.reconnected()
    assert heard.records(telegram[300:]) == []
    assert len(heard.records(telegram)) == 1
    assert heard.log == []
