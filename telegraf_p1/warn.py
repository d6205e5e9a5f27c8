"""Warnings about a stream whose telegrams are odd, wrong or missing: once, or at most once a minute."""

from typing import Final

from telegraf_p1.advice import LINE, Advice
from telegraf_p1.diagnosis import diagnose, no_telegram
from telegraf_p1.log import Log, where
from telegraf_p1.record import Record
from telegraf_p1.sources.events import Silence, Unchanged
from telegraf_p1.telegram import Telegram, TelegramError, holds_objects

_MOST_REMARKS: Final = 100


class Warner:
    """Writes warnings to the log; `name` is always that of the stream, as the user knows it."""

    def __init__(self, log: Log, advice: Advice = LINE) -> None:
        self._log, self._advice = log, advice
        self._said: set[str] = set()
        self._remarked: set[str] = set()

    def of_trouble(self, name: str, text: str) -> None:
        """Log trouble that a source has noticed."""
        self._log.warning_for(text, f"{name}: {text}")

    def of_notice(self, name: str, text: str) -> None:
        """Log what a source has found out."""
        self._log.info_for(text, f"{name}: {text}")

    def of_rejected(self, name: str, error: TelegramError) -> None:
        """Log why a telegram is rejected."""
        self._log.warning_for(error.cause, f"{name}: telegram rejected: {error.text}{self._advice[error.fault]}")

    def of_telegram(self, name: str, telegram: Telegram, record: Record) -> None:
        """Log what is odd about a telegram that is accepted."""
        if telegram.damage:
            self._once(
                "damage",
                f"{name}: something on the way from the meter {telegram.damage}; the telegrams are "
                "accepted, because their CRC matches once that is undone, but configure it to pass bytes "
                "unchanged (raw, 8 bits)",
            )
        if telegram.bad_lines:
            line = telegram.bad_lines[0][:80]
            self._log.warning_for("line", f"{name}: {line!r} in a telegram is not a COSEM object, and is left out")
        for reference, text in record.remarks:
            self._remark(name, reference, text)
        if record.time_ns is None:
            self._once(
                "stale",
                f"{name}: a telegram that waited at the broker has no timestamp and is left out, because "
                "nobody knows when it was sent",
            )

    def _remark(self, name: str, reference: str, text: str) -> None:
        """Log once that an object could not be read; no more than 100, so that neither disk nor memory fills up."""
        if len(self._remarked) < _MOST_REMARKS and reference not in self._remarked:
            self._remarked.add(reference)
            self._log.warning(f"{name}: {reference!r}: {text}")
            if len(self._remarked) == _MOST_REMARKS:
                self._log.warning(f"{name}: {_MOST_REMARKS} objects could not be read; no more of them are reported")

    def of_bug(self, name: str, error: Exception, cost: str = "a telegram is left out") -> None:
        """Log that a telegram caused a bug, without the contents of the telegram."""
        place = where(error)
        self._log.error_for(place, f"{name}: {cost}; this is a bug, please report it: {place}")

    def of_encryption(self, name: str, text: str) -> None:
        """Log what is odd about the encryption of telegrams."""
        self._once("encryption", f"{name}: {text}")

    def of_counter(self, name: str, before: int, counter: int) -> None:
        """Log that an encrypted telegram is older than the one before it."""
        self._once(
            f"counter of {name[:100]}",
            f"{name}: the frame counter went back from {before} to {counter}: an old telegram was sent "
            "again, or the meter was replaced",
        )

    def of_time(self, name: str, record: Record) -> None:
        """Log that the record has this computer's time, unless a remark has said why."""
        if not any("this computer's clock" in text for _, text in record.remarks) and "time" not in self._said:
            self._said.add("time")
            self._log.info(f"{name}: the telegrams contain no timestamp: this computer's clock is used")

    def of_end(self, name: str, data: bytes, *, is_all: bool) -> None:
        """Log that a recording ends within a telegram, which is not a fault; `is_all`: there was no other telegram."""
        text = f"{name}: the recording ends in the middle of a telegram, cut off after {len(data)} bytes"
        self._log.info(f"{text}; if it is complete, the meter never sends a !: use --crc off" if is_all else text)

    def of_silence(self, name: str, unfinished: bytes, first_bytes: bytes, silence: Silence) -> None:
        """Log that no data is received, and where to look.

        `unfinished` are the bytes of the unfinished telegram, `first_bytes` those after the last complete one.
        """
        seconds = f"{silence.seconds:g} s"
        if first_bytes and not holds_objects(unfinished):
            text = f"received bytes, but no telegram, and then no data for {seconds}: {first_bytes!r}"
        elif unfinished:
            text = f"a telegram was cut off after {len(unfinished)} bytes, and then no data for {seconds}"
        else:
            text = f"no data for {seconds}: {silence.advice}"
        self._log.warning_for("silence", f"{name}: {text}")

    def of_unchanged(self, name: str, event: Unchanged) -> None:
        """Log that a device has no newer telegram than the one that it has already sent."""
        self._log.warning_for(
            "silence",
            f"{name}: the device answers with the same telegram for {event.seconds:g} s: check that "
            "its cable is in the P1 port",
        )

    def of_bytes(self, name: str, data: bytes, *, hold_no_telegram: bool) -> None:
        """Log what is wrong with bytes that contain no telegram, or that they contain none."""
        diagnosis = diagnose(data) or (no_telegram(data) if hold_no_telegram else None)
        if diagnosis:
            self._log.warning_for(diagnosis.cause, f"{name}: {diagnosis.text}{self._advice[diagnosis.fault]}")

    def _once(self, cause: str, text: str) -> None:
        if cause not in self._said:
            self._said.add(cause)
            self._log.warning(text)
