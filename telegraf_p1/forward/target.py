"""The contract of all targets: where letters go to.

The forwarder starts a target once, and from then on the target connects by itself, again and again, in threads of its
own. It tells what happens, by `Told`:

    there                    letters may be sent
    acknowledged(numbers)    these have arrived, for good
    gone                     what was sent and not acknowledged is forgotten: it is sent again once the target is there

A number stands for one attempt: a letter that is sent again has another one. So nothing is wrong with an
acknowledgement that comes after `gone`, or for a number that nobody knows any more: it is passed over.

Letters are sent in order, many before the first is acknowledged, and a target keeps that order. It keeps no letter
over `gone`, and tries none again by itself: that is the forwarder's, who has them on disk. Who cannot keep that apart
(a library with a queue of its own) empties that queue before it says `gone`.

What is wrong with one letter for ever (it is too long for the broker) the target says in the log, and acknowledges it:
else nothing behind it would get through. What may come right (a topic that this user may not write to) is said at most
once a minute; the target says `gone`, and `there` when it is time to try again.

A wrong URL is a UsageError when the target is made, before anything is opened.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from telegraf_p1.forward.letter import Letter


class Told(Protocol):
    """What a target tells; any thread may say it, and none waits for it."""

    def there(self) -> None:
        """Say that letters may be sent."""

    def gone(self) -> None:
        """Say that what was sent and not acknowledged has to be sent again."""

    def acknowledged(self, numbers: Iterable[int]) -> None:
        """Say which letters have arrived, for good, by the numbers they were sent with; many at once are cheap."""


class Target(ABC):
    """What letters are sent to.

    `needs_meter` says that it cannot connect before a meter is known, which its name for it holds.
    """

    needs_meter = False

    @abstractmethod
    def start(self, told: Told, meter: str) -> None:
        """Begin to connect, in the background; `meter` is that of the first letter, empty if nobody needs it."""

    @abstractmethod
    def send(self, number: int, letter: Letter) -> bool:
        """Take a letter; give whether it was taken, and do not wait: the forwarder's one thread calls it.

        What was not taken, since the target is gone or has as many on their way as it should, is offered again after
        the next word of it: an acknowledgement, or `there`.
        """

    @abstractmethod
    def close(self) -> None:
        """End the connection, within a second: nothing more is sent. What is not acknowledged now is sent again.

        It may be called before `start`.
        """
