#!/usr/bin/env python3
"""A release: what CHANGELOG.md says of the newest version, and whether all that names a version agrees.

Usage: scripts/release.py check [TAG]   exit code 1 and one line for each disagreement
       scripts/release.py epoch         the day of this version, in seconds: the time of what is in the packages
       scripts/release.py notes         the changes of this version, as the text of the forge's release
"""

import argparse
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
HEADING = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
TITLE = re.compile(r"(?P<version>\d+\.\d+\.\d+) - (?P<date>\d{4}-\d\d-\d\d)")


class Release(NamedTuple):
    """A section of CHANGELOG.md."""

    version: str
    date: date
    notes: str

    @property
    def epoch(self) -> int:
        """The start of its day, in s since 1970 (UTC): the time of the files in its packages."""
        return int(datetime.combine(self.date, time(), UTC).timestamp())


def newest(root: Path = ROOT) -> Release:
    """Return the first section of CHANGELOG.md; raise ValueError if its heading is not a version and a date."""
    _, *parts = HEADING.split((root / "CHANGELOG.md").read_text())
    title = TITLE.fullmatch(parts[0]) if parts else None
    if not title:
        raise ValueError(f"CHANGELOG.md: its first heading is not '## 1.2.3 - 2026-12-31', but {parts[:1]}")
    return Release(title["version"], date.fromisoformat(title["date"]), parts[1].strip())


def _value(root: Path, path: str, pattern: str) -> str:
    """Return what the only line of a file that matches says; raise ValueError if there is none, or several."""
    found = re.findall(pattern, (root / path).read_text(), re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"{path}: {len(found)} lines are like {pattern}")
    return str(found[0])


def disagreements(tag: str | None, root: Path = ROOT) -> Iterator[str]:
    """Yield a line for each file with another version or date than CHANGELOG.md."""
    try:
        release = newest(root)
        version = _value(root, "telegraf_p1/__init__.py", r'^__version__ = "(.+)"$')
        cited = _value(root, "CITATION.cff", r'^version: "?([^"\n]+)"?$')
        cited_date = _value(root, "CITATION.cff", r'^date-released: "?([^"\n]+)"?$')
    except ValueError as error:
        yield str(error)
        return
    if not release.notes:
        yield f"CHANGELOG.md: nothing stands under {release.version}"
    if version != release.version:
        yield f"telegraf_p1/__init__.py has version {version}, CHANGELOG.md {release.version}"
    if cited != release.version:
        yield f"CITATION.cff has version {cited}, CHANGELOG.md {release.version}"
    if cited_date != str(release.date):
        yield f"CITATION.cff has the date {cited_date}, CHANGELOG.md {release.date}"
    if tag is not None and tag != f"v{release.version}":
        yield f"the tag is {tag}, and has to be v{release.version}"


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("check", "epoch", "notes"))
    parser.add_argument("tag", nargs="?")
    arguments = parser.parse_args()
    if arguments.command != "check":
        print(getattr(newest(), arguments.command))
        return 0
    found = list(disagreements(arguments.tag))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
