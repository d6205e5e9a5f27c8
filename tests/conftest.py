import os
import signal
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

# The machine may be busy, so examples have no deadline.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")

# Assertions in these packages show their values, like those in tests.
pytest.register_assert_rewrite("tests.helpers", "tests.dashboards", "tests.faults")
pytest_plugins = ("tests.helpers.fixtures",)

# If a shell starts the tests in the background, they and all programs that they start would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
# Tests in these files are integration tests: with real programs, the plugin as a process, or years of a house.
DASHBOARDS = ("test_dashboards.py", "test_alerts.py", "test_small_databases.py", "test_living.py")
REAL_PARTS = (HERE / "integration", HERE / "faults", *(HERE / "dashboards" / name for name in DASHBOARDS))

# Of those, tests that mostly wait, and measure no time: two of these files may run at the same time.
WAITING = (
    *("test_cloud.py", "test_coming_from.py", "test_command_line.py", "test_connect_pages.py", "test_deb.py"),
    *("test_demo.py", "test_devices.py", "test_forward_kafka.py", "test_install.py", "test_kafka_bridge.py"),
    *("test_readme.py", "test_years.py"),
)
SHARING = (HERE / "dashboards", HERE / "pictures", *(HERE / "integration" / name for name in WAITING))


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Let `-n auto` be two workers per core if there are few: half of the time they wait, mostly for deadlines."""
    cores = yield
    return cores if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else max(cores, min(2 * cores, 8))


@cache
def is_in(path: Path, places: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_in(item.path, REAL_PARTS):
            item.add_marker(pytest.mark.integration)
        if item.get_closest_marker("integration") and is_in(item.path, SHARING):
            item.add_marker(pytest.mark.sharing)
