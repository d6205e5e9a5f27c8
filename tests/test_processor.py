import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1 import lineproto
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.outputs.stdout import lines
from telegraf_p1.processor import Processor
from telegraf_p1.shapes import Shapes
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import START, encrypt, records, with_crc

NOW_NS = START * 10**9 + 5
ZONE = Zone()
TELEGRAM = Meter("nl-5.0").telegram(START)
PATH = b'cpu,host=a load=1.5,value="online" 1\n'
TIMELESS = with_crc(b"/TST5\\x\r\n\r\n1-0:1.8.0(000001.500*kWh)\r\n!")


class Under:
    """A processor, and what it logs."""

    def __init__(self, *arguments: str, settings: Settings | None = None, is_base64: bool = False) -> None:
        self.log: list[str] = []
        log = Log(self.log.append)
        self.interpreter = Interpreter(settings or Settings("auto", ZONE, host_time=False), log, "metrics")
        self._processor = Processor(
            self.interpreter, lambda write: [lines(write, Mapping())], log, *arguments, is_base64=is_base64
        )

    def __call__(self, *metrics: bytes) -> list[bytes]:
        found = self._processor.feed(b"".join(metrics), NOW_NS)
        self.interpreter.learn()
        return found


def metric(
    text: bytes, tags: str = ",host=a,subject=p1.home.raw", field: str = "value", time_ns: int = NOW_NS
) -> bytes:
    quoted = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'nats_consumer%b %b="%b" %d\n' % (tags.encode(), field.encode(), quoted, time_ns)


def line(telegram: bytes = TELEGRAM, **tags: str) -> bytes:
    (record,) = records(telegram)
    record = record._replace(time_ns=NOW_NS) if telegram is TIMELESS else record
    return f"{lineproto.line(record._replace(tags=record.tags | tags))}\n".encode()


OURS = line(host="a", subject="p1.home.raw")


@pytest.mark.parametrize(
    "text",
    [
        TELEGRAM,
        TELEGRAM.strip(),  # as Telegraf's parser of values leaves it
        base64.b64encode(TELEGRAM),
        TELEGRAM.hex().encode(),
        json.dumps({"telegram": TELEGRAM.decode(), "rssi": -60}).encode(),
        json.dumps({"telegram": TELEGRAM.decode()}).encode().replace(b"\\r\\n", b"\r\n"),
    ],
)
def test_a_metric_with_a_telegram_becomes_a_record_with_its_tags(text: bytes) -> None:
    under = Under()
    assert under(PATH, metric(text), PATH) == [PATH, OURS, PATH]
    assert under.log == []


@pytest.mark.parametrize(
    "other",
    [
        PATH,
        b'tail,path=/a value="/usr/bin/python3" 1\n',
        b'tail,path=/a value="" 1\n',
        b'tail value="GET / HTTP/1.1 (a)!" 1\n',
        b'a value="{\\"volt\\":230.1,\\"path\\":\\"/dev/ttyUSB0\\"}" 1\n',
        b'a value="L3Vzci9iaW4vcHl0aG9uMw==" 1\n',
        b'a other="/TST5\\\\x\n\n1-0:1.8.0(1*kWh)\n!1234" 1\n',
        b"a value=1,b=true,c=18446744073709551615u 1\n",
        b"not line protocol\n",
        b'a value="\xff\xfe\0" 1\n',
    ],
)
def test_any_other_metric_goes_back_as_it_came(other: bytes) -> None:
    assert Under()(other, other) == [other, other]


def test_a_telegram_in_lines_is_put_together_by_measurement_and_tags() -> None:
    under = Under()
    found = []
    first, second = TELEGRAM.splitlines(), TIMELESS.splitlines()
    for number, text in enumerate(first):
        found += under(metric(text, ",path=/a"), *(metric(other, ",path=/b") for other in second[number : number + 1]))
        found += under(PATH)
    assert [one for one in found if one != PATH] == [line(TIMELESS, path="/b"), line(path="/a")]
    assert found.count(PATH) == len(first)
    assert under.log == [
        (
            "I! metrics, metric 'nats_consumer,path=/b': the telegrams contain no timestamp: this computer's clock is "
            "used\n"
        )
    ]


def test_a_metric_with_the_time_of_its_telegram_is_not_said_to_have_none() -> None:
    under = Under()
    assert under(metric(TELEGRAM, time_ns=START * 10**9)) == [OURS]
    assert under.log == []


def test_what_is_left_of_a_telegram_whose_beginning_nobody_heard_is_no_metric() -> None:
    half = [*TELEGRAM.splitlines()[20:-1], b"(00123.456)", b"!", b""]
    under = Under()
    assert under(*map(metric, half), *map(metric, TELEGRAM.splitlines())) == [OURS]
    others = [metric(text, ",host=other") for text in half[-3:]]
    assert under(*others) == others


def test_a_telegram_that_is_not_believed_is_said_and_does_not_go_back() -> None:
    under = Under()
    assert under(metric(TELEGRAM.replace(b"1-0:1.8.1(0", b"1-0:1.8.1(1")), PATH) == [PATH]
    assert "CRC" in "".join(under.log)


def test_the_other_fields_of_a_metric_go_back_without_the_telegram() -> None:
    with_more = metric(TELEGRAM).replace(b' value="', b' rssi=-60i,value="')
    assert Under()(with_more) == [b"nats_consumer,host=a,subject=p1.home.raw rssi=-60i %d\n" % NOW_NS, OURS]


def test_a_telegram_without_a_time_has_that_of_its_metric() -> None:
    (found,) = Under()(metric(TIMELESS, time_ns=NOW_NS - 5))
    assert found.endswith(b" %d\n" % (NOW_NS - 5))


def test_another_field_may_have_the_telegram() -> None:
    assert Under("pay load")(metric(TELEGRAM, field="pay\\ load"), metric(b"x")) == [OURS, metric(b"x")]


def test_the_member_that_is_named_is_read_and_json_without_it_goes_back() -> None:
    two = metric(json.dumps({"old": TIMELESS.decode(), "new": TELEGRAM.decode()}).encode())
    other = metric(b'{"volt":1}')
    under = Under()
    assert under(two) == [two]
    assert "several members" in "".join(under.log)
    assert "--member NAME" in "".join(under.log)
    assert Under("value", "new")(two, other) == [OURS, other]


def test_an_encrypted_telegram_comes_through_base64() -> None:
    from telegraf_p1 import keys

    settings = Settings("auto", ZONE, host_time=False, keys=keys.read({keys.KEY: bytes(range(16)).hex()}))
    encrypted = metric(base64.b64encode(encrypt(TELEGRAM)))
    assert Under(settings=settings)(encrypted) == [OURS]


@pytest.mark.parametrize("tags", [",host=a,subject=b\\ c\\,d", ",meter=mine,host=a", ",tariff=7,host=a", ""])
def test_the_fast_way_gives_the_same_lines_and_our_own_tags_come_first(tags: str) -> None:
    fast, plain = Under(settings=Settings("auto", ZONE, host_time=False, shapes=Shapes(ZONE, "p1"))), Under()
    meter = Meter("nl-5.0")
    for second in range(40):
        sent = metric(meter.telegram(START + second), tags)
        assert fast(sent) == plain(sent)
        (found,) = plain(sent)
        assert found.startswith(b"p1,meter=E00")
        assert b"meter=mine" not in found
        assert b",tariff=7" not in found


def test_pieces_cut_anywhere_and_packed_bytes_come_through_base64() -> None:
    under = Under(is_base64=True)
    pieces = [base64.b64encode(TELEGRAM[start : start + 97]) for start in range(0, len(TELEGRAM), 97)]
    assert under(*map(metric, pieces)) == [OURS]
    assert under(metric(base64.b64encode(gzip.compress(TELEGRAM)))) == [OURS]
    others = [metric(b"online"), metric(base64.b64encode(b"online")), metric(TELEGRAM)]
    assert under(*others) == others


PIECES = st.sampled_from(
    [PATH, metric(TELEGRAM), metric(TELEGRAM[:300]), b'a value="', b'"', b"\\", b" 1\n", b"\n/TST5", b"{", b"!1A2B"]
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=12), st.booleans())
def test_any_bytes_may_come(pieces: list[bytes], is_base64: bool) -> None:  # noqa: FBT001
    under = Under(is_base64=is_base64)
    for piece in pieces:
        assert all(under(piece)) or not piece
    assert "bug" not in "".join(under.log)


def test_a_bug_is_said_and_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraf_p1.processor.unwrap", lambda _text, _member: 1 / 0)
    under = Under()
    assert under(PATH, metric(TELEGRAM), PATH) == [PATH, metric(TELEGRAM), PATH]
    assert "ZeroDivisionError" in "".join(under.log)


def test_the_same_bytes_give_the_same_lines_however_they_are_cut() -> None:
    stream = PATH + metric(TELEGRAM) + PATH + metric(TELEGRAM.strip(), ",a=b") + b"junk\n" + PATH
    for size in (1, 7, 64, 1000):
        under = Under()
        found = [one for start in range(0, len(stream), size) for one in under(stream[start : start + size])]
        assert found == Under()(stream)
