r"""A telegram without what identifies its meter, to be shown to others: `telegraf-p1 decode --scrub`.

In identifiers and messages digits become other digits, and letters X. All else stays byte for byte,
lengths and line ends too, and so does what the CRC says: one that fits still fits, also when the
transport has changed the bytes, and one that does not still does not.

    in:  0-0:96.1.1(4530303437303030303132333435363135)   E0047000012345615
    out: 0-0:96.1.1(5831323334353637383930313233343536)   X1234567890123456
"""

import re
from itertools import count
from typing import Final

from telegraf_p1 import crc, telegram, values
from telegraf_p1.obis import kinds
from telegraf_p1.obis.lookup import DEFAULT

# Texts that name a model or a state, and nobody.
_HARMLESS: Final = {
    "identification",
    "p1_version",
    "fw_core_version",
    "fw_core_checksum",
    "fw_module_version",
    "fw_module_checksum",
    "device_status",
}
_LINE_END: Final = re.compile(r"([\r\n]+)")
# Of a row that nobody knows: a number with a unit or of few digits, a time, an OBIS reference, a unit, a word.
_ORDINARY: Final = re.compile(r"-?\d+(\.\d+)?\*\w+|-?\d{1,3}\.\d+|\d{0,5}|\d{12}[SWsw]|\d+-\d+:[\d.]+|[A-Za-z]\w{0,4}")
# Of a line that is no object, since bytes were lost or a message was wrapped.
_LONG: Final = re.compile(r"[0-9A-Za-z]{8,}")
# Of an identification: `/AUX59903218166` ends with the number of the meter, `/ISK5\2M550T-1012` with its model.
_NUMBERED: Final = re.compile(r"\d{6,}")
_FILLER: Final = "\0\xff \t"


class Scrubber:
    """Replaces identifiers, the same one by the same: it can still be seen which are equal."""

    def __init__(self) -> None:
        self._replaced: dict[str, str] = {}

    def scrub(self, frame: bytes) -> bytes:
        """Give a plain frame, be it right, damaged or cut off, with its identifiers replaced."""
        body, mark, digits = frame.rpartition(b"!")
        if not mark:
            return self._lines(frame)
        scrubbed = self._lines(body)
        return scrubbed + mark + _same_verdict(body + mark, scrubbed + mark, digits)

    def _lines(self, body: bytes) -> bytes:
        identification, *rest = _LINE_END.split(body.decode("latin-1"))  # lines and their ends, in turn
        found = [_NUMBERED.sub(lambda run: self._text(run[0]), identification)]
        is_open = False  # a message is wrapped: its bracket has not come
        for line in rest:
            if _LINE_END.fullmatch(line):
                found.append(line)
                continue
            found.append(self._line(line, is_open=is_open))
            is_open = ")" not in line and (is_open or found[-1] != line)
        return "".join(found).encode("latin-1")

    def _line(self, line: str, *, is_open: bool) -> str:
        head, bracket, rest = line.partition("(")
        reference = telegram.reference(head.strip(_FILLER))
        if reference is None and is_open:
            inside, end, behind = _up_to_bracket(line)
            return self._text(inside) + end + behind
        if reference is None or not bracket:
            return _LONG.sub(lambda run: self._text(run[0]), line)
        inside, end, behind = _up_to_bracket(rest)
        groups = (self._group(reference, group) for group in inside.split(")("))
        return f"{head}({')('.join(groups)}{end}{behind}"

    def _group(self, reference: str, text: str) -> str:
        entry = DEFAULT.lookup(reference)
        if entry is None or entry.row.kind == kinds.IGNORED:
            return text if _ORDINARY.fullmatch(text) else self._text(text)
        names = {field.name for field in entry.row.fields if field.type in ("string", "tag")}
        return self._text(text) if names - _HARMLESS else text

    def _text(self, text: str) -> str:
        """Replace a text, hex-coded or plain, by one of the same length and coding."""
        if not text.strip("0Ff \xff\0"):
            return text  # no meter is there
        octets = values.hex_coded(text)
        if octets is None:
            return self._characters(text)
        coded = self._characters(octets.decode("ascii")).encode("ascii").hex()
        return coded if text.islower() else coded.upper()

    def _characters(self, text: str) -> str:
        if text not in self._replaced:
            digits = count(len(self._replaced) + 1)
            self._replaced[text] = "".join(
                str(next(digits) % 10) if character.isdigit() else "X" if character.isalpha() else character
                for character in text
            )
        return self._replaced[text]


def _up_to_bracket(text: str) -> tuple[str, str, str]:
    """Part a text at its last closing bracket, which may be missing."""
    inside, end, behind = text.rpartition(")")
    return (inside, end, behind) if end else (behind, "", "")


def _same_verdict(before: bytes, after: bytes, digits: bytes) -> bytes:
    """Give the CRC digits with which `after` is judged as `before` was with its own.

    Where they fit once something is undone, the same is undone for the new ones. Where they never do,
    they differ from the right ones in the same bits, since a CRC is linear.
    """
    match = re.search(rb"[0-9A-Fa-f]{1,4}", digits)
    sent = int(match[0], 16) if match else 0
    if match is None or sent == 0:  # 0000 is what some meters always send
        return digits
    new = sent ^ crc.checksum(before) ^ crc.checksum(after)
    for start in (0, *telegram.later_starts(before)):
        for undo in (bytes, *(undo for undo, _ in crc.UNDO)):
            for function in (crc.checksum, crc.x25):
                if function(undo(before[start:])) == sent:
                    new = function(undo(after[start:]))
    written = b"%04X" % new if len(match[0]) == 4 else b"%X" % new
    if match[0].islower():
        written = written.lower()
    return digits[: match.start()] + written + digits[match.end() :]
