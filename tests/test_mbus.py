"""Which channel is which meter, and which are dead."""

import pytest

from telegraf_p1.values import Value
from tests.helpers.telegrams import records, with_crc

NOW = "230715120000S"
OLD = "230101120000W"
VOID = "632525252525S"


def fields(*lines: str) -> dict[str, Value]:
    body = "\r\n".join(["/TST5", "", "1-3:0.2.8(50)", f"0-0:1.0.0({NOW})", *lines, "!"]).encode()
    (record,) = records(with_crc(body))
    return {k: str(v) for k, v in record.fields.items() if k not in ("identification", "p1_version")}


def meter(channel: int, kind: str, reading: str, time: str = NOW, meter_id: str = "4D31") -> list[str]:
    return [f"0-{channel}:24.1.0({kind})", f"0-{channel}:96.1.0({meter_id})", f"0-{channel}:24.2.1({time})({reading})"]


@pytest.mark.parametrize(
    ("kind", "reading", "field", "value"),
    [
        ("003", "00004.380*m3", "gas_m3", "4.380"),
        ("007", "00872.234*m3", "water_m3", "872.234"),
        ("006", "00001.000*m3", "hot_water_m3", "1.000"),
        ("004", "3.829*GJ", "heat_gj", "3.829"),
        ("012", "33221.122*MJ", "heat_gj", "33.221122"),
        ("010", "00001.00*GJ", "cooling_gj", "1.00"),
        ("002", "00001.000*kWh", "sub_kwh", "1.000"),
        ("303", "00001.000*m3", "mbus_1_m3", "1.000"),
        ("003", "00004.380", "gas_m3", "4.380"),
        ("003", "1500*dm3", "gas_m3", "1.500"),
    ],
)
def test_the_type_names_the_medium_and_the_unit_the_field(kind: str, reading: str, field: str, value: str) -> None:
    medium = field.rpartition("_")[0]
    assert fields(*meter(1, kind, reading)) == {
        field: value,
        f"{medium}_timestamp": "1689415200",
        f"{medium}_meter_id": "M1",
    }


def test_the_order_of_the_lines_does_not_matter() -> None:
    lines = meter(2, "003", "1.000*m3") + meter(1, "007", "2.000*m3")
    assert fields(*reversed(lines)) == fields(*lines)


def test_without_a_type_the_unit_tells_and_m3_keeps_the_channel() -> None:
    assert fields(f"0-1:24.2.1({NOW})(1.0*GJ)", f"0-2:24.2.1({NOW})(2.0*m3)") == {
        "heat_gj": "1.0",
        "heat_timestamp": "1689415200",
        "mbus_2_m3": "2.0",
        "mbus_2_timestamp": "1689415200",
    }


def test_a_dead_channel_gives_nothing() -> None:
    assert fields(*meter(1, "003", "00000000", "700101010000W", "")) == {}
    assert fields(*meter(1, "003", "00000.000", VOID)) == {}
    assert fields(*meter(1, "003", "00000.000*m3", NOW, "")) == {}


def test_a_replaced_meter_leaves_the_plain_name_to_the_live_one() -> None:
    for dead in (
        meter(1, "003", "00000000", VOID, "4D32"),
        meter(1, "003", "00777.000*m3", OLD, "4D32"),
        meter(1, "003", "00777.000*m3", NOW, "3030"),
        meter(1, "003", "00777.000*m3", NOW, ""),
        meter(1, "003", "00000.000*m3", NOW, "4D32"),
    ):
        assert fields(*dead, *meter(2, "003", "00004.380*m3"))["gas_m3"] == "4.380", dead


def test_a_second_live_meter_carries_its_channel() -> None:
    both = fields(*meter(1, "007", "1.000*m3"), *meter(3, "007", "3.000*m3", "230715115500S", "4D33"))
    assert (both["water_m3"], both["water_3_m3"]) == ("1.000", "3.000")
    assert (both["water_meter_id"], both["water_3_meter_id"]) == ("M1", "M3")


def test_a_type_without_a_reading_still_names_its_meter() -> None:
    assert fields("0-1:24.1.0(003)", "0-1:96.1.0(4D31)", "0-1:24.4.0(1)") == {
        "gas_meter_id": "M1",
        "gas_valve_state": "1",
    }


def test_relays_are_no_mbus_meters() -> None:
    assert fields("0-1:96.3.10(0)", "0-4:96.3.10(1)") == {"relay_1_state": "0", "relay_4_state": "1"}


def test_a_time_a_year_ahead_makes_no_other_meter_old() -> None:
    """Some gas meters sent the next year on the first of January."""
    ahead = meter(1, "003", "00777.000*m3", "240715120000S", "4D31")
    shown = fields(*ahead, *meter(2, "003", "00004.380*m3", NOW, "4D32"))
    assert (shown["gas_m3"], shown["gas_2_m3"]) == ("777.000", "4.380")


def test_cooling_of_dsmr_3_is_cooling() -> None:
    assert fields("0-2:24.3.1(090212160000)(00)(60)(1)(0-2:24.2.1)(GJ)", "(00012.34)")["cooling_gj"] == "12.34"


def test_of_two_values_of_dsmr_3_the_first_is_the_meters() -> None:
    line = "0-1:24.3.0(090212160000)(00)(60)(2)(0-1:24.2.1)(m3)(0-1:24.2.2)(m3)(00123.456)(00555.000)"
    assert fields("0-1:24.1.0(03)", line)["gas_m3"] == "123.456"
