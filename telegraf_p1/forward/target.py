"""The contract of all targets: where letters are sent.

The forwarder starts a target once. From then on the target connects by itself, again and again, in its own threads. It
reports what happens by calling `TargetListener`:

    available                letters may be sent
    acknowledged(numbers)    these have arrived for good
    unavailable              unacknowledged letters are forgotten: they are sent again once the target is available

A number stands for one attempt: a letter that is sent again gets another number. So an acknowledgement after
`unavailable`, or for an unknown number, does no harm: it is ignored.

Letters are sent in order, many before the first is acknowledged, and a target keeps that order. It keeps no letter
after `unavailable`, and sends none again by itself: that is the task of the forwarder, which still has them. A target
whose library has a queue of its own empties that queue before it reports `unavailable`.

If a letter can never arrive (it is too long for the broker), the target logs that and acknowledges the letter: else
nothing after it would get through. A failure that may pass (this user may not write to the topic) is logged at most
once a minute; the target reports `unavailable`, and `available` when it is time to try again.

A wrong URL raises UsageError when the target is made, before anything is opened.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from telegraf_p1.forward.letter import Letter


class TargetListener(Protocol):
    """What a target reports to; any thread may call it, and no call blocks."""

    def available(self) -> None:
        """Report that letters may be sent."""

    def unavailable(self) -> None:
        """Report that what was sent and not acknowledged has to be sent again."""

    def acknowledged(self, numbers: Iterable[int]) -> None:
        """Report letters that have arrived for good, by the numbers they were sent with; many at once are cheap."""


class Target(ABC):
    """Where letters are sent.

    `needs_meter`: it cannot connect before a meter is known, since the meter is part of its topic.
    """

    needs_meter = False

    @abstractmethod
    def start(self, listener: TargetListener, meter: str) -> None:
        """Start to connect, in the background; `meter` is that of the first letter, or empty without `needs_meter`."""

    @abstractmethod
    def send(self, number: int, letter: Letter) -> bool:
        """Accept a letter; return whether it was accepted. Never wait, since the forwarder's only thread calls this.

        A target that is unavailable, or has enough letters on their way, does not accept one. It is offered again
        after the target's next report: an acknowledgement, or `available`.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection within a second, and send nothing more. Unacknowledged letters are sent again later.

        May be called before `start`.
        """
