"""A thousand simulated meters over a real mosquitto, one telegram a second each: what the plugin needs.

.venv/bin/python benchmarks/many_meters.py [METERS]
"""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.helpers.mosquitto import Mosquitto
from tests.helpers.programs import PLUGIN, plugin, program

SECONDS = 20


def seconds_on_cpu(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def count_lines(process: subprocess.Popen[bytes], counter: list[int]) -> None:
    assert process.stdout
    while data := process.stdout.read(65536):
        counter[0] += data.count(b"\n")


def main(meters: int) -> None:
    counter = [0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder).start()
        with plugin("run", broker.url("p1/+/raw"), log=folder / "log") as process:
            threading.Thread(target=count_lines, args=(process, counter), daemon=True).start()
            with program([*PLUGIN, "simulate", broker.url("p1/{n}/raw"), "--meters", str(meters)]):
                time.sleep(5)
                lines, cpu, begun = counter[0], seconds_on_cpu(process.pid), time.monotonic()
                time.sleep(SECONDS)
                took = time.monotonic() - begun
            rate, share = (counter[0] - lines) / took, (seconds_on_cpu(process.pid) - cpu) / took
            memory = Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]
        broker.stop()
    print(f"{meters} meters: {rate:.0f} records a second, {share * 100:.0f} % of a core, {int(memory) / 1024:.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
