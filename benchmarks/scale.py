"""How many of each part a number of meters needs, and the cost: calculated from the results of benchmarks/district.py.

A design is a chain of stages. The servers of a stage use a known CPU time per telegram. There are enough servers to
keep each at `BUSY` of its cores at most, or more for another reason: `why` says which. `benchmarks/queues.py` simulates
telegrams in the chain, and so verifies the numbers.
"""

import json
from collections.abc import Mapping
from math import ceil, inf
from pathlib import Path
from typing import Any, Final, NamedTuple

RESULTS: Final = Path(__file__).with_name("district.json")

BUSY: Final = 0.5  # of a part's cores: the rest is for peaks, for catching up, and for replacing a part that has died
# Assumptions, none of them measured.
CONNECTIONS: Final = 50_000  # per MQTT broker; 10,000 were measured
NODE_CORES: Final = 8  # per node of Kafka or of a database
NODE_GIB: Final = 32
LEAST_NODES: Final = 3  # of Kafka: each partition has three copies
LEAST_MEMBERS: Final = 3  # of a group: two can take over the work of one that has died
CORE_HOUR: Final = 0.03  # euro, with 4 GiB of memory
CORE_HOUR_RANGE: Final = (0.01, 0.06)
GB_MONTH: Final = 0.05  # euro, of disk
GB_MONTH_RANGE: Final = (0.02, 0.12)
GIB_A_CORE: Final = 4
DAYS: Final = 30  # for which all telegrams are kept; the history is kept longer
DAY_S: Final = 86_400
MONTH_H: Final = 730
HISTORY_S: Final = 900
# Overhead of a telegram in MQTT 5: topic and time, packet header; TCP/IP and TLS for it and for its acknowledgement.
WRAPPED_BYTES: Final = 40 + 4 + 2 * 52 + 2 * 22

# Reasons for the number of servers.
CPU, CONNECTED, MEMORY, LEAST, COPIES, GROUP = "CPU", "connections", "memory", "at least 1", "3 copies", "a group of 3"
OF_BROKER: Final = "one for each broker"
OF_TELEGRAF: Final = "one for each Telegraf"
PACE: Final = "what may be on its way"


class Costs(NamedTuple):
    """The cost of a telegram in s of CPU time and in bytes, and what each part needs anyway. All of it is measured."""

    telegram_bytes: float
    broker_s: float
    broker_connection_bytes: float
    kafka_s: float  # of all copies together
    kafka_bytes: float  # of one copy
    kafka_node_bytes: float
    bridge_s: float  # a Telegraf from MQTT to Kafka
    bridge_rate: float  # telegrams per second that one can pass on, since the number in flight is limited
    mqtt_plugin_s: float
    kafka_plugin_s: float
    plugin_bytes: float
    telegraf_s: float
    telegraf_bytes: float
    telegraf_disk_rate: float  # records per second that one Telegraf accepts with its buffer on disk
    store_s: float
    store_base_bytes: float
    store_meter_bytes: float
    stored_bytes: float  # of a telegram in 10 s
    stored_seldom_bytes: float  # of a telegram in 15 minutes
    history_bytes: float
    mqtt_back_s: float  # the longest wait of a telegram after a plugin was killed
    kafka_back_s: float


class Stage(NamedTuple):
    """Servers side by side; `service_s` is CPU time per telegram, `cores` is per server."""

    name: str
    servers: int
    service_s: float
    why: str
    cores: int = 1

    def busy(self, rate: float) -> float:
        """Return which part of its cores is busy."""
        return rate * self.service_s / (self.servers * self.cores)


class Size(NamedTuple):
    """The number of meters; the s from one telegram of a meter to the next, and to the next one that is stored."""

    meters: int
    interval_s: int
    stored_s: int

    @property
    def rate(self) -> float:
        """Telegrams per second."""
        return self.meters / self.interval_s


class Design(NamedTuple):
    """What a number of meters needs."""

    size: Size
    stages: tuple[Stage, ...]
    partitions: int
    telegrafs_on_disk: int  # their number if buffers are on disk, instead of the one in `stages`
    back_s: float  # until the work of a plugin that has died is taken over
    cores: float
    memory_bytes: float
    disk_bytes: float
    network_bytes_s: float

    def servers(self, *names: str) -> int:
        """Return the number of servers in these stages."""
        return sum(stage.servers for stage in self.stages if stage.name in names)

    def euro_a_month(self, core_hour: float = CORE_HOUR, gb_month: float = GB_MONTH) -> float:
        """Return the price of the cores (more, if the memory requires that) and of the disks."""
        cores = max(self.cores, self.memory_bytes / GIB_A_CORE / 2**30)
        return cores * MONTH_H * core_hour + self.disk_bytes / 1e9 * gb_month


BROKERS, BRIDGES, KAFKA, PLUGINS, TELEGRAFS, STORES = "brokers", "bridges", "Kafka", "plugins", "Telegrafs", "databases"
SIZES: Final = (
    *(Size(meters, interval, interval) for meters in (1, 1000, 100_000, 10_000_000) for interval in (900, 10, 1)),
    *(Size(meters, 10, HISTORY_S) for meters in (100_000, 10_000_000)),
)


def costs(rows: Mapping[str, Mapping[str, Any]], store: str = "victoria-metrics") -> Costs:
    """Take the costs from the rows of the benchmark; if Kafka was not measured, it costs 0, and the page says so."""
    mqtt, held, away = rows["live mosquitto 1s 2"], rows["backlog mosquitto 1"], rows["kills mosquitto"]
    kafka, copies = rows.get("live kafka 1s 2", {}), rows.get("copies kafka 2", {})
    telegraf, database = rows["telegraf influxdb memory"], rows[f"store {store}"]
    wide = database["wide_lines"] / database["wide_each"]
    return Costs(
        telegram_bytes=held["telegram_bytes"],
        broker_s=mqtt["broker_us"] / 1e6,
        broker_connection_bytes=mqtt["broker_mib"] * 2**20 / mqtt["rate"],
        kafka_s=(copies.get("filling_us", 0) + copies.get("broker_us", 0)) / 1e6,
        kafka_bytes=rows.get("backlog kafka 1", {}).get("disk_bytes", 0),
        kafka_node_bytes=copies.get("broker_mib", 0) * 2**20,
        bridge_s=rows.get("telegraf bridge", {}).get("us", 0) / 1e6,
        bridge_rate=rows.get("telegraf bridge", {}).get("lines_s", inf),
        mqtt_plugin_s=mqtt["plugins_us"] / 1e6,
        kafka_plugin_s=kafka.get("plugins_us", mqtt["plugins_us"]) / 1e6,
        plugin_bytes=mqtt["plugin_mib"] * 2**20,
        telegraf_s=telegraf["us"] / 1e6,
        telegraf_bytes=telegraf["mib"] * 2**20,
        telegraf_disk_rate=rows["telegraf influxdb disk"]["lines_s"],
        store_s=database["long_us"] / 1e6,
        store_base_bytes=database["base_mib"] * 2**20,
        store_meter_bytes=max(0.0, database["wide_memory_bytes"] / wide),
        stored_bytes=database["long_bytes"],
        stored_seldom_bytes=database["every_bytes"],
        history_bytes=database["history_bytes"],
        mqtt_back_s=away["delay_longest_s"],
        kafka_back_s=rows.get("away kafka", {}).get("delay_longest_s", away["delay_longest_s"]),
    )


def design(size: Size, cost: Costs) -> Design:
    """Return the smallest design that keeps up."""
    rate, stored = size.rate, size.meters / size.stored_s
    brokers = _brokers(size, cost)
    has_kafka = rate > most(cost.broker_s)
    stages = [brokers] if size.meters > 1 else []
    if has_kafka:
        stages.append(_at_least(_stage(BRIDGES, rate, cost.bridge_s), ceil(rate / cost.bridge_rate / BUSY), PACE))
        stages.append(_at_least(_stage(KAFKA, rate, cost.kafka_s, NODE_CORES), LEAST_NODES, COPIES))
    plugins = _stage(PLUGINS, rate, cost.kafka_plugin_s if has_kafka else cost.mqtt_plugin_s)
    # The plugin drops what is not stored, so it never comes to these.
    telegrafs, databases = _stage(TELEGRAFS, stored, cost.telegraf_s), _databases(size, cost)
    plugins = _at_least(plugins, telegrafs.servers, OF_TELEGRAF)
    plugins = _at_least(plugins, LEAST_MEMBERS, GROUP) if has_kafka else _at_least(plugins, brokers.servers, OF_BROKER)
    stages += [plugins, telegrafs, databases]
    return Design(
        size,
        tuple(stages),
        partitions=_partitions(plugins.servers) if has_kafka else 0,
        telegrafs_on_disk=max(telegrafs.servers, ceil(stored / cost.telegraf_disk_rate / BUSY)),
        back_s=cost.kafka_back_s if has_kafka else cost.mqtt_back_s,
        cores=max(1, sum(flow(stage, size) * stage.service_s / BUSY for stage in stages)),
        memory_bytes=sum(_memory(stage, size, cost) for stage in stages),
        disk_bytes=_disk(size, cost) + has_kafka * rate * DAY_S * cost.kafka_bytes * LEAST_NODES,
        network_bytes_s=rate * (cost.telegram_bytes + WRAPPED_BYTES) * (size.meters > 1),
    )


def most(stage_s: float, cores: int = 1) -> float:
    """Return the telegrams per second at which one server is as busy as it may be."""
    return BUSY * cores / stage_s if stage_s else 0.0


def flow(stage: Stage, size: Size) -> float:
    """Return the telegrams per second that come to a stage."""
    return size.meters / size.stored_s if stage.name in (TELEGRAFS, STORES) else size.rate


def _stage(name: str, rate: float, service_s: float, cores: int = 1) -> Stage:
    wanted = ceil(rate * service_s / BUSY / cores)
    return Stage(name, max(1, wanted), service_s, CPU if wanted > 1 else LEAST, cores)


def _at_least(stage: Stage, servers: int, why: str) -> Stage:
    return stage if stage.servers >= servers else stage._replace(servers=servers, why=why)


def _brokers(size: Size, cost: Costs) -> Stage:
    return _at_least(_stage(BROKERS, size.rate, cost.broker_s), ceil(size.meters / CONNECTIONS), CONNECTED)


def _databases(size: Size, cost: Costs) -> Stage:
    stage = _stage(STORES, size.meters / size.stored_s, cost.store_s, NODE_CORES)
    held = ceil(size.meters * cost.store_meter_bytes / (BUSY * NODE_GIB * 2**30))
    return _at_least(stage, held, MEMORY)


def _partitions(plugins: int) -> int:
    """Return a number with several per plugin, so that those of a dead one can be divided evenly."""
    partitions = 12
    while partitions < 3 * plugins:
        partitions *= 2
    return partitions


def _memory(stage: Stage, size: Size, cost: Costs) -> float:
    each = {
        BROKERS: size.meters / stage.servers * cost.broker_connection_bytes,
        BRIDGES: cost.telegraf_bytes,
        KAFKA: cost.kafka_node_bytes,
        PLUGINS: cost.plugin_bytes,
        TELEGRAFS: cost.telegraf_bytes,
        STORES: cost.store_base_bytes + size.meters / stage.servers * cost.store_meter_bytes,
    }
    return each[stage.name] * stage.servers


def _disk(size: Size, cost: Costs) -> float:
    """Return the disk space after a year: the telegrams of a month, and the history of the whole year."""
    each = cost.stored_seldom_bytes if size.stored_s >= HISTORY_S else cost.stored_bytes
    telegrams = size.meters / size.stored_s * DAYS * DAY_S * each
    return telegrams + size.meters * 365 * DAY_S / HISTORY_S * cost.history_bytes


def measured(path: Path = RESULTS) -> dict[str, Any]:
    """Return the results of the benchmark: `machine`, `when`, `is_short`, and `rows` by their names."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found
