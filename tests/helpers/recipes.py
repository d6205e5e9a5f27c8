"""The pages in docs/devices and docs/coming-from: their tables, their blocks with the test's own paths and ports."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from tests.helpers import pages
from tests.helpers.programs import PLUGIN
from tests.helpers.telegrams import ROOT

FOLDERS = (ROOT / "docs" / "devices", ROOT / "docs" / "coming-from")
PAGES = sorted(page for folder in FOLDERS for page in folder.glob("*.md"))
PROGRAM = "/opt/telegraf_p1/bin/telegraf-p1"

_ROW = re.compile(r"^\|(?! ?-)(.*)\|$", re.MULTILINE)


def text(page: str) -> str:
    """Return a page by its path in docs/, without `.md`."""
    return (ROOT / "docs" / f"{page}.md").read_text()


def names(page: str) -> list[str]:
    """Return the names of the blocks that tests run."""
    return [block.name for block in pages.blocks(ROOT / "docs" / f"{page}.md") if block.name]


def block(page: str, name: str, *replacements: tuple[str, str]) -> str:
    """Return a named block with replacements; each of them has to match."""
    return pages.replaced(pages.block(f"{page}.md", name=name), *replacements)


def inputs(toml: str) -> list[dict[str, Any]]:
    """Return the settings of the inputs in a block for Telegraf."""
    return list(tomllib.loads(toml)["inputs"]["execd"])


def arguments(page: str, name: str, *replacements: tuple[str, str]) -> list[str]:
    """Return the arguments of the plugin in a block for Telegraf."""
    (told,) = inputs(block(page, name, *replacements))
    assert told["command"][0] == PROGRAM
    return list(told["command"][1:])


def run(page: str, name: str, *replacements: tuple[str, str], folder: Path) -> str:
    """Run a block of commands in a folder; return what it prints."""
    script = block(page, name, *replacements).replace("telegraf-p1 ", f"{' '.join(PLUGIN)} ")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, check=False, timeout=60, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def tables(page: str) -> list[list[list[str]]]:
    """Return the tables of a page: rows of cells, the first row with their titles."""
    found: list[list[list[str]]] = []
    for part in re.split(r"\n\n+", text(page)):
        rows = [[cell.strip() for cell in row.split(" | ")] for row in _ROW.findall(part)]
        if len(rows) > 1:
            found.append([[cell.strip() for cell in row] for row in rows])
    return found


def mapping(page: str, column: int) -> dict[str, str]:
    """Return, from the table of names, our field for each name in a column."""
    (table,) = (table for table in tables(page) if table[0][0] == "field in `p1`")
    found = {}
    for row in table[1:]:
        for name in re.findall(r"`([^`]+)`", row[column]):
            assert name not in found, name
            found[name] = row[0].strip("`")
    return found
