"""What is remembered of a stream, and what is said about it."""

from collections import Counter
from typing import Any

import pytest

from telegraf_p1 import lineproto, sources
from telegraf_p1.advice import BRIDGE, DEVICE, LINE, Advice
from telegraf_p1.decode import decode
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.keys import Keys
from telegraf_p1.log import Log
from telegraf_p1.outputs import statistics
from telegraf_p1.record import Record
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.events import PAUSE_S, SILENCE_S, Data, Lost, Pause, Silence, Trouble, Unchanged
from telegraf_p1.telegram import CrcMode, Telegram
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import KEY, LUXEMBOURG, RECEIVED_NS, START, encrypt, encrypt_block, with_crc


class Heard:
    """An interpreter, and what it logged."""

    def __init__(
        self, crc: CrcMode = "auto", keys: Keys | None = None, *, plain: bool = False, advice: Advice = LINE
    ) -> None:
        self.log: list[str] = []
        self.now = 0.0
        settings = Settings(crc, Zone(), host_time=False, keys=keys, plain=plain)
        self.interpreter = Interpreter(settings, Log(self.log.append, lambda: self.now), "cable", advice)

    def said(self, words: str) -> list[str]:
        """Give the lines of the log that hold these words; what else was said is another test's."""
        return [line for line in self.log if words in line]

    def pause(self) -> list[Record]:
        return self.interpreter.records(Pause(PAUSE_S), RECEIVED_NS)

    def silence(self) -> list[Record]:
        return self.interpreter.records(Silence(SILENCE_S), RECEIVED_NS)

    def records(self, *data: bytes, origin: str = "") -> list[Record]:
        return [r for piece in data for r in self.interpreter.records(Data(piece, origin), RECEIVED_NS)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_stream_that_showed_a_crc_needs_one(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    body = old.rstrip()
    assert len(heard.records(old)) == 1
    assert len(heard.records(with_crc(body) + b"\r\n")) == 1
    assert heard.records(old) == []
    assert len(heard.records(old, origin="another meter")) == 1


def test_noise_behind_the_mark_does_not_deafen_an_old_meter(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    assert len(heard.records(old, old.rstrip() + b"1\r\n", old, old)) == 3
    assert heard.interpreter.rejected == 1


def test_half_a_telegram_at_the_start_is_passed_over_in_silence(heard: Heard) -> None:
    half = b"/abc) of it)\r\n1-0:1.8.0(1*kWh)\r\n!ABCD\r\n"
    assert heard.records(half) == []
    assert (heard.interpreter.rejected, heard.said("rejected")) == (0, [])
    assert heard.records(half) == []
    assert (heard.interpreter.rejected, len(heard.said("rejected"))) == (1, 1)


def test_the_time_of_an_old_meter_is_that_of_the_first_byte(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    heard.interpreter.records(Data(old[:10]), 5)
    (record,) = heard.interpreter.records(Data(old[10:]), 9)
    assert record.time_ns == 5


def test_a_line_that_is_no_object_is_named_once_a_minute(heard: Heard) -> None:
    for n in range(100):
        body = b"/TST5\r\nTime %d\r\n!" % n
        assert len(heard.records(with_crc(body) + b"\r\n")) == 1
    assert heard.said("not a COSEM object") == [
        "W! cable: 'Time 0' in a telegram is not a COSEM object, and is left out\n"
    ]


def test_an_unreadable_value_is_named_once(heard: Heard) -> None:
    for n in range(100):
        body = b"/TST5\r\n1-0:1.8.0(x%d)\r\n!" % n
        heard.records(with_crc(body) + b"\r\n")
    assert heard.said("not a number") == ["W! cable: '1-0:1.8.0': 'x0' is not a number\n"]


def test_rewritten_line_ends_are_named_once_and_accepted(heard: Heard) -> None:
    telegram = Meter().telegram(START).replace(b"\r\n", b"\n")
    assert len(heard.records(telegram, telegram)) == 2
    assert len(heard.said("rewrites line endings")) == 1


def test_the_end_of_the_source_ends_the_last_telegram(heard: Heard) -> None:
    telegram = Meter("nl-2.2").telegram(START)
    assert heard.records(telegram.rstrip()) == []
    assert len(heard.interpreter.finish()) == 1


def test_a_telegram_that_is_cut_off_in_a_line_is_told_from_the_next_one(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    assert heard.records(*[telegram[:400]] * 5) == []
    assert heard.interpreter.rejected == 4
    assert len(heard.records(telegram)) == 1
    assert heard.interpreter.finish() == []
    assert (heard.interpreter.rejected, len(heard.said("cut off after 400 bytes"))) == (5, 1)


def test_a_telegram_that_the_end_of_a_recording_cuts_off_is_no_fault(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    assert len(heard.records(telegram, telegram[:300])) == 1
    assert heard.interpreter.finish() == []
    assert heard.interpreter.rejected == 0
    assert heard.said("cut off after 300 bytes")[0].startswith(
        "I! cable: the recording ends in the middle of a telegram"
    )


def test_a_telegram_that_is_cut_off_is_warned_of_with_its_length(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    cut = telegram[: telegram.index(b"\r\n", 300) + 2]
    assert len(heard.records(telegram, cut, telegram)) == 2
    assert heard.interpreter.rejected == 1
    assert len(heard.said(f"cut off after {len(cut)} bytes")) == 1


def test_old_meters_without_an_end_mark_are_read_with_crc_off() -> None:
    heard = Heard("off")
    telegram = Meter("nl-2.2").telegram(START).rstrip(b"!\r\n") + b"\r\n"
    assert heard.records(telegram) == []
    assert len(heard.pause()) == 1  # the pause ends it,
    assert heard.records(telegram[:100], telegram[100:]) == []
    assert len(heard.records(telegram)) == 1  # or the next one
    assert len(heard.interpreter.finish()) == 1
    assert heard.interpreter.rejected == 0


def test_a_pause_ends_no_telegram_that_has_an_end_mark(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    assert heard.records(telegram[:300]) == []
    assert heard.pause() == []
    assert len(heard.records(telegram[300:])) == 1
    assert heard.interpreter.rejected == 0


def test_silence_is_explained(heard: Heard) -> None:
    heard.pause()
    assert heard.said("no data for") == []
    heard.silence()
    heard.silence()
    assert len(heard.said("enable the port")) == 1
    heard.records(Meter().telegram(START)[:300])
    heard.now = 61
    heard.silence()
    heard.silence()
    assert len(heard.said("cut off after 300 bytes")) == 1


def test_a_meter_that_speaks_once_a_minute_is_not_warned_of_for_ever(heard: Heard) -> None:
    for n in range(100):
        heard.now = n * 61
        heard.silence()
        assert len(heard.records(Meter().telegram(START + n * 61))) == 1
    assert len(heard.said("no data for")) == 3


@pytest.mark.parametrize(("form", "lines"), [("nl-5.0", 1), ("nl-2.2", 0)])
def test_equal_answers_are_named_only_when_their_time_proves_them_old(form: str, lines: int) -> None:
    heard = Heard()
    assert heard.interpreter.records(Unchanged(SILENCE_S), RECEIVED_NS) == []
    assert len(heard.records(Meter(form).telegram(START))) == 1
    assert heard.interpreter.records(Unchanged(SILENCE_S), RECEIVED_NS) == []
    assert len(heard.said("answers with the same telegram for 15 s")) == lines
    assert heard.said("no data for") == []


def test_a_device_that_has_a_new_telegram_once_a_minute_is_not_warned_of_for_ever(heard: Heard) -> None:
    for n in range(100):
        heard.now = n * 61
        assert len(heard.records(Meter().telegram(START + n * 61))) == 1
        heard.interpreter.records(Unchanged(SILENCE_S), RECEIVED_NS)
    assert len(heard.said("same telegram")) == 3


def test_what_was_counted_becomes_a_line(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    heard.records(telegram, telegram.replace(b"kWh", b"kwh"), telegram)
    heard.interpreter.records(Lost(), RECEIVED_NS)
    line = lineproto.line(
        statistics.record(heard.interpreter, "/dev/my cable", RECEIVED_NS + 1_500_000_000), "p1_stats"
    )
    assert line == (
        "p1_stats,source=/dev/my\\ cable accepted=2i,rejected=1i,rejected_crc=1i,"
        f"bytes={3 * len(telegram)}i,reconnects=1i,age_s=1.500 1700000001500000000"
    )


def test_what_a_source_noticed_is_said(heard: Heard) -> None:
    heard.interpreter.records(Trouble("request rejected (400): Content-Length is not a number"), RECEIVED_NS)
    assert heard.said("request rejected") == ["W! cable: request rejected (400): Content-Length is not a number\n"]


def test_encrypted_telegrams_are_opened() -> None:
    plain = Meter().telegram(START)
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    (record,) = heard.records(b"\xdbnoise/", encrypt(plain)[:100], encrypt(plain)[100:])
    assert [record] == Heard().records(plain)
    assert heard.said("encrypted") == []


def test_an_encrypted_telegram_needs_its_own_crc_too() -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    assert heard.records(encrypt(Meter().telegram(START).replace(b"kWh", b"kwh"))) == []
    assert len(heard.said("the CRC does not match")) == 1
    assert heard.records(encrypt(b"no telegram")) == []


def test_an_encrypted_stream_without_a_key_says_so_and_nothing_else(heard: Heard) -> None:
    for _ in range(9):
        frame = encrypt(Meter("be").telegram(START))
        heard.records(*(frame[n : n + 61] for n in range(0, len(frame), 61)))
    assert len(heard.said("P1_DECRYPTION_KEY")) == 1
    assert heard.said("not text") == heard.said("no telegram") == []


def test_an_encrypted_telegram_that_is_cut_off_is_said() -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    frame = encrypt(Meter().telegram(START))
    assert len(heard.records(frame, frame[:200], frame)) == 2
    assert len(heard.said("encrypted telegram was cut off after 200 bytes")) == 1


def test_a_stream_that_gives_no_telegram_is_diagnosed(heard: Heard) -> None:
    for _ in range(100):
        heard.records(b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + b"\x76\x05\x01" * 30)
    assert len(heard.said("SML")) == 1


def test_text_without_a_telegram_is_said(heard: Heard) -> None:
    for _ in range(30):
        heard.records(b"Welcome to the gateway, firmware 1.2\r\n")
    assert len(heard.said("received text, but no telegram")) == 1


def test_a_message_without_a_telegram_is_said(heard: Heard) -> None:
    for n, message in enumerate((b"offline", b"/", b"/TST5\r\n", Meter().telegram(START)[:300])):
        heard.now = n * 61
        assert heard.interpreter.records(Data(message, ends_message=True), RECEIVED_NS) == []
    heard.interpreter.records(Data(b"", ends_message=True), RECEIVED_NS)
    assert len(heard.said("no telegram")) == 2
    assert len(heard.said("cut off after 7 bytes")) == len(heard.said("cut off after 300 bytes")) == 1


def test_a_few_strange_bytes_are_diagnosed_at_the_next_pause(heard: Heard) -> None:
    heard.records(b"\x9f" * 100)
    assert heard.said("not text") == []
    heard.pause()
    assert len(heard.said("the data is not text")) == 1


def test_long_telegrams_in_small_pieces_are_not_diagnosed(heard: Heard) -> None:
    body = b"/AUX5\r\n0-0:96.13.0(" + b"FF" * 2048 + b")\r\n!"
    telegram = with_crc(body) + b"\r\n"
    assert len(heard.records(*(telegram[n : n + 9] for n in range(0, len(telegram), 9)))) == 1
    assert heard.said("text") == []


def test_what_was_begun_before_a_connection_was_lost_is_forgotten(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    assert heard.records(telegram[:300]) == []
    heard.interpreter.records(Lost(), RECEIVED_NS)
    assert heard.records(telegram[300:]) == []
    assert len(heard.records(telegram)) == 1
    assert heard.interpreter.rejected == 0


def test_dlms_that_is_encrypted_in_hdlc_is_no_encrypted_telegram() -> None:
    for before in (b"\x7e\xa0\x6d\xce\xff\x03\x13\x00\x00\xe6\xe7\x00", b"\xe6\xe7\x00"):
        data = before + encrypt(Meter().telegram(START))[: 0x6D - len(before)] + b"\x7e" + bytes(40)
        for size in (1, 5, 1000):
            heard = Heard()
            heard.records(*(data[n : n + size] for n in range(0, len(data), size)))
            heard.pause()
            assert heard.said("encrypted") == []


def test_an_encrypted_telegram_right_behind_one_that_ends_like_a_flag_is_read() -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    counter = next(n for n in range(99999) if encrypt(Meter().telegram(START), counter=n).endswith(b"\x7e"))
    frame = encrypt(Meter().telegram(START), counter=counter)
    assert len(heard.records(frame + frame, *(frame[n : n + 9] for n in range(0, len(frame), 9)))) == 3
    assert len(heard.records(b"\x7e" + frame)) == 1  # noise


def test_how_telegrams_are_encrypted_is_remarked_once() -> None:
    heard = Heard(keys=Keys(KEY, KEY))
    frame = encrypt(Meter().telegram(START), authentication=b"")
    assert len(heard.records(frame, frame)) == 2
    assert len(heard.said("encrypted without the authentication key")) == 1


def test_a_slash_in_a_text_does_not_silence_the_diagnosis(heard: Heard) -> None:
    for _ in range(30):
        heard.records(b"GET http://bridge/api/v1 HTTP/1.1 200 /index.html\r\n")
    assert len(heard.said("received text, but no telegram")) == 1


def test_bytes_that_came_are_not_nothing(heard: Heard) -> None:
    heard.records(b"bridge 1.2 ready at http://bridge/\r\n")
    heard.silence()
    assert heard.said("cable: no data for") == []
    assert "bridge 1.2 ready" in heard.said("received bytes, but no telegram")[0]


def test_bits_that_fell_are_changed_bytes_and_no_second_reader(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    heard.records(telegram.replace(b"1-0:1.8.1", b"1-0:!.8.1").replace(b"1-0:1.8.2", b'1-0:1.8."'))
    assert len(heard.said("bytes were changed")) == 1


def test_a_readout_whose_bcc_does_not_fit_gives_no_record_and_one_warning(heard: Heard) -> None:
    body = b"/TST5MT174-0002\r\n\x021-0:0.9.2*255(0220127)\r\n1-0:1.8.0*255(0098697.318*kWh)\r\n!\r\n\x03\x19"
    assert heard.records(body, body) == []
    assert len(heard.said("IEC 62056-21) does not match: sent 19")) == 1
    assert heard.interpreter.rejected_by_cause == {"bcc": 2}


def test_a_telegram_without_a_time_is_told_of_once(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    heard.records(old, old)
    assert len(heard.said("contain no timestamp")) == 1
    heard = Heard()
    body = b"/TST5\r\n0-0:1.0.0(632525252525W)\r\n!"
    heard.records(with_crc(body))
    assert (len(heard.said("is not a valid time")), heard.said("contain no timestamp")) == (1, [])


def test_a_telegram_that_waited_without_a_time_is_left_out_and_gets_no_other(heard: Heard) -> None:
    old = Meter("nl-2.2").telegram(START)
    late = Data(old, "topic", ends_message=True, is_late=True)
    assert heard.interpreter.records(late, RECEIVED_NS) == []
    assert (len(heard.said("is left out")), heard.said("contain no timestamp")) == (1, [])
    assert len(heard.records(old, origin="topic")) == 1
    assert len(heard.said("contain no timestamp")) == 1


def test_what_a_short_recording_holds_is_diagnosed_at_its_end(heard: Heard) -> None:
    heard.records(b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + b"\x76\x05\x01" * 9)
    assert heard.interpreter.finish() == []
    assert len(heard.said("SML")) == 1


def test_dlms_in_hdlc_is_named_wherever_it_is_cut() -> None:
    head = b"\x7e\xa1\xe9\x41\x03\x13\xc6\x37\xe6\xe7\x00"
    frame = head + encrypt(Meter().telegram(START))[:460] + b"/" + bytes(20) + b"\x7e"
    for data in (frame * 3, frame[:60], frame[:300], frame[4:]):
        heard = Heard()
        heard.records(data)
        heard.pause()
        heard.interpreter.finish()
        assert heard.said("ask your grid company for the key") == []
        assert heard.said("the line is") == heard.said("the speed") == []


def test_paths_are_no_telegrams_that_were_cut_off(heard: Heard) -> None:
    for _ in range(60):
        heard.records(b"/usr/bin/bridge started\r\n/dev/ttyUSB0 opened\r\n")
    assert heard.interpreter.rejected == 0
    assert len(heard.said("received text, but no telegram")) == 1


@pytest.mark.parametrize("cut", [1, 3, 5, 300])
def test_wherever_a_recording_ends_it_is_no_fault(heard: Heard, cut: int) -> None:
    telegram = Meter().telegram(START).rstrip()
    assert len(heard.records(telegram + b"\r\n" + telegram[:-cut])) == 1
    assert heard.interpreter.finish() == []
    assert heard.interpreter.rejected == 0
    assert len(heard.said("the recording ends")) == 1


@pytest.mark.parametrize("fallen", [b"1-0:1*8.1(", b"1-0:1.8. (", b"1%0:1.8.1(", b"1-!:1.8.1(", b"1-0:1.8.1 "])
def test_any_fallen_bits_of_a_reference_are_changed_bytes(heard: Heard, fallen: bytes) -> None:
    heard.records(Meter().telegram(START).replace(b"1-0:1.8.1(", fallen))
    assert heard.said("another program") == []
    assert len(heard.said("bytes were changed")) == 1


def test_a_line_end_that_fell_to_stx_is_no_optical_readout(heard: Heard) -> None:
    heard.records(Meter().telegram(START).replace(b"\r\n1-0:1.8.2", b"\r\x021-0:1.8.2"))
    assert heard.said("62056-21") == []
    assert len(heard.said("the CRC does not match")) == 1


def test_an_optical_readout_that_is_cut_off_is_named(heard: Heard) -> None:
    body = b"/TST5MT174-0002\r\n\x021-0:0.9.2*255(0220127)\r\n1-0:1.8.0*255(0098697.318*kWh)\r\n"
    heard.records(body + Meter().telegram(START))
    assert len(heard.said("IEC 62056-21")) == 1


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_an_encrypted_telegram_behind_a_flag_is_dlms_in_hdlc_unless_the_key_opens_it(size: int) -> None:
    data = b"\x7e" + encrypt(Meter().telegram(START)) + b"\x12\x34\x7e"
    for keys in (None, Keys(LUXEMBOURG, LUXEMBOURG)):
        heard = Heard(keys=keys)
        heard.records(*(data[n : n + size] for n in range(0, len(data), size)))
        assert heard.said("key") == []
        assert len(heard.said("DLMS in HDLC")) == 1
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    assert len(heard.records(*(data[n : n + size] for n in range(0, len(data), size)))) == 1
    assert heard.said("DLMS") == heard.said("encrypted") == []


def test_a_key_that_opened_others_is_not_blamed() -> None:
    frame = encrypt(Meter().telegram(START))
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    assert len(heard.records(frame, frame[:12] + b"\x7f" + frame[13:])) == 1
    assert heard.said("wrong") == []
    assert len(heard.said("changed on the way")) == 1


def test_objects_without_a_telegram_are_told_of(heard: Heard) -> None:
    """But not while they could be the rest of a telegram that had begun before we listened."""
    for _ in range(100):
        heard.records(b"1-0:1.8.0(000123.456*kWh) read by bridge at http://bridge/\r\n")
        if heard.interpreter.bytes < 4000:
            assert heard.log == []
    assert len(heard.said("received text, but no telegram")) == 1


def test_with_crc_off_too_the_end_of_a_recording_is_no_fault() -> None:
    telegram = Meter().telegram(START).rstrip()
    heard = Heard("off")
    assert len(heard.records(telegram + b"\r\n" + telegram[:300])) == 1
    assert heard.interpreter.finish() == []
    assert heard.interpreter.rejected == 0
    assert len(heard.said("the recording ends")) == 1
    heard.records(b"/TST9\r\n1-0:1.8.0(000123.456*kWh)\r\n")  # of a meter that sends no `!`
    assert len(heard.interpreter.finish()) == 1


def test_whatever_bit_falls_or_rises_no_second_reader_is_blamed() -> None:
    telegram = Meter("be").telegram(START)
    found: Counter[str] = Counter()
    for place in range(1, telegram.rindex(b"!")):
        for bit in range(7):
            octet = telegram[place] ^ (1 << bit)
            heard = Heard()
            heard.records(telegram[:place] + bytes([octet]) + telegram[place + 1 :])
            found.update(heard.interpreter.rejected_by_cause.keys())
    assert found["crc-lost"] < found["crc"] / 1000
    assert found["crc"] > 5000


def test_bytes_that_a_second_reader_took_are_missing() -> None:
    telegram = Meter("be").telegram(START)
    found: Counter[str] = Counter()
    for place in range(40, len(telegram) - 60):
        heard = Heard()
        heard.records(telegram[:place] + telegram[place + 16 :])
        found.update(heard.interpreter.rejected_by_cause.keys())
    assert found["crc-lost"] > found.total() / 3  # within a number or a text nobody sees where it ended


def test_chatter_with_pauses_is_told_of(heard: Heard) -> None:
    for _ in range(5):
        heard.records(b"[info] mqtt connected http://192.168.1.2/p1 /dev/ttyS0\r\n")
        heard.pause()
    assert len(heard.said("received text, but no telegram")) == 1


def test_a_telegram_sent_in_pieces_with_pauses_is_no_chatter(heard: Heard) -> None:
    telegram = Meter().telegram(START)
    for place in range(0, len(telegram), 60):
        heard.records(telegram[place : place + 60])
        heard.pause()
    assert heard.interpreter.accepted == 1
    assert heard.said("W! ") == []


def test_a_crc_of_three_digits_at_the_end_of_a_recording_is_whole(heard: Heard) -> None:
    telegrams = (Meter().telegram(START + n).rstrip() for n in range(1000))
    short = next(t[:-4] + t[-3:] for t in telegrams if t[-4:-3] == b"0")  # Warmtelink
    assert len(heard.records(Meter().telegram(START), short)) == 1
    assert len(heard.interpreter.finish()) == 1


def test_a_recording_of_one_telegram_that_ends_in_its_crc_is_no_fault(heard: Heard) -> None:
    heard.records(Meter().telegram(START).rstrip()[:-2])
    assert heard.interpreter.finish() == []
    assert (heard.interpreter.rejected, len(heard.said("the recording ends"))) == (0, 1)


@pytest.mark.parametrize("size", [64, 5000])
def test_a_long_encrypted_block_says_nothing_of_line_settings(size: int) -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG, b"EGM00001"))
    block = encrypt_block(Meter("be").telegram(START) * 3, b"EGM00001")
    heard.records(*(block[n : n + size] for n in range(0, len(block), size)))
    heard.interpreter.finish()
    assert heard.said("speed") == []


# Noise that looks like the head of an encrypted telegram of nearly 16 KB.
FALSE_HEAD = b"\xdb\x08noise...\x82\x3f\xf0\x30"


@pytest.mark.parametrize("size", [1, 63, 50_000])
def test_a_head_in_noise_swallows_no_plain_telegram(heard: Heard, size: int) -> None:
    telegrams = [Meter().telegram(START + n) for n in range(8)]
    data = FALSE_HEAD + b"".join(telegrams)
    found = heard.records(*(data[n : n + size] for n in range(0, len(data), size)))
    assert len(found) == 8


@pytest.mark.parametrize("size", [1, 63, 50_000])
def test_a_head_in_noise_gives_back_the_encrypted_telegrams_that_it_claimed(size: int) -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    data = FALSE_HEAD + b"".join(encrypt(Meter().telegram(START + n), counter=n) for n in range(30))
    found = heard.records(*(data[n : n + size] for n in range(0, len(data), size)))
    times = [record.time_ns or 0 for record in found]
    assert times == sorted(set(times))
    assert len(found) >= 29  # the one whose head stood at the claimed end is lost
    assert heard.interpreter.rejected <= 2


def test_at_the_end_of_a_message_what_a_false_head_claimed_is_given_back() -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    data = FALSE_HEAD + encrypt(Meter().telegram(START)) + encrypt(Meter().telegram(START + 1), counter=2)
    assert len(heard.interpreter.records(Data(data, "topic", ends_message=True), RECEIVED_NS)) == 2


def test_a_bug_costs_the_telegram_that_met_it(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_badly(parsed: Telegram, *arguments: Any, **named: Any) -> Record:
        if ("1-0:1.8.1", ["secret"]) in parsed.objects:
            raise KeyError("secret")
        return decode(parsed, *arguments, **named)

    monkeypatch.setattr("telegraf_p1.interpreter.decode", decode_badly)
    bad = with_crc(b"/TST5\r\n\r\n1-0:1.8.1(secret)\r\n!")
    good = [Meter().telegram(START + n) for n in range(2)]
    assert len(heard.records(good[0] + bad + b"\r\n" + good[1])) == 2
    assert heard.interpreter.rejected_by_cause == {"bug": 1}
    (line,) = heard.said("please report it: KeyError at test_interpreter.py:")
    assert "secret" not in line


def test_topics_with_half_a_telegram_each_are_bounded() -> None:
    heard = Heard()
    half = Meter().telegram(START)[:-30]
    for number in range(15_000):
        heard.records(half, origin=f"p1/{number}")
    streams = heard.interpreter._streams.values()  # noqa: SLF001
    assert len(streams) == 10_000
    assert 2 * 1024 * 1024 < sum(stream.held() for stream in streams) <= 8 * 1024 * 1024
    assert len(heard.said("the oldest are dropped")) == 1
    last = heard.records(Meter().telegram(START)[-30:], origin="p1/14999")
    assert len(last) == 1


def test_strange_telegrams_do_not_fill_the_log() -> None:
    heard = Heard()
    for number in range(300):
        lines = b"".join(b"1-0:%d.8.%d(x*kWh)\r\n" % (1 + number % 2, place) for place in range(300))
        others = b"".join(b"0-%d:24.2.1(%d)(x*m3)\r\n" % (place % 200 + 1, place) for place in range(300))
        heard.records(with_crc(b"/TST5\r\n\r\n" + lines + others + b"!") + b"\r\n")
    assert heard.interpreter.accepted == 300
    assert len(heard.log) < 110
    assert len(heard.said("no more of them are reported")) == 1


def test_where_there_is_a_key_a_plain_telegram_is_refused_unless_it_is_allowed() -> None:
    telegram, keys = Meter().telegram(START), Keys(KEY, LUXEMBOURG)
    heard = Heard(keys=keys)
    assert len(heard.records(telegram, telegram, encrypt(telegram))) == 1
    assert heard.interpreter.rejected_by_cause == {"plain": 2}
    assert len(heard.said("use --plain")) == 1
    assert len(Heard(keys=keys, plain=True).records(telegram, encrypt(telegram))) == 2


def test_a_frame_counter_that_goes_back_is_reported_once() -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    frames = [encrypt(Meter().telegram(START + n), counter=n) for n in (5, 6, 6, 7)]
    assert len(heard.records(*frames)) == 4  # the same once more is a message that came twice
    assert heard.said("counter") == []
    heard.records(frames[0], frames[3], frames[0])
    assert len(heard.said("went back from 7 to 5")) == 1
    late = Heard(keys=Keys(KEY, LUXEMBOURG))
    for frame in (frames[3], frames[0]):
        late.interpreter.records(Data(frame, "topic", ends_message=True, is_late=True), RECEIVED_NS)
    assert late.said("counter") == []


def test_advice_fits_what_lies_between_the_meter_and_us() -> None:
    assert LINE.keys() == BRIDGE.keys() == DEVICE.keys()
    assert not any(word in text for text in DEVICE.values() for word in ("cable", "baud", "--crc", "add ?"))
    assert not any("?baudrate" in text or "?format" in text for text in BRIDGE.values())
    telegram = Meter().telegram(START)
    for url, words in (
        ("/dev/ttyUSB0", "bad or long cable"),
        ("tcp://127.0.0.1:2000", "bad or long cable"),
        ("mqtt://127.0.0.1/p1", "on the way from the device"),
        ("https://127.0.0.1/", "on the way from the device"),
    ):
        heard = Heard(advice=sources.advice(url))
        heard.records(telegram.replace(b"kWh", b"kwh"))
        assert len(heard.said(words)) == 1


def test_topics_of_any_length_are_bounded() -> None:
    heard = Heard()
    telegram = Meter().telegram(START)
    for number in range(300):
        assert len(heard.records(telegram, origin=f"{'x' * 60_000}/{number}")) == 1
    streams = heard.interpreter._streams.values()  # noqa: SLF001
    assert len(streams) > 50
    assert sum(len(stream.name) for stream in streams) <= 4 * 1024 * 1024


def test_the_counter_of_each_meter_is_reported() -> None:
    heard = Heard(keys=Keys(KEY, LUXEMBOURG))
    for topic in ("p1/a", "p1/b"):
        heard.records(*(encrypt(Meter().telegram(START), counter=n) for n in (5, 4, 3)), origin=topic)
    assert len(heard.said("went back from 5 to 4")) == 2


def test_wherever_what_a_false_head_claims_ends_the_telegram_behind_it_is_read() -> None:
    telegram = Meter("be").telegram(START)
    for claimed in range(0x18, 0x80):
        heard = Heard()
        false = b"/noise\r\n1-0:1.8.0(1)\r\n\xdb\x08xxxxxxxx" + bytes([claimed]) + b"0" + b"x" * 30 + b"\r\n"
        assert len(heard.records(false + telegram)) == 1, claimed
        assert len(heard.records(*(false[place : place + 20] for place in range(0, len(false), 20)), telegram)) == 1
