"""The pages name what there is."""

import re
import shlex
import subprocess
import sys

import pytest

from telegraf_p1 import framer, interpreter, pipe, sources, warn
from telegraf_p1.__main__ import parser
from telegraf_p1.simulator.countries import COUNTRIES
from telegraf_p1.simulator.countries.country import Meters
from telegraf_p1.sources import envelope
from tests.faults.matrix import rows
from tests.helpers.telegrams import ROOT

DOCS = ROOT / "docs"
SOURCES = (DOCS / "sources.md").read_text()


@pytest.mark.parametrize("scheme", sources._KINDS)  # noqa: SLF001
def test_the_page_of_sources_has_each_in_its_table(scheme: str) -> None:
    assert re.search(rf"^\|.*`{re.escape(scheme)}:", SOURCES, re.MULTILINE)


def test_what_is_written_by_the_program_is_up_to_date() -> None:
    script = ROOT / "scripts" / "write-docs"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *sorted(str(p.relative_to(ROOT)) for p in DOCS.rglob("*.md"))]
)
def test_every_file_that_a_page_links_is_there(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_page_on_reliability_has_each_row_of_the_matrix_in_its_words() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    written = re.findall(r"^\| (.+?) \| \d.*\| (.+) \|$", page, re.MULTILINE)
    assert written == [(row.what, row.loses or "nothing") for row in rows()]


SECURITY = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", SECURITY)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_each_test_that_the_page_on_security_names_is_there(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)


def test_each_point_of_the_page_on_security_names_its_test_or_says_that_there_is_none() -> None:
    points = re.findall(r"^- (?:.+\n)(?:  .+\n)*", SECURITY, re.MULTILINE)
    assert len(points) > 40
    assert [point for point in points if ".py::test_" not in point and not re.search(r"\b[nN]o test\b", point)] == []


def test_the_page_on_security_states_the_bounds_that_there_are() -> None:
    bounds = (
        f"A telegram has {framer.LIMIT >> 10} KiB at most",
        f"has {envelope.LARGEST >> 10} KiB at most, also unpacked",
        f"{interpreter._MOST_STREAMS:,} topics are",  # noqa: SLF001
        f"{interpreter._MOST_HELD >> 20} MiB of telegrams",  # noqa: SLF001
        f"{pipe._MOST_BYTES >> 20} MiB of records",  # noqa: SLF001
        f"{warn._MOST_REMARKS} remarks",  # noqa: SLF001
    )
    assert [bound for bound in bounds if bound not in SECURITY] == []


METERS = (DOCS / "meters.md").read_text()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`(run [^`]+)`", METERS))))
def test_each_command_of_the_page_of_meters_is_taken(command: str) -> None:
    chosen = parser().parse_args(shlex.split(command))
    sources.open_source(chosen.source)


@pytest.mark.parametrize(
    "kind", [kind for country in COUNTRIES for kind in country.meters if kind.form], ids=lambda kind: kind.name
)
def test_what_the_page_of_meters_says_of_the_crc_is_so_in_the_simulated_meter(kind: Meters) -> None:
    assert kind.form
    assert (kind.crc == "no") is not kind.form.has_crc


def test_a_country_without_identifier_links_how_to_set_the_tag() -> None:
    for country in COUNTRIES:
        section = METERS.partition(f"\n## {country.name}\n")[2].partition("\n## ")[0]
        is_nameless = any(kind.form and not kind.form.has_identifier for kind in country.meters)
        assert ("records.md#set-the-tag-meter" in section) is is_nameless


@pytest.mark.parametrize("page", sorted(str(p.relative_to(ROOT)) for p in DOCS.rglob("*.md")))
def test_the_site_takes_each_block_of_a_page_as_one(page: str) -> None:
    """What belongs to a list is indented by four spaces; scripts/site_links.py takes names of blocks off."""
    text = (ROOT / page).read_text()
    fences = re.findall(r"^( *)```(.*)$", text, re.MULTILINE)
    assert [
        (indent, info) for indent, info in fences if len(indent) % 4 or not re.fullmatch(r"\w*( [\w-]+)?", info)
    ] == []


def test_every_file_that_the_page_on_how_it_is_built_names_is_there() -> None:
    page = (DOCS / "how-it-is-built.md").read_text()
    named = set(re.findall(r"[\w/]+\.py\b|\w+/(?= )", page))
    assert len(named) > 12
    assert [one for one in named if not any((ROOT / folder / one).exists() for folder in ("", "telegraf_p1"))] == []


def test_the_record_that_the_page_on_records_shows_is_that_of_its_telegram() -> None:
    page = (DOCS / "records.md").read_text()
    (named,) = re.findall(r"`telegraf-p1 decode (\S+)\.telegram`", page)
    assert f"```\n{(ROOT / f'{named}.line').read_text().strip()}\n```" in page
