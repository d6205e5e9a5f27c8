"""Why no meter was found, in words; and until that is known, what the bytes look like."""

import errno
from socket import gaierror
from typing import Final, NamedTuple

from telegraf_p1.advice import Advice
from telegraf_p1.diagnosis import Diagnosis, diagnose, no_telegram
from telegraf_p1.telegram import holds_objects


class Cause(NamedTuple):
    """Why no meter was found: a word for programs, what is wrong and what to do, and a command for that, if any."""

    word: str
    text: str
    command: str = ""


ENDED: Final = Cause("no-telegram", "the source ended without a telegram")
OTHER_SETTINGS: Final = Cause("format", "no telegram with these settings")
SKIPPED: Final = Cause("not-finished", "listening stopped early: a meter was found on another port")

# The causes of `diagnosis.py` and `telegram.py`, in a word or two.
_LOOKS: Final = {
    "inverted": "not inverted",
    "speed": "garbage",
    "parity": "another format",
    "protocol": "another protocol",
    "gzip": "compressed",
}
# Causes that no other speed or format can fix, the most certain first.
SURE: Final = ("protocol", "gzip", "inverted")
# Causes for which complete telegrams are rejected: the port's settings are right then.
ENCRYPTED: Final = ("encrypted", "key", "authentication-key", "encrypted-changed", "plain", "title")


def not_opened(error: OSError) -> Cause:
    """Return why a source cannot be opened, with advice if it is the system that says so."""
    text = str(error.strerror or error)
    match error:
        case ConnectionRefusedError():
            text += ": nothing listens there. Check the port, and that the device's P1 server or the broker is on"
        case gaierror():
            text += ": check the name, or use the IP address"
        case TimeoutError() | OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH) if "connected" not in text:
            text += ": check that the device is on, and in this network"
    return Cause("cannot-open", text)


def looks(data: bytes) -> str:
    """Describe bytes that contain no telegram, in a few words."""
    if not data:
        return "no data"
    if diagnosis := diagnose(data):
        return _LOOKS.get(diagnosis.cause, diagnosis.cause)
    return "part of a telegram" if holds_objects(data) else "data, no telegram"


def of_bytes(data: bytes, advice: Advice) -> Cause:
    """Return why bytes contain no telegram, and what to do."""
    diagnosis = diagnose(data) or no_telegram(data)
    return Cause(_word(diagnosis), diagnosis.text + advice[diagnosis.fault])


def _word(diagnosis: Diagnosis) -> str:
    return {"speed": "garbage", "parity": "format"}.get(diagnosis.cause, diagnosis.cause)
