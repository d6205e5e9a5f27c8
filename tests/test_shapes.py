"""The fast way says what the plain way says."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from telegraf_p1 import shape_learner
from telegraf_p1.__main__ import parser
from telegraf_p1.commands import options
from telegraf_p1.framer import LIMIT
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.shapes import Shapes
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.sources.events import Data, Lost, Pause, Silence
from telegraf_p1.timestamp import Zone
from tests.helpers.growth import grows_too_fast, sizes_up_to
from tests.helpers.telegrams import START, with_crc, zone_of
from tests.helpers.two_ways import TwoWays, compare, sources

SOURCES = sources()
# Those that go the plain way: without a CRC, with a time in two objects, with no name but that of the logical device.
PLAIN = {"nl-2.2", "de", "lu", "ch"}


MONTH = "(231001000000S)(230922091500S)(04.329*kW)"


def swapped(telegram: bytes, *pairs: tuple[str, str]) -> bytes:
    """Give a telegram with something else in it, and the CRC that fits."""
    body = telegram[: telegram.rindex(b"!") + 1]
    for before, after in pairs:
        assert before.encode() in body
        body = body.replace(before.encode(), after.encode("latin-1"), 1)
    return with_crc(body) + b"\r\n"


def telegram_with(form: str, reference: str, number: str) -> bytes:
    """Give a telegram of a simulated meter with a number that the changes below can name."""
    telegram = Meter(form).telegram(START)
    found = re.search(rf"{re.escape(reference)}\([\d.]+".encode(), telegram)
    assert found
    return swapped(telegram, (found[0].decode(), f"{reference}({number}"))


NL = telegram_with("nl-5.0", "1-0:1.7.0", "00.701")
BE = telegram_with("be", "0-2:24.2.1(231114231000W)", "00239.892")


@pytest.mark.parametrize("form", FORMS)
def test_a_telegram_of_a_known_shape_goes_the_fast_way(form: str) -> None:
    ways, meter = TwoWays(zone_of(form)), Meter(form)
    for number in range(20):
        ways.hear(meter.telegram(START + 10 * number))
    assert ways.used == (0 if form in PLAIN else 19)


# Those of the seeds below 60 are compared in tests/test_fuzz.py.
@pytest.mark.parametrize("seed", range(60, 120))
def test_changed_telegrams_give_the_same_either_way(seed: int) -> None:
    compare(seed, SOURCES)


CHANGES: dict[str, tuple[bytes, *tuple[tuple[str, str], ...]]] = {
    "a power below zero": (NL, ("1-0:1.7.0(00.701", "1-0:1.7.0(-0.701")),
    "minus nothing": (NL, ("1-0:1.7.0(00.701", "1-0:1.7.0(-0.000")),
    "another unit": (NL, ("(00.701*kW)", "(00701*W)")),
    "another number of decimals": (NL, ("(00.701*kW)", "(00.70*kW)")),
    "fewer digits": (NL, ("(00.701*kW)", "(0.701*kW)")),
    "sixteen digits": (NL, ("(00.701*kW)", "(0000000000000000.701*kW)")),
    "blanks": (NL, ("(00.701*kW)", "( 00.701*kW)")),
    "no value": (NL, ("(00.701*kW)", "()")),
    "no digits": (NL, ("(00.701*kW)", "(--.---*kW)")),
    "a limit that is switched off": (BE, ("0-0:17.0.0(999.9", "0-0:17.0.0(012.3")),
    "a fuse in kA": (BE, ("1-0:31.4.0(999*A)", "1-0:31.4.0(0.016*kA)")),
    "a Lithuanian grid company": (BE, ("/FLU5\\TST_SIM", "/ESO5\\TST_SIM")),
    "a peak of nothing": (BE, ("(231114230000W)(01.500*kW)", "(231101000000W)(00.000*kW)")),
    "a peak without a time": (BE, ("(231114230000W)(01.500*kW)", "(632525252525W)(01.500*kW)")),
    "another month": (BE, ("0-0:1.0.0(2311", "0-0:1.0.0(2401")),
    "a meter that is no serial number": (NL, ("96.1.1(4530", "96.1.1(00")),
    "a meter without a name": (NL, ("(4530303437303130303030303030303131)", "()")),
    "M-Bus: no meter is there": (NL, ("0-1:96.1.0(4730303339303130303030303030303131)", "0-1:96.1.0()")),
    "M-Bus: another medium": (NL, ("0-1:24.1.0(003)", "0-1:24.1.0(007)")),
    "M-Bus: two of one medium": (BE, ("0-2:24.1.0(007)", "0-2:24.1.0(003)")),
    "M-Bus: no time": (NL, ("0-1:24.2.1(231114231000W)", "0-1:24.2.1(632525252525W)")),
    "M-Bus: another unit": (NL, ("*m3)", "*GJ)")),
    "M-Bus: a day behind": (BE, ("0-2:24.2.1(231114231000W)", "0-2:24.2.1(231112231000W)")),
    "M-Bus: nothing was used": (BE, ("(00239.892*m3)", "(00000.000*m3)")),
    "a time without a letter": (NL, ("(231114231320W)", "(231114231320)")),
    "a time in small letters": (NL, ("(231114231320W)", "(231114231320w)")),
    "a time that never was": (NL, ("(231114231320W)", "(230230231320W)")),
    "the sixtieth second": (NL, ("(231114231320W)", "(231114231360W)")),
    "the twenty-fourth hour": (NL, ("(231114231320W)", "(231114241320W)")),
    "summer": (NL, ("(231114231320W)", "(230714231320S)")),
    "before there were meters": (NL, ("(231114231320W)", "(070714231320S)")),
    "an object once more": (NL, ("1-0:2.7.0(00.000*kW)", "1-0:1.7.0(00.000*kW)")),
    "another object": (NL, ("1-0:62.7.0(", "1-0:16.7.0(")),
    "an unknown object": (NL, ("1-0:62.7.0(", "1-0:62.7.9(")),
    "a suffix": (NL, ("1-0:62.7.0(", "1-0:62.7.0*255(")),
    "a stored value": (NL, ("1-0:62.7.0(", "1-0:62.7.0*01(")),
    "a message": (NL, ("0-0:96.13.0()", "0-0:96.13.0(4B384547)")),
    "a message with quotes": (NL, ("0-0:96.13.0()", '0-0:96.13.0(a"b\\c,d=e f%d)')),
    "a message with a slash": (NL, ("0-0:96.13.0()", "0-0:96.13.0(a/b)")),
    "a message with brackets": (NL, ("0-0:96.13.0()", "0-0:96.13.0(a)(b)")),
    "a message in two lines": (NL, ("0-0:96.13.0()", "0-0:96.13.0(a\r\nb)")),
    "a message that is no ASCII": (NL, ("0-0:96.13.0()", "0-0:96.13.0(caf\xe9)")),
    "no power failures": (
        NL,
        ("1-0:99.97.0(2)(0-0:96.7.19)(190403133533S)(0000006201*s)(180823085930S)(0000003169*s)", "1-0:99.97.0()"),
    ),
    "no power failures, in another way": (NL, ("1-0:99.97.0(2)", "1-0:99.97.0(0)")),
    "M-Bus: an identifier of zeros": (NL, ("0-1:96.1.0(4730303339303130303030303030303131)", "0-1:96.1.0(00000000)")),
    "M-Bus: an identifier of coded zeros": (NL, ("0-1:96.1.0(4730303339303130303030303030303131)", "0-1:96.1.0(3030)")),
    "a peak of nothing without a unit": (BE, ("(231114230000W)(01.500*kW)", "(231101000000W)(00.000)")),
    "a history of 13 months": (BE, ("98.1.0(2)", "98.1.0(13)"), ("(05.102*kW)", "(05.102*kW)" + 11 * MONTH)),
    "another tariff": (NL, ("96.14.0(0001)", "96.14.0(0002)")),
    "a tariff of five digits": (NL, ("96.14.0(0001)", "96.14.0(00001)")),
    "a line end of one character": (NL, ("*kWh)\r\n", "*kWh)\n")),
    "an empty line": (NL, ("*kWh)\r\n", "*kWh)\r\n\r\n")),
    "no blank line": (NL, ("5000\r\n\r\n", "5000\r\n")),
    "another identification": (NL, ("/TST5", "/XYZ9 a=b,c")),
    "an identification with a slash": (NL, ("/TST5", "/TST5/ABC5")),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("learnt_first", [True, False])
def test_what_changes_the_meaning_of_a_telegram_changes_its_line(change: str, *, learnt_first: bool) -> None:
    telegram, *pairs = CHANGES[change]
    other = swapped(telegram, *pairs)
    one, two = (telegram, other) if learnt_first else (other, telegram)
    for origin in ("", "p1/a b"):
        ways = TwoWays()
        ways.hear(one, one, two, two, one, two, origin=origin)


@pytest.mark.parametrize(
    ("reference", "zero", "five"),
    [
        ("1-0:1.8.0", "0000*MWh", "0005*MWh"),
        ("1-0:1.8.0", "0000000*Wh", "0000005*Wh"),
        ("1-0:1.7.0", "00*MW", "01*MW"),
        ("1-0:32.7.0", "0*kV", "1*kV"),
        ("0-1:24.2.1", "231114231000W)(00000*MWh", "231114231000W)(00005*MWh"),
        ("1-0:1.6.0", "231114231000W)(0.000", "231114231000W)(1.000"),
    ],
)
def test_a_zero_says_nothing_of_its_unit(reference: str, zero: str, five: str) -> None:
    head = NL[: NL.index(b"1-0:1.8.1")] + b"0-1:24.1.0(004)\r\n0-1:96.1.0(4730303339303130)\r\n"
    one, two = (with_crc(head + f"{reference}({text})\r\n!".encode()) + b"\r\n" for text in (zero, five))
    ways = TwoWays()
    ways.hear(one, one, two, two, one)


@pytest.mark.parametrize("tail", [b"", b"\r\n", b"\n", b"\0", b" ", b"\xff", b'"}', b"\r\n\0", b"\xe6\xe7\x00"])
def test_what_stands_behind_a_telegram_is_no_trouble(tail: bytes) -> None:
    for cut in (0, 500, len(NL) - 1):
        for ends_message in (False, True):
            ways = TwoWays()
            ways.hear(NL)
            ways.hear(*filter(None, (NL[:cut], NL[cut:] + tail)), ends_message=ends_message)
            for event in (Pause(2.0), Silence(30.0), Lost()):
                ways.tell(event)
            ways.hear(NL, NL[:500])
            ways.tell(Silence(30.0))


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_telegram_with_other_line_ends_costs_nothing(end: bytes) -> None:
    ways, other = TwoWays(), with_crc(NL[: NL.rindex(b"!") + 1].replace(b"\r\n", end)) + end
    assert len(ways.hear(other, other, NL, other, NL)) == 5


def test_what_is_longer_than_a_frame_is_no_telegram() -> None:
    texts = [b"0-0:96.55.%d(%b)\r\n" % (number, b"a" * 500) for number in range(33)]
    long = NL[: NL.rindex(b"!")] + b"".join(texts)
    ways = TwoWays()
    ways.hear(with_crc(long[:-520] + b"!") + b"\r\n", with_crc(long + b"!") + b"\r\n", NL)


@pytest.mark.parametrize("tail", ["!+{:.3}", "!{:.3}_", "!{:.3}", "!0{}", "!", "!\0{}", "!{}x"])
def test_a_crc_is_four_digits_in_capitals_or_goes_the_plain_way(tail: str) -> None:
    body, _, digits = NL.rstrip().decode().rpartition("!")
    ways = TwoWays()
    ways.hear(NL, NL)
    ways.hear(f"{body}{tail.format(digits)}\r\n".encode(), f"{body}!{digits.lower()}\r\n".encode(), NL)


@pytest.mark.parametrize("size", [1, 3, 60, 911, 912, 913, 914, 2000, 10**6])
def test_wherever_a_stream_is_cut_both_ways_give_the_same(size: int) -> None:
    meter = Meter("nl-5.0")
    stream = b"".join(meter.telegram(START + n) for n in range(12))
    stream = b"half*kW)\r\n!12AB\r\n" + stream[:4000] + b"\r\nnoise/" + stream[4000:] + b"\xdb\x08" + NL + b"\0" + NL
    ways = TwoWays()
    ways.hear(NL)
    assert len(ways.hear(*(stream[start : start + size] for start in range(0, len(stream), size)))) == 13
    assert ways.used > 8


def test_shapes_are_for_all_meters_of_a_model() -> None:
    ways = TwoWays()
    ways.hear(*(Meter("be", seed).telegram(START + seed) for seed in range(30)))
    assert ways.used == 29


def test_a_fast_telegram_counts_as_a_plain_one_does() -> None:
    """A stream that showed a CRC needs one, and a meter that has sent a net power sends one for ever."""
    ways = TwoWays()
    without = NL[: NL.rindex(b"!") + 1] + b"\r\n"
    below_zero = swapped(NL, ("1-0:1.7.0(00.701", "1-0:1.7.0(-0.701"))
    ways.hear(NL, origin="p1/a")
    assert ways.hear(without, origin="p1/b") == []  # it names its version
    assert len(ways.hear(NL, without, below_zero, NL, NL, origin="p1/b")) == 4


def test_what_is_remembered_is_bounded() -> None:
    ways, random = TwoWays(), Random(1)  # noqa: S311
    lines = NL.split(b"\r\n")
    for _ in range(100):
        left_out = random.sample(range(6, 30), 5)
        kept = [line for place, line in enumerate(lines) if place not in left_out]
        ways.hear(swapped(b"\r\n".join(kept)))
    assert len(ways.shapes._shapes) == 32  # noqa: SLF001  memory is what counts here
    assert ways.shapes._part.cache_info().maxsize == 32_768  # noqa: SLF001
    long = swapped(NL, ("0-0:96.13.0()", f"0-0:96.13.0({'41' * 2000})"))
    before = ways.used
    assert len(ways.hear(long, long, long)) == 3
    assert ways.used == before


def test_learning_what_has_no_shape_is_tried_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, tried = Shapes(Zone(), "p1"), []
    monkeypatch.setattr(shape_learner, "learn", lambda *of: tried.append(of))
    settings = Settings("auto", Zone(), host_time=False, shapes=shapes)
    interpreter, telegram = Interpreter(settings, Log(lambda _: None), "m"), Meter("de").telegram(START)
    for _ in range(5000):
        interpreter.records(Data(telegram), 1)
        interpreter.learn()
    assert len(tried) == 9  # after 16, 32, 64 … 1024 telegrams, and each 1024


@pytest.mark.parametrize("form", ["nl-5.0", "be", "at"])
def test_time_grows_no_faster_than_the_telegram(form: str) -> None:
    ways, telegram = TwoWays(), Meter(form).telegram(START)
    ways.hear(telegram)
    (shape,) = ways.shapes._shapes  # noqa: SLF001
    for match in re.finditer(rb"\(([^()]*)\)", telegram):
        for piece in (b"0", b"1", b"a", b")(", b"0-0:", b"*"):

            def longer(size: int, at: int = match.start(1), piece: bytes = piece) -> Callable[[], object]:
                return partial(shape.pattern.match, telegram[:at] + piece * (size // len(piece)) + telegram[at:])

            assert not grows_too_fast(longer, sizes_up_to(LIMIT))


@pytest.mark.parametrize(
    "more",
    ["--crc x25", "--crc off", "--time host", "--meter-tag none", "--definitions examples/metertrekker.toml"],
)
def test_what_only_the_plain_way_knows_switches_the_fast_one_off(more: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent)
    chosen = ["decode", *more.split()]
    assert options.Understood(parser().parse_args(chosen)).settings(is_fast=True).shapes is None
    assert options.Understood(parser().parse_args(["decode"])).settings(is_fast=True).shapes
    assert options.Understood(parser().parse_args(["decode"])).settings(is_fast=False).shapes is None


def test_a_key_switches_the_fast_way_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_DECRYPTION_KEY", "00" * 16)
    assert options.Understood(parser().parse_args(["decode"])).settings(is_fast=True).shapes is None
