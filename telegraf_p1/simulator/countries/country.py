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
    """Meters of one kind: a column of the country's table in docs/meters.md, and its texts are what users read there.

    `tested_with` are *real* telegrams that others have published, examples of a *document*, or
    telegrams *made* here. `every` says how often one comes, `line` how the port is set (see `options`),
    `crc` whether there is one, `encrypted` which keys open it.
    `source` and `options` are what the command needs beyond the defaults. `note` says what their
    owners have to do or to know.
    """

    name: str
    tested_with: str
    form: Form | None = None
    every: str = ""
    line: str = "115200 8N1"
    crc: str = "yes"
    encrypted: str = "no"
    source: str = ""
    options: str = ""
    note: str = ""


class Country(NamedTuple):
    """A country: its name, its two letters (the goldens' names begin with them), its meters and its time zone.

    `ask` is what the grid company has to do or to give; `notes` are what is true of all its meters.
    """

    name: str
    code: str
    meters: tuple[Meters, ...]
    zone: str = DEFAULT_ZONE
    ask: str = ""
    notes: tuple[str, ...] = ()
