"""Whether the time that something takes grows faster than what it is given."""

import time
from collections.abc import Callable, Sequence
from typing import Final

# Four times the input takes four times the time, and sixteen times when that is quadratic.
STEP: Final = 4
_TOO_MUCH: Final = 9
_UNNOTICED_S: Final = 0.002  # below which a clock tells more of the machine than of the program


def seconds(action: Callable[[], object]) -> float:
    """Measure the CPU time."""
    begun = time.process_time()
    action()
    return time.process_time() - begun


def grows_too_fast(make: Callable[[int], Callable[[], object]], sizes: Sequence[int]) -> int:
    """Give the first size at which what is made for it takes far longer than STEP times the one before; 0 for none.

    Each size is STEP times the one before. What seems slow is measured once more, since another program may have had
    the processor.
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
    """Give the sizes to measure."""
    return [limit // STEP**power for power in range(4, -1, -1)]
