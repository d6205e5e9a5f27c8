"""From a recording in a file to lines, as processes: telegrams per second, CPU time, memory; also of dsmr-parser.

python -m benchmarks.file [--smoke FOLDER]
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.results import BUILD, ROOT, Section
from benchmarks.telegrams import file_of, usual

PLUGIN: Final = (str(Path(sys.executable).with_name("telegraf-p1")),)
_DSMR_PARSER: Final = (sys.executable, "-m", "benchmarks.readers.dsmr_parser_line", "file")
_FORM: Final = "nl-5.0"
_TEXT: Final = """\
`telegraf-p1 decode FILE`, including its start, with telegrams of three phases and gas: the median of {rounds} rounds.
Memory is the maximum of the process (VmHWM). For dsmr-parser it is its FileReader, and a line made of each
Telegram."""


class Used(NamedTuple):
    """What a process used (s of time, s of CPU time, MiB), and how many lines it wrote."""

    wall_s: float
    cpu_s: float
    mib: float
    lines: int


def run(command: tuple[str, ...], out: Path, cwd: Path = ROOT) -> Used:
    """Run a command to its end; its lines go to a file, since the reader of a pipe would use the processor too."""
    with out.open("wb") as stdout:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL, cwd=cwd)
        kib = 0
        # wait4's maximum of memory may be that of this process, since the child was a copy of it before `exec`.
        while (ended := os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
            with suppress(StopIteration, OSError):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
            time.sleep(0.005)
        wall_s = time.perf_counter() - begun
        _, _, usage = os.wait4(process.pid, 0)
    process.returncode = ended.si_status
    with out.open("rb") as written:
        return Used(wall_s, usage.ru_utime + usage.ru_stime, kib / 1024, sum(1 for _ in written))


def main() -> None:
    """Measure; --smoke only tests whether all of this works."""
    is_smoke = sys.argv[1:2] == ["--smoke"]
    folder, rounds = (Path(sys.argv[2]), 1) if is_smoke else (BUILD, 3)
    counts = (20, 50) if is_smoke else (10_000, 100_000)
    runs: list[tuple[str, tuple[str, ...], int]]
    runs = [(f"`telegraf-p1 decode`, {count:,} telegrams", (*PLUGIN, "decode"), count) for count in counts]
    if find_spec("dsmr_parser"):
        runs.append((f"PyPI dsmr-parser 1.11.2, {counts[0]:,} telegrams", _DSMR_PARSER, counts[0]))
    taken: list[list[Used]] = [[] for _ in runs]
    out = folder / "lines"
    for _ in range(rounds):
        for (name, command, count), used in zip(runs, taken, strict=True):
            used.append(run((*command, str(file_of(usual, _FORM, count))), out))
            if used[-1].lines != count:
                sys.exit(f"{name}: {used[-1].lines} lines")
    out.unlink()
    rows, figures = [], {}
    for (name, _, count), used in zip(runs, taken, strict=True):
        wall_s, cpu_s, mib = (median(column) for column in list(zip(*used, strict=True))[:3])
        rows.append([name, f"{count / wall_s:,.0f}", f"{cpu_s / count * 1e6:.1f}", f"{mib:.1f}"])
        if count == counts[-1]:
            figures = {"rate": f"{count / wall_s:,.0f}", "mib": f"{mib:.0f}"}
    text = _TEXT.format(rounds=rounds)
    head = ["", "telegrams/s", "CPU µs each", "MiB"]
    Section("A file to lines", text, head, rows, (), figures).save("file", folder)


if __name__ == "__main__":
    main()
