from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1 import lineproto
from telegraf_p1.record import Record
from telegraf_p1.values import Value


def line(fields: dict[str, Value], tags: dict[str, str] | None = None) -> str:
    return lineproto.line(Record(tags or {}, fields, 7, []))


def test_a_reading_keeps_every_digit() -> None:
    # influx-line-protocol alone would write 123457.
    assert line({"energy_kwh": Decimal("123456.789")}) == "p1 energy_kwh=123456.789 7"
    assert line({"a": Decimal("0.000"), "b": Decimal("1E+3")}) == "p1 a=0.000,b=1000 7"


def test_types_are_written_as_influxdb_reads_them() -> None:
    assert line({"n": 5, "s": 'a "b" \\c'}, {"meter": "M 1,2=3"}) == 'p1,meter=M\\ 1\\,2\\=3 n=5i,s="a \\"b\\" \\\\c" 7'


def test_what_telegraf_would_refuse_is_left_out() -> None:
    assert line({"n": 1, "big": 2**63}) == "p1 n=1i 7"
    assert line({"n": 1, "small": -(2**63) - 1}) == "p1 n=1i 7"
    assert line({"largest": 2**63 - 1, "least": -(2**63)}) == f"p1 largest={2**63 - 1}i,least={-(2**63)}i 7"
    assert line({"n": 1}, {"meter": ""}) == "p1 n=1i 7"
    assert line({"n": 1}, {"meter": "M1\\"}) == "p1,meter=M1 n=1i 7"
    assert line({}) == ""


@given(st.text(), st.text())
def test_a_record_stays_one_line(tag: str, text: str) -> None:
    written = line({"message": text}, {"meter": tag})
    assert written.splitlines() == [written]
    written.encode()


@given(st.text("\\ \u3000A", max_size=8) | st.text())
def test_no_tag_ends_in_a_backslash_or_a_blank(text: str) -> None:
    written = line({"n": 1}, {"meter": text}).removesuffix(" n=1i 7")
    if written != "p1":
        tag = written.removeprefix("p1,meter=")
        assert tag
        assert not tag.endswith("\\")
        assert tag == tag.strip()


@pytest.mark.parametrize("text", ["A\\", "A\\ \\", "A\\\\ \\", "A\\\n\\", "A\\\u3000\\"])
def test_what_stands_before_a_stripped_backslash_is_stripped_too(text: str) -> None:
    assert line({"n": 1}, {"meter": text}) == "p1,meter=A n=1i 7"
    assert line({"n": 1}, {"meter": text[1:]}) == "p1 n=1i 7"


@pytest.mark.parametrize("name", ["", " ", "#p1", "a\nb", "p1\\", "p\\1", " p1"])
def test_an_impossible_measurement_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="measurement"):
        lineproto.check_measurement(name)


def test_a_measurement_may_have_a_space() -> None:
    assert lineproto.line(Record({}, {"n": 1}, 7, []), lineproto.check_measurement("my p1")) == "my\\ p1 n=1i 7"


def test_control_characters_become_one_space() -> None:
    assert line({"message": "a\r\nb\x85c"}, {"meter": "M\t\n1"}) == 'p1,meter=M\\ 1 message="a b c" 7'


def test_a_record_as_json_keeps_every_digit() -> None:
    record = Record({"meter": "M1"}, {"energy_kwh": Decimal("1.50"), "big": Decimal("1E+3"), "n": 5, "s": 'a"b'}, 7, [])
    assert lineproto.as_json(record) == (
        '{"time_ns": 7, "measurement": "p1", "tags": {"meter": "M1"}, '
        '"fields": {"energy_kwh": 1.50, "big": 1000, "n": 5, "s": "a\\"b"}}'
    )
    assert '"measurement": "house", ' in lineproto.as_json(record, "house")
