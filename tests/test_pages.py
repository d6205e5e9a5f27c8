"""The pages name what there is."""

import inspect
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegraf_p1 import durations, framer, interpreter, pipe, sources, warn
from telegraf_p1.__main__ import parser
from telegraf_p1.check import ports, topics
from telegraf_p1.forward import open_target
from telegraf_p1.log import Log
from telegraf_p1.outputs.mapping import Mapping
from telegraf_p1.outputs.mqtt import Publisher
from telegraf_p1.simulator.countries import COUNTRIES
from telegraf_p1.simulator.countries.country import Meters
from telegraf_p1.sources import envelope, open_source
from telegraf_p1.url import Url, UsageError
from tests.faults.matrix import rows
from tests.helpers import pages
from tests.helpers.messages import messages
from tests.helpers.telegrams import KEY, PACKAGE, ROOT

DOCS = ROOT / "docs"
SOURCES = (DOCS / "sources.md").read_text()


@pytest.mark.parametrize("scheme", sources._KINDS)  # noqa: SLF001
def test_the_page_of_sources_has_each_in_its_table(scheme: str) -> None:
    assert re.search(rf"^\|.*`{re.escape(scheme)}:", SOURCES, re.MULTILINE)


# The table of options of each kind of source, by its heading.
OPTIONS = {
    "serial": "Serial port",
    "auto": "Serial port",
    "tcp": "TCP",
    "rfc2217": "RFC 2217",
    "p0": "Optical port",
    "p0+tcp": "Optical port",
    "p0+rfc2217": "Optical port",
    "mqtt": "MQTT",
    "mqtts": "MQTT",
    "mqtt+ws": "MQTT",
    "mqtt+wss": "MQTT",
    "kafka": "Kafka",
    "kafkas": "Kafka",
    "http": "HTTP",
    "https": "HTTP",
    "ws": "WebSocket",
    "wss": "WebSocket",
    "http-listen": "HTTP listener",
    "file": "A recording",
    "sim": "Simulated meter",
}
ANY = {"serial": "serial:///dev/ttyUSB0", "auto": "auto:", "file": "file:x", "sim": "sim:", "p0": "p0:///dev/ttyUSB0"}


def options_of(scheme: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give the options that a source takes, with their defaults."""
    module = import_module(f"telegraf_p1.sources.{sources._KINDS[scheme].module}")  # noqa: SLF001
    if scheme.startswith("http") and scheme != "http-listen":  # what it does not know is the device's
        defaults = {"timeout": module._TIMEOUT}  # noqa: SLF001
        taken = re.findall(r"""query\.pop\("(\w+)", (?:"(\w*)"|_\w+)\)""", inspect.getsource(module.source))
        return {name: default or defaults.get(name, "") for name, default in taken}
    found: dict[str, Any] = {}

    def options(url: Url, **defaults: Any) -> list[str]:
        found.update(defaults)
        given: list[str] = real(url, **defaults)
        return given

    # `auto` leaves them to the port.
    module = import_module("telegraf_p1.sources.serial_port") if scheme == "auto" else module
    real = module.options
    monkeypatch.setattr(module, "options", options)
    open_source(ANY.get(scheme, f"{scheme}://127.0.0.1:2000/p1"))
    return found


@pytest.mark.parametrize("scheme", sources._KINDS)  # noqa: SLF001
def test_the_page_of_sources_has_each_option_with_its_default(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = options_of(scheme, monkeypatch)
    section = SOURCES.partition(f"\n### {OPTIONS[scheme]}\n")[2].partition("\n##")[0]
    written = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", section, re.MULTILINE))
    if scheme in ("mqtt", "mqtts"):  # in the table of all four
        assert written.pop("path") == "`/mqtt`"
    assert written.keys() == taken.keys()
    for name, default in taken.items():
        shown = re.match(r"`([^`]+)`", written[name])
        if not shown:  # words, for what is found out or left out
            assert default in ("", 0, "0"), name
        elif shown[1] != str(default):
            assert durations.seconds(shown[1]) == durations.seconds(str(default)), name


@pytest.fixture
def with_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a source may want from the environment."""
    for name in ("P1_MQTT_PASSWORD", "P1_KAFKA_PASSWORD", "P1_HTTP_TOKEN", "P1_HASH_KEY"):
        monkeypatch.setenv(name, "correct-horse")
    monkeypatch.setenv("P1_DECRYPTION_KEY", KEY.hex())


# What stands for something that its reader knows: `host:port`, FILE, an ellipsis.
PLACEHOLDER = re.compile(r"(?<!local)host\b|:port\b|[A-Z]{4}|…|\.\.\.|\$")


def check_source(text: str, command: str = "run") -> None:
    """Raise UsageError for a source that the program would not take; certificates need not be there."""
    text = re.sub(r"pin=([0-9a-f]*…|PIN)", f"pin={64 * '0'}", text)
    if PLACEHOLDER.search(text):
        return
    if command == "check" and text.startswith("/") and ports.is_pattern(text):
        return
    if command == "check" and text.startswith("mqtt") and topics.is_broker(text):
        return
    try:
        open_source(text)
    except UsageError as error:
        if "No such file" not in str(error):
            raise


def check_command(arguments: Sequence[str], folder: Path) -> None:
    """Raise what says that the program would not take a command line."""
    chosen = parser().parse_args(arguments)
    if source := getattr(chosen, "source", None):
        check_source(source, chosen.command)
    if chosen.command == "forward" and not PLACEHOLDER.search(chosen.target):
        open_target(re.sub(r"[?&](?:ca|pin|cert|key)=[^&]*", "", chosen.target), Log(), str(folder / "queue"))
    if getattr(chosen, "publish", None):
        Publisher(chosen.publish, Mapping("p1"), Log())
    for name in ("every", "interval", "stats", "history"):
        if text := getattr(chosen, name, None):
            durations.seconds(text)


EVERY_PAGE = pytest.mark.parametrize("page", pages.PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@EVERY_PAGE
@pytest.mark.usefixtures("with_secrets")
def test_each_command_of_a_page_is_one_that_the_program_takes(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in pages.blocks(page):
        if block.language not in ("", "sh", "bash", "shell"):
            continue
        for arguments in pages.commands(block.text):
            try:
                check_command(arguments, tmp_path)
            except (SystemExit, ValueError) as error:
                pytest.fail(f"telegraf-p1 {' '.join(arguments)}: {capsys.readouterr().err or error}")


def test_what_a_shell_would_misread_is_found() -> None:
    assert list(pages.commands("sudo telegraf-p1 check 'tcp://a:1?timeout=9s' > x | telegraf-p1 decode -")) == [
        ["check", "tcp://a:1?timeout=9s"],
        ["decode", "-"],
    ]
    assert list(pages.commands("sh -c 'exec telegraf-p1 check auto:'")) == [["check", "auto:"]]
    assert list(pages.commands("docker build -t telegraf-p1 .")) == []
    for line in ("telegraf-p1 run mqtt://a/b?x=1&y=2", "telegraf-p1 run /dev/ttyUSB*"):
        with pytest.raises(ValueError, match=r"&|quotes"):
            list(pages.commands(line))


@EVERY_PAGE
@pytest.mark.usefixtures("with_secrets")
def test_each_block_of_a_page_is_what_it_says(page: Path, tmp_path: Path) -> None:
    for block in pages.blocks(page):
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "yaml":
            assert yaml.compose(block.text)  # ESPHome's has tags of its own
        elif block.language == "toml":
            plugins = tomllib.loads(block.text)
            for kind in ("inputs", "processors"):
                for one in plugins.get(kind, {}).get("execd", []):
                    program, *arguments = one["command"]
                    assert program == "/opt/telegraf_p1/bin/telegraf-p1"
                    check_command(arguments, tmp_path)


@EVERY_PAGE
@pytest.mark.usefixtures("with_secrets")
def test_each_source_in_the_text_of_a_page_is_one_that_the_program_takes(page: Path) -> None:
    kinds = "|".join(map(re.escape, sources._KINDS))  # noqa: SLF001
    for text in pages.spans(page):
        if re.fullmatch(rf"(?:{kinds}):(?!//[…/]?$|$)\S+|/dev/\w+\?\S+", text):
            check_source(text, "check")


@pytest.mark.parametrize("page", ["cable.md", "encrypted.md"])
def test_each_message_in_a_table_of_faults_is_one_of_the_program(page: str) -> None:
    tables = re.findall(
        r"^\| (?:message|what `check` or the log says) \|.*\n(?:\|.*\n)+", (DOCS / page).read_text(), re.MULTILINE
    )
    found = re.findall(r"^\| `([^`]+)`", "".join(tables), re.MULTILINE)
    assert [text for text in found if not any(text in message.text for message in messages())] == []
    assert found


def test_what_is_written_by_the_program_is_up_to_date() -> None:
    script = ROOT / "scripts" / "write-docs"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "name", [str(page.relative_to(ROOT)) for page in pages.PAGES] + ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
)
def test_no_sentence_of_a_page_has_more_than_25_words(name: str) -> None:
    found = pages.sentences(ROOT / name)
    assert found
    assert [sentence for sentence in found if len(sentence.split()) > 25] == []


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


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`telegraf-p1 (run [^`]+)`", METERS))))
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
    assert [
        one for one in named if not any((folder / one).exists() for folder in (ROOT, PACKAGE, PACKAGE.parent))
    ] == []


def test_the_record_that_the_page_on_records_shows_is_that_of_its_telegram() -> None:
    page = (DOCS / "records.md").read_text()
    (named,) = re.findall(r"`telegraf-p1 decode (\S+)\.telegram`", page)
    assert f"```\n{(ROOT / f'{named}.line').read_text().strip()}\n```" in page
