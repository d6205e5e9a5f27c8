"""The messages that the program can log or print, collected from its source.

Every text with two words in a row counts as a message, unless it has other readers (`_for_others`), so that none is
missed. So does a text of one word that is an argument of a function that reports it (`_SAY`).
"""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from tests.helpers.telegrams import PACKAGE, ROOT

HOLE: Final = "…"  # stands for a part that varies
# Packages, and the folders that they are imported from.
_PACKAGES: Final = ((PACKAGE, PACKAGE.parent), (ROOT / "deploy" / "cloud" / "enrolment", ROOT))
_PROSE: Final = re.compile(r"[A-Za-z']{2,}[,:;]? +[A-Za-z(']{2,}")

# Files with texts that are on other pages, in tables of their own: fields, meters, countries, faults of meters.
_TABLES: Final = re.compile(r"obis/(?:table|listing|lookup)\.py|simulator/countries/\w+\.py|check/form\.py")
_TABLE: Final = "FAULTS"
# Texts that the help of several commands shares.
_HELPS: Final = ("SOURCE", "TIMES", "SECRETS", "OTHERS")
# Texts for another program or a shell: SQL, configurations, rich's styles.
_FOR_PROGRAMS: Final = re.compile(
    r"(?:SELECT|INSERT|DELETE|CREATE|PRAGMA|BEGIN|sudo|docker|systemctl|enrol \w+) |apiVersion: |# Written |meter = |"
    r"kept of |_\w+[.-]|bold \w+$|\w+/\w+;|\w+\[\w+"
)
_HELP: Final = frozenset({"help", "description", "epilog", "metavar", "usage", "prog", "version"})
# Functions that report their argument, whatever its length. Those in `_CAUSED` have a word for the cause before it, and
# perhaps the key of an advice after it.
_SAY: Final = frozenset({"info", "warning", "error", "UsageError", "OSError", "Outage", "ends", "Trouble", "Notice"})
_CAUSED: Final = frozenset(
    {"warning_for", "error_for", "info_for", "TelegramError", "Cause", "Diagnosis", "_once", "_refuse", "Kind"}
)


class Message(NamedTuple):
    """A text that the program can report, with `…` for parts that vary, and its place in the source."""

    text: str
    place: str


@cache
def messages() -> list[Message]:
    """Return all messages, each once."""
    files = [_File(path, root) for package, root in _PACKAGES for path in sorted(package.rglob("*.py"))]
    found = {message.text: message for file in files for message in file.messages()}
    constants = {text for file in files for text in file.constants()}
    parts = {text for text in constants if any(text in other and text != other for other in found)}
    return [message for text, message in found.items() if text not in parts]


class _File:
    """The texts of a module."""

    def __init__(self, path: Path, root: Path) -> None:
        self._name = str(path.relative_to(root))
        self._module: ModuleType | None = None
        self._tree = ast.parse(path.read_text())

    def messages(self) -> list[Message]:
        if _TABLES.search(self._name):
            return []
        inner, said = _left_out(self._tree), set(_said(self._tree))
        return [
            Message(text, f"{self._name}:{node.lineno}")
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Constant | ast.JoinedStr) and node not in inner
            for lines in self._texts(node)
            if not _FOR_PROGRAMS.match(lines.strip())
            for text in map(_trimmed, lines.splitlines())
            if (node in said and re.search(r"[a-z]{3}", text)) or _PROSE.search(text)
        ]

    def constants(self) -> list[str]:
        """Return the texts that are constants of the module, some of which are parts of other texts."""
        found = [node.value for node in self._tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        return [_trimmed(text) for value in found if value and _is_text(value) for text in self._texts(value)]

    def _texts(self, node: ast.expr) -> list[str]:
        """Return the possible values of a text; parts that are not known become a hole."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [re.sub(r"\{\w*\}", HOLE, node.value).replace("{{", "{").replace("}}", "}")]
        if isinstance(node, ast.JoinedStr):
            return ["".join(parts) for parts in product(*map(self._texts, node.values))]
        if isinstance(node, ast.FormattedValue):
            quote = "'" if node.conversion == ord("r") else ""
            return [f"{quote}{text}{quote}" for text in self._texts(node.value)]
        if isinstance(node, ast.IfExp) and all(_is_text(way) for way in (node.body, node.orelse)):
            return self._texts(node.body) + self._texts(node.orelse)
        return [self._constant(node)]

    def _constant(self, node: ast.expr) -> str:
        """Return the value of a module's constant, else a hole."""
        name = ast.unparse(node)
        if not re.fullmatch(r"(?:\w+\.)?_?[A-Z][A-Z_]+", name):
            return HOLE
        self._module = self._module or _imported(self._name)
        value: object = self._module
        for part in name.split("."):
            value = getattr(value, part, None)
        if not isinstance(value, str | int | float):
            return HOLE
        return f"{value:g}" if isinstance(value, float) else re.sub(r"\{\w*\}", HOLE, str(value))


def _imported(name: str) -> ModuleType:
    return importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _trimmed(text: str) -> str:
    """Return a text without what may precede it: the name of a source, or the mark between two parts."""
    text = re.sub(r"^(?:(?:source|target|broker) '…': |…: )", "", text.strip())
    return re.sub(r"^[:;,] ", "", text).strip()


def _left_out(tree: ast.Module) -> set[ast.AST]:
    """Return the nodes with texts for other readers."""
    constants = [node.value for node in tree.body if isinstance(node, ast.AnnAssign)]
    keys = [key for value in constants if isinstance(value, ast.Dict) for key in value.keys if key]
    return {inner for node in ast.walk(tree) for other in _for_others(node) for inner in ast.walk(other)} | set(keys)


def _for_others(node: ast.AST) -> list[ast.AST]:
    """Return what in a node is no message: docstrings, argparse's texts, patterns, keys, parts of other texts."""
    found: list[ast.AST] = []
    match node:
        case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            found = [*node.body[: ast.get_docstring(node) is not None], *filter(None, [getattr(node, "returns", None)])]
        case ast.keyword(arg=name, value=value) if name in _HELP:
            found = [value]
        case ast.AnnAssign(target=ast.Name(id=name)) if name == _TABLE or name in _HELPS:
            found = [node]
        case ast.AnnAssign(annotation=annotation) | ast.arg(annotation=annotation) if annotation:
            found = [annotation]
        case ast.Call(args=args) if _name(node.func) in ("compile", "add_argument_group"):
            found = [*args]
        case ast.Call(args=[cause, _, *key]) if _name(node.func) in _CAUSED:
            found = [cause, *(key if _name(node.func) in ("TelegramError", "Diagnosis") else ())]
        case ast.Compare():
            found = [node]
        case ast.JoinedStr(values=values):
            found = [*values]
    return found


def _said(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that are arguments of functions that report them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in _SAY | _CAUSED:
            said = node.args[1:2] if _name(node.func) in _CAUSED else node.args
            yield from (inner for argument in said for inner in _ways(argument))


def _ways(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from _ways(node.body)
        yield from _ways(node.orelse)
    else:
        yield node


def _name(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def is_known(line: str) -> bool:
    """Whether a log line contains a message: all its words, in order.

    With `process`, an option of a source is an option of the command.
    """
    return any(_has(line.replace("--member ", "?member="), parts) for parts in _parts())


def _has(line: str, parts: list[str]) -> bool:
    position = 0
    for part in parts:
        if (position := line.find(part, position)) < 0:
            return False
        position += len(part)
    return True


@cache
def _parts() -> list[list[str]]:
    return [message.text.replace(f"'{HOLE}'", HOLE).split(HOLE) for message in messages()]
