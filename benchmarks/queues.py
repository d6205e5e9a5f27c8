"""Simulates a design of `benchmarks/scale.py`: telegrams go from stage to stage, and wait where servers are busy.

Time passes in ticks. Meters send at random times. The telegrams of a stage are divided among its servers like
partitions, and like topics by their hash, so that some get more than others. One plugin dies, and its telegrams wait:
at mosquitto until it is back, at Kafka until the others have its partitions. If a stage has many servers, only a shard
is simulated: some of them, with their part of the telegrams. The same seed gives the same numbers.
"""

from math import exp, sqrt
from random import Random
from typing import Final, NamedTuple

from benchmarks.scale import PLUGINS, Design, Stage, flow

TICK_S: Final = 0.1
SECONDS: Final = 120
_DIES_S: Final = 40
_WARM_S: Final = 5
_MOST_SERVERS: Final = 12  # per stage in a shard
_FEW: Final = 30.0  # telegrams in a tick: with more, the normal distribution is close enough


class Outcome(NamedTuple):
    """The result: how busy each stage and its busiest server was before the plugin died, and what its death caused."""

    busy: dict[str, float]
    busiest: dict[str, float]
    waiting_s: float  # before the death, at the worst server: how long it needs for what waits there
    caught_up_s: float  # time after the death until nothing waits except what has just come
    left: float  # how much waits at the end, as a part of the telegrams of a second


class _Servers:
    """The simulated servers of a stage; on average, 1 comes to each in a tick."""

    def __init__(self, stage: Stage, design: Design, random: Random) -> None:
        come = flow(stage, design.size) / stage.servers * TICK_S  # telegrams to each in a tick
        self.load = stage.service_s * come / stage.cores / TICK_S  # the part of a tick that these take
        self._shares = _shares(stage, design, random)
        self.waits = [0.0] * len(self._shares)
        self.worked = [0.0] * len(self._shares)
        self.dead = -1

    def tick(self, come: float) -> float:
        """Take what comes, and return what is done; both are 1 on average."""
        done = 0.0
        for number, share in enumerate(self._shares):
            self.waits[number] += come * share
            if number == self.dead:
                continue
            one = min(self.waits[number], 1 / self.load) if self.load else self.waits[number]
            self.waits[number] -= one
            self.worked[number] += one * self.load
            done += one
        return done / sum(self._shares)

    def end_of_death(self, *, by_others: bool) -> None:
        """Bring the dead server back, or divide its work among the others."""
        dead, self.dead = self.dead, -1
        if by_others:
            others = len(self.waits) - 1
            waits, share = self.waits.pop(dead), self._shares.pop(dead)
            self.waits = [one + waits / others for one in self.waits]
            self._shares = [one + share / others for one in self._shares]

    def longest_s(self) -> float:
        """Return how long the worst server needs for what waits, in s."""
        return max(self.waits) * self.load * TICK_S


def run(design: Design, seed: int = 1) -> Outcome:
    """Simulate a design in which a plugin dies."""
    random = Random(seed)  # noqa: S311  not used for secrets
    stages = {stage.name: _Servers(stage, design, random) for stage in design.stages}
    plugins = stages[PLUGINS]
    part = min(len(stages[stage.name].waits) / stage.servers for stage in design.stages)
    mean = design.size.rate * part * TICK_S
    waiting, caught_up = 0.0, 0.0
    busy: dict[str, list[float]] = {}
    death, warm = round(_DIES_S / TICK_S), round(_WARM_S / TICK_S)
    for tick in range(round(SECONDS / TICK_S)):
        if tick == warm:
            for servers in stages.values():
                servers.worked = [0.0] * len(servers.worked)
        if tick == death:
            busy = {name: [one / (death - warm) for one in servers.worked] for name, servers in stages.items()}
            plugins.dead = 0
        if plugins.dead == 0 and tick >= death + design.back_s / TICK_S:
            plugins.end_of_death(by_others=design.partitions > 0)
        come = _poisson(random, mean) / mean
        for servers in stages.values():
            come = servers.tick(come)
        if warm <= tick < death:
            waiting = max(waiting, *(servers.longest_s() for servers in stages.values()))
        if tick >= death and max(plugins.waits) > 1 / TICK_S:
            caught_up = (tick + 1 - death) * TICK_S
    return Outcome(
        {name: sum(parts) / len(parts) for name, parts in busy.items()},
        {name: max(parts) for name, parts in busy.items()},
        waiting,
        caught_up,
        sum(sum(servers.waits) * TICK_S / len(servers.waits) for servers in stages.values()),
    )


def _shares(stage: Stage, design: Design, random: Random) -> list[float]:
    """Return what comes to each server of a shard, 1 on average."""
    several = min(stage.servers, _MOST_SERVERS)
    spread = sqrt(stage.servers / design.size.meters) if several > 1 else 0.0
    shares = [max(0.1, random.gauss(1, spread)) for _ in range(several)]
    if stage.name == PLUGINS and design.partitions:
        each, more = divmod(design.partitions, stage.servers)
        for number in range(several):
            shares[number] *= each + (number * stage.servers // several < more)
    return [share * several / sum(shares) for share in shares]


def _poisson(random: Random, mean: float) -> float:
    """Return how many come in a tick."""
    if mean > _FEW:
        return max(0.0, random.gauss(mean, sqrt(mean)))
    count, left, end = 0, random.random(), exp(-mean)
    while left > end:
        count += 1
        left *= random.random()
    return count
