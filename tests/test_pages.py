"""The README and the pages name what there is."""

import argparse
import re
import subprocess
import sys

import pytest

from telegraf_p1 import sources
from telegraf_p1.__main__ import parser
from tests.faults.matrix import rows
from tests.helpers.telegrams import ROOT

README = (ROOT / "README.md").read_text()


def options_of_run() -> list[str]:
    (commands,) = (one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001
    actions = commands.choices["run"]._actions  # noqa: SLF001
    return [one.option_strings[-1] for one in actions if one.option_strings and one.dest != "help"]


@pytest.mark.parametrize("option", options_of_run())
def test_the_readme_has_a_row_for_each_option_of_run(option: str) -> None:
    assert re.search(rf"^\| `{option}[ `]", README, re.MULTILINE)


@pytest.mark.parametrize("scheme", sources._KINDS)  # noqa: SLF001
def test_the_readme_has_each_source_in_its_table(scheme: str) -> None:
    assert re.search(rf"^\|.*`{re.escape(scheme)}:", README, re.MULTILINE)


def test_what_is_written_by_the_program_is_up_to_date() -> None:
    script = ROOT / "scripts" / "write-docs"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_every_file_that_a_page_links_is_there(page: str) -> None:
    path = ROOT / page if (ROOT / page).exists() else ROOT / "docs" / page
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_page_on_reliability_has_each_row_of_the_matrix_in_its_words() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    written = re.findall(r"^\| (.+?) \| \d.*\| (.+) \|$", page, re.MULTILINE)
    assert written == [(row.what, row.loses or "nothing") for row in rows()]
