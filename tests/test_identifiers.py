"""`--meter-tag`: what names a meter is left out or hashed, all of it and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from telegraf_p1 import identifiers, lineproto
from telegraf_p1.crc import checksum
from telegraf_p1.decode import Memory, decode
from telegraf_p1.framer import Framer
from telegraf_p1.identifiers import HARMLESS, KEY, change
from telegraf_p1.obis.table import ROWS
from telegraf_p1.outputs.definitions_file import load
from telegraf_p1.record import Record
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import GOLDEN, records

SECRET = {KEY: "correct horse battery"}
HASH = re.compile("[0-9a-f]{16}")


def texts(record: Record) -> dict[str, str]:
    return record.tags | {name: value for name, value in record.fields.items() if isinstance(value, str)}


def is_kept(name: str) -> bool:
    return name in HARMLESS or name.startswith("message")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_text_that_may_name_a_meter_is_left_out_or_hashed_and_nothing_else(path: Path) -> None:
    for record in records(path.read_bytes()):
        none, hashed = change("none", {})(record), change("hash", SECRET)(record)
        assert change("id", {})(record) == record
        assert texts(none) == {name: text for name, text in texts(record).items() if is_kept(name)}
        for name, text in texts(record).items():
            if not is_kept(name):
                assert HASH.fullmatch(texts(hashed)[name])
                for changed in (none, hashed):
                    assert text not in lineproto.line(changed)
        rest = {name: value for name, value in record.fields.items() if not isinstance(value, str)}
        for changed in (none, hashed):
            assert rest.items() <= changed.fields.items()
            assert changed.time_ns == record.time_ns
        assert list(hashed.fields) == list(record.fields)
        assert hashed.tags.keys() == record.tags.keys()


def test_a_text_that_is_added_to_the_table_is_hidden_until_somebody_says_that_it_names_nobody() -> None:
    known = {field.name for row in ROWS for field in row.fields if field.type in ("string", "tag")}
    assert known >= HARMLESS
    assert {name for name in known if not is_kept(name)} == {
        *("meter", "identification", "ean", "logical_device_name", "device_address", "{medium}_meter_id"),
        *("{medium}_ean", "gas_meter_id", "heat_meter_id", "cooling_meter_id", "water_meter_id"),
    }


def rows_of_a_user(folder: Path) -> Callable[[str], dict[str, str]]:
    """Give what makes texts of a record whose identifiers the user has renamed, by the way they are changed."""
    path = folder / "my.toml"
    path.write_text(
        "".join(
            f'[[row]]\nreference = "{reference}"\n{name}\ntype = "{type_}"\n'
            for reference, name, type_ in (
                ("0-0:96.1.1", 'tag = "serial"', "string"),
                ("0-0:96.1.2", 'field = "ean_number"', "integer"),
                ("0-0:96.1.9", 'field = "mine"', "string"),
                ("0-0:96.13.0", 'field = "text"', "string"),
                ("1-0:1.7.0", 'field = "power"', "string"),
            )
        )
    )
    mapping = load(str(path), "p1")
    data = b"/TST5\r\n\r\n0-0:96.1.1(S1234567)\r\n0-0:96.1.2(12345678)\r\n0-0:96.1.9(M1234567)\r\n"
    data += b"0-0:96.13.0(hello)\r\n1-0:1.7.0(1.5*kW)\r\n!"
    (frame,) = Framer().feed(data + b"%04X\r\n" % checksum(data))
    record = decode(parse(frame.data), 0, Memory(Zone()), rows=mapping.rows)

    def changed(how: str) -> dict[str, str]:
        ((_, part),) = mapping.records(change(how, SECRET)(record))
        return {name: str(value) for name, value in (part.tags | part.fields).items()}

    return changed


def test_an_identifier_is_hidden_under_a_name_of_the_users_own_too(tmp_path: Path) -> None:
    changed = rows_of_a_user(tmp_path)
    kept = {"text": "hello", "power": "1.5*kW"}
    assert changed("id").items() >= {"serial": "S1234567", "ean_number": "12345678", **kept}.items()
    assert changed("none") == kept
    hashed = changed("hash")
    assert hashed.keys() == {"serial", "mine", "identification", *kept}  # a number cannot become a hash
    assert all(HASH.fullmatch(hashed[name]) for name in ("serial", "mine"))


def test_a_hash_is_the_same_for_one_key_and_another_for_another() -> None:
    record = Record({"meter": "E0047000012345615"}, {"logical_device_name": "E0047000012345615"}, 0, [])
    first, again, other = (change("hash", {KEY: key})(record).tags["meter"] for key in ("a" * 16, "a" * 16, "b" * 16))
    assert first == again != other
    assert change("hash", {KEY: "a" * 16})(record).fields["logical_device_name"] == first
    assert identifiers.change("hash", {KEY: "a" * 16})(Record({"meter": "\ud800"}, {}, 0, [])).tags["meter"]


@pytest.mark.parametrize("key", ["", "short", "correct horse\rbattery", "pässword pässword"])
def test_a_key_that_is_worth_nothing_is_refused_and_not_said(key: str) -> None:
    with pytest.raises(ValueError, match=KEY) as caught:
        change("hash", {KEY: key})
    assert not key or key not in str(caught.value)
