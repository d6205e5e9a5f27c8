import pytest

from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from tests.helpers.telegrams import START, records, zone_of


@pytest.mark.parametrize("form", FORMS)
def test_its_telegrams_are_read_without_a_remark(form: str) -> None:
    meter = Meter(form)
    # Around the end of October: the clock is put back on the way.
    for now in range(1_698_537_600, 1_698_537_600 + 7200, 600):
        (record,) = records(meter.telegram(now), zone_of(form))
        assert record.remarks == []
        assert record.tags.keys() == ({"meter"} if FORMS[form].has_identifier else set())
        wanted = {"heat_gj"} if form == "heat" else {"power_import_kw"}
        assert wanted <= record.fields.keys()
        assert form == "heat" or any(field.startswith("energy_import") for field in record.fields)
        if FORMS[form].has_time:
            assert record.time_ns == now * 10**9


@pytest.mark.parametrize("form", FORMS)
def test_the_same_seed_and_times_give_the_same_bytes(form: str) -> None:
    first, second, other = Meter(form, 1), Meter(form, 1), Meter(form, 2)
    for now in (START, START + 10):
        telegram = first.telegram(now)
        assert telegram == second.telegram(now)
        assert telegram != other.telegram(now)


def test_its_counters_follow_its_power() -> None:
    meter = Meter()
    meter.telegram(START)
    power = meter.net_w()
    before = sum(meter.import_ws) - sum(meter.export_ws)
    meter.telegram(START + 3600)
    assert sum(meter.import_ws) - sum(meter.export_ws) == before + power * 3600


@pytest.mark.parametrize("interval", [1, 10, 900])
def test_its_gas_meter_runs_at_any_interval(interval: int) -> None:
    meter = Meter()
    fields = [records(meter.telegram(now))[0].fields for now in range(START, START + 3601, interval)]
    assert str(fields[0]["gas_timestamp"]) == str(START // 300 * 300)
    assert round(float(fields[-1]["gas_m3"]) - float(fields[0]["gas_m3"]), 3) == 0.180


def test_its_quarter_hour_demand_grows_from_zero_to_the_mean_and_sets_the_peak() -> None:
    meter = Meter("be")
    meter.peak_w = 0
    start = START // 900 * 900
    meter.telegram(start)
    before = sum(meter.import_ws)
    demands = [records(meter.telegram(start + n))[0].fields["power_import_quarter_kw"] for n in range(1, 900)]
    assert demands == sorted(demands)
    fields = records(meter.telegram(start + 900))[0].fields
    assert float(fields["power_import_quarter_kw"]) == 0
    assert float(fields["power_import_month_peak_kw"]) * 1000 == (sum(meter.import_ws) - before) // 900
    assert fields["power_import_month_peak_timestamp"] == start + 900


@pytest.mark.parametrize("now", [1_711_846_799, 1_711_846_800, 1_729_987_199, 1_729_990_800, 1_729_994_400])
def test_its_clock_changes_as_the_eu_does(now: int) -> None:
    (record,) = records(Meter().telegram(now))
    assert record.time_ns == now * 10**9
