"""The table of docs/scale.md: the simulation confirms each of its rows, and the page is what the benchmark found."""

from functools import cache
from math import sqrt

import pytest

from benchmarks import scale
from benchmarks.queues import TICK_S, run
from benchmarks.scale import BUSY, PLUGINS, SIZES, Costs, Design, Size
from benchmarks.scale_page import PAGE, bottleneck, page, with_one_fewer

NOISE = 0.02  # of a simulation of two minutes

FOUND = scale.measured()
ALL = pytest.mark.parametrize("size", SIZES, ids=str)


@cache
def cost() -> Costs:
    return scale.costs(FOUND["rows"])


def design(size: Size) -> Design:
    return scale.design(size, cost())


def test_the_page_is_what_was_measured_and_calculated() -> None:
    assert PAGE.read_text() == page(FOUND), "scripts/write-scale writes it"


@ALL
def test_each_design_of_the_table_keeps_up_in_the_simulation(size: Size) -> None:
    outcome = run(design(size))
    for stage in design(size).stages:
        calculated = stage.busy(scale.flow(stage, size))
        assert calculated <= BUSY
        if size.rate > 10:  # below, a few telegrams more or less make the difference
            chance = NOISE + 3 / sqrt(30 * size.rate)  # of so many telegrams
            assert outcome.busy[stage.name] == pytest.approx(calculated, rel=chance), stage.name
    assert max(outcome.busiest.values()) < 1
    assert outcome.waiting_s < 1
    assert outcome.left < 1


@ALL
def test_with_one_fewer_of_the_busiest_part_less_is_left_than_is_to_be(size: Size) -> None:
    stage = bottleneck(design(size))
    if stage:
        outcome = run(with_one_fewer(design(size), stage))
        assert outcome.busy[stage.name] > BUSY * (1 - NOISE)
    else:
        assert all(one.why != scale.CPU for one in design(size).stages)


@ALL
def test_a_plugin_that_dies_is_caught_up_with(size: Size) -> None:
    outcome = run(design(size))
    assert outcome.caught_up_s <= 4 * design(size).back_s + 1
    if size.rate > 10:
        assert outcome.caught_up_s >= design(size).back_s


def test_a_plugin_that_is_never_replaced_leaves_its_share_waiting() -> None:
    dead_for_ever = design(Size(1000, 1, 1))._replace(back_s=1e9)
    assert run(dead_for_ever).left > 1


def test_twice_as_slow_a_plugin_needs_twice_as_many() -> None:
    times = [cost()._replace(kafka_plugin_s=seconds, telegraf_s=1e-6) for seconds in (1e-3, 2e-3)]
    one, two = (scale.design(Size(10_000_000, 1, 1), each).servers(PLUGINS) for each in times)
    assert (one, two) == (20_000, 40_000)


def test_each_telegraf_has_a_plugin() -> None:
    slow = scale.design(Size(10_000_000, 1, 1), cost()._replace(kafka_plugin_s=1e-6, telegraf_s=1e-3))
    assert slow.servers(PLUGINS) == slow.servers(scale.TELEGRAFS) == 20_000


def test_a_part_that_has_no_time_left_grows_a_queue() -> None:
    full = design(Size(10_000_000, 1, 1))
    stage = bottleneck(full)
    assert stage
    third = stage._replace(servers=max(1, stage.servers // 3))
    outcome = run(full._replace(stages=tuple(third if one == stage else one for one in full.stages)))
    assert outcome.waiting_s > 10 * TICK_S
    assert outcome.left > 1


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert run(design(SIZES[4])) == run(design(SIZES[4]))
    assert run(design(SIZES[4]), seed=2) != run(design(SIZES[4]))


def test_what_is_stored_seldom_needs_fewer_telegrafs_and_less_disk() -> None:
    all_of_them, few = design(Size(10_000_000, 10, 10)), design(Size(10_000_000, 10, scale.HISTORY_S))
    assert few.servers(scale.TELEGRAFS) < all_of_them.servers(scale.TELEGRAFS)
    assert few.servers(scale.STORES) <= all_of_them.servers(scale.STORES)  # each meter has its series all the same
    assert few.cores < all_of_them.cores
    assert few.disk_bytes < all_of_them.disk_bytes
