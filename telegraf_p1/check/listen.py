"""Listens to a source until it is known what it sends; tries the usual settings of a serial port one by one."""

import contextlib
import errno
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from telegraf_p1.check import causes, ports
from telegraf_p1.check.causes import Cause
from telegraf_p1.check.receiver import Receiver
from telegraf_p1.diagnosis import diagnose
from telegraf_p1.sources import advice, open_source
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.events import Event, Silence, Trouble, Unchanged
from telegraf_p1.sources.serial_settings import USUAL
from telegraf_p1.telegram import holds_objects
from telegraf_p1.url import Url, UsageError, parse

# Meters send at least every 10 s.
_ONE_TELEGRAM_S: Final = 12.0
_LIMIT_S: Final = 30.0  # if the bytes may become a telegram
_GAP_S: Final = 0.25  # between two telegrams, and longer than any pause within one
_SOON_S: Final = 0.3  # a burst that begins this soon may have begun before we listened
_WHOLE: Final = 4096  # bytes: a burst that is longer is judged before it ends
_ENOUGH: Final = 3  # telegrams of one meter
_MOST_REJECTED: Final = 3
_TOPICS_S: Final = 3.0  # for all meters under a topic to publish


class Try(NamedTuple):
    """What was received with one setting such as `115200 8N1`, which is empty for a source without settings."""

    settings: str
    bytes: int
    looks: str


class _Bursts:
    """The bursts in which telegrams come: whether the last one is over, and was received from its beginning."""

    def __init__(self, opened: float) -> None:
        self._opened = opened
        self._first = self._last = -1.0

    def note_bytes(self, now: float) -> None:
        """Note that bytes came."""
        if self._last < 0 or self.is_over(now):
            self._first = now
        self._last = now

    def is_over(self, now: float) -> bool:
        return self._last >= 0 and now - self._last > _GAP_S

    def is_whole(self) -> bool:
        return self._first - self._opened > _SOON_S


class Listener:
    """Listens to one source; another thread may read its attributes meanwhile.

    `cause` says why there is no telegram; it is valid if `receiver.accepted` is empty once `run` has ended.
    `settings` are the port's settings that are being tried, or were found. All listeners share `is_found`: one that
    has received a telegram sets it, and those that have received nothing give up.
    """

    def __init__(self, source: str, is_found: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        """Raise UsageError for an invalid source."""
        self.source, self._is_found, self._clock = source, is_found, clock
        self._url = parse(source)
        self._advice = advice(source)
        open_source(source)
        self._settings = _settings_to_try(self._url)
        self.settings = ""
        self.is_over = False
        self.receiver = Receiver(source, self._advice)
        self.tries: list[Try] = []
        self.cause = causes.SKIPPED
        self.usage_error: UsageError | None = None

    @property
    def is_port(self) -> bool:
        """Whether the source is a serial port of this computer."""
        return self._url.scheme == "serial"

    @property
    def _is_optical(self) -> bool:
        return self._url.scheme.startswith("p0")

    def found_source(self) -> str:
        """Return the source, with the settings that were found unless they are the default ones."""
        if not self.settings or self.settings == " ".join(USUAL[0]):
            return self.source
        speed, form = self.settings.split(" ")
        return f"{self.source}{'&' if '?' in self.source else '?'}baudrate={speed}&format={form}"

    def found_settings(self) -> dict[str, str]:
        """Return the speed and format that were found, as options of the source; empty if none had to be tried."""
        return dict(zip(("baudrate", "format"), self.settings.split(), strict=False))

    def run(self) -> None:
        """Listen until a meter is found, or the cause why there is none."""
        try:
            self._listen()
        except UsageError as error:
            self.usage_error, self.cause = error, Cause("wrong-source", str(error))
        finally:
            self.is_over = True
            if self.receiver.accepted:
                self._is_found.set()

    def _listen(self) -> None:
        found: list[Cause] = []
        for settings in self._settings:
            self.settings = " ".join(settings)
            self.receiver = Receiver(self.source, self._advice)
            cause = self._receive_with(dict(zip(("baudrate", "format"), settings, strict=False)))
            if self.receiver.bytes or (cause and cause.word == "silent"):
                self.tries.append(Try(self.settings, self.receiver.bytes, self._looks()))
            if self.receiver.accepted:
                return
            if cause and cause is not causes.OTHER_SETTINGS:
                self.cause = cause
                return
            found.append(causes.of_bytes(bytes(self.receiver.window), self._advice))
        self.cause = _surest(found)

    def _looks(self) -> str:
        if count := len(self.receiver.accepted):
            return f"{count} telegram{'s'[: count > 1]}"
        return causes.looks(bytes(self.receiver.window))

    def looks(self) -> str:
        """Describe the bytes so far in a few words, or count the telegrams."""
        return self._looks() if self.receiver.bytes else "listening"

    def _receive_with(self, settings: dict[str, str]) -> Cause | None:
        """Listen with these settings; return why no telegram can come, or None if one came."""
        connection = None
        try:
            connection = self.source_to_hear(settings)()
            return self._receive(connection)
        except OSError as error:
            if connection is None and self.is_port:
                return ports.why_not(self._url.path, error)
            if error.errno == errno.ETIMEDOUT and connection:
                return Cause("silent", str(error.strerror or error))
            return causes.not_opened(error)
        finally:
            if connection:
                with contextlib.suppress(OSError):
                    connection.close()

    def source_to_hear(self, settings: dict[str, str] | None = None) -> Source:
        """Return the source to listen to, as it is now.

        Brokers store nothing for us, and no other client loses a message. A simulated meter tells no past.
        """
        more = dict(settings or {})
        if self._url.scheme.startswith("mqtt"):
            more |= {"client": f"p1-check-{os.urandom(6).hex()}", "keep": "0", "share": ""}
        if self._url.scheme.startswith("kafka"):
            more |= {"group": f"p1-check-{os.urandom(6).hex()}", "begin": "newest"}
        if self._url.scheme == "sim":
            more |= {"since": "0", "until": "0"}
        return open_source(self.source, **more)

    def _receive(self, connection: Connection) -> Cause | None:
        receiver, opened, telegram_at = self.receiver, self._clock(), 0.0
        bursts = _Bursts(opened)
        while events := connection.read():
            now = self._clock()
            if not receiver.accepted and (cause := self._verdict_on_burst(bursts, now)):
                return cause
            before = receiver.bytes
            for event in events:
                receiver.receive(event, time.time_ns())
            connection.done()
            if receiver.bytes > before:
                bursts.note_bytes(now)
            if receiver.accepted:
                telegram_at = telegram_at or now
                if self._is_enough(events, now - telegram_at):
                    return None
            elif cause := self._no_readout(events) or self._verdict(events, now - opened):
                return cause
        receiver.finish()
        return causes.ENDED

    def _is_enough(self, events: list[Event], seconds: float) -> bool:
        """Whether enough telegrams came, for long enough, to know all that is wanted."""
        most = max(Counter(one.record.tags.get("topic", "") for one in self.receiver.accepted).values())
        has_topics = any("topic" in one.record.tags for one in self.receiver.accepted)
        return (
            self._is_optical  # the next readout is a quarter of an hour away
            or (most >= _ENOUGH and (not has_topics or seconds > _TOPICS_S))
            or seconds > _ONE_TELEGRAM_S
            or any(isinstance(event, Silence | Unchanged) for event in events)
        )

    def _verdict_on_burst(self, bursts: _Bursts, now: float) -> Cause | None:
        """Return why a burst that is over, or does not end, contains no telegram; None if that is not known."""
        is_long = self.receiver.bytes > _WHOLE
        if not bursts.is_over(now) and not is_long:
            return None
        is_all = bursts.is_whole() or is_long
        return self._sure() or (causes.OTHER_SETTINGS if is_all and self._is_hopeless() else None)

    def _no_readout(self, events: list[Event]) -> Cause | None:
        """Return why an optical port gave no valid readout; there is no time to wait for the next one."""
        trouble = next((event for event in events if isinstance(event, Trouble)), None)
        if not self._is_optical:
            return None
        if not trouble:
            return Cause("rejected", self.receiver.messages[-1]) if self.receiver.messages else None
        return Cause("no-readout", trouble.text.partition(" (next attempt in")[0])

    def _verdict(self, events: list[Event], seconds: float) -> Cause | None:
        """Return why no telegram can come; None if that is not known yet."""
        silence = next((event for event in events if isinstance(event, Silence)), None)
        is_long = seconds > _LIMIT_S or silence is not None
        if not self.receiver.bytes:
            if silence:
                return self._silent(silence)
            return causes.SKIPPED if self._is_found.is_set() else None
        if cause := self._of_rejected(is_long=is_long):
            return cause
        if self._is_late(seconds):
            return causes.OTHER_SETTINGS
        if is_long and len(self._settings) == 1:
            return self._sure() or causes.of_bytes(bytes(self.receiver.window), self._advice)
        return None

    def _of_rejected(self, *, is_long: bool) -> Cause | None:
        """Return why telegrams are rejected; None if there are none, or too few to tell."""
        rejected = self.receiver.rejected
        if any(rejected[cause] for cause in causes.ENCRYPTED):
            word = "encrypted"
        elif not self._is_text():
            return None
        elif rejected.total() >= _MOST_REJECTED or (rejected and is_long):
            word = "rejected"
        else:
            return None
        return Cause(word, self.receiver.messages[-1])

    def _silent(self, silence: Silence) -> Cause:
        others = ports.holders(self._url.path) if self.is_port else []
        if others:
            names = " and ".join(f"{one.name!r} (process {one.pid})" for one in others)
            have, which = ("have", "them") if len(others) > 1 else ("has", "it")
            return Cause("busy", f"no data for {silence.seconds:g} s, and {names} also {have} it open: stop {which}")
        return Cause("silent", f"no data for {silence.seconds:g} s: {silence.advice}")

    def _sure(self) -> Cause | None:
        """Return the cause that no other settings can fix, if there is one."""
        diagnosis = diagnose(bytes(self.receiver.window))
        if diagnosis and diagnosis.cause in causes.SURE:
            return causes.of_bytes(bytes(self.receiver.window), self._advice)
        return None

    def _is_text(self) -> bool:
        """Whether the bytes may be telegrams: rejections tell nothing if they are noise."""
        window = bytes(self.receiver.window)
        return holds_objects(window) or diagnose(window) is None

    def _is_hopeless(self) -> bool:
        """Whether the bytes cannot become a telegram with these settings."""
        return len(self._settings) > 1 and not self._is_text()

    def _is_late(self, seconds: float) -> bool:
        """Whether it is time to try other settings."""
        limit = _LIMIT_S if holds_objects(bytes(self.receiver.window)) else _ONE_TELEGRAM_S
        return len(self._settings) > 1 and seconds > limit


def _settings_to_try(url: Url) -> tuple[tuple[str, ...], ...]:
    """Return the speeds and formats to try: a single empty one if the source has none, or the user has set them."""
    is_serial = url.scheme in ("serial", "rfc2217")
    return USUAL if is_serial and not {"baudrate", "format"} & url.query.keys() else ((),)


def _surest(found: list[Cause]) -> Cause:
    """Return the most certain of the causes that were found with the different settings."""
    order = (*causes.SURE, "format", "garbage")
    return min(found, key=lambda cause: order.index(cause.word) if cause.word in order else len(order))
