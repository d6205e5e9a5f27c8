"""Whether panels show what an oracle says: a function for each kind of panel."""

import pytest
from dashboard import Shown
from oracle import GAS_KWH, MEDIA, PRICES, Expected, Oracle, tariff_name

COUNTERS = "(energy_(import|export)(_t[1-8])?|gas|water|hot_water|heat|cooling)_(kwh|m3|gj)"
TROUBLES = "((long_)?power_failures|voltage_(sags|swells)_l[123])"


def series(shown: Shown) -> Expected:
    """Give what a panel draws: series, key (second, day or month), value; a stat's only key is empty."""
    found: Expected = {}
    latest = shown.panel["type"] == "stat"
    for frame in shown.frames:
        keys, *columns = frame["fields"]
        for column in columns:
            pairs = [
                (key / 1000 if keys["type"] == "time" else key, value)
                for key, value in zip(keys["values"], column["values"], strict=True)
                if value is not None
            ]
            if latest:
                pairs = [("", pairs[-1][1])] if pairs else []
            found.setdefault(column["name"], {}).update(pairs)
    return found


def agree(shown: dict[str, Shown], title: str, expected: Expected, *, missing_is_zero: bool = False) -> None:
    found = series(shown[title])
    for name in expected.keys() | found.keys():
        right, is_there = expected.get(name, {}), found.get(name, {})
        for key in right.keys() | is_there.keys():
            zero = 0 if missing_is_zero else None
            place = (title, name, key, shown[title].queries)
            assert is_there.get(key, zero) == pytest.approx(right.get(key, zero), rel=1e-6, abs=1e-5), place


def bars_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    for title, one in shown.items():
        if one.panel["type"] == "barchart":
            agree(shown, title, oracle.bars(title, one.start), missing_is_zero=True)


def today_agrees(shown: dict[str, Shown], oracle: Oracle) -> None:
    tariffs = {tariff_name(t): {"": oracle.today(f)} for t, f in oracle.registers("import").items()}
    energy = tariffs | {"Export": {"": oracle.energy_today("export")}}
    agree(shown, "Electricity today", energy, missing_is_zero=True)
    gas = oracle.today("gas_m3")
    costs = {
        "Electricity": oracle.energy_today("import", PRICES),
        "Export": -oracle.energy_today("export") * PRICES["export"],
        "Gas": gas * PRICES["gas"],
    }
    everything = {name: {"": cost} for name, cost in (costs | {"Total": sum(costs.values())}).items()}
    agree(shown, "Cost today", everything, missing_is_zero=True)
    agree(shown, "Gas today", {"m³": {"": gas}, "kWh": {"": gas * GAS_KWH}}, missing_is_zero=True)


def power_now(oracle: Oracle) -> Expected:
    return {
        "Import": oracle.now_sum([("power_import_kw", 1)]),
        "Export": oracle.now_sum([("power_export_kw", 1)]),
        "Net": oracle.now_sum([("power_import_kw", 1), ("power_export_kw", -1)]),
    }


def curves_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    curves: dict[str, dict[str, tuple[list[tuple[str, int]], str]]] = {
        "Power": {
            "Import": ([("power_import_kw", 1)], "sum"),
            "Export": ([("power_export_kw", 1)], "sum"),
            "Net": ([("power_import_kw", 1), ("power_export_kw", -1)], "sum"),
        },
        "Power per phase": {
            f"L{n}": ([(f"power_import_l{n}_kw", 1), (f"power_export_l{n}_kw", -1)], "sum") for n in (1, 2, 3)
        },
        "Voltage per phase": {
            f"L{n} {how}": ([(f"voltage_l{n}_v", 1)], how) for n in (1, 2, 3) for how in ("mean", "min", "max")
        },
        "Current per phase": {f"L{n}": ([(f"current_l{n}_a", 1)], "max") for n in (1, 2, 3)},
    }
    for title, lines in curves.items():
        edges = _edges(shown[title], oracle)
        agree_inside(shown, title, {name: oracle.windows(fields, edges, how) for name, (fields, how) in lines.items()})
    edges = _edges(shown["Telegrams per minute"], oracle, 60)
    always = "heat_gj" if oracle.household.name == "warmth" else "power_import_kw"
    counts = oracle.windows([(always, 1)], edges, "count")
    agree_inside(shown, "Telegrams per minute", {"Telegrams": {**dict.fromkeys(dict(edges), 0), **counts}})


def _edges(shown: Shown, oracle: Oracle, width: float | None = None) -> list[tuple[float, float]]:
    """Give the windows of a curve: from each point on in InfluxQL, up to each point in PromQL."""
    step = shown.step
    points = [n * step for n in range(int(shown.start // step), int(shown.end // step) + 1)]
    if not oracle.prometheus:
        return [(point, point + step) for point in points]
    width = width or max(step + 15, 60)
    return [(point, point - width) for point in points]


def agree_inside(shown: dict[str, Shown], title: str, expected: Expected) -> None:
    """Compare all but the first and the last two points, whose windows reach beyond the range."""
    found = series(shown[title])
    step = shown[title].step
    for name in expected.keys() | found.keys():
        right, is_there = (
            {
                key: v
                for key, v in one.get(name, {}).items()
                if shown[title].start + step <= key <= shown[title].end - 2 * step
            }
            for one in (expected, found)
        )
        assert is_there == pytest.approx(right, rel=1e-6, abs=1e-6), (title, name, shown[title].queries)


def hours_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    for title, one in shown.items():
        what, _, per = title.partition(" per hour")
        if " per hour" in title:
            factor = GAS_KWH if per.endswith("kWh") else 1
            found = series(one)
            for name, field in MEDIA[what].items():
                hours = {hour // 3600: grown * factor for hour, grown in oracle.hours(field, one.start).items()}
                is_there = {int(key) // 3600: value for key, value in found.pop(name, {}).items() if value}
                assert is_there == pytest.approx(hours, rel=1e-6, abs=1e-6), (title, one.queries)
            assert not found


def meter_agrees(shown: dict[str, Shown], oracle: Oracle) -> None:
    for title, pattern in (("Meter readings", COUNTERS), ("Power failures, sags and swells", TROUBLES)):
        table = shown[title].frames
        columns = {f["name"]: f["values"] for f in table[0]["fields"]} if table else {}
        meters = columns.pop("meter", [""])
        found = {
            meter.strip("-"): {
                name: float(values[n]) for name, values in columns.items() if values[n] not in (None, "")
            }
            for n, meter in enumerate(meters)
        }
        expected = oracle.readings(shown[title].start, pattern)
        assert {m: v for m, v in found.items() if v} == {m: pytest.approx(v) for m, v in expected.items()}, title


def age_agrees(shown: Shown, oracle: Oracle) -> None:
    times, ages = (one["values"] for one in shown.frames[0]["fields"])
    age = ages[-1] if oracle.prometheus else oracle.now - times[-1] / 1000
    assert age == pytest.approx(oracle.now - oracle.last_time())


def capacity_agrees(shown: dict[str, Shown], oracle: Oracle) -> None:
    quarters_agree(shown, oracle)
    agree(shown, "Month peak", {"Peak": oracle.last("power_import_month_peak_kw", 3600)})
    agree(shown, "Time of the month peak", {"End of the quarter": {"": oracle.month_peak_time() * 1000}})
    # (230522092500S)(04.329*kW)(230619184500S)(05.102*kW)
    agree(shown, "Mean of the last 12 month peaks", {"Mean": {"": 4.716}})


def quarters_agree(shown: dict[str, Shown], oracle: Oracle) -> None:
    one = shown["Quarter-hour demand"]
    quarters = [(n * 900.0, n * 900.0 + 900) for n in range(int(one.start // 900), int(one.end // 900) + 1)]
    demand = oracle.windows([("power_import_quarter_kw", 1)], quarters, "last")
    agree_inside(shown, "Quarter-hour demand", {"Demand": demand})
