"""How many of each part so many meters need, and what that costs: calculated from what benchmarks/district.py measured.

A design is a chain of stages. Each has servers that take so much CPU time for a telegram, and there are as many of them
as keep each at `BUSY` of its cores at most, or as something else asks for: `why` says what. `benchmarks/queues.py` lets
telegrams run through the chain, and so proves the numbers.
"""

import json
from collections.abc import Mapping
from math import ceil, inf
from pathlib import Path
from typing import Any, Final, NamedTuple

RESULTS: Final = Path(__file__).with_name("district.json")

BUSY: Final = 0.5  # of the cores of a part: what is left is for peaks, for catching up, and for a part that has died
# Assumptions, none of them measured.
CONNECTIONS: Final = 50_000  # of one MQTT broker; 10,000 were measured
NODE_CORES: Final = 8  # of a node of Kafka or of a database
NODE_GIB: Final = 32
LEAST_NODES: Final = 3  # of Kafka: each partition has three copies
LEAST_MEMBERS: Final = 3  # of a group: two can do the work of one that has died
CORE_HOUR: Final = 0.03  # euro, with 4 GiB of memory
CORE_HOUR_RANGE: Final = (0.01, 0.06)
GB_MONTH: Final = 0.05  # euro, of disk
GB_MONTH_RANGE: Final = (0.02, 0.12)
GIB_A_CORE: Final = 4
DAYS: Final = 30  # for which all telegrams are kept; the history stays
DAY_S: Final = 86_400
MONTH_H: Final = 730
HISTORY_S: Final = 900
# Of a telegram as MQTT 5 sends it: topic, time and the packet's head; TCP and IP of it and of its answer; TLS of both.
WRAPPED_BYTES: Final = 40 + 4 + 2 * 52 + 2 * 22

# Why there are so many of a part.
CPU, CONNECTED, MEMORY, LEAST, COPIES, GROUP = "CPU", "connections", "memory", "at least 1", "3 copies", "a group of 3"
OF_BROKER: Final = "one for each broker"
OF_TELEGRAF: Final = "one for each Telegraf"
PACE: Final = "what may be on its way"


class Costs(NamedTuple):
    """What a telegram costs: s of CPU time and bytes; and what a part needs by itself. All of it measured."""

    telegram_bytes: float
    broker_s: float
    broker_connection_bytes: float
    kafka_s: float  # of all copies together
    kafka_bytes: float  # of one copy
    kafka_node_bytes: float
    bridge_s: float  # a Telegraf from MQTT to Kafka
    bridge_rate: float  # telegrams a second that one hands on, since so many may be on their way
    mqtt_plugin_s: float
    kafka_plugin_s: float
    plugin_bytes: float
    telegraf_s: float
    telegraf_bytes: float
    telegraf_disk_rate: float  # records a second that one Telegraf takes with its buffer on disk
    store_s: float
    store_base_bytes: float
    store_meter_bytes: float
    stored_bytes: float  # of a telegram in 10 s
    stored_seldom_bytes: float  # of a telegram in 15 minutes
    history_bytes: float
    mqtt_back_s: float  # the longest that a telegram waited when a plugin was killed
    kafka_back_s: float


class Stage(NamedTuple):
    """Servers side by side; `service_s` is CPU time for a telegram, `cores` those of each server."""

    name: str
    servers: int
    service_s: float
    why: str
    cores: int = 1

    def busy(self, rate: float) -> float:
        """Give which part of its cores works."""
        return rate * self.service_s / (self.servers * self.cores)


class Size(NamedTuple):
    """How many meters there are; the s from one telegram of each to its next, and to the next that is stored."""

    meters: int
    interval_s: int
    stored_s: int

    @property
    def rate(self) -> float:
        """Telegrams a second."""
        return self.meters / self.interval_s


class Design(NamedTuple):
    """What a size needs."""

    size: Size
    stages: tuple[Stage, ...]
    partitions: int
    telegrafs_on_disk: int  # in place of those in `stages`, with their buffers on disk
    back_s: float  # after which somebody does the work of a plugin that has died
    cores: float
    memory_bytes: float
    disk_bytes: float
    network_bytes_s: float

    def servers(self, *names: str) -> int:
        """Give how many there are of these parts."""
        return sum(stage.servers for stage in self.stages if stage.name in names)

    def euro_a_month(self, core_hour: float = CORE_HOUR, gb_month: float = GB_MONTH) -> float:
        """Give the price of the cores, or of the memory where that needs more of them, and of the disks."""
        cores = max(self.cores, self.memory_bytes / GIB_A_CORE / 2**30)
        return cores * MONTH_H * core_hour + self.disk_bytes / 1e9 * gb_month


BROKERS, BRIDGES, KAFKA, PLUGINS, TELEGRAFS, STORES = "brokers", "bridges", "Kafka", "plugins", "Telegrafs", "databases"
SIZES: Final = (
    *(Size(meters, interval, interval) for meters in (1, 1000, 100_000, 10_000_000) for interval in (900, 10, 1)),
    *(Size(meters, 10, HISTORY_S) for meters in (100_000, 10_000_000)),
)


def costs(rows: Mapping[str, Mapping[str, Any]], store: str = "victoria-metrics") -> Costs:
    """Take them from the rows of the benchmark; where Kafka was not measured it costs nothing, and the page says so."""
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
    """Give the least that keeps up."""
    rate, stored = size.rate, size.meters / size.stored_s
    brokers = _brokers(size, cost)
    has_kafka = rate > most(cost.broker_s)
    stages = [brokers] if size.meters > 1 else []
    if has_kafka:
        stages.append(_at_least(_stage(BRIDGES, rate, cost.bridge_s), ceil(rate / cost.bridge_rate / BUSY), PACE))
        stages.append(_at_least(_stage(KAFKA, rate, cost.kafka_s, NODE_CORES), LEAST_NODES, COPIES))
    plugins = _stage(PLUGINS, rate, cost.kafka_plugin_s if has_kafka else cost.mqtt_plugin_s)
    # What is not stored is let go by the plugin: it never comes to these.
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
    """Give the telegrams a second at which one server is as busy as it may be."""
    return BUSY * cores / stage_s if stage_s else 0.0


def flow(stage: Stage, size: Size) -> float:
    """Give the telegrams a second that come to a stage."""
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
    """Give some for each plugin, so that those of one that dies can be dealt evenly."""
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
    """Give what a year keeps: telegrams of a month, and of all of it the thin history."""
    each = cost.stored_seldom_bytes if size.stored_s >= HISTORY_S else cost.stored_bytes
    telegrams = size.meters / size.stored_s * DAYS * DAY_S * each
    return telegrams + size.meters * 365 * DAY_S / HISTORY_S * cost.history_bytes


def measured(path: Path = RESULTS) -> dict[str, Any]:
    """Give what the benchmark has found: `machine`, `when`, `is_short`, and `rows` by their names."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found
