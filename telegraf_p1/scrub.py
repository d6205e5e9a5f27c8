r"""Replaces what identifies the meter in a telegram that is shown to others: `telegraf-p1 decode --scrub`.

In identifiers, in messages, and in all that may be one of them, digits become other digits and letters become X.
Readings, times, references, lengths and line ends stay byte for byte. So does the result of the CRC check: a CRC that
matches still does, also if the transport has changed the bytes. One that does not match still does not.

    in:  0-0:96.1.1(4530303437303030303132333435363135)   E0047000012345615
    out: 0-0:96.1.1(5834393131383830303239383639323231)   X4911880029869221
"""

import re
from random import Random
from typing import Final

from telegraf_p1 import crc, telegram, values
from telegraf_p1.framer import Frame
from telegraf_p1.identifiers import HARMLESS
from telegraf_p1.obis import kinds
from telegraf_p1.obis.lookup import DEFAULT

# Texts that describe a model or a state, where only many digits in a row may identify somebody.
_HARMLESS: Final = HARMLESS | {"identification"}
# Kinds whose values have a form of their own.
_OWN: Final = {
    kinds.TIME: re.compile(r"[\dT :./-]{8,19}[SWsw]?"),
    kinds.TIME_OF_DAY: re.compile(r"[\d:]{4,8}"),
    kinds.DATE: re.compile(r"[\d./-]{6,10}"),
    kinds.HEX_COUNTER: re.compile(r"[0-9A-Fa-f]{8}"),
}
_LINE_END: Final = re.compile(r"([\r\n]+)")
# What is kept in brackets: a number with a point, a unit, or few digits; a time; an OBIS reference; a short word.
_NUMBER: Final = (
    r"[+-]?\d{1,10}\.\d{1,8}(?:\*?[A-Za-z]\w{0,4}(?:/\w)?)?|[+-]?\d{1,12}\*[A-Za-z]\w{0,4}|\d{1,12} [kM]?Wh|\d{1,5}"
)
_REFERENCE: Final = r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}"
_TIME: Final = r"\d{12}[SWsw]?"
_ORDINARY: Final = re.compile(rf"(?:{_NUMBER}|{_REFERENCE}|{_TIME}|[A-Za-z]\w{{0,4}}|TARIFF \d|)\s*")
# What is kept in a line that is not an object, since bytes were lost.
_READING: Final = r"\d{1,9}\.\d{1,3}(?:\*[A-Za-z]\w{0,4})?|\d{1,5}(?:\*[A-Za-z]\w{0,4})?"
_KEPT: Final = re.compile(rf"((?<!\w)(?:{_REFERENCE}|{_TIME}|{_READING})(?![\w.]))")
# In an identification: `/AUX59903218166` ends with the number of the meter, `/ISK5\2M550T-1012` with its model.
_NUMBERED: Final = re.compile(r"\d{6,}")
# Versions and states are shorter.
_LONG: Final = re.compile(r"[0-9A-Fa-f]{11,}")
_CRC: Final = re.compile(rb"[0-9A-Fa-f]{1,4}")
_FILLER: Final = "\0\xff \t"


class Scrubber:
    """Replaces identifiers, the same one always by the same: it can still be seen which are equal."""

    def __init__(self) -> None:
        self._replaced: dict[str, str] = {}

    def scrub(self, frame: Frame) -> bytes:
        """Return a plain frame, which may be damaged or cut off, with its identifiers replaced."""
        if readout := telegram.READOUT.match(frame.data):
            return self._readout(readout)
        body, mark, digits = frame.data.rpartition(b"!")
        if not (frame.whole and mark):
            return self._lines(frame.data)
        scrubbed = self._lines(body)
        return scrubbed + mark + _same_verdict(body + mark, scrubbed + mark, digits)

    def _readout(self, match: re.Match[bytes]) -> bytes:
        """Scrub a readout of an optical port; its BCC matches if it did before."""
        before, sent = match[2], match[3]
        parts = _LINE_END.split(before.decode("latin-1"))  # lines and their ends, in turn
        parts[::2] = map(self._sets, parts[::2])
        after = "".join(parts).encode("latin-1")
        head = self._identification(match[0][: match.start(2)].decode("latin-1")).encode("latin-1")
        end = b"\x03%c" % (sent[0] ^ crc.bcc(before) ^ crc.bcc(after)) if sent else b""
        return head + after + end

    def _sets(self, line: str) -> str:
        from telegraf_p1 import readout

        sets = readout.of_line(line.removesuffix("!"))
        if sets is None:
            return self._remains(line)
        scrubbed = (f"{code}({self._group(readout.reference(code), value)})" for code, value in sets)
        return "".join(scrubbed) + "!" * line.endswith("!")

    def _lines(self, body: bytes) -> bytes:
        identification, *rest = _LINE_END.split(body.decode("latin-1"))  # lines and their ends, in turn
        found = [self._identification(identification)]
        above, is_open = "", False  # the last reference, and whether its last bracket is still open
        for line in rest:
            if _LINE_END.fullmatch(line) or not line.strip(_FILLER):
                found.append(line)
                continue
            reference = telegram.reference(line.partition("(")[0].strip(_FILLER))
            if reference is not None:
                above = reference
                found.append(self._object(line, reference))
            elif above and (is_open or line.strip(_FILLER).startswith("(")):
                found.append(self._continued(line, above))
            else:
                found.append(self._remains(line))
            is_open = not line.rstrip(_FILLER).endswith(")") and (reference is not None or is_open)
        return "".join(found).encode("latin-1")

    def _identification(self, line: str) -> str:
        if "(" in line or ")" in line:  # bytes were lost, and an object continues the line
            return self._remains(line)
        return _NUMBERED.sub(lambda run: self._text(run[0]), line)

    def _object(self, line: str, reference: str) -> str:
        head, bracket, rest = line.partition("(")
        return head + bracket + self._groups(rest, reference)

    def _continued(self, line: str, reference: str) -> str:
        """Scrub a line that belongs to the object above: a value in brackets, or more of a message."""
        before, bracket, rest = line.partition("(")
        if before.strip(_FILLER):
            return self._groups(line, reference)
        return before + bracket + self._groups(rest, reference)

    def _groups(self, text: str, reference: str) -> str:
        inside, end, behind = text.rpartition(")")
        if not end:
            inside, behind = behind, ""
        groups = (self._group(reference, group) for group in inside.split(")("))
        return ")(".join(groups) + end + self._remains(behind)

    def _group(self, reference: str, text: str) -> str:
        entry = DEFAULT.lookup(reference)
        names = {field.name for field in entry.row.fields if field.type in ("string", "tag")} if entry else set()
        if names - _HARMLESS:
            return self._text(text)
        if names:
            return self._text(text) if _LONG.search(text) else text
        if entry and entry.row.kind in _OWN and _OWN[entry.row.kind].fullmatch(text):
            return text
        return text if _ORDINARY.fullmatch(text) else self._text(text)

    def _remains(self, text: str) -> str:
        """Scrub what is not an object any more: only what an object without identifiers could contain is kept."""
        parts = _KEPT.split(text)
        parts[::2] = map(self._text, parts[::2])
        return "".join(parts)

    def _text(self, text: str) -> str:
        """Replace a text, hex-coded or plain, by one of the same length and coding."""
        octets = values.hex_coded(text)
        if not text.strip("0Ff \xff\0") or (octets is not None and not octets.strip(b"0 ")):
            return text  # there is no meter
        if octets is None:
            return self._characters(text)
        coded = self._characters(octets.decode("ascii")).encode("ascii").hex()
        return coded if text.islower() else coded.upper()

    def _characters(self, text: str) -> str:
        if text not in self._replaced:
            random = Random(len(self._replaced))  # noqa: S311  the result does not depend on the text
            replaced = "".join(_other(character, random) for character in text)
            self._replaced[text] = replaced
        return self._replaced[text]


def _other(character: str, random: Random) -> str:
    if character in "0123456789":
        return random.choice("0123456789")
    return "X" if character.isalpha() or character >= "\x80" else character


def _same_verdict(before: bytes, after: bytes, digits: bytes) -> bytes:
    """Return CRC digits for `after` that give the same result of the check as `digits` did for `before`.

    If these match after known damage is undone, the new ones do, too. If they never match, the new ones are wrong in
    the same bits, since a CRC is linear. 0000, which some meters always send, stays.
    """
    match = _CRC.search(digits)
    if match is None:
        return digits
    sent = int(match[0], 16)
    new = sent ^ crc.checksum(before) ^ crc.checksum(after) if sent else 0
    for start in (0, *telegram.later_starts(before)):
        for undo in (bytes, *(undo for undo, _ in crc.UNDO)):
            for function in (crc.checksum, crc.x25):
                if function(undo(before[start:])) == sent:
                    new = function(undo(after[start:]))
    written = b"%04X" % new if len(match[0]) == 4 else b"%X" % new
    if match[0].islower():
        written = written.lower()
    return digits[: match.start()] + written + digits[match.end() :]
