"""Twenty seconds of `make soak`."""

from pathlib import Path

from tests.soak import soak

# The first telegrams of each kind fill the caches: after a minute the memory stands still, here not quite.
_WARM_UP_S = 8.0
_GROWTH_KIB = 1024


def test_a_torn_line_costs_nothing_but_what_was_damaged(tmp_path: Path) -> None:
    both = soak(tmp_path, 20, outage_every_s=3)
    assert [fault for side in both for fault in side.faults(_WARM_UP_S, _GROWTH_KIB)] == []
    for side in both:
        assert side.came > 500
        assert side.damaged > 50
        assert side.outages > 2
