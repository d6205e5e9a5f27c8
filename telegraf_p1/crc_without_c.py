"""CRC-16/ARC where crcmod has no C extension: the telegram is one big integer, which is folded again and again.

A CRC is the remainder of a polynomial division over GF(2), where addition is XOR. The coefficients are the bits of the
message, of which the first one sent belongs to the highest power of x, followed by 16 zeros. The divisor is

    x^16 + x^15 + x^2 + 1  =  (x + 1) · (x^15 + x + 1)

*The long factor.* Modulo this factor, x^15 equals x + 1. Over GF(2), (a + b)² is a² + b². Squaring again and again
shows that x^15q equals x^q + 1 for q = 1, 2, 4, 8, … So a bit can be removed if it is added at two later places, 14q
and 15q further on. Thousands of bits can be moved at once, with two shifts and two XORs. About a dozen such steps, each
with the q that removes most bits, reduce a telegram to 16 bits.

*The short factor.* Modulo this factor, every power of x equals 1. So the remainder of a message is 1 if it has an odd
number of ones. The steps change that, since they add two ones for each that they remove. But for each remainder by the
long factor there are only two numbers of 16 bits. They differ by that factor, so one of them has an odd number of ones.
The CRC is that one if the message is odd, else the other.

Bytes are sent with their lowest bit first. So in a little-endian integer the first bit of a message is the lowest,
"later" is to the left, and the highest power of the CRC is its lowest bit.
"""

from functools import lru_cache
from typing import Final, NamedTuple

_CRC_BITS: Final = 16
_LONG_FACTOR: Final = 0b1100_0000_0000_0001  # x^15 is its lowest bit; x and 1 are its highest bits
_LENGTHS: Final = 64  # lengths whose steps are cached: the telegrams of a meter have few different ones


class _Step(NamedTuple):
    """Remove the `taken` lowest bits (those of `mask`), and XOR them into the rest at two places."""

    taken: int
    mask: int
    place: int
    other: int


@lru_cache(_LENGTHS)
def _steps(length: int) -> tuple[_Step, ...]:
    """Return the steps that fold a message of `length` bytes."""
    steps, left = [], 8 * length + _CRC_BITS
    while left > _CRC_BITS:
        fitting = (1 << power for power in range(left.bit_length()) if 15 << power < left)
        count, q = max((min(14 * q, left - 15 * q, left - _CRC_BITS), q) for q in fitting)
        steps.append(_Step(count, (1 << count) - 1, 14 * q - count, 15 * q - count))
        left -= count
    return tuple(steps)


def checksum(data: bytes) -> int:
    """Return the CRC, in a time proportional to the length."""
    number = int.from_bytes(data, "little")
    is_odd = number.bit_count() & 1
    for count, mask, place, other in _steps(len(data)):
        first = number & mask
        number = number >> count ^ first << place ^ first << other
    return number if number.bit_count() & 1 == is_odd else number ^ _LONG_FACTOR
