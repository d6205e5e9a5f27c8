"""The loop: source → framer → telegram → record → stdout. The only retry, the only counters."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from telegraf_p1 import lineproto, telegram
from telegraf_p1.decode import Record, decode
from telegraf_p1.framer import Frame, Framer
from telegraf_p1.log import Log
from telegraf_p1.sources import Chunk, Source
from telegraf_p1.telegram import CrcMode, TelegramError
from telegraf_p1.timestamp import Zone

_SHORTEST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0


class Settings(NamedTuple):
    """What the user chose: see `telegraf-p1 run --help`."""

    crc: CrcMode
    zone: Zone
    host_time: bool
    measurement: str


class _Stream:
    """What is remembered of one origin: a cable, or an MQTT topic."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.crc_seen = False
        self.begun = False  # whether a frame came since the connection began


class Reader:
    """Turns chunks into records, and says once a minute what was wrong with the others."""

    def __init__(self, settings: Settings, log: Log, name: str) -> None:
        self.accepted = 0
        self.rejected = 0
        self._settings = settings
        self._log = log
        self._name = name
        self._streams: dict[str, _Stream] = {}
        self._remarked: set[str] = set()

    def records(self, chunk: Chunk, received_ns: int) -> Iterator[Record]:
        """Give the records of the telegrams that end in this chunk."""
        stream = self._streams.setdefault(chunk.origin, _Stream())
        frames = stream.framer.feed(chunk.data, received_ns)
        if chunk.complete:
            frames += stream.framer.flush()
        for frame in frames:
            if record := self._record(frame, stream):
                yield record

    def finish(self) -> Iterator[Record]:
        """Give the records of what the end of the source ends."""
        for stream in self._streams.values():
            for frame in stream.framer.flush():
                if record := self._record(frame, stream):
                    yield record

    def reconnected(self) -> None:
        """Forget what was begun: the next chunk comes from a new connection."""
        for stream in self._streams.values():
            stream.framer.reset()
            stream.begun = False

    def _record(self, frame: Frame, stream: _Stream) -> Record | None:
        settings = self._settings
        try:
            parsed = telegram.parse(frame.data, settings.crc, crc_seen=stream.crc_seen)
        except TelegramError as error:
            self._reject(error, stream)
            return None
        finally:
            stream.begun = True
        stream.crc_seen |= parsed.checksum is not None
        self.accepted += 1
        record = decode(parsed, frame.at, settings.zone, host_time=settings.host_time)
        if parsed.damage:
            self._remark(
                "damage",
                f"what carries the telegrams {parsed.damage}; they are accepted, since their CRC fits "
                "once that is undone, but set it to pass bytes as they are (raw, 8 bits)",
            )
        if parsed.bad_lines:
            line = parsed.bad_lines[0][:80]
            self._log.warning_for("line", f"{self._name}: {line!r} in a telegram is no COSEM object, and is left out")
        for reference, text in record.remarks:
            self._remark(reference, f"{reference!r}: {text}")
        return record

    def _reject(self, error: TelegramError, stream: _Stream) -> None:
        if error.cause == "half" and not stream.begun:
            return  # we began to listen in the middle of it
        self.rejected += 1
        self._log.warning_for(error.cause, f"{self._name}: telegram rejected: {error}")

    def _remark(self, cause: str, text: str) -> None:
        if cause not in self._remarked:
            self._remarked.add(cause)
            self._log.warning(f"{self._name}: {text}")


def run(source: Source, reader: Reader, log: Log, name: str, write: Callable[[Record], None]) -> None:
    """Read until the source is at its end; a lost one is tried again for ever."""
    for chunk in _reconnecting(source, reader, log, name):
        for record in reader.records(chunk, time.time_ns()):
            write(record)
    for record in reader.finish():
        write(record)


def _reconnecting(source: Source, reader: Reader, log: Log, name: str) -> Iterator[Chunk]:
    attempt = 0
    troubles: set[str] = set()
    ever_read = False
    while True:
        before = reader.accepted
        try:
            for chunk in source():
                if troubles and chunk.data:
                    log.info(f"{name} is back" if ever_read else f"{name} is there")
                    troubles.clear()
                ever_read = True
                yield chunk
        except OSError as error:
            reason = str(error.strerror or error)
        else:
            return
        reader.reconnected()
        attempt = 0 if reader.accepted > before else attempt + 1
        if not troubles:
            (log.warning if ever_read else log.error)(f"{name}: {reason}; trying again until it is there")
        elif reason not in troubles:
            log.info(f"{name}: still not there: {reason}")
        troubles.add(reason)
        time.sleep(_wait(attempt))


def _wait(attempt: int) -> float:
    """Give the next waiting time in s: doubled with each attempt, up to a quarter less by chance."""
    longest = min(_SHORTEST_WAIT_S * 2.0 ** min(attempt, 10), _LONGEST_WAIT_S)
    return max(_SHORTEST_WAIT_S, longest * (1 - os.urandom(1)[0] / 1024))


def write_to(write_line: Callable[[str], None], measurement: str) -> Callable[[Record], None]:
    """Give a function that writes a record as one line."""

    def write(record: Record) -> None:
        if line := lineproto.line(record, measurement):
            write_line(line)

    return write
