"""The terms of the table: a row, its fields, and the kinds of values.

A kind says how the contents of the brackets are read; `decode.py` has one function for each.
"""

from typing import Final, Literal, NamedTuple

NUMBER: Final = "number"  # (000123.456*kWh)
QUANTITY: Final = "quantity"  # (0012.345*MWh), (0012.345*GJ): the unit picks the field
LIMIT: Final = "limit"  # NUMBER; all nines means "off"
COUNTER: Final = "counter"  # (00004), (0000000240*s)
STATE: Final = "state"  # (1), (ON)
TARIFF: Final = "tariff"  # (0001), (03), (TARIFF 1)
TEXT: Final = "text"  # (4B384547), hex when that is printable
IDENTIFIER: Final = "identifier"  # TEXT; decimal digits alone only with five digits: (3231313130), not (52347967)
PLAIN: Final = "plain"  # (80), never hex
METER: Final = "meter"  # IDENTIFIER that becomes the tag `meter`
METER_PLAIN: Final = "meter-plain"  # PLAIN that becomes the tag `meter`
TIME: Final = "time"  # (230715120000S), the time of the record
TIME_OF_DAY: Final = "time-of-day"  # (222553); with DATE, the time of the record
DATE: Final = "date"  # (251002); with TIME_OF_DAY, the time of the record
HEX_COUNTER: Final = "hex-counter"  # (02FAB8BF)
FUSE: Final = "fuse"  # (040.00*A) is a LIMIT; in kA, and if 1-0:32.24.0 is sent, it is a mean
LIMITER: Final = "limiter"  # LIMIT in A, kW or kVA: the unit picks the field
CURRENT_LIMITS: Final = "current-limits"  # (100*A)(-063*A): import and export
PEAK: Final = "peak"  # (200509134558S)(02.589*kW): time and power
PEAK_HISTORY: Final = "peak-history"  # (3)(1-0:1.6.0)(1-0:1.6.0) and three groups a month
FAILURE_LOG: Final = "failure-log"  # (2)(0-0:96.7.19) and two groups a failure
RELAY: Final = "relay"  # STATE of relay n
MBUS_TYPE: Final = "mbus-type"  # (003): the type of the meter on channel n
MBUS_ID: Final = "mbus-id"  # IDENTIFIER
MBUS_EAN: Final = "mbus-ean"  # IDENTIFIER
MBUS_VALVE: Final = "mbus-valve"  # STATE
MBUS_READING: Final = "mbus-reading"  # (101209112500W)(12785.123*m3)
MBUS_READING_DSMR3: Final = "mbus-reading-dsmr3"  # (090212160000)(00)(60)(1)(0-1:24.2.1)(m3)(00000.000)
MBUS_COLD_DSMR3: Final = "mbus-cold-dsmr3"  # MBUS_READING_DSMR3 of a cooling meter
MBUS_QUANTITY: Final = "mbus-quantity"  # (000074.8*degC): the unit picks the field
IGNORED: Final = "ignored"  # known, but without a field

Type = Literal["float", "integer", "string", "tag"]
FLOAT: Final = "float"  # the digits that were sent, as a decimal
INT: Final = "integer"
STRING: Final = "string"
TAG: Final = "tag"

# The types of the fields that a kind gives, in this order. Any further fields have the last type. A row may have fewer.
GIVES: Final[dict[str, tuple[Type, ...]]] = {
    NUMBER: (FLOAT,),
    QUANTITY: (FLOAT,),
    LIMIT: (FLOAT,),
    COUNTER: (INT,),
    STATE: (INT,),
    TARIFF: (INT,),
    TEXT: (STRING,),
    IDENTIFIER: (STRING,),
    PLAIN: (STRING,),
    METER: (TAG,),
    METER_PLAIN: (TAG,),
    TIME: (),
    TIME_OF_DAY: (),
    DATE: (),
    HEX_COUNTER: (INT,),
    FUSE: (FLOAT,),
    LIMITER: (FLOAT,),
    CURRENT_LIMITS: (FLOAT,),
    PEAK: (FLOAT, INT),
    PEAK_HISTORY: (FLOAT, INT),
    FAILURE_LOG: (INT,),
    RELAY: (INT,),
    MBUS_TYPE: (),
    MBUS_ID: (STRING,),
    MBUS_EAN: (STRING,),
    MBUS_VALVE: (INT,),
    MBUS_READING: (FLOAT, INT, FLOAT),
    MBUS_READING_DSMR3: (FLOAT, INT),
    MBUS_COLD_DSMR3: (FLOAT,),
    MBUS_QUANTITY: (FLOAT,),
    IGNORED: (),
}

# The values that `--history` writes: counters, recognized by the base of their unit, and the peaks of months.
COUNTED_IN: Final = frozenset({"Wh", "varh", "VAh", "J", "m3"})
PEAKS: Final = frozenset({PEAK, PEAK_HISTORY})


class Field(NamedTuple):
    """A field of the record, or the tag `meter`; its type and unit never change.

    In the name `{n}` is the number of a relay, `{medium}` what an M-Bus meter measures (`gas`, `water`, `mbus_2`,
    `water_2` …) and `{unit}` the unit of that (`m3`, `gj`, `kwh`). Times are UTC in s since 1970.
    """

    name: str
    type: Type
    unit: str = ""


class Row(NamedTuple):
    """One row of the table.

    `reference` is written A-B:C.D.E, with `n` for any M-Bus channel from 1 on. `kind` is one of the kinds above.
    `fields` are what the object gives, in the order in which its kind gives them. `sent_by` names the standards and
    countries, with `not seen` where no telegram was seen. `meaning` is one text, or one text for each field.
    """

    reference: str
    kind: str
    fields: tuple[Field, ...]
    sent_by: str = ""
    meaning: str | tuple[str, ...] = ""
