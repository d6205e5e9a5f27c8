from decimal import Decimal

import pytest

from telegraf_p1.decode import Memory, _split_net_power, decode
from telegraf_p1.record import Record
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone
from tests.helpers.telegrams import RECEIVED_NS, records, with_crc


def record(*lines: str) -> Record:
    body = "\r\n".join(["/TST5", "", *lines, "!"]).encode("latin-1")
    (result,) = records(with_crc(body))
    return result


def fields(*lines: str) -> dict[str, str]:
    return {k: str(v) for k, v in record(*lines).fields.items() if k != "identification"}


def test_the_record_has_the_time_of_the_telegram() -> None:
    assert record("0-0:1.0.0(230715120000S)").time_ns == 1_689_415_200 * 10**9


def test_without_a_valid_time_it_has_the_time_of_reception() -> None:
    assert record().time_ns == RECEIVED_NS
    assert record("0-0:1.0.0(632525252525W)").time_ns == RECEIVED_NS


def test_the_host_can_be_asked_for_the_time() -> None:
    body = b"/TST5\r\n0-0:1.0.0(230715120000S)\r\n!"
    telegram = parse(with_crc(body))
    assert decode(telegram, 7, Memory(Zone()), host_time=True).time_ns == 7


def test_the_meter_is_the_tag_whatever_reference_names_it() -> None:
    assert record("0-0:96.1.1(4D31)").tags == {"meter": "M1"}
    assert record("0-0:96.1.0(4D31)").tags == {"meter": "M1"}
    assert record("0-0:96.1.255(4D31)").tags == {"meter": "4D31"}
    assert record("0-0:42.0.0(4D31)").tags == {"meter": "M1"}
    assert record("0-0:42.0.0(4D32)", "0-0:96.1.1(4D31)").tags == {"meter": "M1"}
    assert record("0-0:96.1.1()").tags == {}


@pytest.mark.parametrize(
    ("lines", "meter"),
    [
        (["0-0:96.1.1(4D413331304D)", "0-0:96.1.0(3431313836363230)"], "41186620"),  # a model, and the number
        (["0-0:96.1.1(3431313836363230)", "0-0:96.1.0(4D413331304D)"], "41186620"),
        (["0-0:96.1.0(86818123)", "0-0:96.1.1(36303836383138373132)"], "6086818712"),  # two numbers: that on the bill
        (["1-0:96.1.0*255(001LOG0064800017)"], "001LOG0064800017"),
        (["0-0:96.1.1(4D413331304D)"], "MA310M"),  # better than nothing
        (["0-0:96.1.1(45333630)", "0-0:96.1.0(3431313836363230)"], "41186620"),  # a number, or E360
        (["0-0:96.1.1(4D543338322D4432413532)", "0-0:96.1.0(3431313836363230)"], "41186620"),  # MT382-D2A52
        (["0-0:96.1.1(52347967)", "0-0:96.1.0()"], "52347967"),
        (["0-0:96.1.0(52347967)", "1-0:0.0.0(12345678)"], "52347967"),
        (["0-0:96.1.1(4D413331304D)", "1-0:0.0.0(12345678)"], "12345678"),
        (["0-0:96.1.1(00000000)", "0-0:42.0.0(415558313032303432)"], "AUX102042"),
    ],
)
def test_the_tag_is_what_tells_meters_apart(lines: list[str], meter: str) -> None:
    assert record(*lines).tags == {"meter": meter}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1-0:1.6.0(08.796*kW)(260102010000)", ("8.796", "1767312000")),
        ("1-0:1.6.0(260102010000W)(08.796*kW)", ("8.796", "1767312000")),
        ("1-0:1.6.0(250901000000S)(00.000*kW)", None),  # the month has just begun
        ("1-0:1.6.0(250901000000S)(01.250*kW)", ("1.250", "1756677600")),
        ("1-0:1.6.0(632525252525W)(00.000*kW)", None),
    ],
)
def test_a_peak_and_its_time_are_told_by_their_form(line: str, expected: tuple[str, str] | None) -> None:
    names = ("power_import_month_peak_kw", "power_import_month_peak_timestamp")
    assert fields(line) == (dict(zip(names, expected, strict=True)) if expected else {})
    assert record(line).remarks == []


@pytest.mark.parametrize("time", ["2601020100", "0260102010000", "2601020100W", "260102010000W)(1"])
def test_a_peak_is_the_number_with_a_unit(time: str) -> None:
    for line in (f"1-0:1.6.0({time})(08.796*kW)", f"1-0:1.6.0(08.796*kW)({time})"):
        assert fields(line)["power_import_month_peak_kw"] == "8.796"


def test_a_history_may_have_pairs() -> None:
    pairs = "(231001000000S)(4.000*kW)(231101000000W)(2.000*kW)(231201000000W)(6.000*kW)"
    told = fields("0-0:1.0.0(231215120000W)", f"0-0:98.1.0(3)(1-0:1.6.0){pairs}")
    assert (told["power_import_year_peak_average_kw"], told["power_import_year_peak_months"]) == ("4.000", "3")


def test_a_month_whose_peak_has_no_time_counts() -> None:
    entry = "(231101000000W)(632525252525W)(03.000*kW)"
    told = fields("0-0:1.0.0(231115120000W)", f"0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0){entry}")
    assert told["power_import_year_peak_average_kw"] == "3.000"


def test_water_without_a_unit_and_a_channel_that_is_void_are_read_as_ever() -> None:
    assert fields("0-1:24.1.0(007)", "0-1:24.2.3(230715120000S)(00003.500)")["water_m3"] == "3.500"
    assert record("0-1:24.2.3(632525252525S)(00000.000)").remarks == []


def test_a_peak_whose_time_cannot_be_read_is_kept_with_a_remark() -> None:
    odd = (
        "(08.796*kW)(yesterday)",
        "(yesterday)(08.796*kW)",
        "(08.796*kW)",
        "(269902010000W)(08.796*kW)",
        "(632525252525W)(08.796*kW)",
    )
    for line in (f"1-0:1.6.0{groups}" for groups in odd):
        assert fields(line) == {"power_import_month_peak_kw": "8.796"}
        assert "kept without it" in record(line).remarks[0].text


def history(now: str, *months: str) -> dict[str, str]:
    found = fields(f"0-0:1.0.0({now})", f"0-0:98.1.0({len(months)})(1-0:1.6.0)(1-0:1.6.0){''.join(months)}")
    return {name.removeprefix("power_import_year_peak_"): value for name, value in found.items()}


def test_the_history_counts_the_twelve_months_before_the_telegrams_own() -> None:
    old, first = "(231001000000S)(230911060000S)(09.000*kW)", "(231101000000W)(231011060000S)(04.000*kW)"
    last, zero = "(241001000000S)(240925191500S)(06.000*kW)", "(240801000000S)(240701000000S)(00.000*kW)"
    assert history("241018091335S", old, first, zero, last) == {"average_kw": "5.000", "months": "2"}
    assert history("241101000001W", old, first, last) == {"average_kw": "6.000", "months": "1"}
    assert history("241018091335S", zero) == {"months": "0"}
    assert record("1-0:1.6.0(260102010000)").fields.keys() == {"identification"}  # a time is no power
    written = "(20241001 00:00:00)(20240925 19:15:00)(06.000*kW)"
    assert history("241018091335S", written) == {"average_kw": "6.000", "months": "1"}
    odd = "(241001000000S)(249925191500S)(06.000*kW)"
    assert history("241018091335S", odd) == {"average_kw": "6.000", "months": "1"}
    order = "(241001000000S)(06.000*kW)(240925191500S)"
    assert history("241018091335S", order) == {"average_kw": "6.000", "months": "1"}


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        (["1-0:31.4.0(040.00*A)"], "fuse_threshold_l1_a"),
        (["1-0:31.4.0(0000.003*kA)"], "current_average_l1_a"),
        (["1-0:32.24.0(237.0*V)", "1-0:31.4.0(003.00*A)"], "current_average_l1_a"),
        (["1-0:52.24.0(237.0*V)", "1-0:31.4.0(003.00*A)"], "current_average_l1_a"),
    ],
)
def test_one_reference_is_a_threshold_or_a_mean_current(lines: list[str], field: str) -> None:
    assert field in fields(*lines)


def test_net_power_is_split_by_its_sign_and_keeps_its_digits() -> None:
    net, bought, sold = "power_net_kw", "power_import_kw", "power_export_kw"
    assert fields("1-0:16.7.0(-000116.70*W)") == {net: "-0.11670", bought: "0", sold: "0.11670"}
    assert fields("1-0:16.7.0(000116.70*W)") == {net: "0.11670", bought: "0.11670", sold: "0"}
    assert fields("1-0:1.7.0(-000116.70*W)") == {net: "-0.11670", bought: "0", sold: "0.11670"}
    both = ("1-0:1.7.0(00.100*kW)", "1-0:2.7.0(00.000*kW)", "1-0:16.7.0(00.100*kW)")
    assert fields(*both) == {net: "0.100", bought: "0.100", sold: "0.000"}
    assert fields("1-0:1.7.0(00.100*kW)") == {bought: "0.100"}
    assert fields("1-0:1.7.0(-00.500*kW)", "1-0:2.7.0(00.000*kW)") == {net: "-0.500", bought: "0", sold: "0.500"}
    assert fields("1-0:1.7.0(-0.000*kW)", "1-0:2.7.0(-0.000*kW)") == {bought: "0.000", sold: "0.000"}
    assert fields("1-0:2.7.0(-00.500*kW)") == {net: "0.500", bought: "0.500", sold: "0"}


def test_an_import_that_was_below_zero_once_is_net_power_from_then_on() -> None:
    memory = Memory(Zone())
    found = [
        decode(parse(with_crc(b"/TST5\r\n1-0:1.7.0(%b*kW)\r\n!" % value)), 1, memory).fields
        for value in (b"00.100", b"-00.100", b"00.200")
    ]
    assert [len(one) for one in found] == [2, 4, 4]  # with the identification
    assert (str(found[2]["power_net_kw"]), str(found[2]["power_export_kw"])) == ("0.200", "0")


@pytest.mark.parametrize(
    ("lines", "epoch"),
    [
        (["0-0:1.0.0(20250703 16:20:10)"], 1_751_552_410),
        (["0-0:1.1.0(230319144324W)"], 1_679_233_404),
        (["1-0:0.9.2(251002)", "1-0:0.9.1(222553)"], 1_759_436_753),
        (["1-0:0.9.1(222553)", "1-0:0.9.2(0251002)"], 1_759_436_753),
        (["0-0:1.0.0(632525252525W)", "1-0:0.9.1(222553)", "1-0:0.9.2(251002)"], 1_759_436_753),
        (["1-0:0.9.1(22:25:53)", "1-0:0.9.2(2025-10-02)"], 1_759_436_753),
        (["0-0:1.0.0(2025-07-03 16:20:10)"], 1_751_552_410),
        (["0-0:1.0.0(2025-07-03T16:20:10S)"], 1_751_552_410),
        (["0-0:1.0.0(20250703162010)"], 1_751_552_410),
    ],
)
def test_the_time_may_stand_elsewhere_or_be_written_otherwise(lines: list[str], epoch: int) -> None:
    assert record(*lines).time_ns == epoch * 10**9
    assert record(*lines).remarks == []


def test_a_reading_and_its_time_may_change_places() -> None:
    expected = fields("0-1:24.1.0(003)", "0-1:24.2.1(230715120000S)(00001.000*m3)")
    assert set(expected) == {"gas_m3", "gas_timestamp"}
    assert fields("0-1:24.1.0(003)", "0-1:24.2.1(00001.000*m3)(230715120000S)") == expected
    told = "0-1:24.2.1(1*GJ)"
    assert fields("0-1:24.1.0(004)", told, "0-1:24.2.2(0.5*m3/h)(230715120000S)")["heat_flow_m3h"] == "0.5"


def test_a_limit_without_its_unit_is_in_watts_when_it_can_be_nothing_else() -> None:
    assert fields("0-0:17.0.0(16500)") == fields("0-0:17.0.0(0016500)") == {"limiter_threshold_kw": "16.500"}
    assert fields("0-0:17.0.0(16.5)") == fields("0-0:17.0.0(0025)") == {}


def test_what_a_hot_water_meter_tells_besides_its_volume() -> None:
    told = ("0-1:24.2.1(366.475*m3)", "0-1:24.2.2(0.090*m3/h)", "0-1:24.2.3(74.8*degC)", "0-1:24.2.4(31.3*degC)")
    found = fields("0-1:24.1.0(006)", *told, "0-1:24.2.5(0019.078*Wh)")
    assert found == {
        "hot_water_m3": "366.475",
        "hot_water_flow_m3h": "0.090",
        "hot_water_supply_temperature_degc": "74.8",
        "hot_water_return_temperature_degc": "31.3",
        "hot_water_energy_kwh": "0.019078",
    }
    for unit in ("degC", "DEGC", "\xb0C", "\xc2\xb0C"):
        assert "heat_supply_temperature_degc" in fields(
            "0-1:24.1.0(004)", "0-1:24.2.1(1*GJ)", f"0-1:24.2.3(74.8*{unit})"
        )
    assert fields("0-1:24.1.0(004)", "0-1:24.2.1(1.5*GJ)", "0-1:24.2.3(74.8)") == {"heat_gj": "1.5"}
    assert fields("0-1:24.1.0(003)", "0-1:24.2.3(230715120000S)(00001.000*m3)")["gas_m3"] == "1.000"


def test_an_unknown_reference_is_skipped_without_a_word() -> None:
    result = record("1-0:99.99.99(1)", "0-0:96.14.0(0002)")
    assert result.fields["tariff"] == 2
    assert result.remarks == []


def test_an_unreadable_value_costs_its_field_and_is_remarked() -> None:
    result = record("1-0:1.8.1(12.x*kWh)", "1-0:1.8.2(1.000*kW)", "1-0:1.7.0(00.519*kW)")
    assert fields("1-0:1.8.1(12.x*kWh)", "1-0:1.7.0(00.519*kW)") == {"power_import_kw": "0.519"}
    assert [remark.reference for remark in result.remarks] == ["1-0:1.8.1", "1-0:1.8.2"]


@pytest.mark.parametrize(
    "line", ["1-0:1.8.1()", "0-0:96.14.0()", "0-0:96.7.21()", "0-1:24.1.0()", "0-1:24.2.1()", "0-0:1.0.0()"]
)
def test_an_empty_value_is_no_value_and_no_fault(line: str) -> None:
    assert fields(line) == {}
    assert record(line).remarks == []


def test_a_message_keeps_its_brackets() -> None:
    assert fields("0-0:96.13.0(call us (now))")["message"] == "call us (now)"
    assert fields("0-0:96.13.0((a)(b) c)")["message"] == "(a)(b) c"
    assert fields("1-0:0.2.0((ER11))")["fw_core_version"] == "ER11"


def test_a_reference_sent_twice_counts_once_and_the_last_one_wins() -> None:
    assert record("0-0:96.14.0(0001)", "0-0:96.14.0(0001)").remarks == []
    twice = record("0-0:96.14.0(0001)", "0-0:96.14.0(0002)")
    assert twice.fields["tariff"] == 2
    assert [remark.reference for remark in twice.remarks] == ["0-0:96.14.0"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0-0:17.0.0(016*A)", {"limiter_threshold_a": "16"}),
        ("0-0:17.0.0(016.1*kW)", {"limiter_threshold_kw": "16.1"}),
        ("0-0:17.0.0(069.0*kVA)", {"limiter_threshold_kva": "69.0"}),
        ("0-0:17.0.0(999.9*kW)", {}),
        ("1-0:31.4.0(999*A)", {}),
        ("1-0:31.4.0(200.00*A)", {"fuse_threshold_l1_a": "200.00"}),
        ("1-1:31.4.0(100*A)(-063*A)", {"current_limit_import_a": "100", "current_limit_export_a": "-63"}),
        (
            "1-0:1.6.0(200509134558S)(02.589*kW)",
            {"power_import_month_peak_kw": "2.589", "power_import_month_peak_timestamp": "1589024758"},
        ),
        ("1-0:1.6.0(632525252525W)(00.000*kW)", {}),
        ("0-0:96.50.68(ON)", {"breaker_state": "1"}),
        ("1-0:13.7.0(-1.000)", {"power_factor": "-1.000"}),
        ("1-0:14.7.0(50.00*Hz)", {"frequency_hz": "50.00"}),
        ("0-0:96.13.0()", {}),
        ("1-0:1.8.11(000001.000*kWh)", {"energy_import_t1_kwh": "1.000"}),
    ],
)
def test_kinds_that_need_a_rule(line: str, expected: dict[str, str]) -> None:
    assert fields(line) == expected


@pytest.mark.parametrize(
    ("log", "count", "last"),
    [
        ("()", "0", None),
        ("(0)()", "0", None),
        ("(0)(0-0:96.7.19)", "0", None),
        ("(1)(0-0:96.7.19)(000101000001W)(2147483647*s)", "1", None),
        ("(1)(1-0:96.7.19)(230715120000S)(0000000240*s)", "1", ("1689415200", "240")),
        ("(2)(0-0:96.7.19)(230715120000S)(0000000240*s)(230101120000W)(0000000300*s)", "2", ("1689415200", "240")),
        ("(2)(0-0:96.7.19)(230101120000W)(0000000300*s)(230715120000S)(0000000240*s)", "2", ("1689415200", "240")),
        ("(1)(0-0:96.7.19)(230101120000W)(0000000300*s)(230715120000S)(0000000240*s)", "1", ("1689415200", "240")),
        ("(5)(0-0:96.7.19)(230715120000S)(2317482647*s)", "5", ("1689415200", "2317482647")),
    ],
)
def test_the_failure_log_gives_its_newest_entry(log: str, count: str, last: tuple[str, str] | None) -> None:
    expected = {"power_failure_log_count": count}
    if last:
        expected["power_failure_last_timestamp"], expected["power_failure_last_duration_s"] = last
    assert fields(f"1-0:99.97.0{log}") == expected


def test_the_belgian_history_gives_the_mean_of_at_most_twelve_months() -> None:
    months = "".join(f"(23{m:02d}01000000W)(23{m:02d}01000000W)({m:02d}.000*kW)" for m in range(1, 13))
    oldest = "(221201000000W)(221201000000W)(99.000*kW)"
    void = "(221101000000W)(632525252525W)(98.000*kW)"
    expected = {"power_import_year_peak_average_kw": "6.500", "power_import_year_peak_months": "12"}
    for entries in (oldest + void + months, months + void + oldest):
        assert fields(f"0-0:98.1.0(14)(1-0:1.6.0)(1-0:1.6.0){entries}") == expected
    assert fields("0-0:98.1.0(0)(1-0:1.6.0)(1-0:1.6.0)") == {"power_import_year_peak_months": "0"}


def test_other_countries_send_something_else_under_that_reference() -> None:
    assert fields("0-0:98.1.0(12)") == {}
    assert fields("0-0:98.1.0(230801000000S)(000001.000*kWh)(000002.000*kWh)") == {}


def test_without_any_time_there_is_none() -> None:
    telegram = parse(with_crc(b"/TST5\r\n1-0:1.8.1(1*kWh)\r\n!"))
    assert decode(telegram, None, Memory(Zone())).time_ns is None


def test_the_time_of_reception_settles_the_hour_that_a_clock_without_letters_has_twice() -> None:
    telegram = parse(with_crc(b"/TST5\r\n0-0:1.0.0(231029023000)\r\n!"))
    first = 1_698_539_400  # 2023-10-29T00:30Z
    for time in (first, first + 3600):
        record = decode(telegram, (time + 5) * 10**9, Memory(Zone()))
        assert record.time_ns == time * 10**9


def test_an_export_below_zero_is_an_import() -> None:
    found = fields("1-0:1.7.0(0.000*kW)", "1-0:2.7.0(-1.500*kW)")
    assert [found[f"power_{way}_kw"] for way in ("import", "export", "net")] == ["1.500", "0", "1.500"]


def test_a_users_text_in_place_of_a_power_costs_no_other_power() -> None:
    values: dict[str, Decimal | int | str] = {"power_import_kw": "much", "power_net_l1_kw": Decimal("-1.5")}
    _split_net_power(values, set())
    assert (values["power_import_l1_kw"], values["power_export_l1_kw"]) == (0, Decimal("1.5"))
    assert values["power_import_kw"] == "much"


def test_a_peak_of_zero_in_mid_month_is_a_peak() -> None:
    found = fields("1-0:1.6.0(250915103000S)(00.000*kW)")
    assert found == {"power_import_month_peak_kw": "0.000", "power_import_month_peak_timestamp": "1757925000"}


def test_a_count_beside_a_peak_is_no_power() -> None:
    for groups in ("(08.796*kW)(3)", "(08.796)(3)", "(8*kW)(3)"):
        found = fields(f"1-0:1.6.0(250915103000S){groups}")
        assert float(found["power_import_month_peak_kw"]) in (8.796, 8)


def test_a_second_reading_of_a_heat_meter_does_not_replace_the_first() -> None:
    second = record("0-1:24.1.0(004)", "0-1:24.2.1(1.5*GJ)", "0-1:24.2.3(2.5*GJ)")
    assert str(second.fields["heat_gj"]) == "1.5"
    assert [remark.reference for remark in second.remarks] == ["0-1:24.2.3"]
    assert fields("0-1:24.1.0(004)", "0-1:24.2.3(2.5*GJ)") == {"heat_gj": "2.5"}
    # For gas it is the reading, with or without a unit.
    assert fields("0-1:24.1.0(003)", "0-1:24.2.1(1.5*m3)", "0-1:24.2.3(2.5*m3)") == {"gas_m3": "2.5"}
    assert fields("0-1:24.1.0(003)", "0-1:24.2.3(2.5)") == {"gas_m3": "2.5"}


def test_the_unit_of_dsmr_3_stands_before_the_value() -> None:
    line = "0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(kWh)(00123.456)"
    assert fields("0-1:24.1.0(004)", line)["heat_kwh"] == "123.456"


def test_what_is_sent_twice_is_said() -> None:
    (remark,) = record("1-0:1.8.1(1*kWh)", "1-0:1.8.1(2*kWh)").remarks
    assert remark.reference == "1-0:1.8.1"
    assert "sent twice" in remark.text


def test_a_time_that_is_none_is_said_with_its_reference() -> None:
    (remark,) = record("0-0:1.0.0(991399000000W)").remarks
    assert remark.reference == "0-0:1.0.0"
    assert "not a valid time" in remark.text
