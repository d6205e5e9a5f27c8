"""What the file of a country contains."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import DEFAULT_ZONE


class Form(NamedTuple):
    """A national form: how a meter writes what the house uses into the lines of a telegram.

    `lines` yields them, from the identification to the last object. The `!` and the CRC are added, the CRC only with
    `has_crc`. `has_time` and `has_identifier` say whether the telegram contains the time and the meter's identifier.
    """

    name: str
    lines: Callable[[House], Iterator[str]]
    has_crc: bool = True
    has_time: bool = True
    has_identifier: bool = True


class Meters(NamedTuple):
    """Meters of one kind: a column of the country's table in docs/meters.md, where users read these texts.

    `tested_with` are *real* telegrams that others have published, examples of a *document*, or telegrams *made* here.
    `every` is the time between telegrams, `line` the port's settings, `crc` whether there is one, `encrypted` which
    keys decrypt it. `source` and `options` are what the command needs beyond the defaults. `note` is what their owners
    have to do or to know.
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

    `ask` completes the sentence "Ask your grid company …"; `notes` apply to all its meters.
    """

    name: str
    code: str
    meters: tuple[Meters, ...]
    zone: str = DEFAULT_ZONE
    ask: str = ""
    notes: tuple[str, ...] = ()
