"""Writes docs/scale.md: the template beside this file, filled with measured and calculated tables and figures."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import scale
from benchmarks.queues import TICK_S, run
from benchmarks.results import ROOT, Section
from benchmarks.scale import BRIDGES, BROKERS, CPU, KAFKA, PLUGINS, SIZES, STORES, TELEGRAFS, Costs, Design, Stage

PAGE: Final = ROOT / "docs" / "scale.md"
_TEMPLATE: Final = Path(__file__).with_name("scale.template.md")
_HOUR: Final = 3_600_000  # telegrams, at 1,000 a second
_SHORT: Final = (
    "**These figures come from a short try on a busy computer, not from `make district`: they show that all of it "
    "works, and nothing else.**\n\n"
)
_WORDS: Final = {"mosquitto": "mosquitto", "kafka": "Kafka", "influxd": "InfluxDB 1", "influxdb2": "InfluxDB 2"}
_WORDS_OF_STORES: Final = _WORDS | {"victoria-metrics": "VictoriaMetrics"}
_EACH: Final = {BROKERS: "one mosquitto", PLUGINS: "one plugin", TELEGRAFS: "one Telegraf", BRIDGES: "one bridge"}

Rows = Mapping[str, Mapping[str, Any]]
Cells = list[list[str]]


def page(found: Mapping[str, Any]) -> str:
    """Write the page from the results of the benchmark."""
    rows, when = found["rows"], f"Measured {found['when']}"
    cost = scale.costs(rows)
    designs = [scale.design(size, cost) for size in SIZES]
    tables = {
        "live": (_LIVE, live(rows)),
        "backlog": (_BACKLOG, backlog(rows)),
        "failures": (_FAILURES, failures(rows)),
        "telegraf": (_TELEGRAF, telegraf(rows)),
        "stores": (_STORES, stores(rows)),
        "scale": (_SCALE, [parts(design) for design in designs]),
        "money": (_MONEY, [money(design) for design in designs if design.size.meters > 1]),
        "limits": (_LIMITS, limits(cost)),
        "simulation": (_SIMULATION, [simulated(design) for design in designs if design.size.meters > 1]),
    }
    calculated = ("scale", "money", "limits", "simulation")
    filled = {
        name: _table(head, cells, "Calculated from what was measured" if name in calculated else when)
        for name, (head, cells) in tables.items()
    }
    text = _TEMPLATE.read_text().format(
        machine=found["machine"],
        note=_SHORT if found["is_short"] else "",
        **filled,
        **_figures(rows, cost),
    )
    return text.rstrip() + "\n"


_LIVE: Final = (
    *("via", "telegrams/s", "plugins", "lines/s", "CPU µs per telegram: broker", "plugins", "reader"),
    *("cores busy: publisher", "broker", "plugins", "delay", "99 %", "MiB: broker", "each plugin"),
    *("lost", "duplicates"),
)
_BACKLOG: Final = (
    *("broker", "plugins", "waiting", "bytes per telegram: memory", "disk", "lines/s"),
    *("CPU µs per telegram: broker, receiving", "sending", "plugins"),
    *("time for an hour's backlog (calculated)", "lost", "duplicates"),
)
_FAILURES: Final = ("failure", "telegrams", "lost", "duplicates", "waited over 1 s", "longest delay")
_TELEGRAF: Final = ("output of Telegraf", "buffer", "CPU µs per record", "records/s", "MiB")
_STORES: Final = (
    *("database", "CPU µs per record: few meters", "many meters", "`p1_history`", "telegrams/s"),
    *("disk bytes per record: every 10 s", "every 15 min", "`p1_history`", "MiB with many meters"),
)
_SCALE: Final = (
    *("meters", "sent every", "stored every", "telegrams/s", "MQTT brokers", "bridges", "Kafka nodes", "partitions"),
    *("plugins", "Telegrafs", "Telegrafs, buffer on disk", "databases", "cores", "memory"),
)
_MONEY: Final = (
    *("meters", "sent every", "stored every", "network a day", "disk, after a year", "€ a month", "from … to"),
    "€ per meter and year",
)
_LIMITS: Final = ("part", "telegrams/s", "meters that send every 1 s", "every 10 s", "every 15 min")
_SIMULATION: Final = (
    *("meters", "sent every", "stored every", "busiest part", "busy", "with one fewer", "longest wait"),
    "time to catch up after a failure",
)


def live(rows: Rows) -> Cells:
    """Return the rows for live meters."""
    cells = []
    for name, row in _named(rows, "live"):
        _, transport, _, plugins = name.split()
        cells.append(
            [
                *(_WORDS[transport], _count(row["rate"]), plugins, _count(row["lines_s"])),
                *(_digits(row[f"{part}_us"]) for part in ("broker", "plugins", "readers")),
                *(f"{row[f'{part}_core']:.2f}" for part in ("publisher", "broker", "plugins")),
                *(_time(row["delay_s"]), _time(row["delay_99_s"]), _digits(row["broker_mib"])),
                *(_digits(row["plugin_mib"]), str(row["lost"]), str(row["twice"])),
            ]
        )
    return cells


def backlog(rows: Rows) -> Cells:
    """Return the rows for telegrams that waited."""
    return [
        [
            _WORDS[name.split()[1]] + ", three copies" * (name.split()[0] == "copies"),
            *(name.split()[2], _count(row["waiting"])),
            *("-" if "kafka" in name else _count(row["memory_bytes"]), _count(row["disk_bytes"])),
            *(_count(row["lines_s"]), _digits(row["filling_us"])),
            *(_digits(row["broker_us"]), _digits(row["plugins_us"])),
            *(_time(_HOUR / row["lines_s"]), str(row["lost"]), str(row["twice"])),
        ]
        for name, row in (*_named(rows, "backlog"), *_named(rows, "copies"))
    ]


def failures(rows: Rows) -> Cells:
    """Return what was lost when something was killed."""
    what = {
        "kills": "{broker}: one of {members} plugins killed {kills} times, restarted after {back_s} s",
        "away": "{broker}: one of {members} plugins killed, restarted after {back_s} s",
        "node": "{broker}: one of {nodes} brokers killed and not restarted",
    }
    return [
        [
            what[name.split()[0]].format(broker=_WORDS[name.split()[1]], **row),
            *(_count(row["published"]), str(row["lost"]), str(row["twice"])),
            *(f"{row['delayed'] * 100:.1f} %", _time(row["delay_longest_s"])),
        ]
        for kind in what
        for name, row in _named(rows, kind)
    ]


def telegraf(rows: Rows) -> Cells:
    """Return the cost of Telegraf."""
    cells = []
    for name, row in _named(rows, "telegraf"):
        _, output, *buffer = name.split()
        text = "Kafka, from MQTT (a bridge)" if output == "bridge" else f"`outputs.{output}`"
        cells.append(
            [text, " ".join(buffer) or "memory", _digits(row["us"]), _count(row["lines_s"]), _digits(row["mib"])]
        )
    return cells


def stores(rows: Rows) -> Cells:
    """Return the cost of databases, and the space that they need."""
    return [
        [
            _WORDS_OF_STORES[name.split()[1]],
            *(_digits(row[f"{what}_us"]) for what in ("long", "wide", "history")),
            *(_count(row["long_lines_s"]), *(_count(row[f"{what}_bytes"]) for what in ("long", "every", "history"))),
            _digits(row["wide_mib"]),
        ]
        for name, row in _named(rows, "store")
    ]


def parts(design: Design) -> list[str]:
    """Return the parts of a design; `-` for those that it does not have."""
    counts = [design.servers(name) for name in (BROKERS, BRIDGES, KAFKA, PLUGINS, TELEGRAFS, STORES)]
    cells = [f"{count:,}" if count else "-" for count in counts]
    cells.insert(3, f"{design.partitions:,}" if design.partitions else "-")
    cells.insert(6, f"{design.telegrafs_on_disk:,}")
    return [*_size(design), *cells, _digits(design.cores), _bytes(design.memory_bytes)]


def money(design: Design) -> list[str]:
    """Return the network traffic, the disk space and the price of a design."""
    euro = design.euro_a_month()
    edges = zip(scale.CORE_HOUR_RANGE, scale.GB_MONTH_RANGE, strict=True)
    low, high = (design.euro_a_month(*prices) for prices in edges)
    day = design.network_bytes_s * scale.DAY_S
    cells = [*_size(design)[:3], _bytes(day), _bytes(design.disk_bytes)]
    return [*cells, _digits(euro), f"{_digits(low)} … {_digits(high)}", _digits(euro * 12 / design.size.meters)]


def limits(cost: Costs) -> Cells:
    """Return the limit of each part: the rate at which one is as busy as it may be."""
    services = {BROKERS: cost.broker_s, PLUGINS: cost.mqtt_plugin_s, TELEGRAFS: cost.telegraf_s}
    services |= {BRIDGES: cost.bridge_s} if cost.bridge_s else {}
    found = {_EACH[name]: scale.most(service) for name, service in services.items()}
    found |= {_EACH[BRIDGES]: min(found[_EACH[BRIDGES]], scale.BUSY * cost.bridge_rate)} if cost.bridge_s else {}
    cores = f"{scale.NODE_CORES} cores"
    if cost.kafka_s:
        found[f"three nodes of Kafka, each with {cores}"] = 3 * scale.most(cost.kafka_s, scale.NODE_CORES)
    found[f"one VictoriaMetrics with {cores}"] = scale.most(cost.store_s, scale.NODE_CORES)
    cells = [[name, *(_count(rate * seconds) for seconds in (1, 1, 10, 900))] for name, rate in found.items()]
    held = scale.BUSY * scale.NODE_GIB * 2**30 / cost.store_meter_bytes
    return [*cells, [f"the same with {scale.NODE_GIB} GiB of memory, half full", "-", *[_count(held)] * 3]]


def bottleneck(design: Design) -> Stage | None:
    """Return the busiest stage of those whose number of servers depends on CPU time."""
    busy = {stage: stage.busy(scale.flow(stage, design.size)) for stage in design.stages if stage.why == CPU}
    return max(busy, key=busy.__getitem__) if busy else None


def with_one_fewer(design: Design, stage: Stage) -> Design:
    """Return the same design with one server fewer in a stage."""
    fewer = stage._replace(servers=stage.servers - 1)
    return design._replace(stages=tuple(fewer if one == stage else one for one in design.stages))


def simulated(design: Design) -> list[str]:
    """Return the results of simulating a design."""
    outcome, stage = run(design), bottleneck(design)
    name = stage.name if stage else max(outcome.busy, key=outcome.busy.__getitem__)
    fewer = f"{run(with_one_fewer(design, stage)).busy[name] * 100:.1f} %" if stage else "-"
    cells = [*_size(design)[:3], name, f"{outcome.busy[name] * 100:.1f} %", fewer]
    waits = _time(outcome.waiting_s) if outcome.waiting_s else f"under {TICK_S} s"
    return [*cells, waits, _time(outcome.caught_up_s)]


def _figures(rows: Rows, cost: Costs) -> dict[str, str]:
    """Return the figures in the text."""
    lost = sum(int(row.get("lost", 0)) for row in rows.values())
    late = max(row["publisher_late_s"] for _, row in _named(rows, "live"))
    disk = rows["telegraf influxdb disk"]
    kafka = rows.get("away kafka", {})
    node = rows.get("node kafka", {})
    return {
        "telegram": _count(cost.telegram_bytes),
        "wire": _count(cost.telegram_bytes + scale.WRAPPED_BYTES),
        "lost": "none was lost" if not lost else f"{lost} were lost",
        "late": _time(late),
        "mqtt_most": _count(scale.most(cost.broker_s)),
        "mqtt_plugin_us": _digits(cost.mqtt_plugin_s * 1e6),
        "kafka_plugin_us": _digits(cost.kafka_plugin_s * 1e6),
        "plugin_most": _count(scale.most(cost.mqtt_plugin_s)),
        "telegraf_us": _digits(cost.telegraf_s * 1e6),
        "telegraf_disk_us": _digits(disk["us"]),
        "telegraf_disk_rate": _count(disk["lines_s"]),
        "bridge_rate": _count(rows["telegraf bridge"]["lines_s"]) if cost.bridge_s else "(not measured)",
        "mqtt_waits": _count(rows["backlog mosquitto 1"]["memory_bytes"]),
        "mqtt_hour": _bytes(rows["backlog mosquitto 1"]["memory_bytes"] * _HOUR),
        "mqtt_back": _time(cost.mqtt_back_s),
        "kafka_back": _time(kafka["delay_longest_s"]) if kafka else "(not measured)",
        "node_back": _time(node["delay_longest_s"]) if node else "(not measured)",
        "meters": _count(rows["live mosquitto 1s 2"]["rate"]),
        "many": _count(rows["store victoria-metrics"]["wide_lines"] / rows["store victoria-metrics"]["wide_each"]),
        "busy": f"{scale.BUSY * 100:.0f} %",
        "connections": _count(scale.CONNECTIONS),
        "core_hour": f"{scale.CORE_HOUR} € ({scale.CORE_HOUR_RANGE[0]} to {scale.CORE_HOUR_RANGE[1]})",
        "gb_month": f"{scale.GB_MONTH} € ({scale.GB_MONTH_RANGE[0]} to {scale.GB_MONTH_RANGE[1]})",
        "cores": str(scale.NODE_CORES),
        "gib": str(scale.NODE_GIB),
        "days": str(scale.DAYS),
    }


def _table(head: Iterable[str], cells: Cells, when: str) -> str:
    """Write a table without a heading."""
    section = Section("", "", list(head), cells, when=when, machine="")
    return "\n".join(section.lines()[4:]).rstrip()


def _named(rows: Rows, kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the rows of a kind: mosquitto before Kafka, then by rate."""
    found = [(name, row) for name, row in rows.items() if name.split()[0] == kind]
    return sorted(found, key=lambda one: ("kafka" in one[0], one[1].get("rate", 0), one[0]))


def _size(design: Design) -> list[str]:
    size = design.size
    rate = _count(size.rate) if size.rate >= 1 else f"{size.rate:.2g}"
    return [f"{size.meters:,}", _interval(size.interval_s), _interval(size.stored_s), rate]


def _interval(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value < 100_000 else f"{float(f'{value:.3g}'):,.0f}"


def _digits(value: float) -> str:
    """Format a number with about three digits."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def _time(seconds: float) -> str:
    if seconds < 0.995:
        return f"{_digits(seconds * 1e3)} ms"
    return (
        f"{seconds:.1f} s"
        if seconds < 100
        else f"{seconds / 60:.1f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5:
            return f"{_digits(value)} {unit}"
        value /= 1000
    return f"{_digits(value)} PB"
