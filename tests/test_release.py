"""A release: all that names its version agrees, and a package index shows the README with links that lead somewhere."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telegraf_p1 import __version__
from tests.helpers.telegrams import ROOT

NAMED = ("CHANGELOG.md", "CITATION.cff", "telegraf_p1/__init__.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what names the version: tests change it."""
    for name in ("scripts/release.py", *NAMED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def release(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "scripts" / "release.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_all_that_names_a_version_names_the_same(tree: Path) -> None:
    done = release(tree, "check", f"v{__version__}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("telegraf_p1/__init__.py", __version__, "0.9.0", "__init__.py has version 0.9.0"),
        ("CITATION.cff", f"version: {__version__}", "version: 0.9.0", "CITATION.cff has version 0.9.0"),
        ("CITATION.cff", 'date-released: "2', 'date-released: "1', "CITATION.cff has the date 1"),
        ("CITATION.cff", "date-released", "date", "0 lines are like"),
        ("CHANGELOG.md", f"## {__version__} - ", "## Unreleased ", "its first heading is not"),
        ("CHANGELOG.md", f"## {__version__} - ", "## 9.9.9 - 2026-01-01\n\n## ", "nothing stands under 9.9.9"),
    ],
)
def test_what_disagrees_is_named(tree: Path, name: str, old: str, new: str, said: str) -> None:
    text = (tree / name).read_text()
    assert old in text
    (tree / name).write_text(text.replace(old, new))
    done = release(tree, "check")
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("tag", [__version__, "v0.9.0", f"v{__version__}rc1"])
def test_another_tag_is_refused(tree: Path, tag: str) -> None:
    done = release(tree, "check", tag)
    assert done.returncode == 1
    assert f"the tag is {tag}, and has to be v{__version__}" in done.stderr


def test_the_notes_are_the_newest_section(tree: Path) -> None:
    path = tree / "CHANGELOG.md"
    path.write_text(path.read_text().replace("## ", "## 99.0.0 - 2099-01-01\n\n### New\n\n- A thing.\n\n## ", 1))
    assert release(tree, "notes").stdout == "### New\n\n- A thing.\n"
    assert release(tree, "epoch").stdout == "4070908800\n"


README = (ROOT / "README.md").read_text()
SHOWN: str = runpy.run_path(str(ROOT / "setup.py"))["long_description"]()
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)]*)\)")
REPOSITORY = "metertrekker/telegraf_p1"


def test_only_the_links_of_the_readme_differ_in_a_package_index() -> None:
    assert LINK.split(SHOWN)[::3] == LINK.split(README)[::3]
    assert len(LINK.findall(SHOWN)) > 20


def test_each_link_to_a_file_names_it_as_it_was_at_this_version() -> None:
    for (image, path), (_, address) in zip(LINK.findall(README), LINK.findall(SHOWN), strict=True):
        if path.startswith("https:"):
            assert address == path
        elif image:
            assert address == f"https://raw.githubusercontent.com/{REPOSITORY}/v{__version__}/{path}"
        else:
            assert address == f"https://github.com/{REPOSITORY}/blob/v{__version__}/{path}"
