"""The README is short, and in sentences that are."""

import re

from telegraf_p1.simulator.countries import COUNTRIES
from tests.helpers.telegrams import ROOT

README = (ROOT / "README.md").read_text()
PROSE = re.sub(r"```.*?```|^#[^\n]*$|\]\([^)]*\)|<!--.*?-->", "", README, flags=re.DOTALL | re.MULTILINE)


def test_it_has_about_600_words() -> None:
    assert 500 < len(re.sub("```.*?```", "", README, flags=re.DOTALL).split()) < 650


def test_no_sentence_has_more_than_25_words() -> None:
    assert len(PROSE.split()) > 400
    sentences = re.split(r"[.:;!?](?:\s|$)|\n\s*\n|\n- |\n\d+\. ", PROSE)
    assert [sentence for sentence in sentences if len(sentence.split()) > 25] == []


def test_it_counts_the_countries() -> None:
    assert f"meters from {len(COUNTRIES)} countries" in README
