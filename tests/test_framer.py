from collections.abc import Callable
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from telegraf_p1.framer import LIMIT, Frame, Framer
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from tests.helpers.growth import grows_too_fast, sizes_up_to
from tests.helpers.telegrams import START, encrypt, encrypt_block

A = b"/AAA5\\1\r\n\r\n1-0:1.8.0(1*kWh)\r\n!12AB"
B = b"/BBB5\\2\r\n\r\n1-0:1.8.0(2*kWh)\r\n!34CD"


def frames(*pieces: bytes) -> list[bytes]:
    framer = Framer()
    return [frame.data for piece in pieces for frame in framer.feed(piece)]


def test_frames_are_the_exact_bytes_up_to_the_crc() -> None:
    assert frames(A + b"\r\n" + B + b"\r\n") == [A, B]


def test_a_frame_ends_with_its_fourth_digit_even_without_a_line_end() -> None:
    assert frames(A + B) == [A, B]


def test_a_short_or_missing_crc_ends_at_the_line_end() -> None:
    assert frames(b"/AAA5\r\n!B9F\r\n" + B) == [b"/AAA5\r\n!B9F", B]
    assert frames(A[:-4] + b"\r\n" + B) == [A[:-4], B]


def test_an_exclamation_mark_behind_the_last_bracket_ends_a_frame() -> None:
    frame = b"/ADN9 6511\r\n1-0:31.7.0(123.1*A)!"
    for pieces in ((frame[:-1], b"!", b"\r\n"), (frame + b"\r\n",), (frame + b"\n",)):
        framer = Framer()
        assert [found for piece in pieces for found in framer.feed(piece)] == [Frame(frame, None)]


def test_marks_inside_a_text_are_text() -> None:
    text = b"/AAA5\r\n0-0:96.13.0(test-/-te!st (hi!) /x)\r\n!0001"
    assert frames(text) == [text]


def test_what_stands_before_a_frame_is_skipped() -> None:
    for noise in (b"\0\0\0", b"\xff\xfe", b"ser2net port 2000\r\n", b"0.123*kW)\r\n!8F3A\r\n", b"abc"):
        assert frames(noise + A) == [A], noise


def test_a_new_identification_cuts_the_unfinished_frame_off() -> None:
    for between in (b"\r\n", b"\r\n\0\0"):
        cut, whole = Framer().feed(A[:20] + between + B)
        assert (cut.data, cut.whole) == (A[:20] + between, False)
        assert (whole.data, whole.whole) == (B, True)


def test_a_slash_at_the_start_of_a_line_cuts_whatever_stands_behind_it() -> None:
    old = b"/BBB5\r\n1-0:1.8.0(2*kWh)\r\n!34CD"  # no blank line
    for between in (b"\n", b"\r", b"\r\n\0"):
        assert frames(A[:20] + between + old) == [A[:20] + between, old]


def test_line_ends_of_one_character_are_line_ends() -> None:
    for end in (b"\r", b"\n"):
        frame = A.replace(b"\r\n", end)
        assert frames(frame + end + B) == [frame, B]


def test_an_identification_in_the_middle_of_a_line_cuts_the_frame_off() -> None:
    cut, whole = Framer().feed(A[:20] + B)
    assert (cut.data, cut.whole, whole.data, whole.whole) == (A[:20], False, B, True)


def test_an_identification_may_hold_another_slash() -> None:
    frame = A.replace(b"AAA5", b"AAA5/BBB-1", 1)
    assert frames(frame + b"\r\n" + B) == [frame, B]


def test_a_frame_remembers_when_its_first_byte_came() -> None:
    framer = Framer()
    assert framer.feed(A[:10], at=7) == []
    (first, second) = framer.feed(A[10:] + b"\r\n" + B, at=9)
    assert (first.at, second.at) == (7, 9)


def test_the_end_of_a_message_ends_its_frame() -> None:
    framer = Framer()
    assert framer.feed(b"/AAA5\r\n!B9") == []
    assert [frame.data for frame in framer.flush()] == [b"/AAA5\r\n!B9"]
    assert framer.feed(b"F\r\n") == []
    framer.feed(A[:20])
    assert framer.flush() == [Frame(A[:20], None, whole=False)]
    framer.feed(A[:-4], at=7)
    assert framer.flush() == [Frame(A[:-4], 7)]
    cut = b"/AAA5\r\n\r\n0-0:96.13.0(a/b"
    framer.feed(cut)
    assert framer.flush() == [Frame(cut, None, whole=False)]


def test_the_end_of_a_message_gives_back_what_a_head_in_noise_claimed() -> None:
    framer = Framer()
    head = b"\xdb\x08xxxxxxxx\x82\x20\x00\x30"
    framer.feed(b"\x7e" + head + b"x" * 50 + encrypt(A)[:-1], at=7)
    claimed, encrypted = framer.flush()
    assert (claimed.at, claimed.whole, claimed.behind_flag) == (7, False, True)
    assert encrypted == Frame(encrypt(A)[:-1], 7, whole=False)


def test_after_a_reset_the_old_half_is_forgotten() -> None:
    framer = Framer()
    framer.feed(A[:20])
    framer.reset()
    assert framer.feed(A[20:] + b"\r\n") == []


def test_a_frame_without_end_is_given_up_and_costs_bounded_memory() -> None:
    framer = Framer()
    for _ in range(100):
        assert not any(frame.whole for frame in framer.feed(b"/" + b"x" * 1000))
        assert len(framer._pending) <= LIMIT  # noqa: SLF001  memory is what counts here
    assert [frame.data for frame in framer.feed(b"\r\n" + A) if frame.whole] == [A]
    long = b"/AAA5\r\n1-0:1.8.0(".ljust(LIMIT, b"y")
    assert frames(long) == [long]


def test_what_ends_before_its_first_object_and_has_no_crc_is_no_frame() -> None:
    for nothing in (b"/AAA5\\1\r\n\r\n", b"/\n!\n", b"/\n\0", b"/AAA5\r\n!\r\n!\r\n"):
        stream = nothing * 3 + A + b"\r\n" + nothing + B
        assert frames(stream) == [A, B], nothing
        assert frames(*(bytes([octet]) for octet in stream)) == [A, B], nothing
    assert frames(b"/" + b"y" * (LIMIT - 1)) == []


def test_small_pieces_take_no_more_time_than_large_ones() -> None:
    def pieces_of(size: int) -> Callable[[], object]:
        frame = (b"/AAA5\r\n0-0:96.13.0(" + b"/" * size)[:size]
        return lambda: frames(*(frame[place : place + 16] for place in range(0, size, 16)))

    assert not grows_too_fast(pieces_of, sizes_up_to(LIMIT - 16))


def test_a_telegram_of_nearly_the_limit_passes() -> None:
    long = b"/AAA5\r\n0-0:96.13.0(" + b"30" * 8000 + b")\r\n!ABCD"
    assert frames(long) == [long]


def test_an_encrypted_frame_is_found_by_its_length() -> None:
    for size in (30, 90, 140, 3000):
        frame = encrypt(A.ljust(size))
        assert frames(b"/noise" + frame + frame + B)[-3:] == [frame, frame, B]


def encrypted(length: bytes, body: bytes) -> bytes:
    """What looks like an encrypted frame, with this length before its body."""
    return b"\xdb\x08TST\0\0\0\0\1" + length + body


def test_an_encrypted_frame_holds_a_counter_and_a_tag_at_least() -> None:
    old = b"/AAA5\r\n1-0:1.8.0(1*kWh)\r\n!12AB"
    shortest = encrypted(b"\x12", b"\x30" + b"x" * 17)
    assert frames(shortest + old) == [shortest, old]
    for length in (b"\x11", b"\x80", b"\x84"):
        assert frames(encrypted(length, b"\x30xxx") + old) == [old]
    assert frames(b"\xdb", b"\x07xxxxxxxx\x40\x30" + old) == [old]


def test_the_last_bytes_of_an_encrypted_frame_are_part_of_it_and_of_nothing_else() -> None:
    for last in (b"/", b"\xe6\xe7\x00", b"\xdb"):
        first = encrypted(b"\x20", b"\x30" + b"x" * (31 - len(last)) + last)
        assert frames(first + encrypt(A) + B) == [first, encrypt(A), B]
        assert frames(first + B) == [first, B]


def test_a_frame_that_was_cut_off_by_an_encrypted_one_is_not_whole() -> None:
    cut, whole = Framer().feed(A[:20] + encrypt(A))
    assert (cut, whole) == (Frame(A[:20], None, whole=False), Frame(encrypt(A), None))
    block = encrypt_block(A.ljust(400), b"TST\0\0\0\0\1")
    cut, again, whole = Framer().feed(block[:40] + block[:50] + block)
    assert [frame.whole for frame in (cut, again, whole)] == [False, False, True]
    assert (cut.data, again.data, whole.data) == (block[:40], block[:50], block)
    noise, plain = Framer().feed(encrypted(b"\x82\x02\x00", b"\x30" + b"x" * 20) + A)
    assert (noise.whole, plain) == (False, Frame(A, None))


def test_of_several_heads_in_an_encrypted_frame_the_first_ends_it() -> None:
    frame = encrypt(A.ljust(400))
    assert frames(frame[:40] + frame[:50] + frame + B) == [frame[:40], frame[:50], frame, B]


def test_a_frame_that_is_given_back_hides_no_head_at_its_end() -> None:
    for claimed in range(15):
        noise = encrypted(b"\x82\x01\x00", b"\x30" + b"x" * (255 - claimed)).replace(b"TST", b"XYZ")
        framer = Framer()
        found = []
        for frame in framer.frames(noise + encrypt(A) + B):
            found.append(frame.data)
            if frame.data.startswith(noise[:14]):
                framer.give_back()
        assert found[1:] == [encrypt(A), B], claimed


def test_a_plain_frame_that_is_given_back_is_gone() -> None:
    plain = A.replace(b"!", b"0-0:96.13.0(a/b)\r\n!")
    framer = Framer()
    found = []
    for frame in framer.frames(encrypt(A) + plain + b"\r\n" + B):
        found.append(frame.data)
        if frame.data == plain:
            framer.give_back()
    assert found == [encrypt(A), plain, B]


def test_behind_the_header_of_hdlc_a_telegram_begins_and_an_encrypted_one_does_not() -> None:
    assert frames(b"\xe6\xe7\x00" + A) == [A]
    assert frames(b"\xe6\xe7\x00" + encrypt(A)) == []


def test_wherever_a_stream_is_cut_the_frames_are_the_same() -> None:
    block = encrypt_block(A, b"TST\0\0\0\0\1")
    slash = encrypt_block(b"/EGM5\r\n\r\n".ljust(39), b"TST\0\0\0\0\1")  # its length is that of a slash
    assert b"\0\x82\0/" in slash
    for stream in (
        A + slash + B,
        A[:20] + B + b"\r\n",
        A[:20] + encrypt(A) + B,
        b"\x7e" + encrypt(A) + b"\xe6\xe7\x00" + encrypt(A) + A,
        block[:40] + block + A + block,
        encrypted(b"\x82\x02\x00", b"\x30" + b"x" * 20) + A,
        b"/ADN9 6511\r\n1-0:31.7.0(123.1*A)!\r\n" + A,
        b"//ABC" + encrypt(A) + A,
        b"x/usr/bin" + encrypt(A) + A,
        b"/TST5/ABCx" + encrypt(A) + A,
    ):
        at_once = Framer().feed(stream)
        for place in range(len(stream)):
            framer = Framer()
            assert framer.feed(stream[:place]) + framer.feed(stream[place:]) == at_once, place


def test_a_plain_telegram_may_hold_the_first_bytes_of_an_encrypted_one() -> None:
    for text in (b"\xdb", b"\xdb\x08", b"\xdb\x08xxxxxxxx\x82\x01\x00\x20"):
        frame = b"/AAA5\r\n0-0:96.13.0(" + text + b")\r\n!12AB"
        assert frames(frame + b"\r\n" + A) == [frame, A]


@given(lost=st.integers(1, 100), place=st.integers(0, 500))
def test_after_lost_bytes_the_next_encrypted_frame_is_found(lost: int, place: int) -> None:
    frame = encrypt(A.ljust(400))
    damaged = frame[:place] + frame[place + lost :]
    assert frames(damaged + frame + frame)[-2:] == [frame, frame]


STREAM = st.lists(
    st.one_of(
        st.sampled_from(
            [
                A,
                B,
                A[:20],
                b"\r\n",
                b"\n",
                b"\0",
                b"\xff",
                b"/",
                b"!",
                b")!",
                b")!\r",
                b"!B9F",
                b"x" * 70,
                b"/CCC",
                b"/CCC5\r\n",
                b"/CCC5\r\n\r\n",
            ]
        ),
        st.sampled_from([Meter(form).telegram(START) for form in FORMS]),
        st.sampled_from([encrypt(A), encrypt(A.ljust(300)), encrypt(A)[:30], b"\xdb\x08", b"\xdb", b"0"]),
        st.binary(max_size=8),
        st.just(b"/" + b"y" * LIMIT),
    ),
    max_size=12,
).map(b"".join)


@given(stream=STREAM, cuts=st.lists(st.integers(0, 5000), max_size=8))
@example(stream=b"/a\r\n1)!\r\n" + A, cuts=[6, 7, 8])
@example(stream=b"/" + b"y" * LIMIT + b"/" + A, cuts=[LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 2])
def test_the_same_bytes_give_the_same_frames_however_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(stream)]
    assert frames(*(stream[a:b] for a, b in pairwise(places))) == frames(stream)


@given(stream=STREAM)
def test_byte_by_byte_is_no_different(stream: bytes) -> None:
    stream = stream[-3000:]
    assert frames(*(bytes([byte]) for byte in stream)) == frames(stream)
