"""What the file of a country says."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import DEFAULT_ZONE


class Form(NamedTuple):
    """A national form: how a meter puts the house into the lines of a telegram.

    `lines` gives them from the identification to the last object; the `!` and the CRC follow by
    themselves, the latter unless `has_crc` is False. `has_time` and `has_identifier` say whether it
    tells the time, and which meter it is.
    """

    name: str
    lines: Callable[[House], Iterator[str]]
    has_crc: bool = True
    has_time: bool = True
    has_identifier: bool = True


class Meters(NamedTuple):
    """Meters of one kind: a row of the README's table.

    `tested_with` are *real* telegrams that others have published, examples of a *document*, or
    telegrams *made* here. `note` says what their owners have to do or to know.
    """

    name: str
    tested_with: str
    form: Form | None = None
    note: str = ""


class Country(NamedTuple):
    """A country: its name, its two letters (the goldens' names begin with them), its meters and its time zone."""

    name: str
    code: str
    meters: tuple[Meters, ...]
    zone: str = DEFAULT_ZONE
