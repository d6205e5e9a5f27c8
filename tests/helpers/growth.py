"""Whether the time that something takes grows faster than its input."""

import time
from collections.abc import Callable, Sequence
from typing import Final

# Four times the input takes four times as long, or sixteen times if the time is quadratic.
STEP: Final = 4
_TOO_MUCH: Final = 9
_UNNOTICED_S: Final = 0.002  # shorter times depend on the machine more than on the program


def seconds(action: Callable[[], object]) -> float:
    """Return the CPU time of an action."""
    begun = time.process_time()
    action()
    return time.process_time() - begun


def grows_too_fast(make: Callable[[int], Callable[[], object]], sizes: Sequence[int]) -> int:
    """Return the first size whose action takes far longer than STEP times that of the size before; 0 for none.

    Each size is STEP times the one before. If one seems slow, it is measured once more, since another program may have
    used the processor.
    """
    before = _UNNOTICED_S
    for size in sizes:
        now = seconds(make(size))
        if now > _TOO_MUCH * before:
            before = max(before, seconds(make(size // STEP)))
            now = min(now, seconds(make(size)))
            if now > _TOO_MUCH * before:
                return size
        before = max(now, _UNNOTICED_S)
    return 0


def sizes_up_to(limit: int) -> list[int]:
    """Return the sizes to measure."""
    return [limit // STEP**power for power in range(4, -1, -1)]
