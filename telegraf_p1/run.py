"""The loop: source → framer → telegram → record → stdout. The only retry, the only counters."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from telegraf_p1 import lineproto, telegram
from telegraf_p1.decode import Record, decode
from telegraf_p1.decrypt import Keys, unseal
from telegraf_p1.diagnosis import diagnose, no_telegram
from telegraf_p1.framer import SEALED, Frame, Framer
from telegraf_p1.layout import Layout
from telegraf_p1.log import Log
from telegraf_p1.sources import SILENCE_S, Chunk, Source
from telegraf_p1.table import DEFAULT, Table
from telegraf_p1.telegram import CrcMode, TelegramError
from telegraf_p1.timestamp import Zone

_SHORTEST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_STALE: Final = 0  # the time of reception of what was sent at another time
_MOST_STREAMS: Final = 10_000
_SLOW: Final = 3  # times that silence was the meter's habit, and no trouble
_WINDOW: Final = 1024  # bytes without a record that are looked at for the reason
_NOTHING_CAME: Final = (
    "nothing came for {:g} s: is the cable in the P1 port, and its data request line at 5 V? In Belgium, Sweden, "
    "Finland, Lithuania, Austria and Switzerland the grid company has to switch the port on first"
)


class Settings(NamedTuple):
    """What the user chose: see `telegraf-p1 run --help`."""

    crc: CrcMode
    zone: Zone
    host_time: bool
    keys: Keys | None = None
    rows: Table = DEFAULT


class _Stream:
    """What is remembered of one origin: a cable, or an MQTT topic."""

    def __init__(self, name: str, origin: str) -> None:
        self.name = name
        self.tags = {"topic": origin} if origin else {}
        self.framer = Framer()
        self.crc_seen = False
        self.begun = False  # whether a frame came since the connection began
        self.unexplained = bytearray()  # what came since the last record
        self.is_silent = False
        self.recoveries = 0  # how often a record came after silence


class Reader:
    """Turns chunks into records, and says once a minute what was wrong with the others."""

    def __init__(self, settings: Settings, log: Log, name: str) -> None:
        self.accepted = 0
        self.rejected = 0
        self.rejected_by_cause: Counter[str] = Counter()
        self.bytes = 0
        self.reconnects = 0
        self.last_ns = time.time_ns()  # when the last telegram came, or we began
        self._settings = settings
        self._log = log
        self._name = name
        self._streams: dict[str, _Stream] = {}
        self._remarked: set[str] = set()

    def records(self, chunk: Chunk, received_ns: int) -> Iterator[Record]:
        """Give the records of the telegrams that end in this chunk."""
        stream = self._stream(chunk.origin)
        self.bytes += len(chunk.data)
        if chunk.remark:
            self._log.warning_for(chunk.remark, f"{stream.name}: {chunk.remark}")
        frames = stream.framer.feed(chunk.data, _STALE if chunk.stale else received_ns) if chunk.data else []
        if chunk.silence:
            self._explain_silence(stream, chunk.silence)
        if chunk.complete or (chunk.silence and self._settings.crc == "off"):
            frames += stream.framer.flush()
        stream.begun |= chunk.complete
        accepted, judged = self.accepted, self.accepted + self.rejected
        for frame in frames:
            if record := self._record(frame, stream):
                yield record
        if self.accepted > accepted:
            self.last_ns = received_ns
        if self.accepted + self.rejected > judged or stream.framer.unfinished().startswith(SEALED):
            stream.unexplained.clear()
        else:
            self._explain(stream, chunk)

    def _stream(self, origin: str) -> _Stream:
        if origin not in self._streams:
            if len(self._streams) >= _MOST_STREAMS:
                self._streams.pop(next(iter(self._streams)))
            self._streams[origin] = _Stream(f"{self._name}, topic {origin!r}" if origin else self._name, origin)
        return self._streams[origin]

    def finish(self) -> Iterator[Record]:
        """Give the records of what the end of the source ends."""
        for stream in self._streams.values():
            for frame in stream.framer.flush():
                if record := self._record(frame, stream):
                    yield record

    def reconnected(self) -> None:
        """Forget what was begun: the next chunk comes from a new connection."""
        self.reconnects += 1
        for stream in self._streams.values():
            stream.framer.reset()
            stream.unexplained.clear()
            stream.begun = False

    def _record(self, frame: Frame, stream: _Stream) -> Record | None:
        settings = self._settings
        try:
            parsed = telegram.parse(self._plain(frame), settings.crc, crc_seen=stream.crc_seen, whole=frame.whole)
        except TelegramError as error:
            self._reject(error, stream)
            return None
        finally:
            stream.begun = True
        stream.crc_seen |= parsed.checksum is not None
        stream.recoveries += stream.is_silent
        stream.is_silent = False
        self.accepted += 1
        record = decode(parsed, frame.at, settings.zone, host_time=settings.host_time, rows=settings.rows)
        self._remarks(parsed, record, stream)
        if record.time_ns == _STALE:
            self._remark("stale", f"{stream.name}: a retained telegram without a time of its own is left out")
            return None
        return record._replace(tags=record.tags | stream.tags)

    def _remarks(self, parsed: telegram.Telegram, record: Record, stream: _Stream) -> None:
        if parsed.damage:
            self._remark(
                "damage",
                f"{stream.name}: what carries the telegrams {parsed.damage}; they are accepted, since their CRC fits "
                "once that is undone, but set it to pass bytes as they are (raw, 8 bits)",
            )
        if parsed.bad_lines:
            line = parsed.bad_lines[0][:80]
            self._log.warning_for("line", f"{stream.name}: {line!r} in a telegram is no COSEM object, and is left out")
        for reference, text in record.remarks:
            self._remark(reference, f"{stream.name}: {reference!r}: {text}")

    def _plain(self, frame: Frame) -> bytes:
        if not frame.data.startswith(SEALED):
            return frame.data
        if not frame.whole:
            raise TelegramError("cut", f"a sealed telegram was cut off after {len(frame.data)} bytes")
        return unseal(frame.data, self._settings.keys)

    def _reject(self, error: TelegramError, stream: _Stream) -> None:
        if error.cause == "noise" or (error.cause == "half" and not stream.begun):
            return  # we began to listen in the middle of it
        self.rejected += 1
        self.rejected_by_cause[error.cause] += 1
        self._log.warning_for(error.cause, f"{stream.name}: telegram rejected: {error}")

    def _explain_silence(self, stream: _Stream, seconds: float) -> None:
        if seconds < SILENCE_S:
            return
        stream.is_silent = True
        if stream.recoveries >= _SLOW:
            return
        if unfinished := stream.framer.unfinished():
            text = f"a telegram was cut off after {len(unfinished)} bytes, and nothing came for {seconds:g} s since"
        else:
            text = _NOTHING_CAME.format(seconds)
        self._log.warning_for("silence", f"{stream.name}: {text}")

    def _explain(self, stream: _Stream, chunk: Chunk) -> None:
        """Look at bytes that gave no record, a window at a time and at each pause."""
        stream.unexplained += chunk.data
        data, is_full = bytes(stream.unexplained), len(stream.unexplained) >= _WINDOW
        if not data or not (is_full or chunk.silence or chunk.complete):
            return
        stream.unexplained.clear()
        diagnosis = diagnose(data)
        if chunk.complete or (is_full and b"/" not in data and not stream.framer.unfinished()):
            diagnosis = diagnosis or no_telegram(data)
        if diagnosis:
            self._log.warning_for(diagnosis.cause, f"{stream.name}: {diagnosis.text}")

    def _remark(self, cause: str, text: str) -> None:
        if cause not in self._remarked:
            self._remarked.add(cause)
            self._log.warning(text)


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


def write_to(
    write_line: Callable[[str], None], layout: Layout, form: Callable[[Record, str], str] = lineproto.line
) -> Callable[[Record], None]:
    """Give a function that writes a record as a line, or as one for each measurement."""

    def write(record: Record) -> None:
        for measurement, part in layout.records(record):
            if line := form(part, measurement):
                write_line(line)

    return write


def both(first: Callable[[Record], None], second: Callable[[Record], None]) -> Callable[[Record], None]:
    """Give a function that does one after the other."""

    def write(record: Record) -> None:
        first(record)
        second(record)

    return write
