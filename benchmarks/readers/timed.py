"""What the Python readers share: `READER read FILE` and `READER time FILE PASSES`."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_TELEGRAM = re.compile(rb"/[^!]*![0-9A-F]{4}\r\n")


def telegrams() -> list[bytes]:
    """Return the telegrams in the file that the command line names."""
    return _TELEGRAM.findall(Path(sys.argv[2]).read_bytes())


def run(read: Callable[[bytes], T], readings: Callable[[T], Mapping[str, float]]) -> None:
    """Run the command line; `read` reads one telegram, and `readings` takes the readings from its result."""
    found = telegrams()
    if sys.argv[1] == "read":
        for telegram in found:
            print(json.dumps(readings(read(telegram))))
        return

    def all_of_them() -> None:
        for telegram in found:
            read(telegram)

    read(found[0])
    print_time([all_of_them] * int(sys.argv[3]), len(found))


def print_time(passes: Iterable[Callable[[], object]], telegrams_each: int) -> None:
    """Print the CPU time per telegram in µs; what the iterable does between two passes does not count."""
    used, count = 0.0, 0
    for one in passes:
        begun = time.process_time()
        one()
        used += time.process_time() - begun
        count += telegrams_each
    print(used / count * 1e6)
