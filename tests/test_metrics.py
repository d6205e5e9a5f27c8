from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1 import lineproto, metrics
from telegraf_p1.metrics import LONGEST, Lines, Metric
from telegraf_p1.record import Record
from telegraf_p1.values import Value

# As Telegraf writes names: one with a backslash at its end cannot be written, and a line end becomes two characters.
NAMES = st.text('a\\"b,= /ä\n', min_size=1, max_size=8).filter(lambda name: not name.endswith("\\"))
TEXTS = st.binary(max_size=40) | st.lists(
    st.sampled_from([b'"', b"\\", b"\n", b"\r\n", b",", b"=", b" ", b"a", b'v="']), max_size=20
).map(b"".join)
OTHERS = st.sampled_from([b"1i", b"-1.5", b"true", b"18446744073709551615u", b"1e+20"])


def written(name: str) -> bytes:
    for character, escape in {",": "\\,", " ": "\\ ", "=": "\\=", "\n": "\\n"}.items():
        name = name.replace(character, escape)
    return name.encode()


def quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@st.composite
def lines(draw: st.DrawFn) -> tuple[bytes, dict[str, bytes | None]]:
    """Give a line as Telegraf writes it, and its fields: None is one that is no text."""
    head = written(draw(NAMES).lstrip("\n")) or b"m"
    head += b"".join(b",%b=%b" % (written(name), written(draw(NAMES))) for name in draw(st.sets(NAMES, max_size=2)))
    texts = draw(st.dictionaries(NAMES, st.none() | TEXTS, min_size=1, max_size=4))
    fields = b",".join(
        written(name) + b"=" + (draw(OTHERS) if text is None else quoted(text)) for name, text in texts.items()
    )
    return b"%b %b %d\n" % (head, fields, draw(st.integers(-(2**63), 2**63 - 1))), texts


@given(st.lists(lines(), max_size=5), st.data())
def test_what_telegraf_writes_is_read_to_the_byte_however_it_is_cut(
    made: list[tuple[bytes, dict[str, bytes | None]]], data: st.DataObject
) -> None:
    stream = b"".join(line for line, _ in made)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = Lines()
    found = [one for a, b in pairwise([0, *cuts, len(stream)]) for one in reader.feed(stream[a:b])]
    assert [one.line for one in found if isinstance(one, Metric)] == [line for line, _ in made]
    assert reader.rest() == b""
    for metric, (_, texts) in zip(found, made, strict=True):
        assert isinstance(metric, Metric)
        for name, text in texts.items():
            assert metric.text(metrics.escaped(name).replace(b"\n", b"\\n")) == text


@given(
    st.dictionaries(st.sampled_from(["a", "b c", "d,e"]), st.text(max_size=9) | st.integers(-9, 9), min_size=1),
    st.dictionaries(st.sampled_from(["host", "to pic", "x=y"]), st.text('a \\,="/', min_size=1, max_size=9)),
)
def test_what_we_write_we_read(fields: dict[str, Value], tags: dict[str, str]) -> None:
    line = lineproto.line(Record(tags, fields | {"z": Decimal("1.50")}, 7, [])).encode() + b"\n"
    (metric,) = Lines().feed(line)
    assert isinstance(metric, Metric)
    assert (metric.line, metric.time_ns()) == (line, 7)
    assert lineproto.before_fields("p1", *metrics.tags(metric.head), *metrics.tags(metric.head).values()).encode() == (
        metric.head + b" "
    )
    for name, value in fields.items():
        text = metric.text(metrics.escaped(name))
        assert lineproto.fields({name: text.decode() if text is not None else value}) == lineproto.fields({name: value})


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b'a b="', b'"', b"a b=1 1\n", b"\\", b" ", b"\n"])))
def test_no_byte_is_lost_or_added_whatever_comes(pieces: list[bytes]) -> None:
    reader = Lines()
    found = [one for piece in pieces for one in reader.feed(piece)]
    assert b"".join(one.line if isinstance(one, Metric) else one for one in found) + reader.rest() == b"".join(pieces)


def test_a_line_that_is_none_is_given_as_it_is_and_the_next_one_is_read() -> None:
    assert [type(one) for one in Lines().feed(b"no metric\na b=1 1\n\na b 2\na b=1\n")] == [
        bytes,
        Metric,
        bytes,
        bytes,
        Metric,
    ]


def test_a_text_that_is_too_long_to_be_held_goes_on_in_pieces_and_none_of_it_is_taken_for_a_metric() -> None:
    reader, line = Lines(), b'a b="' + b'x\na value=\\"1\\",c=2 3\n\\\\' * 200_000 + b'" 5\n'
    assert len(line) > 4 * LONGEST
    found = []
    for start in range(0, len(line), 65_536):
        found += list(reader.feed(line[start : start + 65_536]))
        assert len(reader.rest()) <= LONGEST + 65_536
    assert b"".join(one for one in found if isinstance(one, bytes)) == line
    assert isinstance(next(iter(reader.feed(b"a b=1 1\n"))), Metric)


def test_the_other_fields_of_a_metric_stay_without_one() -> None:
    (metric,) = Lines().feed(b'a,b=c x=1i,value="/,\\"",y="value=\\"" 5\n')
    assert isinstance(metric, Metric)
    assert metric.text(b"value") == b'/,"'
    assert metric.without(b"value") == b'a,b=c x=1i,y="value=\\"" 5\n'
    (alone,) = Lines().feed(b'a value="/"\n')
    assert isinstance(alone, Metric)
    assert alone.without(b"value") == b""
    assert (alone.time_ns(), alone.text(b"other")) == (None, None)
