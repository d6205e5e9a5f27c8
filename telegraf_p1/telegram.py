"""Turns a frame into a Telegram: checks its CRC first, then reads its COSEM objects.

Nothing is read from bytes that are not trusted. Layout: DSMR 5.0.2 P1 Companion Standard, section 6.2; one object per
line, `A-B:C.D.E(value)(value)…`.
"""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from telegraf_p1 import crc
from telegraf_p1.advice import LINE

CrcMode = Literal["auto", "require", "x25", "off"]

# Seen: `*255` (Q3D), `.255` (DSMR 4.0 examples), a colon for a dot, a space before the bracket.
_PART: Final = r"(?:1?\d?\d|2[0-4]\d|25[0-5])"
_REFERENCE: Final = re.compile(rf"({_PART}-{_PART}):({_PART})[.:]({_PART})[.:]({_PART})([*.]{_PART})?\s*")
# Objects that name a version of the standard; meters that send one send a CRC too.
_VERSIONS: Final = ("1-3:0.2.8", "0-0:96.1.4")
# An identification has no brackets (IEC 62056-21, 6.3.2): this is the end of a line of values.
_NO_IDENTIFICATION: Final = re.compile(rb"/[^\r\n]*[()]")
_IDENTIFICATION: Final = re.compile(rb"/[A-Za-z]{3}[^()\r\n]*[\r\n]")
_LIKE_OBJECT: Final = re.compile(rb"-(?<=\d-)\d:\d{1,3}[.:]\d")  # the search begins with the `-`, which is fastest
_TEXT: Final = re.compile(rb"[\x20-\x7e\r\n]+")
_MESSAGE: Final = ("0-0:96.13.0(", "0-0:96.13.1(")
_FILLER: Final = "\0\xff \t"


def _changed(characters: str) -> str:
    """Return a class of what these characters can become if bits of theirs are cleared, or one bit is set."""
    found = {
        chr(octet)
        for octet in range(0x20, 0x7F)
        for c in characters.encode()
        if octet & c == octet or (octet ^ c).bit_count() == 1
    }
    return f"[{re.escape(''.join(sorted(found)))}]"


_DIGIT: Final = _changed("0123456789")
_D: Final = _DIGIT + "{1,3}"
# `1-0:!.8.1(000095.052*kWh!` has changed bits, but no byte is missing: it still has the form of one object, and
# contains no second one. Before it there may be a line end with too many bits. The parts of a second one are searched
# in atomic groups, without backtracking, which would take cubic time.
_CHANGED: Final = re.compile(
    rf"(?!(?>.*?\d-\d:\d+\.)[^(]*+\((?>.*?\d-\d:\d))"
    rf"[*J\-M]{{0,2}}{_DIGIT}{{0,3}}{_changed('-')}{_D}{_changed(':')}{_D}{_changed('.')}{_D}{_changed('.')}{_D}"
    rf"{_changed('(')}.*{_changed(')')}"
)
# In brackets an object may contain the reference of another one: `1-0:99.97.0(2)(0-0:96.7.19)(…`.
_NAMED: Final = re.compile(r"\(\d-\d:\d+\.\d+\.\d+\)")
# A single CR or LF in the middle of an object, while line ends have both: it was a `*` (2A) or a `-` (2D) before a bit
# was cleared.
_NO_LINE_END: Final = re.compile(rb"(?<![\r)])\n|(?<!\))\r(?!\n)")
_BEFORE_IT_FELL: Final = {b"\n": b"*", b"\r": b"-"}
# A telegram in which each line is an object. Most whose CRC does not match are like this: bits of a value have changed.
_WHOLE_LINES: Final = re.compile(
    rb"/[^\r\n]*+(?:(?:\r\n)++\d-\d:\d{1,2}\.\d{1,2}\.\d{1,2}\([^\r\n]*+(?<=\)))*+(?:\r\n)*+!"
)
_CRC: Final = re.compile(rb"[0-9A-Fa-f]{1,4}")
_LATER_START: Final = re.compile(rb"/(?=[A-Za-z]{3})")
# A readout of an optical port: perhaps an identification, STX, the data block, ETX, and the block check character.
READOUT: Final = re.compile(rb"(?:/([^\r\n]*)\r?\n(?:\r?\n)?)?\x02([^\x03]*+)(?:\x03(.))?", re.DOTALL)


class TelegramError(ValueError):
    """A telegram is rejected; `cause` is a keyword for the reason, `fault` the key of the advice in `advice.py`."""

    def __init__(self, cause: str, text: str, fault: str = "") -> None:
        super().__init__(text + LINE[fault])
        self.cause, self.text, self.fault = cause, text, fault


# One COSEM object: its OBIS reference as `A-B:C.D.E`, and the contents of each pair of brackets.
CosemObject = tuple[str, list[str]]


class Telegram(NamedTuple):
    """An accepted telegram.

    `checksum` is the CRC sent, None if there was none. `damage` is what the transport did to the bytes and was undone,
    `bad_lines` are the lines that are not COSEM objects.
    """

    identification: str
    objects: list[CosemObject]
    checksum: int | None
    damage: str
    bad_lines: list[str]


def printed_crc(digits: bytes) -> int | None:
    """Read what follows the `!`: 1 to 4 hex digits in either case; None if nothing does.

    Warmtelink leaves out leading zeros, some meters send NUL or 0xFF after the digits. Raise TelegramError if there is
    anything else.
    """
    digits = digits.strip(b"\0\xff \t\r\n")
    if not digits:
        return None
    if not _CRC.fullmatch(digits):
        raise TelegramError(
            "crc-digits",
            f"{digits[:16]!r} is not a CRC: bytes were changed on the way",
        )
    return int(digits, 16)


def parse(
    frame: bytes, crc_mode: CrcMode = "auto", *, crc_seen: bool = False, whole: bool = True, medium: str = ""
) -> Telegram:
    """Check a frame, then split it into its objects.

    - `auto`: the CRC has to match. Without one, the meter has to be one that names no version (as in DSMR 2.2 and 3.0),
      and the stream must never have had a CRC (`crc_seen`). The structure has to be complete then.
    - `require`: a telegram without a CRC is rejected.
    - `x25`: the same with CRC-16/X-25.
    - `off`: only the structure is checked, even without a `!` (`whole` is False for what was cut off there).

    A readout of an optical port (P0) has a block check character instead, which has to match in each mode. `medium` is
    what its meter measures, if its codes do not say (`readout.py`). Raise TelegramError if the telegram is rejected.
    """
    if match := READOUT.match(frame):
        return _read_out(match, medium)
    body, mark, digits = frame.rpartition(b"!") if whole else (frame, b"", b"")
    if not mark:
        _check_cut(frame, crc_mode)
        return _sound(frame + b"!", medium)
    expected = None if crc_mode == "off" else printed_crc(digits)
    data = body + mark
    if expected is not None:
        data, damage = _verified(data, expected, crc_mode)
        return _split(data, expected, damage)
    if crc_mode in ("require", "x25"):
        raise TelegramError("no-crc", f"the telegram has no CRC, but --crc {crc_mode} requires one")
    telegram = _sound(data, medium)
    if crc_mode == "auto" and (crc_seen or _names_a_version(data)):
        raise TelegramError(
            "no-crc",
            "the CRC is missing, though this meter sends one: bytes were lost at the end; if your "
            "device always removes the CRC, use --crc off",
        )
    return telegram


def is_begun(frame: bytes) -> bool:
    """Whether bytes that were cut off are the beginning of a telegram, and not noise or a path (`/usr/bin`)."""
    return _IDENTIFICATION.match(frame) is not None and (frame[1:2].isupper() or holds_objects(frame))


def holds_objects(data: bytes) -> bool:
    """Whether there is something like a COSEM object in it (`1-0:1.8.0`): a path or a URL begins with a slash, too."""
    return _LIKE_OBJECT.search(data) is not None


def _check_cut(frame: bytes, crc_mode: CrcMode) -> None:
    if not is_begun(frame):
        raise TelegramError("noise", f"{frame[:40]!r} is not a telegram")
    if crc_mode != "off":
        text = f"a telegram was cut off after {len(frame)} bytes, before its ! and CRC"
        raise TelegramError("cut", text, "cut")


def _read_out(match: re.Match[bytes], medium: str) -> Telegram:
    """Check and read a readout: its block check character is the XOR of everything after STX, ETX included."""
    from telegraf_p1 import readout  # imported here, since P1 telegrams do not need it

    identification, block, sent = match.groups(b"")
    objects, bad_lines = readout.sets(block.decode("latin-1"), medium)
    if not any(readout.is_code(code) for code, _ in objects):  # one BCC in 128 matches by chance
        raise TelegramError("noise", f"{match[0][:40]!r} is not a readout")
    if not sent:
        text = f"a readout (IEC 62056-21) was cut off after {len(match[0])} bytes, before its ETX and BCC"
        raise TelegramError("cut", text, "head")
    computed = crc.bcc(block + b"\x03")
    if computed != sent[0] & 0x7F:
        text = (
            f"the BCC of the readout (IEC 62056-21) does not match: sent {sent[0] & 0x7F:02X}, "
            f"computed {computed:02X} over {len(block) + 1} bytes"
        )
        raise TelegramError("bcc", text, "head")
    return Telegram(identification.decode("latin-1").strip(_FILLER), objects, computed, "", bad_lines)


def _verified(data: bytes, expected: int, crc_mode: CrcMode) -> tuple[bytes, str]:
    """Return the bytes that the CRC proves, and what damage was undone to get them; raise TelegramError."""
    checksum, other = (crc.x25, crc.checksum) if crc_mode == "x25" else (crc.checksum, crc.x25)
    computed = checksum(data)
    if computed == expected or (crc_mode == "x25" and computed == _swapped(expected)):
        return data, ""
    for start in (0, *later_starts(data)):
        candidate = data[start:]
        if start and checksum(candidate) == expected:
            return candidate, ""
        if repair := crc.repair(candidate, expected, checksum):
            return repair
    if _NO_IDENTIFICATION.match(data):
        raise TelegramError("half", "the telegram is incomplete: it began before the connection was opened")
    if other(data) in (expected, _swapped(expected)):
        cure = "is the usual one: remove --crc x25" if crc_mode == "x25" else "is a CRC-16/X-25: use --crc x25"
        raise TelegramError("other-crc", f"the CRC sent, {expected:04X}, {cure}")
    raise _misfit(data, expected, computed)


def _swapped(checksum: int) -> int:
    """Return a CRC with its two bytes swapped, as Poland prints its CRC-16/X-25."""
    return checksum >> 8 | (checksum & 0xFF) << 8


def _misfit(data: bytes, expected: int, computed: int) -> TelegramError:
    """Return the error for a CRC that does not match, with the likely cause."""
    text = f"the CRC does not match: sent {expected:04X}, computed {computed:04X} over {len(data)} bytes"
    if expected == 0:
        cause = ": a meter that always sends 0000 (Slovenia) has no CRC: use --crc off"
        return TelegramError("crc-0000", text + cause)
    if _WHOLE_LINES.fullmatch(data):
        return TelegramError("crc", text, "changed")
    lines = _NO_LINE_END.sub(lambda end: _BEFORE_IT_FELL[end[0]], data) if b"\r\n" in data else data
    bad_lines = _split(lines, None, "").bad_lines
    if bad_lines and _TEXT.fullmatch(data) and not _CHANGED.fullmatch(_NAMED.sub("", bad_lines[0])):
        return TelegramError("crc-lost", f"{text}: bytes are missing at {bad_lines[0][:60]!r}", "missing")
    return TelegramError("crc", text, "changed")


def later_starts(data: bytes) -> list[int]:
    r"""Return where another telegram may begin after an incomplete one; the last place first.

    `1-0:1.7.0(00.1/ISK5\2M550T-1012` CR LF: the line that was cut off contains the new identification.
    """
    starts = [match.start() for match in _LATER_START.finditer(data) if match.start()]
    return [start for start in starts[:-9:-1] if _IDENTIFICATION.match(data, start)]


def _sound(data: bytes, medium: str = "") -> Telegram:
    """Split a telegram without a CRC; raise TelegramError unless every line is complete.

    All codes may be short (`1.8.0`), as an optical port sends them. A short one among others has lost its beginning.
    """
    telegram = _split(data, None, "")
    if telegram.bad_lines and not holds_objects(data):
        from telegraf_p1 import readout

        _, *lines = _lines(data[:-1].decode("latin-1"))
        objects, bad_lines = readout.sets("\n".join(lines), medium)
        # Nothing proves these: a code of another form is a text with brackets.
        bad_lines += [code for code, _ in objects if not readout.is_code(code)]
        telegram = telegram._replace(objects=objects, bad_lines=bad_lines)
    for start in later_starts(data):
        if _is_sound(telegram):
            break
        telegram = _split(data[start:], None, "")
    if not _is_sound(telegram):
        line = (telegram.bad_lines or [telegram.identification])[0]
        raise TelegramError(
            "structure", f"the telegram has no CRC and is incomplete: {line[:80]!r} is not a COSEM object"
        )
    return telegram


def _names_a_version(data: bytes) -> bool:
    lines = _joined(_lines(data.decode("latin-1")))
    return any(reference(line.partition("(")[0]) in _VERSIONS for line in lines)


def is_sound(frame: bytes) -> bool:
    """Whether a cut-off frame is complete all the same: every line is a COSEM object (a meter that sends no `!`)."""
    return _is_sound(_split(frame + b"!", None, ""))


def _is_sound(telegram: Telegram) -> bool:
    return bool(telegram.objects) and not telegram.bad_lines and "(" not in telegram.identification


def _split(data: bytes, checksum: int | None, damage: str) -> Telegram:
    text = data[1:-1].decode("latin-1")
    identification, *lines = _lines(text)
    objects, bad_lines = _objects(lines)
    if bad_lines:  # perhaps these continue the lines before them
        objects, bad_lines = _objects(_joined(lines))
    return Telegram(identification.strip(_FILLER), objects, checksum, damage, bad_lines)


def _objects(lines: list[str]) -> tuple[list[CosemObject], list[str]]:
    """Return the COSEM objects of lines, and the lines that are not objects; empty ones are left out."""
    objects: list[CosemObject] = []
    bad_lines = []
    for line in lines:
        if not line:
            continue
        spelled, _, inner = line.partition("(")
        named = reference(spelled)
        if named and inner[-1:] == ")":
            objects.append((named, inner[:-1].split(")(")))
        else:
            bad_lines.append(line)
    return objects, bad_lines


def _lines(text: str) -> list[str]:
    """Return the lines, also empty ones; the identification comes first."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _joined(lines: list[str]) -> list[str]:
    """Join the lines that belong together.

    A line that begins with `(` has the value of the line before it (DSMR 3.0, gas). A message whose bracket is still
    open continues on the next line (DSMR 3.0).
    """
    joined: list[str] = []
    for line in filter(None, (line.strip(_FILLER) for line in lines)):
        last = joined[-1] if joined else ""
        is_open = last[-1:] != ")" and last.startswith(_MESSAGE)
        if joined and (line[0] == "(" or (is_open and not _REFERENCE.match(line))):
            joined[-1] += line
        else:
            joined.append(line)
    return joined


@lru_cache(1024)
def reference(spelled: str) -> str | None:
    """Return a reference in the standard's spelling; None if it is not one."""
    match = _REFERENCE.fullmatch(spelled)
    if match is None:
        return None
    channel, c, d, e, suffix = match.groups()
    # Any other suffix means a stored value of an earlier period, not the running register.
    return f"{channel}:{c}.{d}.{e}" + ("" if suffix in (None, "*255", ".255") else suffix)
