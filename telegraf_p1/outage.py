"""Log messages about an outage: one when it begins, one for each other reason, and one when it ends."""

import re
from collections.abc import Callable
from typing import Final

from telegraf_p1.log import Log

_FOREIGN: Final = re.compile(r"'[^']*'|\([^()]*\)|[0-9]+")
_MOST_REASONS: Final = 20


class Outage:
    """The outages of one connection, logged at most once a minute."""

    def __init__(self, log: Log, name: str, consequence: str) -> None:
        """`consequence` is what it means for the user, and is logged with the first reason."""
        self._log, self._name, self._consequence = log, name, consequence
        self._reasons: set[str] = set()  # that were logged since it began
        self._is_said = False

    def begins(self, reason: str, say: Callable[[str, str], bool]) -> None:
        """Log the reason: the first one with `say(cause, text)`, which returns whether it was logged."""
        kind = _FOREIGN.sub("", reason)[:200]  # the fixed part of a reason: numbers and quotes differ each time
        if not self._reasons:
            self._is_said = say(f"{self._name} {kind}", f"{self._name}: {reason}; {self._consequence}")
        elif kind not in self._reasons:
            self._log.info_for(f"{self._name} {kind}", f"{self._name}: still unavailable: {reason}")
        if len(self._reasons) < _MOST_REASONS:
            self._reasons.add(kind)

    def ends(self, word: str = "connection restored") -> None:
        """Log the end of the outage, if its beginning was logged."""
        if self._reasons:
            self._reasons.clear()
            if self._is_said:
                self._log.info(f"{self._name}: {word}")
