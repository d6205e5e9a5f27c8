"""Why no meter is heard, in words, and what the bytes look like until that is known."""

from typing import Final, NamedTuple

from telegraf_p1.advice import Advice
from telegraf_p1.diagnosis import Diagnosis, diagnose, no_telegram
from telegraf_p1.telegram import holds_objects


class Cause(NamedTuple):
    """A word for it, what is wrong and what to do, and the command that does that, if one does."""

    word: str
    text: str
    command: str = ""


ENDED: Final = Cause("no-telegram", "the source ended without a telegram")
OTHER_SETTINGS: Final = Cause("format", "no telegram with these settings")
SKIPPED: Final = Cause("not-finished", "listening stopped early: a meter was found on another port")

# What the causes of `diagnosis.py` and of `telegram.py` are in a word or two.
_LOOKS: Final = {
    "inverted": "not inverted",
    "speed": "garbage",
    "parity": "another format",
    "protocol": "another protocol",
    "gzip": "compressed",
}
# Causes that another speed or format cannot cure, the surest first; all the others it may.
SURE: Final = ("protocol", "gzip", "inverted")
# Why complete telegrams are not believed: then the settings are right.
ENCRYPTED: Final = ("encrypted", "key", "authentication-key", "encrypted-changed", "plain", "title")


def looks(data: bytes) -> str:
    """Say in a few words what bytes look like that gave no telegram."""
    if not data:
        return "no data"
    if diagnosis := diagnose(data):
        return _LOOKS.get(diagnosis.cause, diagnosis.cause)
    return "part of a telegram" if holds_objects(data) else "data, no telegram"


def of_bytes(data: bytes, advice: Advice) -> Cause:
    """Say why bytes gave no telegram."""
    diagnosis = diagnose(data) or no_telegram(data)
    return Cause(_word(diagnosis), diagnosis.text + advice[diagnosis.fault])


def _word(diagnosis: Diagnosis) -> str:
    return {"speed": "garbage", "parity": "format"}.get(diagnosis.cause, diagnosis.cause)
