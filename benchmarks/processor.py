"""How many telegrams per second `telegraf-p1 process` reads, from metrics as Telegraf writes them, with 1,000 topics.

python -m benchmarks.processor: the figures in docs/transports.md.
"""

import resource
import subprocess
import sys
import tempfile
import time
from typing import IO, Final

from telegraf_p1.simulator.meter import Meter

_COUNT: Final = 40_000
_TOPICS: Final = 1000
_START: Final = 1_796_050_000


def metrics() -> dict[str, bytes]:
    """Return metrics with telegrams, and as many of another kind, which pass unchanged."""
    meter = Meter()
    texts = [meter.telegram(_START + number).decode().replace("\\", "\\\\") for number in range(_TOPICS)]
    # Telegraf's time is the time of reception, half a second later.
    telegrams = "".join(
        f'mqtt_consumer,topic=p1/{number}/raw value="{text}" {_START + number}500000000\n'
        for number, text in enumerate(texts)
    )
    others = "".join(f"cpu,cpu=cpu{number} usage_idle=98.5 {_START + number}500000000\n" for number in range(_TOPICS))
    times = _COUNT // _TOPICS
    return {"with a telegram": telegrams.encode() * times, "of another kind": others.encode() * times}


def main() -> None:
    for kind, text in metrics().items():
        with tempfile.TemporaryFile() as file:
            file.write(text)
            wall_s, cpu_s = _processed(file)
        print(f"metrics {kind}: {_COUNT / wall_s:,.0f}/s, {cpu_s / _COUNT * 1e6:.0f} µs of CPU time each")


def _processed(file: IO[bytes]) -> tuple[float, float]:
    """Process a file; return the time and the CPU time that it took (s), both including the start."""
    file.seek(0)
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "telegraf_p1", "process"]
    subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - begun, used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
