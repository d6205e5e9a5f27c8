"""What is said while something is away."""

import pytest

from telegraf_p1.log import Log
from telegraf_p1.outage import Outage


class Said:
    """A log, with a clock that stands still."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.log = Log(self.lines.append, lambda: 0.0)

    def outage(self, name: str) -> Outage:
        return Outage(self.log, name, "retrying")


@pytest.fixture
def said() -> Said:
    return Said()


def test_each_reason_is_said_once_and_the_end(said: Said) -> None:
    outage = said.outage("the broker")
    for reason in ("refused (1)", "refused (2)", "wrong user 'a'", "wrong user 'b'", "refused (3)"):
        outage.begins(reason, said.log.warning_for)
    outage.ends()
    outage.ends()
    assert said.lines == [
        "W! the broker: refused (1); retrying\n",
        "I! the broker: still unavailable: wrong user 'a'\n",
        "I! the broker: connection restored\n",
    ]


def test_what_was_not_said_has_no_end(said: Said) -> None:
    outage = said.outage("the broker")
    for _ in range(2):
        outage.begins("refused", said.log.warning_for)
        outage.ends()
    assert len(said.lines) == 2


def test_two_that_are_away_for_one_reason_are_both_said(said: Said) -> None:
    for name in ("the source", "the broker"):
        said.outage(name).begins("refused", said.log.warning_for)
    assert said.lines == ["W! the source: refused; retrying\n", "W! the broker: refused; retrying\n"]
