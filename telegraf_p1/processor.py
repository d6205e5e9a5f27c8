"""Turns metrics from Telegraf whose text contains a telegram into records; all others are passed on unchanged.

A metric is taken if its text is a telegram, in any form that `sources/envelope.py` knows. It is also taken if it can
only be a part of one: its first line, an object, the line with its CRC. Of one measurement with the same tags, all that
follows a beginning belongs to that telegram until it ends. What is taken is not passed on, whether the telegram is
accepted or not.
"""

import base64
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from telegraf_p1 import metrics
from telegraf_p1.interpreter import Interpreter
from telegraf_p1.log import Log, where
from telegraf_p1.metrics import Metric
from telegraf_p1.outputs import Output
from telegraf_p1.sources.envelope import unwrap
from telegraf_p1.sources.events import Data, Dropped, Event

_REMEMBERED: Final = 1024
_LONGEST_REMEMBERED: Final = 1024  # bytes; a tag may have 64 KB
# The start of an identification (a path has no digit there), a readout or an encrypted frame.
_BEGINS: Final = re.compile(rb"[\s\0]*+(?:/[A-Z][A-Za-z]{2}\d|\x02[0-9CFLP]|\xdb\x08)")
_OBJECT: Final = re.compile(rb"(?<![^\r\n\0])\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(?:[.*]\d{1,3})?\(")
_CRC: Final = re.compile(rb"[\s\0]*+![0-9A-Fa-f]{4}[\s\0]*+")
# Lines that prove nothing alone: a blank one, an end mark without a CRC, the reading of gas in old telegrams.
_LINE: Final = re.compile(rb"[\s\0]*+(?:!|\([0-9.]{1,16}\))?+[\s\0]*+")


class Processor:
    """Takes what Telegraf writes, and returns what it has to read.

    `outputs` makes the outputs, which write lines with the function that it is given. `field` is the name of the field
    with telegrams, `member` that of a JSON member in it, if needed. `is_base64`: the text of the field is base64.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        outputs: Callable[[Callable[[list[bytes]], object]], Sequence[Output]],
        log: Log,
        field: str = "value",
        member: str = "",
        *,
        is_base64: bool = False,
    ) -> None:
        self._interpreter, self._log = interpreter, log
        self._field, self._member, self._is_base64 = metrics.escaped(field), member, is_base64
        self._lines = metrics.Lines()
        self._written: list[bytes] = []
        self._outputs = outputs(self._written.extend)
        self._remembered = lru_cache(_REMEMBERED)(_stream)

    def feed(self, data: bytes, now_ns: int) -> list[bytes]:
        """Take the next bytes, received at `now_ns` (UTC, ns since 1970); return lines in the order of the metrics."""
        for line in self._lines.feed(data):
            if isinstance(line, Metric):
                self._take(line, now_ns)
            else:
                text = "data that is not line protocol, or longer than 1 MiB, is passed on unchanged"
                self._log.warning_for("no metric", text)
                self._written.append(line)
        found = self._written.copy()
        self._written.clear()
        return found

    def rest(self) -> bytes:
        """Return the incomplete line at the end of what Telegraf has written."""
        return self._lines.rest()

    def _take(self, metric: Metric, now_ns: int) -> None:
        try:
            text = metric.text(self._field)
            event = None if text is None else self._event(text, metric)
            records = self._interpreter.records(event, now_ns) if event else []
        except Exception as error:  # noqa: BLE001  all metrics are lost while a processor restarts
            place = where(error)
            self._log.error_for(place, f"a metric is passed on unchanged; this is a bug, please report it: {place}")
            event, records = None, []
        if event is None or isinstance(event, Dropped):
            self._written.append(metric.line)
        elif others := metric.without(self._field):
            self._written.append(others)
        for output in self._outputs if records else ():
            output(records)

    def _event(self, text: bytes, metric: Metric) -> Event | None:
        """Return the event for a text; None if it is not part of a telegram."""
        if self._is_base64:
            try:
                text = base64.b64decode(text, validate=True)
            except ValueError:
                return None
        data, ends_message, trouble = unwrap(text, self._member)
        if trouble:
            return None if self._member else Dropped(trouble.replace("?member=", "--member "))
        head = metric.head
        origin, tags = (self._remembered if len(head) < _LONGEST_REMEMBERED else _stream)(head)
        if not (_BEGINS.match(data) or _OBJECT.search(data) or _CRC.fullmatch(data)):
            knows, has_begun = self._interpreter.knows(origin)
            if not (has_begun or (knows and _LINE.fullmatch(data))):
                return None
        return Data(data, origin, ends_message, sent_ns=metric.time_ns(), tags=tags)


def _stream(head: bytes) -> tuple[str, dict[str, str]]:
    return head.decode("utf-8", "surrogateescape"), metrics.tags(head)
