"""docs/troubleshooting.md has each message that the program can give, in the words of the log, and no other."""

import re

from tests.helpers.messages import is_known, messages
from tests.helpers.telegrams import ROOT

# What stands behind this heading comes from elsewhere.
PAGE, OTHERS = (ROOT / "docs" / "troubleshooting.md").read_text().split("\n## Texts of the system and of Telegraf\n")
ROW = re.compile(r"\| (`.+?) \| (.+) \| (.+) \|")
SPAN = re.compile(r"`` (.+?) ``|`(.+?)`")


def on_the_page() -> list[str]:
    """Give the messages in the first column of its tables."""
    cells = [match[1] for match in map(ROW.fullmatch, PAGE.splitlines()) if match]
    return [(long or short).replace("\\|", "|") for cell in cells for long, short in SPAN.findall(cell)]


def test_each_message_of_the_program_is_on_the_page() -> None:
    known = set(on_the_page())
    assert [message for message in messages() if message.text not in known] == []


def test_each_message_on_the_page_is_one_of_the_program() -> None:
    given = {message.text for message in messages()}
    assert [text for text in on_the_page() if text not in given] == []


def test_no_message_is_on_the_page_twice() -> None:
    found = on_the_page()
    assert sorted({text for text in found if found.count(text) > 1}) == []


def test_no_message_of_the_program_stands_among_those_of_others() -> None:
    assert [message.text for message in messages() if f"| `{message.text}`" in OTHERS] == []


def test_messages_of_each_kind_are_collected() -> None:
    """As a user sees them; were the collector blind to one way of giving a message, one of these would be missing."""
    given = {message.text for message in messages()}
    assert given > {
        "connection restored",  # to Outage
        "retrying",  # one word
        "unknown option '…'; supported: …",  # a UsageError
        "permission denied: run `sudo usermod -aG dialout …` and restart Telegraf (or log in again)",  # a constant
        "the CRC does not match: sent …, computed … over … bytes",  # a variable that an exception is given later
        "bytes were changed or lost on the way (bad or long cable, noise)",  # in a dict
        "the queue is full, see --queue-size; oldest telegrams dropped",  # a key that is said
        "unexpected unit '…'",  # a remark
        "… is removed; its data is dropped.",  # printed, one of two ways
        "P1_DECRYPTION_KEY does not decrypt the telegram: the key is wrong, or belongs to another meter",  # with a name
        "POST a telegram here",  # the first line of a function
    }


def test_a_line_that_is_none_of_the_messages_is_no_known_one() -> None:
    """Else the fixture that looks at each line of a log would see nothing."""
    assert is_known("cable: telegram rejected: the CRC does not match: sent 0001, computed 1234 over 711 bytes")
    assert not is_known("cable: it has come to nothing ('so far'): see what is said of it, for ever or for 15 s")
