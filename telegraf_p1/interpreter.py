"""Turns the events of a source into records; counts rejected telegrams, of which `warn.py` logs the reasons."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from telegraf_p1 import lineproto, telegram
from telegraf_p1.advice import LINE, Advice
from telegraf_p1.decode import Memory, decode
from telegraf_p1.decrypt import decrypt_frame
from telegraf_p1.diagnosis import DLMS_IN_HDLC
from telegraf_p1.framer import Frame, Framer, is_encrypted
from telegraf_p1.keys import Keys
from telegraf_p1.log import Log
from telegraf_p1.obis.lookup import DEFAULT, Table
from telegraf_p1.record import Record
from telegraf_p1.shapes import Shapes
from telegraf_p1.sources.events import Data, Dropped, Event, Lost, Notice, Pause, Silence, Trouble, Unchanged
from telegraf_p1.telegram import CrcMode, Telegram, TelegramError
from telegraf_p1.timestamp import Zone
from telegraf_p1.warn import Warner

_MOST_STREAMS: Final = 10_000
_MOST_NAMED: Final = 4 * 1024 * 1024  # characters; a topic may have 64 KB
_MOST_HELD: Final = 8 * 1024 * 1024
_SLOW: Final = 3  # recoveries; after these, silence is normal for this meter and not reported
_CRC_BEGINS: Final = re.compile(rb"![0-9A-Fa-f]{0,3}\Z")
_BEGINNING: Final = 40  # bytes that are shown of data without a telegram
_WINDOW: Final = 1024  # bytes without a telegram that are examined for the reason
_MARK_AND_CRC: Final = 5  # bytes
_NS: Final = 1_000_000_000
_PAUSES: Final = 5  # after which the data cannot be the rest of a telegram either
_LONGEST: Final = 4096  # bytes of a telegram that may have begun before the connection was opened


_PLAIN: Final = TelegramError(
    "plain",
    "the telegram is not encrypted, though P1_DECRYPTION_KEY is set: anyone could have sent "
    "it; use --plain if your meter sends such telegrams",
)


class Settings(NamedTuple):
    """The options that the user chose: see `telegraf-p1 run --help`."""

    crc: CrcMode
    zone: Zone
    host_time: bool
    keys: Keys | None = None
    plain: bool = False  # whether unencrypted telegrams are accepted although there is a key
    rows: Table = DEFAULT
    identifiers: Callable[[Record], Record] = lambda record: record  # changes the identifiers in a record
    shapes: Shapes | None = None  # the shapes for the fast way; None: not used
    show: Callable[[Telegram, Record], None] = lambda _telegram, _record: None  # called with each, on the plain way
    pass_on: Callable[[Frame, Record], None] = lambda _frame, _record: None  # the same, with the frame


class _Stream:
    """The state of one stream: a cable, an MQTT topic, or the metrics of one name and tags."""

    def __init__(self, name: str, tags: Mapping[str, str], zone: Zone) -> None:
        self.name = name
        self.tags = tags
        self.may_be_known = True  # whether its telegrams may take the fast way
        self.tags_in_line = lineproto.before_fields("", *self.tags, *self.tags.values())[:-1].encode()
        self.framer = Framer()
        self.memory = Memory(zone)
        self.crc_seen = False
        self.medium = ""  # what the meter of an optical port measures, if the user says so
        self.counter: int | None = None  # of the last frame that was decrypted
        self.begun = False  # whether a frame was received on this connection
        self.unexamined = bytearray()  # bytes since the last telegram that were not examined yet
        self.first_bytes = bytearray()  # the first bytes since the last telegram
        self.pauses = 0  # since the last telegram

    def held(self) -> int:
        """Count the bytes that are kept until more arrive."""
        return len(self.framer.unfinished()) + len(self.unexamined)

    def discard_unfinished(self) -> None:
        """Discard the unfinished telegram."""
        self.framer.reset()
        self.discard_bytes()

    def discard_bytes(self) -> None:
        """Discard the bytes so far: it is known what they were."""
        self.unexamined.clear()
        self.first_bytes.clear()
        self.pauses = 0


class Interpreter:
    """Turns events into records, and counts telegrams."""

    def __init__(self, settings: Settings, log: Log, name: str, advice: Advice = LINE) -> None:
        self.accepted = 0
        self.rejected = 0
        self.rejected_by_cause: Counter[str] = Counter()
        self.bytes = 0
        self.reconnects = 0
        self.last_ns = time.time_ns()  # when the last telegram was accepted, or the program started
        self._settings = settings
        self._warn = Warner(log, advice)
        self._name = name
        self._streams: dict[str, _Stream] = {}
        self._named = 0  # characters of the names of all streams
        self._held = 0  # bytes that all streams keep until more arrive
        self._is_silent = False
        self._is_silence_reported = False
        self._recoveries = 0  # how often telegrams came again after silence
        self._telegram_to_learn: tuple[bytes, Telegram, Record] | None = None  # by `learn`, its shape

    def records(self, event: Event, now_ns: int) -> list[Record]:
        """Return the records of the telegrams that end with an event; `now_ns` is UTC in ns since 1970."""
        accepted = self.accepted
        found: list[Record] = []
        match event:
            case Data():
                found = self._handle_data(event, now_ns)
            case Pause():
                found = self._pause()
            case Silence():
                self._notice_silence(event)
                found = self._pause()
            case Unchanged():
                self._notice_silence(event)
            case Trouble(text):
                self._warn.of_trouble(self._name, text)
            case Notice(text):
                self._warn.of_notice(self._name, text)
            case Dropped(text):
                self._count_rejected("message")
                self._warn.of_trouble(self._name, text)
            case Lost():
                self._discard_unfinished()
        if self.accepted > accepted:
            self.last_ns = now_ns
        return found

    def learn(self) -> None:
        """Learn the shape of a telegram if one is due. It takes some ms: call it after the records are written."""
        if self._telegram_to_learn and self._settings.shapes:
            try:
                from telegraf_p1.shape_learner import learn  # imported here: few telegrams do not need it

                learn(self._settings.shapes, *self._telegram_to_learn)
            except OSError:  # too few file descriptors to import it
                pass
            except Exception as error:  # noqa: BLE001  without the shape, telegrams are only read more slowly
                self._warn.of_bug(self._name, error, "telegrams are read more slowly")
            self._telegram_to_learn = None

    def knows(self, origin: str) -> tuple[bool, bool]:
        """Return whether an origin has a stream, and whether a telegram in it is unfinished."""
        stream = self._streams.get(origin)
        return stream is not None, stream is not None and bool(stream.framer.unfinished())

    def finish(self) -> list[Record]:
        """Return the records of the telegrams that end with the source."""
        found = []
        for stream in list(self._streams.values()):
            frames = stream.framer.flush()
            if frames and self._is_half(frames[-1], stream):
                self._warn.of_end(stream.name, frames.pop().data, is_all=not self.accepted)
            found += self._process_frames(frames, stream, is_pause=True)
        return found

    def _is_half(self, frame: Frame, stream: _Stream) -> bool:
        """Whether the recording ends in the middle of its last frame, perhaps within its CRC."""
        if frame.whole:
            begins = _CRC_BEGINS.search(frame.data)
            return begins is not None and (begins[0] != b"!" or stream.crc_seen) and not self._is_good(frame, stream)
        if self._settings.crc == "off" and telegram.is_sound(frame.data):
            return False  # complete, from a meter that sends no `!`
        return telegram.is_begun(frame.data) or is_encrypted(frame.data)

    def _is_good(self, frame: Frame, stream: _Stream) -> bool:
        try:
            telegram.parse(frame.data, self._settings.crc, crc_seen=stream.crc_seen)
        except TelegramError:
            return False
        return True

    def _handle_data(self, event: Data, now_ns: int) -> list[Record]:
        stream = self._stream(event.origin, event.tags)
        stream.medium = event.medium
        self.bytes += len(event.data)
        self._is_silence_reported &= not event.data
        at = event.sent_ns or (None if event.is_late else now_ns)
        held = stream.held()
        count_before = self.accepted + self.rejected
        found, data = self._fast(event.data, at, stream)
        if data or (event.ends_message and not found):
            frames = _frames(stream.framer, data, at, ends_message=event.ends_message)
            found += self._process_frames(
                frames, stream, data, is_message=event.ends_message, count_before=count_before
            )
        stream.begun |= event.ends_message
        self._held += stream.held() - held
        if self._held > _MOST_HELD:
            self._discard_oldest()
        return found

    def _fast(self, data: bytes, at: int | None, stream: _Stream) -> tuple[list[Record], bytes]:
        """Return the records of telegrams of known shapes at the start of `data`, and the bytes that are left.

        Before them, `data` may have the rest of an unfinished telegram, which is read first.
        """
        found: list[Record] = []
        if self._shapes_for(stream) and stream.framer.unfinished():
            end = data.find(b"!") + _MARK_AND_CRC
            if _MARK_AND_CRC <= end < len(data):
                found = self._process_frames(stream.framer.frames(data[:end], at), stream, data[:end])
                data = data[end:]
        shapes = self._shapes_for(stream)  # reading that telegram may have changed this
        if shapes is None or stream.framer.unfinished():
            return found, data
        known, place = shapes.records(data, stream.tags_in_line)
        if not known:
            return found, data
        self._accept_known(known, stream)
        stream.discard_bytes()
        stream.framer.reset()
        return found + known, data[place:]

    def _shapes_for(self, stream: _Stream) -> Shapes | None:
        """Return the shapes for a stream; None if its values depend on earlier telegrams or on its tags."""
        return None if stream.memory.signed or not stream.may_be_known else self._settings.shapes

    def _accept_known(self, records: list[Record], stream: _Stream) -> None:
        self._accept(stream, len(records), has_crc=True)
        stream.memory.clock.set_time((records[-1].time_ns or 0) // _NS)

    def _pause(self) -> list[Record]:
        """Handle a pause: it ends a telegram without an end mark, and the wait for more of unknown data."""
        stream = self._stream("")
        frames = stream.framer.flush() if self._settings.crc == "off" else []
        return self._process_frames(frames, stream, is_pause=True)

    def _process_frames(
        self,
        frames: Iterable[Frame],
        stream: _Stream,
        data: bytes = b"",
        *,
        is_message: bool = False,
        is_pause: bool = False,
        count_before: int | None = None,
    ) -> list[Record]:
        """Return the records of frames. If `data` completed no telegram, it is kept to be examined.

        `count_before` is how many telegrams there were before the piece of which `data` is the end.
        """
        count_before = self.accepted + self.rejected if count_before is None else count_before
        found = self._decoded(frames, stream)
        if self.accepted + self.rejected > count_before or is_encrypted(stream.framer.unfinished()):
            stream.discard_bytes()
        else:
            stream.unexamined += data
            stream.first_bytes += data[: _BEGINNING - len(stream.first_bytes)]
            self._examine(stream, is_message=is_message, is_pause=is_pause)
        return found

    def _discard_unfinished(self) -> None:
        self.reconnects += 1
        self._held = 0
        for stream in self._streams.values():
            stream.discard_unfinished()
            stream.begun = False

    def _discard_oldest(self) -> None:
        """Make room: unfinished telegrams of thousands of topics would fill the memory."""
        self._warn.of_trouble(self._name, "too many unfinished telegrams at the same time: the oldest are dropped")
        self._held = sum(stream.held() for stream in self._streams.values())
        for stream in self._streams.values():
            if self._held <= _MOST_HELD / 2:
                break
            self._held -= stream.held()
            self._count_rejected("cut")
            stream.discard_unfinished()

    def _stream(self, origin: str, tags: Mapping[str, str] | None = None) -> _Stream:
        stream = self._streams.pop(origin, None)
        if stream is None:
            name = f"{self._name}, {'topic' if tags is None else 'metric'} {origin!r}" if origin else self._name
            own = ({"topic": origin} if origin else {}) if tags is None else tags
            stream = _Stream(name, own, self._settings.zone)
            # A value in a telegram takes precedence over a tag with the same name.
            stream.may_be_known = tags is None or not any(map(self._settings.rows.field, tags))
            self._named += len(name)
            while self._streams and (len(self._streams) >= _MOST_STREAMS or self._named > _MOST_NAMED):
                self._named -= len(self._streams.pop(next(iter(self._streams))).name)
        self._streams[origin] = stream  # move it to the end: the oldest streams are dropped first
        return stream

    def _decoded(self, frames: Iterable[Frame], stream: _Stream) -> list[Record]:
        found = []
        for frame in frames:
            accepted = self.accepted
            try:
                record = self._record(frame, stream)
            except Exception as error:  # noqa: BLE001  no telegram may end the program: it might be sent again
                self._count_rejected("bug")
                self._warn.of_bug(stream.name, error)
                continue
            if record:
                found.append(record)
            if self.accepted == accepted:
                stream.framer.give_back()
        return found

    def _record(self, frame: Frame, stream: _Stream) -> Record | None:
        settings = self._settings
        shapes = self._shapes_for(stream)
        if shapes and (known := shapes.record(frame.data, 0, stream.tags_in_line)):
            self._accept_known([known[0]], stream)
            return known[0]
        try:
            data, counter, encryption = decrypt_frame(frame, settings.keys)
            parsed = telegram.parse(
                data, settings.crc, crc_seen=stream.crc_seen, whole=frame.whole, medium=stream.medium
            )
            if settings.keys and counter is None and not settings.plain:
                raise _PLAIN
        except TelegramError as error:
            self._reject(_reason(error, frame, stream), stream)
            return None
        finally:
            stream.begun = True
        if counter is not None:
            self._notice_counter(counter, frame, stream)
        self._accept(stream, 1, has_crc=parsed.checksum is not None)
        record = decode(parsed, frame.at, stream.memory, host_time=settings.host_time, rows=settings.rows)
        self._warn.of_telegram(stream.name, parsed, record)
        if encryption:
            self._warn.of_encryption(stream.name, encryption)
        if record.time_ns is None:
            return None
        if not settings.host_time and not record.has_own_time:
            self._warn.of_time(stream.name, record)
        if settings.shapes and not self._telegram_to_learn and settings.shapes.is_due():
            self._telegram_to_learn = data, parsed, record
        record = settings.identifiers(record)
        record = record._replace(tags=record.tags | _more_tags(stream.tags, record))
        settings.show(parsed, record)
        settings.pass_on(frame, record)
        return record

    def _accept(self, stream: _Stream, count: int, *, has_crc: bool) -> None:
        stream.crc_seen |= has_crc
        stream.begun = True
        self._recoveries += self._is_silent
        self._is_silent = False
        self.accepted += count

    def _notice_counter(self, counter: int, frame: Frame, stream: _Stream) -> None:
        """Store the frame counter, which only grows: a lower one is a copy, unless a broker sends a message again."""
        if frame.at is not None and counter < (stream.counter or 0):
            self._warn.of_counter(stream.name, stream.counter or 0, counter)
        stream.counter = counter

    def _reject(self, error: TelegramError, stream: _Stream) -> None:
        if error.cause == "noise" or (error.cause == "half" and not stream.begun):
            return  # the connection was opened in the middle of it
        self._count_rejected(error.cause)
        self._warn.of_rejected(stream.name, error)

    def _count_rejected(self, cause: str) -> None:
        self.rejected += 1
        self.rejected_by_cause[cause] += 1

    def _notice_silence(self, event: Silence | Unchanged) -> None:
        stream = self._stream("")
        if isinstance(event, Unchanged) and stream.memory.clock.last is None:
            return  # without a time, it may be a new telegram with the same readings
        if self._recoveries < _SLOW and not self._is_silence_reported:
            if isinstance(event, Unchanged):
                self._warn.of_unchanged(stream.name, event)
            else:
                self._warn.of_silence(stream.name, stream.framer.unfinished(), bytes(stream.first_bytes), event)
        self._is_silent = self._is_silence_reported = True

    def _examine(self, stream: _Stream, *, is_message: bool, is_pause: bool) -> None:
        """Examine bytes without a telegram, once there are enough of them, and at each end of a message or pause."""
        data, ends = bytes(stream.unexamined), is_message or is_pause
        if not data or (len(data) < _WINDOW and not ends):
            return
        is_full = len(data) >= (_LONGEST if telegram.holds_objects(data) else _WINDOW)
        if not is_full and not ends:
            return
        stream.unexamined.clear()
        unfinished = stream.framer.unfinished()
        has_begun = telegram.is_begun(unfinished) and telegram.holds_objects(unfinished)
        stream.pauses += is_pause
        holds_none = not has_begun and (is_full or stream.pauses >= _PAUSES)
        self._warn.of_bytes(stream.name, data, hold_no_telegram=is_message or holds_none)


def _more_tags(tags: Mapping[str, str], record: Record) -> dict[str, str]:
    """Return the tags of a stream that a record does not have itself."""
    return {name: text for name, text in tags.items() if name not in record.tags and name not in record.fields}


def _frames(framer: Framer, data: bytes, at: int | None, *, ends_message: bool) -> Iterator[Frame]:
    yield from framer.frames(data, at)
    if ends_message:
        yield from framer.flush()


def _reason(error: TelegramError, frame: Frame, stream: _Stream) -> TelegramError:
    """Return why a frame was rejected, considering what is known of its stream."""
    if error.cause in ("key", "authentication-key") and stream.counter is not None:
        text = "an encrypted telegram was changed on the way: the keys decrypted others of this meter"
        return TelegramError("encrypted-changed", text)
    if error.cause in ("key", "encrypted") and frame.behind_flag:
        return TelegramError("protocol", DLMS_IN_HDLC.text)
    return error
