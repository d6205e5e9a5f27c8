"""The dashboards of houses that live, drawn from the answers of databases: nothing is empty, cut or too small."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.pictures.houses import houses
from tests.pictures.pictures import LOOKS, Browser, Finding, House, browser, draw_house

pytestmark = pytest.mark.integration

# All looks of one house, and the widest and the narrowest of the others.
LOOKS_OF: Final = {"netherlands": [*LOOKS]}
SOME_LOOKS: Final = ["dark-1600", "phone-390"]
# With all rows open, what a house does not have: those rows are closed in its dashboard.
LACKS: Final = {
    "netherlands": {
        "This quarter-hour and the peaks",
        "Month peaks",
        "Billed peak",
        "Quarter-hour demand",
        "Message of the supplier",
    },
    "belgium": {
        "Solar energy produced",
        "Solar energy used at home",
        "Price per kWh, €",
        "Dynamic cost per hour, €",
        "Power failures",
        "Message of the supplier",
    },
}


@pytest.fixture(scope="module")
def drawn_by(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, dict[str, House]]]:
    with houses() as every, browser(tmp_path_factory.mktemp("page")) as one:
        yield one, {house.name: house for house in every}


@pytest.mark.parametrize("name", ["netherlands", "belgium", "germany", "warmth", "netherlands-promql"])
def test_nothing_is_wrong_with_the_pictures(
    drawn_by: tuple[Browser, dict[str, House]], name: str, tmp_path: Path
) -> None:
    one, every = drawn_by
    looks = {look: LOOKS[look] for look in LOOKS_OF.get(name, SOME_LOOKS)}
    found = draw_house(one, every[name], tmp_path, looks)
    assert found.keys() == looks.keys()
    wrong = [(look, one) for look, findings in found.items() for one in findings if not _may_scroll(one, look)]
    assert wrong == []


def _may_scroll(finding: Finding, look: str) -> bool:
    """Whether it is the table of 24 hours, of 50 px each at least, that has to be moved on a narrow screen."""
    return (finding.kind, LOOKS[look].width < 1300) == ("scrolls", True) and finding.panel.startswith("By hour and day")


@pytest.mark.parametrize("name", LACKS)
def test_a_row_that_is_opened_shows_what_the_house_has(
    drawn_by: tuple[Browser, dict[str, House]], name: str, tmp_path: Path
) -> None:
    one, every = drawn_by
    house = replace(every[name], opened=True)
    (findings,) = draw_house(one, house, tmp_path, {"dark-1600": LOOKS["dark-1600"]}).values()
    empty = {finding.panel for finding in findings if finding.kind == "no data"}
    assert empty == LACKS[name]
    assert [finding for finding in findings if finding.kind != "no data"] == []
