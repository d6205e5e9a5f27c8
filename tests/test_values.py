from decimal import Decimal

import pytest

from telegraf_p1 import values
from telegraf_p1.values import Unreadable


@pytest.mark.parametrize(
    ("sent", "unit", "written"),
    [
        ("000123.456*kWh", "kWh", "123.456"),
        ("000000.000*kWh", "kWh", "0.000"),
        ("123456.789*kWh", "kWh", "123456.789"),
        ("000441879*Wh", "kWh", "441.879"),
        ("88*W", "kW", "0.088"),
        ("02124.86*W", "kW", "2.12486"),
        ("00.519*KW", "kW", "0.519"),
        ("00000123.123*kVArh", "kvarh", "123.123"),
        ("000123.456kWh", "kWh", "123.456"),
        ("(-063*A"[1:], "A", "-63"),
        ("00.240*kV", "V", "240"),
        ("33221.122*MJ", "GJ", "33.221122"),
        ("1500*dm3", "m3", "1.500"),
        ("00.007", "kvar", "0.007"),
        ("-1.000", "", "-1.000"),
    ],
)
def test_a_reading_keeps_its_digits_and_moves_its_point(sent: str, unit: str, written: str) -> None:
    assert format(values.number(sent, unit), "f") == written


@pytest.mark.parametrize(
    ("sent", "unit"),
    [
        ("", "kWh"),
        ("00.A23*kW", "kW"),
        ("1.2.3*kW", "kW"),
        ("1*kW", "kWh"),
        ("1*furlong", "m3"),
        ("1*s", ""),
        ("9" * 400, "kWh"),
        ("1e9*kWh", "kWh"),
        ("nan", "kWh"),
        ("*kWh", "kWh"),
    ],
)
def test_what_is_no_reading_of_the_field_is_unreadable(sent: str, unit: str) -> None:
    with pytest.raises(Unreadable):
        values.number(sent, unit)


def test_counters_states_and_tariffs_are_integers() -> None:
    assert values.integer("00004") == 4
    assert values.integer("2317482647*s", "s") == 2317482647
    assert [values.state(text) for text in ("0", "1", "2", "ON", "off")] == [0, 1, 2, 1, 0]
    assert [values.tariff(text) for text in ("0001", "0002", "03", "TARIFF 1", "0000")] == [1, 2, 3, 1, 0]
    for read, text in ((values.integer, "1.5"), (values.state, "OPEN"), (values.tariff, "")):
        with pytest.raises(Unreadable):
            read(text)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("4B384547303034", "K8EG004"),
        ("205C4D246333034353537383234323121", "205C4D246333034353537383234323121"),  # odd number of digits
        ("2212345678", "2212345678"),  # 0x12 is no text
        ("serienummer", "serienummer"),
        ("63616C6C207573202829", "call us ()"),
        ("FFFFFFFF", ""),
        ("\xff" * 1024, ""),
        ("202020", ""),
        ("", ""),
        ("0D0A41", "A"),
        ("a\nb\x00c", "a b c"),
        ("Stroomstoring in Zo\xc3\xab", "Stroomstoring in Zo\xeb"),
        ("Zo\xeb", "Zo\xeb"),
    ],
)
def test_hex_is_decoded_when_it_is_text(sent: str, read: str) -> None:
    assert values.text(sent) == read


def test_brackets_around_a_plain_text_go() -> None:
    assert [values.plain(text) for text in ("(ER11)", "(ER12", "ER13)", "50217")] == ["ER11", "ER12", "ER13", "50217"]


def test_all_nines_means_that_a_limit_is_off() -> None:
    for off in ("999", "999.9", "99.999", "999.99", "0999.00", "999.999"):
        assert values.is_off(Decimal(off)), off
    for on in ("9", "9.9", "90.000", "16.1", "99", "99.9", "100", "200.00"):
        assert not values.is_off(Decimal(on)), on
