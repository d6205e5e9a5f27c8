"""CRC-16/ARC where crcmod has no C extension: a telegram as one big integer, folded in halves.

A CRC is a remainder. The bits of a message, the first one sent being the highest power of x, are a polynomial over two
elements: adding is XOR, and nothing is carried. Behind them come 16 zeros; the CRC is what is left of all that by

    x^16 + x^15 + x^2 + 1  =  (x + 1) · (x^15 + x + 1)

*The long factor.* By it x^15 leaves x + 1. Over two elements (a + b)² is a² + b²: squared again and again, this says
that x^15q leaves x^q + 1 for q = 1, 2, 4, 8, … So a bit may be taken off if it is put back twice, 14q and 15q places
further behind; and so may thousands of bits at once, with two shifts and two XORs. A dozen of such steps, each with the
q that takes most bits off, leave 16 bits of a telegram.

*The short factor.* By it every power of x leaves 1, so a message leaves whether it has an odd number of ones. The
steps do not keep that: they put two ones back for one. Two numbers of 16 bits leave the same by the long factor, and
differ by that factor: one of them has an odd number of ones. The CRC is the one that is odd when the message is.

Bytes are sent with their lowest bit first, so in a little-endian integer the first bit of a message is the lowest,
"behind" is to the left, and the highest power of the CRC is its lowest bit.
"""

from functools import lru_cache
from typing import Final, NamedTuple

_CRC_BITS: Final = 16
_LONG_FACTOR: Final = 0b1100_0000_0000_0001  # x^15 is its lowest bit, x and 1 are its highest
_LENGTHS: Final = 64  # whose steps are remembered: the telegrams of a meter have few


class _Step(NamedTuple):
    """Take `taken` bits off, those of the mask, and put them back at two places of the rest."""

    taken: int
    mask: int
    place: int
    other: int


@lru_cache(_LENGTHS)
def _steps(length: int) -> tuple[_Step, ...]:
    """Give what folds a message of so many bytes."""
    steps, left = [], 8 * length + _CRC_BITS
    while left > _CRC_BITS:
        fitting = (1 << power for power in range(left.bit_length()) if 15 << power < left)
        count, q = max((min(14 * q, left - 15 * q, left - _CRC_BITS), q) for q in fitting)
        steps.append(_Step(count, (1 << count) - 1, 14 * q - count, 15 * q - count))
        left -= count
    return tuple(steps)


def checksum(data: bytes) -> int:
    """Give the CRC; the time grows with the length."""
    number = int.from_bytes(data, "little")
    is_odd = number.bit_count() & 1
    for count, mask, place, other in _steps(len(data)):
        first = number & mask
        number = number >> count ^ first << place ^ first << other
    return number if number.bit_count() & 1 == is_odd else number ^ _LONG_FACTOR
