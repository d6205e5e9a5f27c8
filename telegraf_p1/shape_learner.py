"""Makes a shape of a telegram that was read the plain way: see `shapes.py`.

A telegram has a shape only if each object can be read alone, and if everything in it could be read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from telegraf_p1 import lineproto, mbus, timestamp, values
from telegraf_p1.decode import EMPTY_MEANS_SOMETHING, IDENTIFICATION, POWERS, READERS, Decoding
from telegraf_p1.obis import kinds
from telegraf_p1.obis.lookup import DEFAULT
from telegraf_p1.record import Record
from telegraf_p1.shapes import Part, Shape, Shapes, Unfit
from telegraf_p1.telegram import Telegram, reference
from telegraf_p1.values import Unreadable, Value

# The contents of brackets: ASCII without line ends, and without `/`, which could begin a telegram.
_TEXT: Final = rb"[ -'*-.0-~]{0,512}+"
# A text of 512 characters, or a list: of power failures, or of the peaks of 13 months.
_TEXTS: Final = _TEXT + rb"(?:\)\([ -'*-.0-~]{0,24}+){0,60}+"
_LINE: Final = re.compile(rb"([^()\r\n]++)\((" + _TEXTS + rb")\)")
_TIME: Final = rb"\d{12}[SW]"
_TIMED: Final = re.compile(_TIME + rb"\)\(([^()]*+)")
# A peak of zero may mean that there is none.
_NO_ZERO: Final = rb"(?![0.]*+[*)])"
_DIGIT: Final = re.compile(rb"\d")
_NUMBER: Final = re.compile(rb"(\d{1,8})(\.\d{1,8})?(\*[A-Za-z][A-Za-z0-9]*+)?")
# At most seven zeros and eight digits: the plain way allows 15 digits.
_ZEROS: Final = rb"(?>0{0,7}(?=\d))(?!0\d)"
_ZEROS_BEFORE_FOUR: Final = rb"(?>0{0,7}(?=\d{4}))(?!0\d{4})"

_NUMBERS: Final = {kinds.NUMBER, kinds.COUNTER, kinds.STATE, kinds.RELAY, kinds.MBUS_VALVE}
_METERS: Final = {kinds.METER, kinds.METER_PLAIN}
_MBUS: Final = {kinds.MBUS_TYPE, kinds.MBUS_ID, kinds.MBUS_READING, kinds.MBUS_EAN, kinds.MBUS_VALVE}
_MBUS_NEEDED: Final = (kinds.MBUS_TYPE, kinds.MBUS_ID, kinds.MBUS_READING)
_MBUS_OTHERS: Final = {kinds.MBUS_READING_DSMR3, kinds.MBUS_COLD_DSMR3, kinds.MBUS_QUANTITY}
_OF_SEVERAL: Final = {kinds.TIME_OF_DAY, kinds.DATE, *_MBUS_OTHERS}
_OTHER_NAMES: Final = {"logical_device_name", "device_address"}
_POWERS: Final = {name for names in POWERS for name in names}
_NETS: Final = {net for _, _, net in POWERS}


def learn(shapes: Shapes, frame: bytes, telegram: Telegram, record: Record) -> None:
    """Add the shape of a telegram that was read the plain way, if it has one."""
    with suppress(ValueError):  # Unreadable, or something unforeseen: no record is lost
        shapes.add(_Learner(shapes, frame, telegram, record).shape(), frame, lineproto.line(record, shapes.measurement))


class _Learner:
    """Makes a shape of a telegram and its record; raises Unreadable if it has none."""

    def __init__(self, shapes: Shapes, frame: bytes, telegram: Telegram, record: Record) -> None:
        self.shapes, self.frame, self.telegram, self.record = shapes, frame, telegram, record
        self.sent = {IDENTIFICATION: [telegram.identification], **dict(telegram.objects)}
        self.entries = dict(DEFAULT.in_order(tuple(self.sent)))
        self.meters = [named for named, entry in self.entries.items() if entry.row.kind in _METERS]
        self.times = [named for named, entry in self.entries.items() if entry.row.kind == kinds.TIME]
        self.types = {e.channel: self.sent[n][0] for n, e in self.entries.items() if e.row.kind == kinds.MBUS_TYPE}
        self.kinds = {entry.row.kind for entry in self.entries.values()}
        self.clock = timestamp.Clock(shapes.zone)  # required by Decoding, but no time is read from it
        self.pattern: list[bytes] = []
        self.groups = self.time = self.name = 0  # the number of groups, and those of time and name
        self.parts: dict[str, tuple[bytes, list[int]]] = {}  # field → its part of the template, and its groups
        self.texts: dict[int, Part] = {}  # by group
        self.readings: set[int] = set()  # the groups of their times

    def shape(self) -> Shape:
        """Return the shape, if the meaning of each object does not depend on the values of others."""
        self.check()
        self.check_mbus()
        identification, *lines = self.frame[1:-4].split(b"\r\n")
        if len(lines) != 2 + len(self.telegram.objects) or lines.pop(0) or lines.pop() != b"!":
            raise Unfit
        self.pattern.append(b"/")
        # How a fuse is read depends on the maker of the meter, so the identification must not change then.
        self.text(IDENTIFICATION, identification, may_change=kinds.FUSE not in self.kinds)
        self.pattern.append(rb"\r\n\r\n")
        for line, (named, _) in zip(lines, self.telegram.objects, strict=True):
            match = _LINE.fullmatch(line)
            if match is None or reference(match[1].decode()) != named:
                raise Unfit
            self.pattern.append(re.escape(match[1]) + rb"\(")
            self.object(named, match[2])
            self.pattern.append(rb"\)\r\n")
        self.pattern.append(b"!")
        crc, name = self.group(b"[0-9A-F]{4}"), self.name or self.group(b"")
        if self.parts.keys() != self.record.fields.keys():
            raise Unfit
        parts = [self.parts[field] for field in self.record.fields]
        groups = [group for _, of_part in parts for group in of_part]
        texts = tuple((place, self.texts[group]) for place, group in enumerate(groups) if group in self.texts)
        times = tuple(place for place, group in enumerate(groups) if group in self.readings)
        template = b"%b%b " + b",".join(part for part, _ in parts if part) + b" %d000000000\n"
        pattern = re.compile(b"".join(self.pattern))
        return Shape(pattern, (crc, self.time, name, *groups), self.head, texts, times, template)

    def check(self) -> None:
        """Raise Unfit for a telegram with an object whose meaning depends on others."""
        telegram, record = self.telegram, self.record
        if telegram.checksum is None or telegram.damage or telegram.bad_lines or record.remarks:
            raise Unfit
        if not self.frame.isascii() or len(self.sent) <= len(telegram.objects) or _NETS & record.fields.keys():
            raise Unfit
        if len(self.times) != 1 or self.kinds & _OF_SEVERAL:
            raise Unfit
        if not self.meters and (record.tags or _OTHER_NAMES & record.fields.keys()):
            raise Unfit

    def check_mbus(self) -> None:
        """Raise Unfit unless each medium has one meter, with its type, its identifier and its reading."""
        objects = [(e.channel, e.row.kind) for named, e in self.entries.items() if any(self.sent[named])]
        sent = Counter((channel, kind) for channel, kind in objects if kind in _MBUS)
        media = {mbus.Channel(channel, values.integer(kind)).named_medium() for channel, kind in self.types.items()}
        is_complete = all(sent[channel, kind] for channel, _ in sent for kind in _MBUS_NEEDED)
        if len(media) < len(self.types) or not is_complete or max(sent.values(), default=1) > 1:
            raise Unfit

    def object(self, named: str, text: bytes) -> None:
        """Add the contents of the brackets of an object."""
        entry = self.entries.get(named)
        kind = entry.row.kind if entry else kinds.IGNORED
        if kind == kinds.IGNORED or named in self.meters[1:]:  # the first is the name, if it is surely one
            self.pattern.append(_TEXTS)
        elif kind in _METERS:
            self.name = self.group(_TEXTS)
        elif kind == kinds.TIME:
            # The meaning of a history of peaks depends on the month of the time.
            month = b"(?=%b)" % text[:4] if kinds.PEAK_HISTORY in self.kinds else b""
            self.time = self.group(month + _TIME)
        elif not text and kind not in EMPTY_MEANS_SOMETHING:
            pass  # it has to stay empty
        elif kind == kinds.MBUS_READING or (kind == kinds.PEAK and _TIMED.fullmatch(text)):
            self.reading(named, text, before=_NO_ZERO if kind == kinds.PEAK else b"")
        elif kind not in _NUMBERS or not self.number(text, lambda digits: self.alone(named, digits).fields):
            fields = self.text(named, text, may_change=kind != kinds.MBUS_TYPE)
            if kind == kinds.MBUS_ID and text and not fields:  # zeros and the like: no meter is paired
                raise Unfit

    def alone(self, named: str, text: bytes) -> Decoding:
        """Read an object with this text, in a telegram such as this one."""
        _, channel, row = self.entries[named]
        if not text and row.kind not in EMPTY_MEANS_SOMETHING:
            raise Unfit
        alone = Decoding(self.clock, None)
        alone.sent, alone.time, alone.time_text = self.sent, self.record.time_ns, self.sent[self.times[0]][0]
        if channel in self.types:
            alone.channel(channel).type = values.integer(self.types[channel])
        READERS[row.kind](alone, row, channel, text.decode().split(")("))
        if alone.channels:
            alone.fields.update(mbus.fields(alone.channels.values()))
        for name in alone.fields.keys() & _POWERS:
            if str(alone.fields[name]).startswith("-"):
                raise Unfit  # an import or an export that is net power
        return alone

    def head(self, text: bytes) -> bytes:
        """Return how a line begins if the object that names the meter has this text."""
        alone = self.alone(self.meters[0], text) if self.meters else None
        if alone and (alone.doubtful or not values.is_serial(alone.named[0])):
            raise Unfit
        tag = ("meter", *alone.named) if alone else ()
        return lineproto.before_fields(self.shapes.measurement, *tag)[:-1].encode()

    def group(self, pattern: bytes) -> int:
        """Add a group to the pattern, and return its number."""
        self.pattern.append(b"(%b)" % pattern)
        self.groups += 1
        return self.groups

    def put(self, names: Iterable[str], part: bytes, *groups: int) -> None:
        """Store what produces some fields: a part of the template, and the groups that go into it."""
        for name in names:
            if name in self.parts or name not in self.record.fields:
                raise Unfit
            self.parts[name], part, groups = (part, [*groups]), b"", ()

    def text(self, named: str, text: bytes, *, may_change: bool = True) -> dict[str, Value]:
        """Add a text and return its fields, which do not depend on it; without fields, the text must not change."""
        fields = self.alone(named, text).fields
        if may_change and fields:
            group = self.group(_TEXT if named == IDENTIFICATION else _TEXTS)
            self.texts[group] = partial(self.part, named, [*fields])
            self.put(fields, b"%b", group)
        else:
            self.pattern.append(re.escape(text))
            self.put(fields, lineproto.fields(fields).encode().replace(b"%", b"%%"))
        return fields

    def part(self, named: str, names: list[str], text: bytes) -> bytes:
        """Return the fields of an object with this text as a part of a line, if they have these names."""
        fields = self.alone(named, text).fields
        if [*fields] != names:
            raise Unfit
        return lineproto.fields(fields).encode()

    def number(self, text: bytes, read: Callable[[bytes], dict[str, Value]]) -> bool:
        """Add a reading whose digits are in the line as they were sent; return whether that is so.

        `read` returns the field of a text. It is called with ones for all digits, since zeros look the same in any
        unit.
        """
        match = _NUMBER.fullmatch(text)
        if match is None:
            return False
        whole, fraction, unit = match.groups(b"")
        whole, fraction = _DIGIT.sub(b"1", whole), _DIGIT.sub(b"1", fraction)
        try:
            fields = read(whole + fraction + unit)
        except Unreadable:
            return False
        if len(fields) != 1:
            return False
        written = lineproto.fields(fields).encode()
        name, _, digits = written.removesuffix(b"i").partition(b"=")
        template = name + b"=%b" + b"i" * written.endswith(b"i")
        if digits == whole + fraction:
            self.pattern.append(_ZEROS)
            groups = [self.group(rb"\d{1,8}+" + rb"\.\d{%d}" % (len(fraction) - 1) * bool(fraction))]
        elif not fraction and digits == whole[:-3] + b"." + whole[-3:]:  # Wh as kWh
            self.pattern.append(_ZEROS_BEFORE_FOUR)
            groups = [self.group(rb"\d{1,8}?"), self.group(rb"\d{3}")]
            template += b".%b"
        else:
            return False
        self.pattern.append(re.escape(unit))
        self.put(fields, template, *groups)
        return True

    def reading(self, named: str, text: bytes, before: bytes) -> None:
        """Add a reading and its time."""
        match, fields = _TIMED.fullmatch(text), self.alone(named, text).fields
        if match is None or len(fields) != 2:
            raise Unfit
        name, time_name = fields
        time = self.group(_TIME)
        self.readings.add(time)
        self.put([time_name], time_name.encode() + b"=%di", time)
        self.pattern.append(rb"\)\(" + before)

        def value(digits: bytes) -> dict[str, Value]:
            return {name: self.alone(named, text[: match.start(1)] + digits).fields[name]}

        if not self.number(match[1], value):
            raise Unfit
