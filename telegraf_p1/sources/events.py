"""What a source tells, each a type of its own.

A source gives `Data` when bytes came, and the others when something else is to be known. `Lost`
comes from `reconnect.py` alone: a source raises OSError instead.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

PAUSE_S: Final = 2.0  # between two telegrams of meters that send each 10 s
SILENCE_S: Final = 15.0  # longer than the interval of any meter


_SWITCHED_ON: Final = (
    "In Belgium, Sweden, Finland, Lithuania, Austria and Switzerland the grid company has to enable the port first"
)
PORT: Final = f"check that the cable is in the P1 port and its data request line is at 5 V. {_SWITCHED_ON}"
DEVICE: Final = f"the device is available, but has no telegram: check its connection to the meter. {_SWITCHED_ON}"


class Data(NamedTuple):
    """Bytes of a stream, cut anywhere.

    `origin` keeps streams apart: an MQTT topic, empty for a cable. `ends_message` says that a
    message ends with these bytes, and so does what was begun in it. `is_late`: the bytes were sent
    at another time than they came, and if their sender says when, `sent_ns` is that (UTC in ns since 1970). `medium` is
    what an optical port's meter measures, if the user says so: `heat`. `tags` are those of this origin's records;
    None: it is a topic.
    """

    data: bytes
    origin: str = ""
    ends_message: bool = False
    is_late: bool = False
    sent_ns: int | None = None
    medium: str = ""
    tags: Mapping[str, str] | None = None


class Pause(NamedTuple):
    """No byte came for PAUSE_S: a telegram is over, even without an end mark."""

    seconds: float


class Silence(NamedTuple):
    """No byte came for SILENCE_S or longer: something may be wrong; `advice` says where to look."""

    seconds: float
    advice: str = PORT


class Unchanged(NamedTuple):
    """A device that is asked for its last telegram has answered with the same bytes for SILENCE_S or longer.

    Whether that is the same telegram or another one with the same readings, its time says, if it has one.
    """

    seconds: float


class Trouble(NamedTuple):
    """A trouble that does not end the connection; the text says what to do."""

    text: str


class Notice(NamedTuple):
    """What is good to know, and no trouble: a choice that the source made."""

    text: str


class Dropped(NamedTuple):
    """A message that nobody can read, and that must not come again; the text says why."""

    text: str


class Lost(NamedTuple):
    """The connection is over: what was begun on it does not go on."""


Event = Data | Pause | Silence | Unchanged | Trouble | Notice | Dropped | Lost
