"""What users read is in the words of the field: README, docs, the example, the changelog, help and messages."""

import re

import pytest

from tests.helpers.messages import messages
from tests.helpers.pages import PAGES
from tests.helpers.telegrams import ROOT

# What we said once, and what users of Telegraf say.
WORDS = {
    r"seal(?:s|ed|ing)?": "encrypted",
    r"unseal(?:s|ed|ing)?|opens? (?:the|a|its|them) telegrams?": "decrypt",
    r"for ever": "forever",
    r"(?:comes?|came) back": "reconnects, is restored",
    r"is (?:back|away)": "connection restored, is unavailable",
    r"hears?|heard": "receives, reads",
    r"speaks?|spoken|talks?": "sends, supports",
    r"believes?|believed": "accepted",
    r"lets? go|let go": "dropped",
    r"found by listening": "detected",
    r"in the house": "on your network",
    r"ends with its stdin": "exits when stdin closes",
    r"at home in": "is in",
}
FILES = [*PAGES, ROOT / "telegraf.conf.example", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]


@pytest.mark.parametrize("word", WORDS)
def test_pages_and_messages_use_the_words_of_the_field(word: str) -> None:
    pattern = re.compile(rf"\b(?:{word})\b", re.IGNORECASE)
    places = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    places += [f"{message.place}: {message.text}" for message in messages() if pattern.search(message.text)]
    assert places == [], f"write: {WORDS[word]}"
