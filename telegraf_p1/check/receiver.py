"""What is received from a source: its bytes, and the telegrams in them, read with the options that its meter needs."""

import os
from collections import Counter
from typing import Final, NamedTuple

from telegraf_p1 import keys
from telegraf_p1.advice import Advice
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.record import Record
from telegraf_p1.sources.events import Data, Event
from telegraf_p1.telegram import CrcMode, Telegram
from telegraf_p1.timestamp import Zone
from telegraf_p1.url import UsageError

_WINDOW: Final = 4096  # last bytes, kept to find out what is wrong
_MOST_KEPT: Final = 64 * 1024  # bytes that may have to be read again with other options
_MOST_ACCEPTED: Final = 1000  # telegrams


class Way(NamedTuple):
    """The two options of `run` that decide which telegrams are accepted."""

    crc: CrcMode = "auto"
    plain: bool = False

    def options(self) -> list[str]:
        """Return them as they are written on the command line."""
        return [*(["--crc", self.crc] if self.crc != "auto" else []), *(["--plain"] if self.plain else [])]


# By the cause for which telegrams are rejected: how many it takes, and the options that help.
_CURES: Final = {
    "other-crc": (1, Way("x25")),
    "crc-0000": (1, Way("off")),
    "plain": (1, Way(plain=True)),
    "no-crc": (2, Way("off")),
    "cut": (2, Way("off")),
}


class Accepted(NamedTuple):
    """An accepted telegram, and when it was received (UTC, ns since 1970; None if it was stored on its way)."""

    telegram: Telegram
    record: Record
    at_ns: int | None


class Receiver:
    """Takes the events of one source, and finds out with which options its telegrams are accepted."""

    def __init__(self, source: str, advice: Advice) -> None:
        """Raise UsageError for an invalid key in the environment."""
        self._source, self._advice = source, advice
        self.bytes = 0
        self.window = bytearray()  # the last bytes
        self._kept: list[tuple[Event, int]] = []
        self._kept_bytes = 0
        self._tried = {Way()}
        try:
            self._keys = keys.read(os.environ)
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._read_in(Way())

    def _read_in(self, way: Way) -> None:
        """Start again, with these options."""
        self.way = way
        self.accepted: list[Accepted] = []
        self.messages: list[str] = []  # the interpreter's messages
        self._at_ns: int | None = None
        settings = Settings(way.crc, Zone(), host_time=False, keys=self._keys, plain=way.plain, show=self._show)
        self._interpreter = Interpreter(settings, Log(self._note_message), self._source, self._advice)

    @property
    def rejected(self) -> Counter[str]:
        """How many telegrams were rejected, by cause."""
        return self._interpreter.rejected_by_cause

    def receive(self, event: Event, now_ns: int) -> None:
        """Take an event of the source; `now_ns` is UTC in ns since 1970."""
        if isinstance(event, Data):
            self.bytes += len(event.data)
            self.window = (self.window + event.data)[-_WINDOW:]
        if not self.accepted:
            self._keep(event, now_ns)
        self._take(event, now_ns)
        if not self.accepted:
            self._try_another_way()

    def finish(self) -> None:
        """Finish what is left, since the source has ended."""
        self._at_ns = None
        self._interpreter.finish()

    def _keep(self, event: Event, now_ns: int) -> None:
        self._kept.append((event, now_ns))
        self._kept_bytes += _size(event)
        while self._kept_bytes > _MOST_KEPT and len(self._kept) > 1:
            self._kept_bytes -= _size(self._kept.pop(0)[0])

    def _take(self, event: Event, now_ns: int) -> None:
        is_late = isinstance(event, Data) and event.is_late
        self._at_ns = None if is_late else now_ns
        is_first, count = not self.accepted, len(self.messages)
        self._interpreter.records(event, now_ns)
        if is_first and self.accepted:
            del self.messages[:count]  # messages from before the first telegram no longer matter

    def _try_another_way(self) -> None:
        """Read all kept events again with options that may help; keep these options if that gives a telegram."""
        for cause, (count, way) in _CURES.items():
            if self.rejected[cause] < count or way in self._tried:
                continue
            before = self.way, self.accepted, self.messages, self._interpreter
            self._tried.add(way)
            self._read_in(way)
            for event, now_ns in self._kept:
                self._take(event, now_ns)
            if self.accepted:
                return
            self.way, self.accepted, self.messages, self._interpreter = before

    def _show(self, telegram: Telegram, record: Record) -> None:
        self.accepted = [*self.accepted[-_MOST_ACCEPTED:], Accepted(telegram, record, self._at_ns)]

    def _note_message(self, line: str) -> None:
        text = line.strip().partition("! ")[2].removeprefix(self._source).removeprefix(": ")
        if text not in self.messages:
            self.messages.append(text)


def _size(event: Event) -> int:
    return len(event.data) if isinstance(event, Data) else 0
