import pytest

from telegraf_p1.decode import decode
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
    assert decode(telegram, 7, Zone(), host_time=True).time_ns == 7


def test_the_meter_is_the_tag_whatever_reference_names_it() -> None:
    assert record("0-0:96.1.1(4D31)").tags == {"meter": "M1"}
    assert record("0-0:96.1.0(4D31)").tags == {"meter": "M1"}
    assert record("0-0:96.1.255(4D31)").tags == {"meter": "4D31"}
    assert record("0-0:42.0.0(4D31)").tags == {"meter": "M1"}
    assert record("0-0:42.0.0(4D32)", "0-0:96.1.1(4D31)").tags == {"meter": "M1"}
    assert record("0-0:96.1.1()").tags == {}


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
