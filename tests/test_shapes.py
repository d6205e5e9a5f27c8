"""The fast way says what the plain way says."""

import pytest

from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from tests.helpers.telegrams import GOLDEN, SHARED, START, zone_of
from tests.helpers.two_ways import compare

SOURCES = [(zone_of(form), Meter(form).telegram(START)) for form in FORMS]
SOURCES += [(zone_of(path.name), path.read_bytes()) for path in [*GOLDEN, *sorted(SHARED.glob("good/*.telegram"))]]
SOURCES = [(zone, telegram) for zone, telegram in SOURCES if b"!" in telegram and len(telegram) < 8000]


@pytest.mark.parametrize("seed", range(400))
def test_changed_telegrams_give_the_same_either_way(seed: int) -> None:
    compare(seed, SOURCES)
