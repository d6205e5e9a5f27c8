r"""The protocol for reading a meter through its optical port (P0, IEC 62056-21), without a port and without a clock.

    reader                       meter
    /?!                     →                      sign-on, at 300 baud
                            ←    /LGZ4ZMF100AC…    identification: maker, baud character (4 = 4800), model
    ACK 0 4 0               →                      mode C only; then both change their speed
                            ←    STX 1.8.0(…) … ! ETX BCC

`readout` is a generator. It yields what has to be done (`Send`, `Speed`, `Rest`, `Listen`) and is sent a `Reply` for
each. It returns the identification and the readout as they were received.

The text of the standard was not at hand: the layout is from IEC 62056-61, annex A, and lvzon's notes on IEC 62056-21
(doc/IEC-62056-21-notes.md in dsmr-p1-parser). The times are those of other readers, so they can be changed.
"""

import re
from collections.abc import Generator
from typing import Final, NamedTuple

from telegraf_p1.crc import bcc
from telegraf_p1.sources.serial_settings import SEVEN_BITS

START_BAUD: Final = 300  # of every sign-on, except in mode D (push)
_STX, _ETX, _ACK = b"\x02", b"\x03", b"\x06"
# The baud character. Notes disagree on mode B: one has A = 300; a log of a meter has C = 2400, which fits A = 600.
_MODE_C: Final = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
_MODE_B: Final = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}
_CHARACTERS: Final = {speed: character for character, speed in _MODE_C.items()}
SPEEDS: Final = tuple(_CHARACTERS)
MODES: Final = ("auto", "A", "B", "C")
# Not `/?`: that is the echo of the request, which many heads return. There may be noise before it.
_IDENTIFICATION: Final = re.compile(rb"/[A-Za-z]{3}([\x20-\x7e])[^/\r\n]{0,64}\r?\n")
_SETS: Final = re.compile(rb"[\r\n]*[0-9CFLP][0-9A-Z.:*&-]*\([^\x00-\x09]*![\r\n]*")
_MOST: Final = 16 * 1024  # bytes of a readout, as of a telegram
_WAKE_REST_S: Final = 1.6  # after the wake-up; heat meters want 1.5 to 1.7


class Settings(NamedTuple):
    """What the user may set. Times are s, speeds baud.

    `mode` is one of MODES; `speed` is that of the readout, 0 for what the meter offers. `wakeup_s`: for how long NUL
    bytes are sent first, 0 for meters without a battery. `answer_s` is the longest wait for the first character of an
    answer, `gap_s` for the next one, `whole_s` for a whole readout. `reaction_s` is the time that the meter needs to
    change from sending to receiving.
    """

    address: str = ""
    mode: str = "auto"
    speed: int = 0
    wakeup_s: float = 0.0
    answer_s: float = 2.0
    gap_s: float = 2.0
    whole_s: float = 300.0
    reaction_s: float = 0.3
    attempts: int = 3


class Send(NamedTuple):
    """Send bytes, and wait until their last bit is sent."""

    data: bytes


class Speed(NamedTuple):
    """Change the speed of the port, in baud."""

    baud: int


class Rest(NamedTuple):
    """Do nothing for `seconds`."""

    seconds: float


class Listen(NamedTuple):
    """Wait for bytes, for `seconds` at most."""

    seconds: float


class Reply(NamedTuple):
    """The time when something was done (s, of any clock), and the bytes received: empty if none came in time."""

    now: float
    data: bytes = b""


class NoReadout(Exception):
    """The meter could not be read; the text says what happened, and what to check."""


class _Failed(Exception):
    """An attempt failed. `data` is a complete readout with a wrong BCC.

    `is_garbled`: nothing was understood after the change of the speed. The next attempt then asks for a readout at 300
    baud: a meter that did not receive the acknowledgement stays at that speed.
    """

    def __init__(self, text: str, *, is_garbled: bool = False, data: bytes = b"") -> None:
        super().__init__(text)
        self.is_garbled, self.data = is_garbled, data


Exchange = Generator[Send | Speed | Rest | Listen, Reply, bytes]


def readout(settings: Settings, *, has_fixed_speed: bool = False) -> Exchange:
    """Sign on; return the identification and the readout, in as many attempts as are set; raise NoReadout.

    `has_fixed_speed`: the port stays at the speed of the sign-on. If readouts were complete but their BCC never
    matched, the last one is returned: whoever parses it reports that.
    """
    stays = has_fixed_speed
    for number in range(settings.attempts):
        if number:
            yield from _wait_for_silence(settings)
        try:
            return (yield from _attempt(settings, stays=stays, has_fixed_speed=has_fixed_speed))
        except _Failed as error:
            failed = error
            stays |= error.is_garbled
    if not failed.data:
        raise NoReadout(f"no readout after {settings.attempts} attempt{'s'[: settings.attempts > 1]}: {failed}")
    return failed.data


def _wait_for_silence(settings: Settings) -> Generator[Speed | Listen, Reply, None]:
    """Wait until the meter is silent: it sends all of what was not understood, and then is at 300 baud again."""
    begun = now = (yield Speed(START_BAUD)).now
    while now - begun < settings.whole_s:
        reply = yield Listen(settings.gap_s)
        if not reply.data:
            return
        now = reply.now


def _attempt(settings: Settings, *, stays: bool, has_fixed_speed: bool) -> Exchange:
    yield Speed(START_BAUD)
    if settings.wakeup_s:
        yield Send(bytes(round(settings.wakeup_s * START_BAUD / 10)))  # 10 bits per character, and no gap
        yield Rest(_WAKE_REST_S)
    request = f"/?{settings.address}!\r\n".encode("ascii")
    yield Send(request)
    identification, character, rest = yield from _identified(settings)
    mode, speed = chosen(settings, character)
    if has_fixed_speed and mode == "B" and speed != START_BAUD:
        raise NoReadout(
            f"the meter changes to {speed} baud, which this bridge does not support: use p0+rfc2217:// or a serial port"
        )
    if stays and mode == "C":
        speed = START_BAUD
    if mode == "C":
        yield Rest(settings.reaction_s)
        acknowledgement = b"%b0%b0\r\n" % (_ACK, _CHARACTERS[speed].encode("ascii"))
        yield Send(acknowledgement)
        rest = b""
    if speed != START_BAUD:
        yield Speed(speed)
    block = yield from _block(settings, rest, speed)
    if block.startswith(_STX) and bcc(block[1:-1]) != block[-1]:
        if b")\r\n" not in block and b")!" not in block:
            raise _Failed(f"the data at {speed} baud is not a readout: {block[:20]!r}", is_garbled=True)
        raise _Failed("the BCC of the readout does not match", data=identification + block)
    return identification + block


def chosen(settings: Settings, character: str) -> tuple[str, int]:
    """Return mode and speed (baud) of the readout that a baud character offers, unless the user has set them."""
    offered = "C" if character in _MODE_C else "B" if character in _MODE_B else "A"
    mode = offered if settings.mode == "auto" else settings.mode
    speed = {"A": {}, "B": _MODE_B, "C": _MODE_C}[mode].get(character, START_BAUD)
    if settings.speed and mode != "A":
        speed = settings.speed
    return mode, speed


def _identified(settings: Settings) -> Generator[Listen, Reply, tuple[bytes, str, bytes]]:
    """Wait for the identification; return it, its baud character, and what was received after it."""
    reply = yield Listen(settings.answer_s)
    begun, data = reply.now, b""
    while reply.data and len(data) < _MOST:
        data += reply.data.translate(SEVEN_BITS)
        if match := _IDENTIFICATION.search(data):
            return match[0], match[1].decode("ascii"), data[match.end() :]
        left = begun + settings.answer_s + settings.gap_s - reply.now  # noise may never end
        if left <= 0:
            break
        reply = yield Listen(min(left, settings.gap_s))
    told = data.replace(f"/?{settings.address}!\r\n".encode("ascii"), b"").strip(b"\0")
    if not told:
        raise _Failed(
            "the meter does not answer: check that the head sits on its optical port, the right way "
            "up. A meter with a battery may need ?wakeup=2.2s, one on a shared line its ?address="
        )
    raise _Failed(f"the meter sends no identification, but {told[:20]!r}: check that no light falls on the head")


def _block(settings: Settings, data: bytes, speed: int) -> Generator[Listen, Reply, bytes]:
    """Wait for the readout: from its STX to its BCC, or without both up to its `!`."""
    begun: float | None = None
    while len(data) < _MOST:
        start = data.find(_STX)
        end = data.find(_ETX, start) + 1 if start >= 0 else 0
        if end and len(data) > end:
            return data[start : end + 1]
        reply = yield Listen(settings.gap_s if data else settings.answer_s)
        begun = reply.now if begun is None else begun
        if not reply.data:
            break
        if reply.now - begun > settings.whole_s:
            raise _Failed(f"the readout took longer than {settings.whole_s:g} s: set ?whole=10m")
        data += reply.data.translate(SEVEN_BITS)
    if _STX in data:
        raise _Failed(f"the readout was cut off after {len(data)} bytes, before its ETX and BCC")
    if match := _SETS.fullmatch(data):  # some meters of mode A have neither
        return match[0]
    if b"\x15" in data:
        raise _Failed("the meter refuses the readout (NAK)")
    if not data:
        raise _Failed(f"the meter sends its identification, but nothing at {speed} baud", is_garbled=True)
    raise _Failed(f"the data at {speed} baud is not a readout: {data[:20]!r}", is_garbled=True)
