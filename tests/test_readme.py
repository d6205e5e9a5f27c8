"""The README is short, and says how many countries there are."""

import re

from telegraf_p1.simulator.countries import COUNTRIES
from tests.helpers.telegrams import ROOT

README = (ROOT / "README.md").read_text()


def test_it_has_about_600_words() -> None:
    assert 500 < len(re.sub("```.*?```", "", README, flags=re.DOTALL).split()) < 650


def test_it_counts_the_countries() -> None:
    assert f"meters from {len(COUNTRIES)} countries" in README
