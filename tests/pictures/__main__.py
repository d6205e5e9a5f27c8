"""Draws houses and data sources into a folder, and names what is wrong with the pictures: `make pictures`.

python -m tests.pictures FOLDER [NAME]...: all, or the houses, looks and data sources that are named.
"""

import sys
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

from tests.pictures.data_sources import DATA_SOURCES, draw_data_source
from tests.pictures.houses import NAMES, houses
from tests.pictures.pictures import LOOKS, Finding, browser, draw_house


def main(target: Path, named: Collection[str]) -> None:
    known = (*NAMES, *LOOKS, *DATA_SOURCES)
    if unknown := set(named) - {*known}:
        sys.exit(f"{', '.join(unknown)}: these are the houses, looks and data sources: {', '.join(known)}")
    forms = [name for name in DATA_SOURCES if name in named or not named]
    with tempfile.TemporaryDirectory() as page, browser(Path(page)) as one:
        for name in forms:
            show(target / f"{name}.png", draw_data_source(one, DATA_SOURCES[name], target / f"{name}.png"))
    if named and len(forms) == len(set(named)):
        return
    looks = {name: look for name, look in LOOKS.items() if name in named} or LOOKS
    chosen = set(named) & set(NAMES) or set(NAMES)
    with tempfile.TemporaryDirectory() as page, houses() as every, browser(Path(page)) as one:
        for house in every:
            if house.name not in chosen:
                continue
            for look, findings in draw_house(one, house, target, looks).items():
                show(target / f"{house.name}-{look}.png", findings)


def show(file: Path, findings: Iterable[Finding]) -> None:
    print(file)
    for finding in findings:
        print(f"  {finding.kind}: {finding.panel}: {finding.text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
