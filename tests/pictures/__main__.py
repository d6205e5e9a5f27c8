"""Draws houses into a folder, and names what is wrong with the pictures: `make pictures`.

python -m tests.pictures FOLDER [HOUSE or LOOK]...: all of them, but for those that are not named where some are.
"""

import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.pictures.houses import NAMES, houses
from tests.pictures.pictures import LOOKS, browser, draw_house


def main(target: Path, named: Collection[str]) -> None:
    unknown = set(named) - {*NAMES, *LOOKS}
    if unknown:
        sys.exit(f"{', '.join(unknown)}: these are the houses and looks: {', '.join((*NAMES, *LOOKS))}")
    looks = {name: look for name, look in LOOKS.items() if name in named} or LOOKS
    chosen = set(named) & set(NAMES) or set(NAMES)
    with tempfile.TemporaryDirectory() as page, houses() as every, browser(Path(page)) as one:
        for house in every:
            if house.name not in chosen:
                continue
            for look, findings in draw_house(one, house, target, looks).items():
                print(target / f"{house.name}-{look}.png")
                for finding in findings:
                    print(f"  {finding.kind}: {finding.panel}: {finding.text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
