"""The events that a source returns, each with a type of its own.

A source returns `Data` when bytes were received, and the others when there is something else to report. `Lost` comes
only from `reconnect.py`: a source raises OSError instead.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

PAUSE_S: Final = 2.0  # shorter than the gap between telegrams of meters that send every 10 s
SILENCE_S: Final = 15.0  # longer than the interval of any meter


_SWITCHED_ON: Final = (
    "In Belgium, Sweden, Finland, Lithuania, Austria and Switzerland the grid company has to enable the port first"
)
PORT: Final = f"check that the cable is in the P1 port and its data request line is at 5 V. {_SWITCHED_ON}"
DEVICE: Final = f"the device is available, but has no telegram: check its connection to the meter. {_SWITCHED_ON}"


class Data(NamedTuple):
    """Bytes of a stream, cut anywhere.

    `origin` distinguishes streams: an MQTT topic, empty for a cable. `ends_message`: a message ends with these bytes,
    and so does any telegram in it. `is_late`: the bytes were not sent when they were received. `sent_ns` is when they
    were sent, if their sender says so (UTC in ns since 1970). `medium` is what an optical port's meter measures, if the
    user says so: `heat`. `tags` are those of this origin's records; None: the origin is a topic.
    """

    data: bytes
    origin: str = ""
    ends_message: bool = False
    is_late: bool = False
    sent_ns: int | None = None
    medium: str = ""
    tags: Mapping[str, str] | None = None


class Pause(NamedTuple):
    """No data came for PAUSE_S: a telegram is over, even without an end mark."""

    seconds: float


class Silence(NamedTuple):
    """No data came for SILENCE_S or longer: something may be wrong; `advice` says where to look."""

    seconds: float
    advice: str = PORT


class Unchanged(NamedTuple):
    """A device that is asked for its last telegram has answered with the same bytes for SILENCE_S or longer.

    Only a time in the telegram tells whether it is the same one, or another one with the same readings.
    """

    seconds: float


class Trouble(NamedTuple):
    """A problem that does not end the connection; the text says what to do."""

    text: str


class Notice(NamedTuple):
    """Information about a choice that the source made; not a problem."""

    text: str


class Dropped(NamedTuple):
    """A message that cannot be read, and must not be sent again; the text says why."""

    text: str


class Lost(NamedTuple):
    """The connection is over: an unfinished telegram does not continue."""


Event = Data | Pause | Silence | Unchanged | Trouble | Notice | Dropped | Lost
