"""A telegram to be shown to others: nobody in it, and everything else as it was."""

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_p1.crc import checksum, x25
from telegraf_p1.framer import Frame, Framer
from telegraf_p1.scrub import Scrubber
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import TelegramError, parse
from tests.helpers.telegrams import GOLDEN, SHARED, START, needs_shared, records, with_bcc, with_crc, zone_of


def scrub(data: bytes, *, whole: bool = True) -> bytes:
    return Scrubber().scrub(Frame(data, None, whole))


def scrubbed(*lines: str) -> list[str]:
    """Scrub the lines of a telegram with a right CRC; give them as they are then."""
    telegram = with_crc("\r\n".join(["/TST5", "", *lines, "!"]).encode("latin-1"))
    result = scrub(telegram)
    assert len(result) == len(telegram)
    assert parse(result).checksum is not None
    return result.decode("latin-1").split("\r\n")[2:-1]


def shape(text: str) -> str:
    """Show which characters are digits and letters, and no more of them."""
    return re.sub("[0-9]", "9", text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0-0:96.1.1(E0047000012345615)", "(X9999999999999999)"),
        ("0-0:96.1.255(1LGZ0012345678)", "(9XXX9999999999)"),
        ("0-0:96.13.0(Dear Ms Doe, (now) 12)", "(XXXX XX XXX, (XXX) 99)"),
        ("0-0:96.13.0(Dépôt: 12 rue Émile)", "(XXXXX: 99 XXX XXXXX)"),
        ("0-0:96.13.0(\xd7\x91\xd7\xa8\xd7\x95\xd7\x9a)", "(XXXXXXXX)"),
    ],
)
def test_identifiers_and_messages_are_replaced(line: str, expected: str) -> None:
    (found,) = scrubbed(line)
    head = line.partition("(")[0]
    assert found.startswith(f"{head}(")
    assert shape(found[len(head) :]) == expected
    assert found != line


@pytest.mark.parametrize(
    "text",
    ["E0047000012345615", "52347967", "541448820012345678", "Ms Doe"],
)
def test_a_coded_text_stays_a_coded_text(text: str) -> None:
    coded = text if text == "52347967" else text.encode().hex().upper()
    (found,) = scrubbed(f"0-0:96.1.1({coded})")
    inner = found.partition("(")[2][:-1]
    assert inner != coded
    assert re.fullmatch("[0-9A-F]+", inner)
    assert all(32 <= octet < 127 for octet in bytes.fromhex(inner))


@pytest.mark.parametrize(
    "line",
    [
        "0-1:96.1.0(0000000000)",
        "0-1:96.1.0(30303030)",
        "0-0:96.13.0()",
        "1-0:1.8.1(012345.678*kWh)",
        "0-0:1.0.0(230715120000S)",
        "0-0:96.1.4(50217)",
        "1-0:0.2.0((ER11))",
        "0-0:96.14.0(TARIFF 1)",
        "0-0:17.0.0(999.9kW)",
        "1-0:99.97.0(1)(0-0:96.7.19)(230715120000S)(0000000240*s)",
        "1-0:99.99.99(012345.678)(00012)(3*kW)(AB12)",  # a row that nobody knows
        "1-0:99.1.0(1)(0-0:96.10.7)(230715120000S)(00)(1.205*kWh)",
    ],
)
def test_what_is_a_reading_a_time_or_a_model_stays(line: str) -> None:
    assert scrubbed(line) == [line]


@pytest.mark.parametrize("sent", ["12345678", "4530303437303030303132333435363135", "Jane Doe"])
def test_what_a_row_that_nobody_knows_could_hide_is_replaced(sent: str) -> None:
    (found,) = scrubbed(f"1-0:99.99.98({sent})")
    assert sent not in found


def test_what_was_equal_is_equal_and_what_was_not_is_not() -> None:
    numbers = [str(1_234_567_890 + n) for n in range(30)]
    first, *others = scrubbed(*(f"0-0:96.1.{n}({number})" for n, number in enumerate([numbers[0], *numbers])))
    values = [line.partition("(")[2] for line in (first, *others)]
    assert values[0] == values[1]
    assert len(set(values)) == len(numbers)


def test_a_number_in_the_identification_is_replaced_and_a_model_is_not() -> None:
    for sent, is_kept in ((b"/AUX59903218166", False), (b"/ISK5\\2M550T-1012", True)):
        telegram = with_crc(sent + b"\r\n\r\n1-0:1.8.0(1*kWh)\r\n!")
        assert (sent in scrub(telegram)) == is_kept


@pytest.mark.parametrize(
    "lines",
    [
        ("0-0:96.13.0(4465617220", "4D7320446F65", "2C20)", "0-0:96.14.0(0002)"),
        ("0-0:96.13.0", "(Dear Ms Doe, 12 Elm St)", "0-0:96.14.0(0002)"),
        ("0-0:96.13.0(", "Dear Ms Doe", "12 Elm St)", "0-0:96.14.0(0002)"),
        ("0-0:96.13.0(Hello (again) Ms", "Doe of 12 Elm St)", "0-0:96.14.0(0002)"),
    ],
)
def test_a_message_is_replaced_to_its_end_however_it_is_wrapped(lines: tuple[str, ...]) -> None:
    found = scrubbed(*lines)
    assert found[-1] == "0-0:96.14.0(0002)"
    assert not [word for word in ("Doe", "Elm", "4D7320446F65") if any(word in line for line in found)]


def test_a_reading_on_the_next_line_stays() -> None:
    lines = ["0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3)", "(98765432.109)"]
    assert scrubbed(*lines) == lines


IDENTIFIERS = re.compile(rb"(?m)^[^/(\r\n][^(\r\n]*:96\.1\.[01]\(([^)\r\n]{8,})\)")
SECRETS = ("4730303339303031323334353637383930", "4530303437303030303132333435363135")


@pytest.mark.parametrize(
    "line",
    [
        "1-0:1.8.1(0123:96.1.0(4730303339303031323334353637383930)",
        "0-0:96.14.0(0002)0-0:96.1.1(4530303437303030303132333435363135)",
        "0303437303030303132333435363135)",
        "Ms Doe, 12 Elm St)",
        "1-0:2.8.1(000001.2/AUX59903218166",
    ],
)
def test_where_bytes_were_lost_nothing_is_left_of_what_they_stood_before(line: str) -> None:
    result = scrub(f"/TST5\r\n\r\n0-0:96.14.0(0001)\r\n{line}\r\n!ABCD".encode()).decode()
    for secret in (*SECRETS, "Doe", "Elm", "9903218166", "0303437303030303132333435363135"):
        assert secret not in result


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_no_identifier_survives_a_hole_anywhere(path: Path) -> None:
    data = path.read_bytes()
    secrets = {text for text in IDENTIFIERS.findall(data) if len(set(text)) > 3}
    random = Random(1)  # noqa: S311
    for _ in range(60):
        start = random.randrange(len(data) - min(80, len(data) // 2))
        for frame in (framer := Framer()).feed(data[:start] + data[start + random.randrange(1, 64) :]) + framer.flush():
            result = Scrubber().scrub(frame)
            assert not [secret for secret in secrets if secret in result]


def test_a_telegram_that_was_cut_off_is_scrubbed_to_its_end() -> None:
    cut = (
        b"/TST5\r\n\r\n0-0:96.13.0(Happy new year!)\r\n1-0:32.7.0(230.1*V)\r\n0-1:24.1.0(003)\r\n"
        b"0-1:96.1.0(4730303339303031323334353637383930)\r\n"
    )
    result = scrub(cut, whole=False)
    assert b"1-0:32.7.0(230.1*V)" in result
    assert SECRETS[0].encode() not in result
    assert b"Happy" not in result


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_keeps_its_readings(path: Path) -> None:
    data = path.read_bytes()
    scrubbed = b"".join(Scrubber().scrub(frame) + b"\r\n" for frame in Framer().feed(data))
    (before,), (after,) = (records(telegram, zone_of(path.stem)) for telegram in (data, scrubbed))
    assert after.time_ns == before.time_ns
    assert after.fields.keys() == before.fields.keys()
    changed = {name for name in before.fields if before.fields[name] != after.fields[name]}
    assert all(
        re.search(r"(identification|_id|ean|message.*|device_address|logical_device_name)$", name) for name in changed
    )
    assert after.tags.keys() == before.tags.keys()
    assert not set(before.tags.values()) & set(after.tags.values())


def verdict(frame: bytes) -> str:
    try:
        telegram = parse(frame)
    except TelegramError as error:
        return error.cause
    return telegram.damage or "right"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda telegram: telegram,
        lambda telegram: telegram.replace(b"\r\n", b"\n"),
        lambda telegram: telegram.replace(b"\r\n", b"\n\n"),
        lambda telegram: telegram.replace(b"\r\n", b"\r\n\r\n"),
        lambda telegram: telegram.replace(b"1-0:1", b"1-0:\0001"),
        lambda telegram: telegram.replace(b"*kW", b"*kw"),
        lambda telegram: telegram.replace(b"\r\n1-0:1.7", b"\r1-0:1.7"),
        lambda telegram: telegram[:200] + telegram,
        lambda telegram: telegram.rpartition(b"!")[0] + b"!%04x" % checksum(telegram.rpartition(b"!")[0] + b"!"),
        lambda telegram: telegram.rpartition(b"!")[0] + b"!%04X" % x25(telegram.rpartition(b"!")[0] + b"!"),
        lambda telegram: telegram.rpartition(b"!")[0] + b"!0000",
        lambda telegram: telegram.rpartition(b"!")[0] + b"!GHIJ",
    ],
)
def test_it_is_judged_as_before(form: str, damage) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    frame = damage(Meter(form).telegram(START).rstrip())
    assert verdict(scrub(frame)) == verdict(frame)


def test_a_crc_of_0000_that_fits_still_fits() -> None:
    body = next(b for n in range(999999) if checksum(b := b"/TST5\r\n\r\n0-0:96.1.1(%06d)\r\n!" % n) == 0)
    assert verdict(body + b"0000") == verdict(scrub(body + b"0000")) == "right"


@given(st.binary(max_size=300), st.booleans())
def test_anything_can_be_scrubbed(noise: bytes, whole: bool) -> None:  # noqa: FBT001
    for frame in (noise, b"/TST5\r\n" + noise + b"\r\n!ABCD"):
        result = scrub(frame, whole=whole)
        body = frame.rpartition(b"!")[0] if whole else frame
        assert len(frame) - 3 <= len(result) <= len(frame) + 3  # a CRC may have other digits
        assert [end for end in (b"\r", b"\n") if result.count(end) != frame.count(end)] == [] or not body


@needs_shared
@pytest.mark.parametrize("path", sorted(SHARED.glob("good/*.telegram")), ids=lambda path: path.stem)
def test_no_identifier_of_a_real_meter_is_left(path: Path) -> None:
    data = path.read_bytes()
    for frame in Framer().feed(data):
        result = Scrubber().scrub(frame)
        assert verdict(result) == verdict(frame.data)
        for text in IDENTIFIERS.findall(frame.data):
            replaced = text in result
            # Whoever published it may have replaced it before us.
            assert not replaced or not text.strip(b"0Ff ") or b"12345678" in text or len(set(text)) < 4


def test_a_readout_of_an_optical_port_keeps_its_readings_and_its_bcc_fits_as_before() -> None:
    readout = with_bcc(b"/TST5A\r\n\x02C.1.0(12345678)1.8.0(012.5*kWh)\r\n0.0(87654321)!\r\n")
    (before,), (after,) = records(readout), records(scrub(readout))
    assert before.tags["meter"] != after.tags["meter"]
    assert before.fields["energy_import_kwh"] == after.fields["energy_import_kwh"]
    assert b"12345678" not in scrub(readout)
    assert b"87654321" not in scrub(readout)
    with pytest.raises(TelegramError, match="BCC"):
        parse(scrub(readout[:-1] + bytes([readout[-1] ^ 1])))
    assert scrub(readout[:40], whole=False).startswith(b"/TST5A\r\n\x02C.1.0(")
