"""What people can copy from the pages: code blocks, command lines, sources."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.helpers.telegrams import ROOT

DOCS: Final = ROOT / "docs"
PAGES: Final = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
_BLOCK: Final = re.compile(r"^([ ]*)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NO_PROSE: Final = re.compile(r"^ *[#|].*$|\]\([^)]*\)", re.MULTILINE)
_END: Final = re.compile(r"[.:;!?](?:\*\*)?(?:\s|$)|\n\s*\n|\n\s*(?:[-*]|\d+\.) ")
_SHELL: Final = ("", "sh", "bash", "shell")
_OPERATOR: Final = re.compile(r"[|&;<>()]+")
# Without quotes, these are special in a shell: file patterns, the end of a command.
_TO_QUOTE: Final = re.compile(r"[?*&]")
# What may precede a command, as in `sudo -u telegraf telegraf-p1 run auto:`.
_BEFORE: Final = re.compile(r"sudo|exec|env|-.*|telegraf|\w+=.*")


class Block(NamedTuple):
    """A fenced code block: its language, the name after that, and its text."""

    language: str
    name: str
    text: str


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page, without the indentation of a list."""
    found = []
    for indent, info, text in _BLOCK.findall(path.read_text()):
        language, _, name = info.partition(" ")
        found.append(Block(language, name, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)))
    return found


def named(page: str, language: str) -> dict[str, str]:
    """Return the named blocks in a language of a page in docs/, such as `mqtt.md`, by their names."""
    return {block.name: block.text for block in blocks(DOCS / page) if block.language == language and block.name}


def texts(page: str, language: str) -> list[str]:
    """Return all blocks in a language of a page in docs/."""
    return [block.text for block in blocks(DOCS / page) if block.language == language]


def block(page: str, language: str = "", *, name: str = "", holding: str = "") -> str:
    """Return the only block of a page in docs/ with this language, this name, and this text in it."""
    (found,) = (
        one.text
        for one in blocks(DOCS / page)
        if language in ("", one.language) and name in ("", one.name) and holding in one.text
    )
    return found


def replaced(text: str, *replacements: tuple[str, str]) -> str:
    """Return a block with the test's own paths and ports; each replacement has to match."""
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return text


def spans(path: Path) -> list[str]:
    """Return what is in backticks in the text of a page."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", path.read_text()))


def sentences(path: Path) -> list[str]:
    """Return the sentences of a page, without its blocks, headings and tables; a colon ends one too."""
    prose = _NO_PROSE.sub("", _BLOCK.sub("", path.read_text()))
    return [" ".join(sentence.split()) for sentence in _END.split(prose) if sentence.strip()]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `telegraf-p1` in shell lines; raise ValueError for what a shell would misread."""
    for line in text.replace("\\\n", " ").splitlines():
        if "telegraf-p1 " in line:
            yield from _commands(line)


def _commands(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=False, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] | None = None
    may_begin = True
    for word in lexer:
        plain = "".join(shlex.split(word)) if word[0] in "'\"" else word
        if _OPERATOR.fullmatch(word):
            if word == "&" and not line.rstrip().endswith("&"):
                message = f"a shell takes the & for the end of the command: {line}"
                raise ValueError(message)
            if command:
                yield command
            command, may_begin = None, True
        elif command is not None:
            if plain == word and _TO_QUOTE.search(word):
                message = f"{word} has to stand in quotes: {line}"
                raise ValueError(message)
            command.append(plain)
        elif "telegraf-p1 " in plain:  # sh -c '…'
            yield from _commands(plain)
        elif may_begin and Path(word).name == "telegraf-p1":
            command = []
        else:
            may_begin = may_begin and _BEFORE.fullmatch(word) is not None
    if command:
        yield command
