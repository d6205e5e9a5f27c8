"""Draws houses into a folder and names what is wrong with the pictures: `make pictures`. `make picture`: a database."""

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.dashboards.dashboard import Influx, load
from tests.pictures.houses import NAMES, houses
from tests.pictures.pictures import LOOKS, House, Look, browser, draw_house

_DASHBOARD = "grafana-influxql.json"


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go, as NAME-LOOK.png")
    parser.add_argument("names", nargs="*", choices=["", *NAMES, *LOOKS], default="", help="houses and looks (all)")
    parser.add_argument("--from", dest="url", help="draw this InfluxDB in place of the houses: http://127.0.0.1:8086")
    parser.add_argument("--database", default="p1", help="of that InfluxDB (%(default)s)")
    parser.add_argument("--zone", default="Europe/Amsterdam", help="where days begin at midnight (%(default)s)")
    chosen = parser.parse_args()
    if chosen.url:
        mine = House(
            chosen.database, load(_DASHBOARD), Influx(chosen.url, chosen.database), time.time(), {}, chosen.zone
        )
        draw([mine], chosen.folder, {name: LOOKS[name] for name in chosen.names or ("dark-1600",)})
        return
    looks = {name: look for name, look in LOOKS.items() if name in chosen.names} or LOOKS
    named = set(chosen.names) & set(NAMES) or set(NAMES)
    with houses() as every:
        draw((house for house in every if house.name in named), chosen.folder, looks)


def draw(houses: Iterable[House], folder: Path, looks: dict[str, Look]) -> None:
    with tempfile.TemporaryDirectory() as page, browser(Path(page)) as one:
        for house in houses:
            for look, findings in draw_house(one, house, folder, looks).items():
                print(folder / f"{house.name}-{look}.png")
                for finding in findings:
                    print(f"  {finding.kind}: {finding.panel}: {finding.text}")


if __name__ == "__main__":
    main()
