"""Draws houses and data sources into a folder, and names what is wrong with the pictures: `make pictures`.

With --from it draws a database in place of them: `make picture`. With --check it draws nothing, and names what is
missing: it needs nothing that takes long to install.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import available_timezones

from tests.dashboards.dashboard import Influx, load
from tests.helpers.databases import get
from tests.helpers.programs import find
from tests.helpers.telegrams import ROOT
from tests.helpers.zone import zone_of_this_computer
from tests.pictures.data_sources import DATA_SOURCES, draw_data_source
from tests.pictures.houses import NAMES, houses
from tests.pictures.pictures import LOOKS, Browser, Finding, House, Look, browser, draw_house

_DASHBOARD = "grafana-influxql.json"


def main() -> None:
    known = [*NAMES, *LOOKS, *DATA_SOURCES]
    parser = argparse.ArgumentParser("python -m tests.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go, as NAME-LOOK.png")
    parser.add_argument("names", nargs="*", choices=["", *known], default="", help="houses, looks, data sources (all)")
    parser.add_argument("--from", dest="url", help="draw this InfluxDB in place of the houses: http://127.0.0.1:8086")
    parser.add_argument("--database", default="p1", help="of that InfluxDB (%(default)s)")
    parser.add_argument("--zone", default="", help="where its days begin at midnight (as on this computer)")
    parser.add_argument("--check", action="store_true", help="say what is missing, and draw nothing")
    chosen = parser.parse_args()
    lacking = [*(lacks_programs() if chosen.check else []), *(lacks(chosen.url, chosen.database) if chosen.url else [])]
    zone = chosen.zone or zone_of_this_computer()
    if zone not in available_timezones():
        lacking.append(f"there is no time zone {zone!r}: give one such as make picture ZONE=Europe/Amsterdam")
    if lacking or chosen.check:
        sys.exit("\n".join(lacking) or 0)
    named, folder = set(chosen.names), chosen.folder
    looks = {name: look for name, look in LOOKS.items() if name in named}
    with tempfile.TemporaryDirectory() as page, browser(Path(page)) as one:
        if chosen.url:
            database = Influx(chosen.url, chosen.database)
            mine = House(chosen.database, load(_DASHBOARD), database, time.time(), {}, zone)
            print(f"Days begin at midnight in {zone}; another time zone: make picture ZONE=Europe/Amsterdam")
            draw(one, [mine], folder, looks or {"dark-1600": LOOKS["dark-1600"]})
            return
        for name in DATA_SOURCES:
            if name in named or not named:
                show(folder / f"{name}.png", draw_data_source(one, DATA_SOURCES[name], folder / f"{name}.png"))
        if named and named <= set(DATA_SOURCES):
            return
        drawn = named & set(NAMES) or set(NAMES)
        with houses() as every:
            draw(one, (house for house in every if house.name in drawn), folder, looks or LOOKS)


def lacks_programs() -> list[str]:
    """Say which programs are missing, and what to do."""
    asked = subprocess.run(
        [ROOT / "scripts" / "install-grafana-data", "check"], stderr=subprocess.PIPE, text=True, check=False
    )
    browsers = (
        []
        if find("chromium")
        else ["Chromium is needed, and there is no chromium in PATH: install it, or name yours: P1_CHROMIUM=…"]
    )
    return [*asked.stderr.splitlines(), *browsers]


def lacks(url: str, database: str) -> list[str]:
    """Say what is wrong with the database, and what to do."""
    try:
        known = [name for (name,) in rows(url, "SHOW DATABASES")]
        written = database in known and rows(url, 'SHOW SERIES FROM "p1" LIMIT 1', db=database)
    except (OSError, ValueError, LookupError) as error:
        return [
            f"no InfluxDB 1 answers at {url} ({error}): run `make stack`, or give yours: make picture FROM=http://…"
        ]
    if written:
        return []
    fault = f"no measurement p1 in its database {database!r}" if database in known else f"no database {database!r}"
    reasons = "either Telegraf has not written yet (look at its log), or the database has another name"
    return [f"the InfluxDB at {url} has {fault}: {reasons}: make picture DATABASE=…"]


def rows(url: str, query: str, **parameters: str) -> list[list[str]]:
    (result,) = json.loads(get(f"{url}/query", q=query, **parameters))["results"]
    return [row for series in result.get("series", []) for row in series.get("values", [])]


def draw(browser: Browser, houses: Iterable[House], folder: Path, looks: dict[str, Look]) -> None:
    for house in houses:
        for look, findings in draw_house(browser, house, folder, looks).items():
            show(folder / f"{house.name}-{look}.png", findings)


def show(file: Path, findings: Iterable[Finding]) -> None:
    print(file)
    for finding in findings:
        print(f"  {finding.kind}: {finding.panel}: {finding.text}")


if __name__ == "__main__":
    main()
