"""The results of a benchmark: a section of docs/performance.md, kept in build/bench for `scripts/write-performance`."""

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
BUILD: Final = ROOT / "build" / "bench"
LOAD: Final = os.getloadavg()[0]  # before the benchmark starts


def machine() -> str:
    """Describe the computer on which it is measured."""
    cpu = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}, {memory} GiB, {system}, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )


@dataclass(frozen=True)
class Section:
    """A heading, a text, a table, notes about it, and figures for the top of the page, by their names."""

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    figures: dict[str, str] = field(default_factory=dict)
    machine: str = field(default_factory=machine)
    when: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d}, load average before it {LOAD:.1f}")

    def save(self, name: str, folder: Path = BUILD) -> None:
        """Save it for the page, and print it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")
        print("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return it as Markdown."""
        cells = [self.head, ["---", *["--:"] * (len(self.head) - 1)], *self.rows]
        table = [f"| {' | '.join(row)} |" for row in cells]
        notes = [f"- {note}" for note in self.notes]
        return [f"## {self.title}", "", self.text, "", *table, "", *notes, *[""] * bool(notes), f"*{self.when}.*", ""]
