"""Draws all houses in all looks into a folder, and names what is wrong with them: `make pictures`."""

import sys
import tempfile
from pathlib import Path

from tests.pictures.houses import houses
from tests.pictures.pictures import browser, draw_house


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as work, houses(Path(work)) as all_houses, browser(Path(work) / "page") as one:
        for house in all_houses:
            for look, findings in draw_house(one, house, target).items():
                print(target / f"{house.name}-{look}.png")
                for finding in findings:
                    print(f"  {finding.kind}: {finding.panel}: {finding.text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
