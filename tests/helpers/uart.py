"""A serial line, bit by bit: what a UART with other settings receives when a meter sends."""

from collections.abc import Iterable, Iterator

_IDLE = [1] * 200


def line(data: bytes, settings: str = "8N1", *, inverted: bool = False) -> list[int]:
    """Return the levels on the line, one per bit time: 1 is mark, the idle level of a correct signal."""
    levels = [*_IDLE]
    for byte in data:
        bits = [byte >> n & 1 for n in range(int(settings[0]))]
        levels += [0, *bits, *_parity(bits, settings), *[1] * int(settings[2])]
    levels += _IDLE
    return [1 - level for level in levels] if inverted else levels


def _parity(bits: Iterable[int], settings: str) -> list[int]:
    return [] if settings[1] == "N" else [(sum(bits) + (settings[1] == "O")) % 2]


def read(levels: list[int], settings: str = "8N1", bit_times: float = 1.0) -> Iterator[tuple[int, bool]]:
    """Yield each character, and whether its parity is correct; one of our bits lasts `bit_times` of the meter's.

    A UART waits for a falling edge, and samples each bit in its middle. Linux passes on characters with a wrong stop
    bit unchanged, and a break as NUL.
    """
    data_bits = int(settings[0])
    bits = data_bits + (settings[1] != "N")
    place = 1
    while place + (bits + 2) * bit_times < len(levels):
        if levels[place - 1] == 0 or levels[place] == 1 or levels[int(place + bit_times / 2)] == 1:
            place += 1
            continue
        samples = [levels[int(place + (1.5 + n) * bit_times)] for n in range(bits + 1)]
        *received, stop = samples
        fits = settings[1] == "N" or sum(received) % 2 == (settings[1] == "O")
        yield sum(bit << n for n, bit in enumerate(received[:data_bits])), fits
        place = int(place + (bits + 1.5) * bit_times)
        while not stop and place < len(levels) and levels[place] == 0:
            place += 1
