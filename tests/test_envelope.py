"""What is known to come over MQTT and HTTP, as documented for each device."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1.framer import Framer
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.envelope import unwrap
from tests.helpers.telegrams import START, seal

TELEGRAM = Meter().telegram(START)
OLD = Meter("nl-2.2").telegram(START)
TEXT = TELEGRAM.decode("ascii")


def frames(*messages: bytes, member: str = "") -> list[bytes]:
    """Give the whole frames in messages of one topic."""
    framer, found = Framer(), []
    for message in messages:
        data, complete = unwrap(message, member)
        found += framer.feed(data)
        if complete:
            found += framer.flush()
    return [frame.data for frame in found if frame.whole]


@pytest.mark.parametrize("telegram", [TELEGRAM, OLD])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: t,
        lambda t: t.rstrip(),  # DSMR-reader
        lambda t: t.rstrip() + b"\r\n\n",  # DSMRloggerAPI
        lambda t: t + b"\0",
        lambda t: b"\n" + t,
        lambda t: json.dumps({"telegram": t.decode()}).encode(),
        lambda t: json.dumps({"meter": {"id": "x/y", "raw": t.decode()}, "n": [1, None, "a"]}).encode(),
        lambda t: json.dumps(t.decode()).encode(),
        lambda t: t.hex().encode(),
        lambda t: t.hex(" ").upper().encode(),
        base64.b64encode,
        base64.encodebytes,
        lambda t: json.dumps({"data": base64.b64encode(t).decode()}).encode(),
        lambda t: b'{"SerialReceived":"' + t + b'"}',
    ],
)
def test_a_whole_telegram_is_found_in_whatever_wraps_it(telegram, wrap) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    assert frames(wrap(telegram)) == [telegram.rstrip()]


def test_lf_for_cr_lf_stays_for_the_crc_to_judge() -> None:
    assert frames(TELEGRAM.replace(b"\r\n", b"\n")) == [TELEGRAM.replace(b"\r\n", b"\n").rstrip()]


@pytest.mark.parametrize("size", [30, 61, 500])
def test_a_telegram_in_pieces_is_put_together(size: int) -> None:
    pieces = [TELEGRAM[start : start + size] for start in range(0, len(TELEGRAM), size)]
    assert frames(*pieces, *pieces) == [TELEGRAM.rstrip()] * 2


def test_tasmota_sends_three_pieces_with_line_ends_in_its_json() -> None:
    end = TELEGRAM.rindex(b"!")
    pieces = (TELEGRAM[:520], TELEGRAM[520:end], TELEGRAM[end:])
    assert frames(*(b'{"SerialReceived":"' + piece + b'"}' for piece in pieces)) == [TELEGRAM.rstrip()]
    # SerialDelimiter 254: hex digits
    assert frames(*(b'{"SerialReceived":"%b"}' % piece.hex().encode() for piece in pieces)) == [TELEGRAM.rstrip()]


@pytest.mark.parametrize("telegram", [TELEGRAM, OLD])
def test_a_line_a_message_is_put_together(telegram: bytes) -> None:
    assert frames(*telegram.rstrip().split(b"\r\n")) == [telegram.rstrip()]
    assert frames(*telegram.splitlines(keepends=True)) == [telegram.rstrip()]


def test_the_member_can_be_named() -> None:
    two = json.dumps({"now": TEXT, "before": TEXT.replace("SIM", "OLD")}).encode()
    assert frames(two) == []
    assert frames(two, member="now") == [TELEGRAM.rstrip()]


def test_a_sealed_frame_is_passed_on() -> None:
    frame = seal(TELEGRAM)
    for message in (frame, frame.hex().encode(), base64.b64encode(frame)):
        assert frames(message) == [frame]
    assert frames(frame[:300], frame[300:]) == [frame]


@pytest.mark.parametrize(
    "message", [b"offline", b"{", b"[]", b'{"a": 1}', b'"', b"abcd", b"QUJDREVGRw==", b"\xff\xfe", b"30" * 50]
)
def test_what_is_no_telegram_stays_as_it_is(message: bytes) -> None:
    assert unwrap(message) == (message, False)


@given(st.binary(max_size=200), st.sampled_from(["", "x"]))
def test_any_message_can_be_unwrapped(message: bytes, member: str) -> None:
    for data in (message, b'{"x":"' + message + b'"}', b"/" + message):
        assert isinstance(unwrap(data, member).data, bytes)


def test_deep_json_is_no_reason_to_end() -> None:
    message = b"[" * 100_000
    assert unwrap(message) == (message, False)
    assert unwrap(b'{"a":' * 100_000) == (b'{"a":' * 100_000, False)
