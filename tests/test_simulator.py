import pytest

from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.living import Equipment
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


@pytest.mark.parametrize("interval", [10, 300, 3600])
def test_its_gas_and_water_meters_show_the_same_at_any_interval(interval: int) -> None:
    # Over the end of summer time, when an hour comes twice.
    start, end = 1_729_900_800, 1_729_900_800 + 2 * 86400
    meter, other = Meter("be"), Meter("be")
    times, fields = [], []
    for now in range(start, end + 1, interval):
        if now % 300 in (0, 300 - interval):  # what stands between the first and the last of five minutes is theirs
            times.append(now)
            fields.append(records(meter.telegram(now))[0].fields)
        else:
            meter.live(now)
    for reading in ("gas_m3", "water_m3"):
        readings = [float(one[reading]) for one in fields]
        assert readings == sorted(readings)
        first, last = (records(other.telegram(now))[0].fields[reading] for now in (start, end))
        assert (readings[0], readings[-1]) == (float(first), float(last))
        assert readings[-1] - readings[0] > 0.2
        other = Meter("be")
    assert [one["gas_timestamp"] for one in fields] == [now // 300 * 300 for now in times]


def test_its_quarter_hour_demand_grows_from_zero_to_the_mean_and_sets_the_peak() -> None:
    meter = Meter("be")
    meter.demand.peak_w = 0
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


@pytest.mark.parametrize(
    ("equipment", "import_kwh", "export_kwh", "gas_m3"),
    [
        (Equipment(), (4000, 5000), (2200, 3000), (1000, 1500)),
        (Equipment(solar_w=0, car_w=0), (3000, 3700), (0, 0), (1000, 1500)),
        (Equipment(solar_w=0, car_w=0, has_heat_pump=True), (5500, 7000), (0, 0), (0, 0)),
    ],
)
def test_its_year_is_that_of_such_a_house(
    equipment: Equipment, import_kwh: tuple[int, int], export_kwh: tuple[int, int], gas_m3: tuple[int, int]
) -> None:
    meter = Meter("be", 1, equipment)
    begin, end = 1_735_686_000, 1_767_222_000  # 2025, with the clock of the Netherlands
    meter.live(begin)
    meter.import_ws, meter.export_ws = [0, 0], [0, 0]
    gas_l, water_l = meter.gas_l(begin), meter.water_l(begin)
    for now in range(begin + 600, end + 1, 600):
        meter.live(now)
    imported, exported = (sum(counters) / 3.6e6 for counters in (meter.import_ws, meter.export_ws))
    assert import_kwh[0] <= imported <= import_kwh[1]
    assert export_kwh[0] <= exported <= export_kwh[1]
    assert gas_m3[0] <= (meter.gas_l(end) - gas_l) / 1000 <= gas_m3[1]
    assert 90_000 < meter.water_l(end) - water_l < 130_000
    assert len(meter.demand.months) == 12
    assert len({peak.month_end for peak in meter.demand.months}) == 12


@pytest.mark.parametrize("interval", [60, 900, 3600])
def test_its_month_peak_is_that_of_the_month(interval: int) -> None:
    meter, powers = Meter("be"), []
    meter.demand.peak_w = 0
    end = 1_769_900_400  # of January 2026
    for now in range(end - 86400, end, interval):
        meter.live(now)
        powers.append(meter.net_w())
    assert "power_import_month_peak_kw" not in records(meter.telegram(end))[0].fields  # there is none yet
    *_, (month_end, time, watt) = meter.demand.months
    assert (month_end, time % 900) == (end, 0)
    assert sum(powers) / len(powers) < watt <= max(powers)
    fields = records(meter.telegram(end + 900))[0].fields
    assert float(fields["power_import_month_peak_kw"]) > 0
    assert fields["power_import_month_peak_timestamp"] == end + 900


def test_its_people_are_not_there_for_a_fortnight_of_the_summer() -> None:
    meter = Meter(equipment=Equipment(solar_w=0))
    begin, daily_kwh = 1_748_728_800, []  # June 2025
    for day in range(92):
        before = sum(meter.import_ws)
        for now in range(begin + day * 86400, begin + (day + 1) * 86400, 600):
            meter.live(now)
        daily_kwh.append((sum(meter.import_ws) - before) / 3.6e6)
    quiet = [day for day, kwh in enumerate(daily_kwh) if kwh < 6]
    assert 13 <= len(quiet) <= 16
    assert quiet[-1] - quiet[0] == len(quiet) - 1


def test_voltage_follows_sun_and_load() -> None:
    meter = Meter()
    noon, night = 1_750_000_000 // 86400 * 86400 + 41400, 1_750_000_000 // 86400 * 86400 + 3600
    mean = {}
    for name, begin in (("night", night), ("noon", noon + 86400)):
        voltages = []
        for now in range(begin, begin + 600):
            meter.live(now)
            voltages.append(meter.voltage_dv[1])
        mean[name] = sum(voltages) / len(voltages)
    assert mean["noon"] > mean["night"] + 10
