r"""Turns the data block of a readout (P0, IEC 62056-21) into COSEM objects.

    /LGZ4ZMF100AC.M23
    STX F.F(00000000)                     error register: letters stand for numbers
    0.9.1(123456)0.9.2(230131)            several data sets on a line
    1.8.0(012345.678*kWh)                 A and B left out: electricity
    1.8.0*01(012001.230*kWh)              a value stored at the end of a period: another reference
    !
    ETX BCC

The parts of a code, and which of them may be left out: IEC 62056-61, annex A. No code is rejected: one of an unknown
form stays as it is, and is not in the table.
"""

import re
from typing import Final

from telegraf_p1 import values

# References as A-B:C.D.E, with their suffix, and the contents of their brackets.
Sets = list[tuple[str, list[str]]]

_SET: Final = re.compile(r"([^()]*+)\(([^()]*+)\)")
_CODE: Final = re.compile(r"(?:(\d{1,3}-\d{1,3}):)?([0-9CFLP]{1,3})\.([0-9CFLP]{1,3})(?:\.(\d{1,3}))?([*&.]\d{1,3})?")
# Value group C of codes that are not measurements: abstract, errors, lists, profiles. Makers write F.F, so D too.
_LETTERS: Final = {"C": "96", "F": "97", "L": "98", "P": "99"}
_RUNNING: Final = ("", "*255", ".255")
_SPELLED_SHORT: Final = {"F": "F.F"}  # Landis+Gyr UH50
# Codes of heat meters (seen: Landis+Gyr UH50 and T550, Kamstrup MC66). For electricity 6.8 is a reactive energy.
_OF_HEAT: Final = {"6.8": ("Wh", "J"), "6.26": ("m3",)}
_CHANNELS: Final = {"electricity": "1-0", "heat": "5-0"}  # the media numbers of DSMR 2.2
MEDIA: Final = tuple(_CHANNELS)


def sets(block: str, medium: str = "") -> tuple[Sets, list[str]]:
    """Return the data sets of a block (between STX and ETX, with its `!` or not), and the lines that are not data sets.

    `medium` is what the meter measures, if its codes do not say; empty: found from them.
    """
    found: Sets = []
    bad_lines = []
    for line in block.replace("\r", "\n").split("\n"):
        pairs = of_line(line.strip("\0 \t").removesuffix("!"))
        if pairs is None:
            bad_lines.append(line)
            continue
        for code, value in pairs:
            if code:
                found.append((code, [value]))
            elif found:  # it continues the set before it: a time, a second value
                found[-1][1].append(value)
    channel = _CHANNELS[medium or ("heat" if any(_is_of_heat(code, groups) for code, groups in found) else MEDIA[0])]
    return [(reference(code, channel), groups) for code, groups in found], bad_lines


def is_code(text: str) -> bool:
    """Whether it has the form of a code, complete or short."""
    return _CODE.fullmatch(text) is not None


def of_line(line: str) -> list[tuple[str, str]] | None:
    """Return the data sets of a line, each a code and a value; None if there is anything else in it."""
    found = []
    place = 0
    while place < len(line):
        match = _SET.match(line, place)
        if match is None:
            return None
        found.append((match[1].strip(), match[2]))
        place = match.end()
    return found


def _is_of_heat(code: str, groups: list[str]) -> bool:
    if code not in _OF_HEAT:
        return False
    try:
        _, unit = values.quantity(groups[0])
    except values.Unreadable:
        return False
    return values.base_unit(unit) in _OF_HEAT[code]


def reference(code: str, channel: str = _CHANNELS["electricity"]) -> str:
    """Return a code with nothing left out; `channel` is A-B if the code has none."""
    match = _CODE.fullmatch(_SPELLED_SHORT.get(code, code))
    if match is None:
        return code
    given, c, d, e, suffix = match.groups("")
    c, d = _LETTERS.get(c, c), _LETTERS.get(d, d)
    # Any other suffix means a stored value (& if it was reset by hand), never the running one.
    return f"{given or channel}:{c}.{d}.{e or '0'}" + ("" if suffix in _RUNNING else suffix)
