"""Garbage, and telegrams that need much work, through `telegraf-p1 decode`: MB per second of CPU time.

python -m benchmarks.garbage [--smoke FOLDER]
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.file import PLUGIN, run
from benchmarks.results import BUILD, Section
from benchmarks.telegrams import file_of, usual
from telegraf_p1.crc import checksum

_GOOD: Final = "good telegrams of three phases and gas"
_TEXT: Final = """\
How fast `telegraf-p1 decode` reads damaged, random and hostile input: MB per second of CPU time, without its start.
Both sizes give about the same rate, so the time grows linearly."""


def _long_text(telegram: bytes) -> bytes:
    return _with_crc(telegram.replace(b"0-0:96.13.0()", b"0-0:96.13.0(%b)" % (b"4B" * 7500)))


def _many_lines(telegram: bytes) -> bytes:
    more = b"".join(b"1-0:%d.%d.%d(000123.456*kWh)\r\n" % (n % 200, n // 200, n % 7) for n in range(480))
    return _with_crc(telegram.replace(b"0-0:96.13.0()", more + b"0-0:96.13.0()"))


def _with_crc(telegram: bytes) -> bytes:
    body = telegram[: telegram.rindex(b"!") + 1]
    return b"%b%04X\r\n" % (body, checksum(body))


def sets(good: bytes) -> dict[str, Callable[[int], bytes]]:
    """Return, for each kind of garbage, a function that makes a number of bytes of it; `good` are telegrams."""
    first = good[: good.index(b"!") + len("!ABCD\r\n")]
    random = Random(1)  # noqa: S311

    def again(piece: bytes, before: bytes = b"") -> Callable[[int], bytes]:
        return lambda size: (before + piece * (size // len(piece) + 1))[:size]

    return {
        _GOOD: again(good),
        "random bytes": random.randbytes,
        "random printable characters": lambda size: bytes(random.choices(range(32, 127), k=size)),
        "`/`": again(b"/"),
        "`/` and line ends": again(b"/\r\n"),
        "`!`": again(b"!"),
        "`!` at line starts": again(b"\n!"),
        "`/` and `!` at line starts": again(b"/\n!\n"),
        "`/ABC`": again(b"/ABC"),
        "identifications": again(b"/ABC5\\2X\r\n\r\n"),
        "identifications, each with an object": again(b"/ABC5\\2X\r\n\r\n1-0:1.8.0(1)\r\n"),
        "telegrams without objects": again(b"/ABC5\\2X\r\n\r\n!0000\r\n"),
        "telegrams without an end": again(first[: first.index(b"!")]),
        "telegrams with a wrong CRC": again(first[:-6] + b"0123\r\n"),
        "an identification, then `0-0:1.0.0(`": again(b"0-0:1.0.0(", b"/ABC5\r\n\r\n"),
        "an identification, then objects": again(b"0-0:1.0.0(1)\r\n", b"/ABC5\r\n\r\n"),
        "headers of encrypted telegrams, `DB 08`": again(b"\xdb\x08"),
        "`DB`": again(b"\xdb"),
        "incomplete encrypted telegrams of 16 KiB": again(b"\xdb\x08ABCDEFGH\x82\x3f\xff\x30" + b"x" * 3000),
        "headers of encrypted telegrams of 16 KiB": again(b"\xdb\x08ABCDEFGH\x82\x3f\xff\x30"),
        "headers of Polish encrypted telegrams": again(b"/ABC5\r\n\r\n\0\x82\x30\x30\x30"),
        "NUL": again(b"\0"),
        "line ends": again(b"\r\n"),
        "good telegrams with a text of 15 kB": again(_long_text(first)),
        "good telegrams with 500 objects": again(_many_lines(first)),
    }


def main() -> None:
    """Measure; --smoke only tests whether all of this works."""
    is_smoke = sys.argv[1:2] == ["--smoke"]
    folder = Path(sys.argv[2]) if is_smoke else BUILD
    sizes = (1_000, 4_000) if is_smoke else (5_000_000, 20_000_000)
    data, out = folder / "garbage", folder / "lines"
    command = (*PLUGIN, "decode", str(data))
    data.write_bytes(b"")
    started_s = min(run(command, out).cpu_s for _ in range(1 if is_smoke else 5))
    rates: dict[str, list[float]] = {}
    for name, make in sets(file_of(usual, "nl-5.0", 2000).read_bytes()).items():
        for size in sizes:
            data.write_bytes(make(size))
            rates.setdefault(name, []).append(size / 1e6 / max(run(command, out).cpu_s - started_s, 1e-3))
    data.unlink()
    out.unlink()
    rows = [[name, *(f"{rate:.1f}" for rate in of_sizes)] for name, of_sizes in rates.items()]
    head = ["", *(f"MB/s, {size / 1e6:g} MB" for size in sizes)]
    slowest = min(of_sizes[-1] for name, of_sizes in rates.items() if "good" not in name)
    figures = {"slowest": f"{slowest:.0f}"}
    Section("Garbage", _TEXT, head, rows, (), figures).save("garbage", folder)


if __name__ == "__main__":
    main()
