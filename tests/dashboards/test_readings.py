"""The readings that the proof of the dashboards remembers."""

from array import array

from tests.dashboards.household import Log
from tests.dashboards.readings import all_readings, first_readings


def test_a_log_is_never_taken_for_one_that_is_gone() -> None:
    for number in range(50):
        log = Log(times=array("q", [0]), columns={"energy": array("d", [number])})
        assert all_readings(log, "energy").values == first_readings(log, "energy").values == [number]
        del log  # the next one may lie at its address
