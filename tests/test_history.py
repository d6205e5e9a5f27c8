"""The thin measurement beside the records: which of them are in it, and what of each."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.obis.kinds import Field
from telegraf_p1.obis.lookup import DEFAULT
from telegraf_p1.obis.table import ROWS
from telegraf_p1.outputs import definitions_file
from telegraf_p1.outputs.history import History
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.record import Record
from telegraf_p1.simulator.countries import COUNTRIES
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.values import Value
from tests.helpers.telegrams import ROOT, START, records, zone_of

QUARTER = 900
NS = 10**9
WORDS = {"{medium}": "gas", "{unit}": "m3", "{n}": "1"}


class Written:
    """A history, and the lines that it has written."""

    def __init__(self, mapping: Mapping | None = None, seconds: float = QUARTER) -> None:
        self.lines: list[str] = []
        self.writes = 0
        self._history = History(seconds, self._write, mapping or Mapping())

    def _write(self, lines: list[bytes]) -> None:
        self.writes += 1
        self.lines += [line.decode().removesuffix("\n") for line in lines]

    def of(self, *found: Record) -> list[str]:
        """Give what is written of records that come together."""
        before = len(self.lines)
        self._history.output(found)
        return self.lines[before:]

    def seconds(self) -> list[int]:
        return [int(line.rpartition(" ")[2]) // NS for line in self.lines]


def record(second: float, meter: str = "E1", **fields: Value) -> Record:
    """A record as the plain way gives it."""
    tags = {"meter": meter} if meter else {}
    return Record(tags, fields or {"energy_import_kwh": 1, "power_import_kw": 2}, int(second * NS), [])


def known(second: float, meter: str = "E1", **fields: Value) -> Record:
    """The same as the fast way gives it: a line alone."""
    plain = record(second, meter, **fields)
    return Record({}, {}, plain.time_ns, [], f"{lineproto.line(plain)}\n".encode())


def example(field: Field) -> str:
    """Give a name that a value of the field may have."""
    name = field.name
    for word, text in WORDS.items():
        name = name.replace(word, text)
    return name


@pytest.mark.parametrize("make", [record, known])
def test_the_first_record_of_each_quarter_is_written_with_its_own_time(make: Callable[..., Record]) -> None:
    written = Written()
    for second in range(915, 3600, 25):
        written.of(make(second))
    assert written.seconds() == [915, 1815, 2715]
    assert written.lines[0] == "p1_history,meter=E1 energy_import_kwh=1i 915000000000"


def test_quarters_are_those_of_utc_and_another_period_may_be_chosen() -> None:
    written = Written(seconds=60)
    for second in (59, 60, 119, 120):
        written.of(record(second))
    assert written.seconds() == [59, 60, 120]


@pytest.mark.parametrize("make", [record, known])
def test_each_meter_has_its_own_quarters(make: Callable[..., Record]) -> None:
    written = Written()
    written.of(*(make(second, meter) for second in (1, 2) for meter in ("E 1", "E 2", "a, b=c", "")))
    assert [line.partition(" energy")[0] for line in written.lines] == [
        r"p1_history,meter=E\ 1",
        r"p1_history,meter=E\ 2",
        r"p1_history,meter=a\,\ b\=c",
        "p1_history",
    ]


def test_what_is_written_of_a_line_is_what_is_written_of_its_record() -> None:
    texts = ['a "b" c', "energy_import_kwh=7,x=8 9", "\\", 'a\\" energy_import_kwh=1', "ü, =", ""]
    draw = random.Random(16)  # noqa: S311
    fields = {example(field): field for row in ROWS for field in row.fields if field.type != "tag"}
    for _ in range(200):
        values: dict[str, Value] = {}
        for name in draw.sample(sorted(fields), 12):
            values[name] = draw.choice(texts) if fields[name].type == "string" else draw.randint(-5, 5)
        assert Written().of(known(1, "E 1", **values)) == Written().of(record(1, "E 1", **values))


def test_digits_stay_as_they_were_sent() -> None:
    for form in (country.meters[0].form for country in COUNTRIES):
        if form is None:
            continue
        (found,) = records(Meter(form.name).telegram(START), zone_of(form.name))
        (line,) = Written().of(found)
        all_fields = lineproto.line(found).split(" ")[-2].split(",")
        of_line = line.split(" ")[-2].split(",")
        assert of_line == [one for one in all_fields if one in of_line]
        assert any(one.startswith("energy_") for one in of_line)
        assert int(line.rpartition(" ")[2]) == found.time_ns


def test_records_that_come_together_leave_in_one_write_and_none_leaves_in_none() -> None:
    written = Written()
    written.of(record(1), record(1, "E2"), record(2))
    written.of(record(3))
    assert (len(written.lines), written.writes) == (2, 1)


def test_a_record_without_a_counter_has_no_history() -> None:
    for make in (record, known):
        assert Written().of(make(1, power_import_kw=1, message="energy_import_kwh=1 ")) == []


def test_a_clock_that_steps_back_and_a_late_record_silence_no_meter() -> None:
    written = Written()
    for second in (7200, 7201, 3601, 3602, 7202):
        written.of(record(second))
    assert written.seconds() == [7200, 3601, 7202]


def test_it_remembers_ten_thousand_meters_and_their_long_names_cost_no_memory() -> None:
    written = Written()
    topics = [f"{'t' * 60_000}{number}" for number in range(50)]
    assert len(written.of(*(record(1, topic) for topic in topics))) == 50
    assert written.of(*(record(2, topic) for topic in topics)) == []
    written.of(*(record(1, f"E{number}") for number in range(10_000)))
    assert written.of(record(2, "E9999")) == []
    assert len(written.of(record(2, topics[0]))) == 1


def test_all_that_counts_is_in_the_history_and_nothing_else() -> None:
    """Judged by the page for people, which a test keeps equal to the table: by what a name ends in."""
    rows = re.findall(r"^\| `(\S+)` \| (\w+) \| (\S*) \|", (ROOT / "docs" / "fields.md").read_text(), re.MULTILINE)
    judged = {name: DEFAULT.is_of_history(example(Field(name, "float"))) for name, _, _ in rows}
    counts = re.compile(r".*(_kwh|_kvarh|_m3|_gj|_\{unit\})|power_\w+_(month|year)_peak_\w+")
    assert judged == {name: bool(counts.fullmatch(name)) for name, _, _ in rows}
    assert not any(judged[name] for name in ("power_import_kw", "voltage_l1_v", "message", "power_failures"))
    assert {name for name, is_in in judged.items() if is_in and not name.endswith(("kwh", "kvarh", "m3", "gj"))} == {
        "{medium}_{unit}",
        "power_import_month_peak_kw",
        "power_import_month_peak_timestamp",
        "power_export_month_peak_kw",
        "power_export_month_peak_timestamp",
        "power_import_year_peak_average_kw",
        "power_import_year_peak_months",
    }


@pytest.mark.parametrize("name", ["gas_m3", "water_2_m3", "heat_gj", "mbus_3_kwh", "hot_water_energy_kwh", "sub_kwh"])
def test_what_meters_behind_the_electricity_meter_count_is_in_the_history(name: str) -> None:
    assert DEFAULT.is_of_history(name)


@pytest.mark.parametrize("name", ["gas_timestamp", "gas_valve_state", "heat_flow_m3h", "relay_1_state", "unknown_kwh"])
def test_what_else_they_say_is_not(name: str) -> None:
    assert not DEFAULT.is_of_history(name)


def test_a_users_own_names_and_measurements_have_a_history_each(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(
        'measurement = "meters"\n[time]\ngas = "gas_timestamp"\n'
        '[[row]]\nvalue = "gas_m3"\nmeasurement = "gas"\nfield = "volume"\n'
        '[[row]]\nvalue = "tariff"\ntag = "tariff"\n'
        '[[row]]\nreference = "1-0:1.8.0"\nfield = "import"\nunit = "Wh"\n'
        '[[row]]\nreference = "1-0:99.8.1"\nfield = "a.b(c"\nunit = "kVAh"\ntype = "float"\n'
        '[[row]]\nreference = "1-0:1.7.0"\nfield = "power"\n'
    )
    mapping = definitions_file.load(str(path), "p1")
    values: dict[str, Value] = {"gas_m3": 3, "gas_timestamp": 7, "tariff": 2, "energy_import_t1_kwh": 1}
    values |= {"1-0:1.8.0 import": 5, "1-0:1.7.0 power": 4, "1-0:99.8.1 a.b(c": 6}
    written = Written(mapping)
    assert written.of(Record({"meter": "E1"}, values, 8 * NS, [])) == [
        "meters_history,meter=E1,tariff=2 energy_import_t1_kwh=1i,import=5i,a.b(c=6i 8000000000",
        "gas_history volume=3i 8000000000",
    ]
    assert [name for name, _ in mapping.records(Record({}, values, 8 * NS, []))] == ["meters", "gas"]


def test_a_measurement_of_another_name_has_its_history_under_that() -> None:
    mapping = Mapping("my meters")
    plain = Record({"meter": "E1"}, {"energy_import_kwh": 1}, NS, [])
    line = f"{lineproto.line(plain, 'my meters')}\n".encode()
    for one in (plain, Record({}, {}, NS, [], line)):
        assert Written(mapping).of(one) == [r"my\ meters_history,meter=E1 energy_import_kwh=1i 1000000000"]
