"""What is known to come over MQTT and HTTP, as documented for each device; and what could be made to harm."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1.framer import Framer
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.envelope import LARGEST, Payload, unpacked, unwrap
from tests.helpers.growth import grows_too_fast, sizes_up_to
from tests.helpers.telegrams import START, encrypt, encrypt_block

TELEGRAM = Meter().telegram(START)
OLD = Meter("nl-2.2").telegram(START)
TEXT = TELEGRAM.decode("ascii")
ALL = [Meter(form).telegram(START) for form in FORMS]


def frames(*messages: bytes, member: str = "") -> list[bytes]:
    """Give the whole frames in messages of one topic."""
    framer, found = Framer(), []
    for message in messages:
        payload = unwrap(message, member)
        found += framer.feed(payload.data)
        if payload.ends_telegram:
            found += framer.flush()
    return [frame.data for frame in found if frame.whole]


def with_and_without_the_short_cut(message: bytes, member: str) -> tuple[Payload, Payload]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telegraf_p1.sources.envelope._CRC", re.compile(rb"(?!)"))
        long_way = unwrap(message, member)
    return unwrap(message, member), long_way


@pytest.mark.parametrize("telegram", ALL)
@pytest.mark.parametrize("member", ["", "telegram"])
def test_the_short_cut_leads_where_the_long_way_does(telegram: bytes, member: str) -> None:
    for wrapped in (
        telegram,
        b" " + telegram,
        telegram[1:],
        telegram[:-2],
        telegram[:-1],
        telegram + b"\r\n",
        telegram * 2,
    ):
        for message in (
            wrapped,
            wrapped.replace(b"\r\n", b"\n"),
            gzip.compress(wrapped),
            wrapped.replace(b"\r", b"\\r"),
        ):
            short, long = with_and_without_the_short_cut(message, member)
            assert short == long


@given(
    st.sampled_from([b"/", b"\n/", b"", b"{", b'"', b"\x1f\x8b\x08", b"\xef\xbb\xbf/"]),
    st.binary() | st.text("/+0aA=\\r\n!() ").map(str.encode),
    st.sampled_from(
        [b"\n!1A2B\r\n", b"!1a2B\r\n", b")!1A2B\r\n", b"\r!1A2B\r\n", b"!\r\n", b"\n!1A2G\r\n", b"\n!1A2B\n"]
    ),
    st.sampled_from(["", "telegram"]),
)
def test_the_short_cut_leads_where_the_long_way_does_whatever_comes(
    begin: bytes, middle: bytes, end: bytes, member: str
) -> None:
    short, long = with_and_without_the_short_cut(begin + middle + end, member)
    assert short == long


def as_json(value: object, *, ascii_only: bool = True) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode()


def characters(telegram: bytes) -> str:
    return telegram.decode("latin-1")


Wrap = Callable[[bytes], bytes]
# These carry any byte; the others only what is a text.
BINARY: dict[str, Wrap] = {
    "nothing": lambda t: t,
    "gzip": gzip.compress,
    "hex": lambda t: t.hex().encode(),
    "HEX with spaces": lambda t: t.hex(" ").upper().encode(),
    "hex in lines": lambda t: t.hex("\n", 32).encode(),
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "JSON": lambda t: as_json({"telegram": characters(t)}),
    "JSON in UTF-8": lambda t: as_json({"telegram": characters(t)}, ascii_only=False),
    "JSON, packed": lambda t: gzip.compress(as_json({"telegram": characters(t)})),
    "JSON with a byte order mark": lambda t: b"\xef\xbb\xbf" + as_json({"telegram": characters(t)}),
    "JSON with white space": lambda t: b"\r\n " + json.dumps({"telegram": characters(t)}, indent=2).encode() + b"\n",
    "JSON, deep": lambda t: as_json({"meter": {"id": "x/y", "raw": characters(t)}, "n": [1, None, 1.5, "a", {}, []]}),
    "a string of JSON": lambda t: as_json(characters(t)),
    "JSON with hex": lambda t: as_json({"data": t.hex()}),
    "JSON with base64": lambda t: as_json({"data": base64.b64encode(t).decode()}),
    "JSON twice the same": lambda t: as_json({"raw": characters(t), "payload": {"hex": t.hex()}}),
    "JSON beside paths": lambda t: as_json(
        {"device": "/dev/ttyUSB0", "telegram": characters(t), "topics": ["/p1/raw", "/p1/new"], "power": "!"}
    ),
    "JSON beside a long number": lambda t: b'{"n":%b,"t":%b}' % (b"9" * 10_000, as_json(characters(t))),
    "JSON beside half a character": lambda t: b'{"n":"\\ud800","t":%b}' % as_json(characters(t)),
    "Node-RED's Buffer": lambda t: as_json({"type": "Buffer", "data": list(t)}),
    "Node-RED's Buffer, deep": lambda t: as_json({"topic": "/p1", "payload": {"type": "Buffer", "data": list(t)}}),
    "an array of bytes": lambda t: as_json(list(t)),
    "Tasmota": lambda t: as_json({"Time": "2025-11-25T10:00:00", "SerialReceived": characters(t)}),
    "Tasmota's other port": lambda t: as_json({"SSerialReceived": characters(t)}),
    "Tasmota, hex": lambda t: as_json({"SSerialReceived": t.hex().upper()}),
}
OF_TEXT: dict[str, Wrap] = {
    "no line end": lambda t: t.rstrip(),  # DSMR-reader
    "a blank line": lambda t: t.rstrip() + b"\r\n\n",  # DSMRloggerAPI
    "NUL": lambda t: t + b"\0",
    "a line end before it": lambda t: b"\n" + t,
    "a byte order mark": lambda t: b"\xef\xbb\xbf" + t,
    "JSON without the line end": lambda t: as_json({"telegram": characters(t).rstrip()}),
    "an array of lines": lambda t: as_json(characters(t).split("\r\n")),
    "a member of lines": lambda t: as_json({"path": "/p1", "telegram": characters(t).rstrip().split("\r\n")}),
    "line ends written out": lambda t: t.replace(b"\r\n", rb"\r\n"),
    "JSON, line ends written out twice": lambda t: as_json({"telegram": characters(t).replace("\r\n", r"\r\n")}),
    "JSON, backslashes not escaped": lambda t: b'{"telegram":"%b"}' % t.replace(b"\r\n", rb"\r\n"),
    "Tasmota, line ends as they are": lambda t: b'{"SerialReceived":"%b"}' % t,
    "Tasmota's other port, line ends as they are": lambda t: b'{"SSerialReceived": "%b"} ' % t,
    "Tasmota, cut off": lambda t: b'{"SSerialReceived":"%b' % t,
}


@pytest.mark.parametrize("name", BINARY | OF_TEXT)
def test_a_whole_telegram_is_found_in_whatever_wraps_it(name: str) -> None:
    for telegram in ALL:
        assert frames((BINARY | OF_TEXT)[name](telegram)) == [telegram.rstrip()]


@pytest.mark.parametrize("name", BINARY)
def test_an_encrypted_telegram_is_found_in_whatever_can_carry_it(name: str) -> None:
    for telegram in ALL:
        for frame in (encrypt(telegram), encrypt_block(telegram, b"TST\0\0\0\0\1")):
            assert frames(BINARY[name](frame)) == [frame]


def test_lf_for_cr_lf_stays_for_the_crc_to_judge() -> None:
    assert frames(TELEGRAM.replace(b"\r\n", b"\n")) == [TELEGRAM.replace(b"\r\n", b"\n").rstrip()]


@pytest.mark.parametrize("size", [30, 61, 500])
def test_a_telegram_in_pieces_is_put_together(size: int) -> None:
    pieces = [TELEGRAM[start : start + size] for start in range(0, len(TELEGRAM), size)]
    assert frames(*pieces, *pieces) == [TELEGRAM.rstrip()] * 2


@pytest.mark.parametrize("name", ["SerialReceived", "SSerialReceived"])
def test_tasmota_sends_pieces(name: str) -> None:
    def message(text: bytes) -> bytes:
        return b'{"%b":"%b"}' % (name.encode(), text)

    end = TELEGRAM.rindex(b"!")
    by_hand = [TELEGRAM[:520], TELEGRAM[520:end], TELEGRAM[end:]]
    of_255, of_799 = ([TELEGRAM[n : n + size] for n in range(0, len(TELEGRAM), size)] for size in (255, 799))
    for pieces in (by_hand, of_255, of_799):
        # Line ends stand there as they are, or escaped, or all of it is in hex (SerialDelimiter 254).
        assert frames(*map(message, pieces)) == [TELEGRAM.rstrip()]
        assert frames(*(as_json({name: piece.decode()}) for piece in pieces)) == [TELEGRAM.rstrip()]
        assert frames(*(message(piece.hex().encode()) for piece in pieces)) == [TELEGRAM.rstrip()]


def test_a_piece_that_is_cut_off_in_its_json_keeps_its_line_end() -> None:
    assert unwrap(b'{"SerialReceived":"1-0:1.8.1(1*kWh)\r\n').data == b"1-0:1.8.1(1*kWh)\r\n"


@pytest.mark.parametrize("telegram", [TELEGRAM, OLD])
def test_a_line_a_message_is_put_together(telegram: bytes) -> None:
    assert frames(*telegram.rstrip().split(b"\r\n")) == [telegram.rstrip()]
    assert frames(*telegram.splitlines(keepends=True)) == [telegram.rstrip()]


TWO = {"now": TEXT, "before": TEXT.replace("SIM", "OLD")}


def test_of_several_telegrams_none_is_taken_until_the_member_is_named() -> None:
    payload = unwrap(as_json(TWO))
    assert (payload.data, payload.ends_telegram) == (b"", False)
    assert "?member=NAME" in payload.trouble
    assert frames(as_json(TWO), member="now") == [TELEGRAM.rstrip()]
    assert not unwrap(as_json(TWO), "now").trouble


def test_paths_alone_are_no_telegram_but_one_of_them_could_be_its_first_line() -> None:
    assert unwrap(as_json({"a": "/dev/ttyUSB0", "b": "/ISK5"})).trouble
    assert unwrap(as_json({"a": "/dev/ttyUSB0", "b": "/ISK5"}), "b").data == b"/ISK5\r\n"


@pytest.mark.parametrize("message", [{"now": "/x"}, {"telegram": None}, {"telegram": {}}, ["a"], "/XXX5\r\n"])
def test_a_named_member_that_is_not_there_is_said(message: object) -> None:
    payload = unwrap(as_json(message), "telegram")
    assert payload.data == b""
    assert "no member 'telegram'" in payload.trouble


def test_what_is_no_json_needs_no_member() -> None:
    assert frames(TELEGRAM, member="telegram") == frames(TELEGRAM)


def test_a_named_member_may_be_a_buffer_or_lines() -> None:
    beside = {"before": TEXT.replace("SIM", "OLD")}
    for value in ({"type": "Buffer", "data": list(TELEGRAM)}, list(TELEGRAM), TEXT.split("\r\n"), TELEGRAM.hex()):
        assert frames(as_json({"payload": value, **beside}), member="payload") == [TELEGRAM.rstrip()]
    piece = list(b"1*kWh)\r\n1-0:1.8.2(2*")
    assert unwrap(as_json({"payload": {"type": "Buffer", "data": piece}}), "payload").data == bytes(piece)


def test_a_packed_message_is_bounded_and_a_damaged_one_stays_as_it_is() -> None:
    whole = gzip.compress(bytes(LARGEST))
    assert unpacked(whole) == bytes(LARGEST)
    for message in (gzip.compress(bytes(LARGEST + 1)), gzip.compress(bytes(10**8)), whole[:-1], whole[:100], whole[:3]):
        assert unpacked(message) == message
    damaged = bytearray(gzip.compress(TELEGRAM))
    damaged[-5] ^= 1
    assert unpacked(bytes(damaged)) == damaged


@pytest.mark.parametrize(
    "message", [b"offline", b"{", b"[]", b'{"a": 1}', b'"', b"abcd", b"QUJDREVGRw==", b"\xff\xfe", b"30" * 50]
)
def test_what_is_no_telegram_stays_as_it_is(message: bytes) -> None:
    assert unwrap(message) == Payload(message, ends_telegram=False)


# Anything, cut and put together again, so that some of it is nearly right.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5) | st.just(TEXT),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.integers(-300, 300), max_size=4)
        | st.dictionaries(
            st.sampled_from(["x", "type", "data", "SerialReceived"]), inner | st.just("Buffer"), max_size=3
        )
    ),
)
PIECES = st.binary(max_size=20) | VALUES.map(as_json) | st.sampled_from([wrap(TELEGRAM) for wrap in BINARY.values()])


@given(st.lists(PIECES, max_size=3).map(b"".join), st.integers(0, 20), st.sampled_from(["", "x"]))
def test_any_message_can_be_unwrapped(message: bytes, cut: int, member: str) -> None:
    for data in (message, message[cut:], message[: -cut or None], b'{"x":"' + message + b'"}', b"/" + message):
        assert isinstance(unwrap(data, member).data, bytes)


def test_deep_or_huge_json_is_no_reason_to_end() -> None:
    huge = as_json({"telegram": TEXT, "": "x" * LARGEST})
    for message in (b"[" * 100_000, b'{"a":' * 50_000, huge):
        assert unwrap(message) == Payload(message, ends_telegram=False)


# What is repeated, between how a message begins and ends.
HOSTILE = {
    "base64 and line ends": (b"AAAAAAAA", b"\n", b"!"),
    "base64": (b"L", b"A", b"~"),
    "hex and spaces": (b"2f", b" ", b"z"),
    "hex": (b"2f", b"0a", b"0"),
    "spaces": (b"", b" ", b"x"),
    "end marks": (b"", b"\n!", b"x"),
    "filler behind the end mark": (b"\n!", b"\0", b"x"),
    "lines": (b"/", b"\r\n1", b"x"),
    "backslashes": (b"", rb"\r", b"x"),
    "Tasmota, spaces": (b'{"SerialReceived":"', b" ", b"x"),
    "Tasmota, quotes": (b'{"SerialReceived":"', b'"}', b"x"),
    "JSON, brackets": (b"", b"[", b"]"),
    "JSON, deep": (b"[" * 900, b'"/a",', b'""' + b"]" * 900),
    "JSON, digits": (b"[", b"1", b"]"),
    "JSON, digits behind the point": (b"[0.", b"1", b"]"),
    "JSON, an exponent": (b"[1", b"0", b"e-99999]"),
    "JSON, octets": (b"[", b"47,", b"10]"),
    "JSON, lines": (b"[", b'"/",', b'"!"]'),
    "JSON, members": (b'{"a":1', b',"b":"/x"', b"}"),
    "JSON, short base64": (b"[1", b',"L0FBQUFB"', b"]"),
    "JSON, backslashes": (b'["', rb"\\", b'"]'),
    "JSON, characters that are none": (b'["', b"\xff", b'"]'),
    "gzip": (gzip.compress(bytes(LARGEST)), b"\x1f\x8b\x08", b""),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("member", ["", "b"])
def test_time_grows_no_faster_than_the_message(name: str, member: str) -> None:
    begin, middle, end = HOSTILE[name]

    def of(size: int) -> Callable[[], object]:
        return partial(unwrap, begin + middle * ((size - len(begin + end)) // len(middle)) + end, member)

    assert not grows_too_fast(of, sizes_up_to(LARGEST))
