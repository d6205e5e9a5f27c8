"""What is said while something is away: a line when it goes, for each other reason, and when it is back."""

import re
from collections.abc import Callable
from typing import Final

from telegraf_p1.log import Log

_FOREIGN: Final = re.compile(r"'[^']*'|\([^()]*\)|[0-9]+")
_MOST_REASONS: Final = 20


class Outage:
    """Says it of one thing, at most once a minute."""

    def __init__(self, log: Log, name: str, consequence: str) -> None:
        """`consequence` is what it means for the user, behind the first reason."""
        self._log, self._name, self._consequence = log, name, consequence
        self._reasons: set[str] = set()  # that were said since it went
        self._is_said = False

    def begins(self, reason: str, say: Callable[[str, str], bool]) -> None:
        """Say why it is away, with `say` (a cause, a text) if it was there before."""
        kind = _FOREIGN.sub("", reason)[:200]  # what of a reason is ours: numbers and quotes differ each time
        if not self._reasons:
            self._is_said = say(f"{self._name} {kind}", f"{self._name}: {reason}; {self._consequence}")
        elif kind not in self._reasons:
            self._log.info_for(f"{self._name} {kind}", f"{self._name}: still unavailable: {reason}")
        if len(self._reasons) < _MOST_REASONS:
            self._reasons.add(kind)

    def ends(self, word: str = "connection restored") -> None:
        """Say that it is there, if it was said that it was not."""
        if self._reasons:
            self._reasons.clear()
            if self._is_said:
                self._log.info(f"{self._name}: {word}")
