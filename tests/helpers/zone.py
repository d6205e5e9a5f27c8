"""The time zone of this computer."""

import os
from pathlib import Path
from zoneinfo import available_timezones


def zone_of_this_computer() -> str:
    """Return its name, such as Europe/Amsterdam: from TZ, else from /etc/localtime; UTC if it has none."""
    named = [os.environ.get("TZ", "").removeprefix(":"), str(Path("/etc/localtime").resolve())]
    names = [name.rpartition("zoneinfo/")[2] for name in named]
    return next((name for name in names if name in available_timezones()), "UTC")
