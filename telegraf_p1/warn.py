"""What is said about a stream whose telegrams are odd, wrong or missing: once, or at most once a minute."""

from typing import Final

from telegraf_p1.advice import LINE, Advice
from telegraf_p1.diagnosis import diagnose, no_telegram
from telegraf_p1.log import Log, where
from telegraf_p1.record import Record
from telegraf_p1.sources.events import Silence, Unchanged
from telegraf_p1.telegram import Telegram, TelegramError, holds_objects

_MOST_REMARKS: Final = 100


class Warner:
    """Warns in the log; `name` is always that of the stream, as the user knows it."""

    def __init__(self, log: Log, advice: Advice = LINE) -> None:
        self._log, self._advice = log, advice
        self._said: set[str] = set()
        self._remarked: set[str] = set()

    def of_trouble(self, name: str, text: str) -> None:
        """Say what a source noticed."""
        self._log.warning_for(text, f"{name}: {text}")

    def of_notice(self, name: str, text: str) -> None:
        """Say what a source has found out."""
        self._log.info_for(text, f"{name}: {text}")

    def of_rejected(self, name: str, error: TelegramError) -> None:
        """Say why a telegram is not believed."""
        self._log.warning_for(error.cause, f"{name}: telegram rejected: {error.text}{self._advice[error.fault]}")

    def of_telegram(self, name: str, telegram: Telegram, record: Record) -> None:
        """Say what is odd about a telegram that is believed."""
        if telegram.damage:
            self._once(
                "damage",
                f"{name}: what carries the telegrams {telegram.damage}; they are accepted, since their CRC fits "
                "once that is undone, but set it to pass bytes as they are (raw, 8 bits)",
            )
        if telegram.bad_lines:
            line = telegram.bad_lines[0][:80]
            self._log.warning_for("line", f"{name}: {line!r} in a telegram is no COSEM object, and is left out")
        for reference, text in record.remarks:
            self._remark(name, reference, text)
        if record.time_ns is None:
            self._once(
                "stale",
                f"{name}: a telegram that waited at the broker and has no time of its own is left out: "
                "nobody knows when it was sent",
            )

    def _remark(self, name: str, reference: str, text: str) -> None:
        """Name an object that was not read once; a stream of strange ones does not fill the disk or the memory."""
        if len(self._remarked) < _MOST_REMARKS and reference not in self._remarked:
            self._remarked.add(reference)
            self._log.warning(f"{name}: {reference!r}: {text}")
            if len(self._remarked) == _MOST_REMARKS:
                self._log.warning(f"{name}: {_MOST_REMARKS} objects could not be read; no more of them are named")

    def of_bug(self, name: str, error: Exception, cost: str = "a telegram is left out") -> None:
        """Say that a telegram met a bug; what it holds is not said."""
        place = where(error)
        self._log.error_for(place, f"{name}: {cost}, for this is a bug, please report it: {place}")

    def of_sealing(self, name: str, text: str) -> None:
        """Say what is odd about how telegrams are sealed."""
        self._once("sealing", f"{name}: {text}")

    def of_counter(self, name: str, before: int, counter: int) -> None:
        """Say that a sealed telegram is older than the one before it."""
        self._once(
            f"counter of {name[:100]}",
            f"{name}: the frame counter went back from {before} to {counter}: somebody has sent an old telegram again, "
            "or the meter was changed",
        )

    def of_time(self, name: str, record: Record) -> None:
        """Say that the record has this computer's time, unless a remark has said why."""
        if not any("host's clock" in text for _, text in record.remarks) and "time" not in self._said:
            self._said.add("time")
            self._log.info(f"{name}: the telegrams tell no time: the records have the host's clock")

    def of_end(self, name: str, data: bytes, *, is_all: bool) -> None:
        """Say that a recording ends in a telegram, which is nobody's fault; `is_all`: there was no other."""
        text = f"{name}: the recording ends in the middle of a telegram, cut off after {len(data)} bytes"
        self._log.info(f"{text}; if it is whole, the meter never sends a !: use --crc off" if is_all else text)

    def of_silence(self, name: str, unfinished: bytes, heard: bytes, silence: Silence) -> None:
        """Say that nothing came, and where to look.

        `unfinished` is the telegram that had begun, `heard` how what came since the last one began.
        """
        seconds = f"{silence.seconds:g} s"
        if heard and not holds_objects(unfinished):
            text = f"bytes came, but no telegram, and nothing for {seconds} since: {heard!r}"
        elif unfinished:
            text = f"a telegram was cut off after {len(unfinished)} bytes, and nothing came for {seconds} since"
        else:
            text = f"nothing came for {seconds}: {silence.advice}"
        self._log.warning_for("silence", f"{name}: {text}")

    def of_unchanged(self, name: str, event: Unchanged) -> None:
        """Say that a device has no newer telegram than the one it has given already."""
        self._log.warning_for(
            "silence",
            f"{name}: the device answers with the same telegram for {event.seconds:g} s: "
            "is its cable still in the P1 port?",
        )

    def of_bytes(self, name: str, data: bytes, *, hold_no_telegram: bool) -> None:
        """Say what is wrong with bytes that gave no telegram, or that they hold none."""
        diagnosis = diagnose(data) or (no_telegram(data) if hold_no_telegram else None)
        if diagnosis:
            self._log.warning_for(diagnosis.cause, f"{name}: {diagnosis.text}{self._advice[diagnosis.fault]}")

    def _once(self, cause: str, text: str) -> None:
        if cause not in self._said:
            self._said.add(cause)
            self._log.warning(text)
