import signal
from pathlib import Path

import pytest
from hypothesis import settings

# The machine may have other things to do: no test asserts a time.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")

# Whose assertions show their values, as those of the tests do.
pytest.register_assert_rewrite("tests.helpers", "tests.dashboards", "tests.faults")
pytest_plugins = ("tests.helpers.fixtures",)

# A shell that starts the tests in the background makes them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
# With these a file is an integration test: real programs at work, the plugin as a process, or years of a house.
DASHBOARDS = ("test_dashboards.py", "test_alerts.py", "test_small_databases.py", "test_living.py")
REAL_PARTS = (HERE / "integration", HERE / "faults", *(HERE / "dashboards" / name for name in DASHBOARDS))

# Of those, what waits more than it works and measures no time: two files of them share the machine.
WAITING = (
    "test_cloud.py",
    "test_deb.py",
    "test_forward_kafka.py",
    "test_install.py",
    "test_kafka_bridge.py",
    "test_years.py",
)
SHARING = (HERE / "dashboards", HERE / "pictures", *(HERE / "integration" / name for name in WAITING))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(place) for place in REAL_PARTS):
            item.add_marker(pytest.mark.integration)
        if item.get_closest_marker("integration") and any(item.path.is_relative_to(place) for place in SHARING):
            item.add_marker(pytest.mark.sharing)
