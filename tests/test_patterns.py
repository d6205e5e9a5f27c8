"""Each regular expression takes time in proportion to its input, whatever that is (CONTRIBUTING.md, rule 16)."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, permutations, product
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import telegraf_p1
from telegraf_p1.framer import LIMIT
from telegraf_p1.sources.envelope import LARGEST
from tests.helpers.growth import grows_too_fast, sizes_up_to

PACKAGE = Path(telegraf_p1.__file__).parent
# These see what the user wrote, and nothing else.
OF_THE_USER = {"commands.forward", "obis.lookup", "outputs.definitions_file"}
# Patterns that are made of telegrams: tests/test_shapes.py measures them.
LEARNT = {"shape_learner"}
# These see a message as a whole, of which a quarter of the longest shows it, too; the others a frame or a part of one.
OF_MESSAGES = ("sources.envelope.", "framer.", "diagnosis.", "telegram._LIKE_OBJECT.", "metrics.", "processor.")

_parser: Final[Any] = importlib.import_module("re._parser")
_USES = {"search", "match", "fullmatch", "sub", "split", "finditer", "findall"}
_OF_A_CLASS = 3  # characters are tried: one is as good as the other, unless another class has it too
_NEAR = 300  # characters: far fewer than the sizes that are measured have
_OUTSIDE = "\x01"  # in no class of any pattern but those of what is no text


class Use(NamedTuple):
    """A pattern, and how the program uses it."""

    name: str
    pattern: re.Pattern[Any]
    method: str
    limit: int


def modules() -> Iterator[tuple[str, Any]]:
    for found in pkgutil.walk_packages(telegraf_p1.__path__, "telegraf_p1."):
        if not found.name.endswith("__main__"):  # which would run
            yield found.name.removeprefix("telegraf_p1."), importlib.import_module(found.name)


def syntax(module: Any) -> ast.Module:
    return ast.parse(Path(module.__file__).read_text())


def patterns(value: object) -> list[re.Pattern[Any]]:
    """Give the pattern that a constant is, or those that it holds."""
    if isinstance(value, re.Pattern):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [found for one in inner for found in patterns(one)]


def uses() -> Iterator[Use]:
    """Give each pattern with each method that is called on it, in the module that calls it."""
    for name, module in modules():
        for node in ast.walk(syntax(module)):
            if not (isinstance(node, ast.Attribute) and node.attr in _USES):
                continue
            owner = node.value.value if isinstance(node.value, ast.Subscript) else node.value
            constant = owner.id if isinstance(owner, ast.Name) else ""
            for number, pattern in enumerate(patterns(getattr(module, constant, None))):
                use = f"{name}.{constant}{number or ''}.{node.attr}"
                yield Use(use, pattern, node.attr, LARGEST // 4 if use.startswith(OF_MESSAGES) else LIMIT)


USES = sorted({use.name: use for use in uses()}.values())


def test_each_pattern_is_a_constant_so_that_it_is_measured_here() -> None:
    measured = {id(use.pattern) for use in USES}
    for name, module in modules():
        if name in OF_THE_USER | LEARNT:
            continue
        tree = syntax(module)
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re":
                is_constant = node.attr == "compile" and id(node) not in inside
                assert is_constant or node.attr not in {"compile", *_USES}, f"{name}: line {node.lineno}"
        for constant, value in vars(module).items():
            assert {id(one) for one in patterns(value)} <= measured, f"{name}.{constant} is not used"


def examples(tokens: Any) -> Iterator[str]:
    """Give words that parts of a pattern match, for each part of it; the whole comes last."""
    yield from (part for token in tokens for part in _parts(token))
    yield _word(tokens)


def _parts(token: Any) -> Iterator[str]:
    kind, value = str(token[0]), token[1]
    if kind == "IN":
        yield from islice(_characters(value), _OF_A_CLASS)
    elif kind == "BRANCH":
        for branch in value[1]:
            yield from examples(branch)
    elif inner := _inner(kind, value):
        yield from examples(inner)
    else:
        yield _word([token])


def _inner(kind: str, value: Any) -> Any:
    if kind == "ATOMIC_GROUP":
        return value
    return value[-1] if kind.endswith("REPEAT") or kind in {"SUBPATTERN", "ASSERT", "ASSERT_NOT"} else None


def _word(tokens: Any) -> str:
    """Give one word that matches, nearly: what looks around is left out."""
    found = ""
    for token, value in tokens:
        kind = str(token)
        if kind == "LITERAL":
            found += chr(value)
        elif kind in {"ANY", "NOT_LITERAL"}:
            found += "x"
        elif kind == "IN":
            found += next(_characters(value))
        elif kind == "BRANCH":
            found += _word(value[1][0])
        elif kind.endswith("REPEAT"):
            found += _word(value[-1]) * max(value[0], 1)
        elif kind in {"SUBPATTERN", "ATOMIC_GROUP"}:
            found += _word(_inner(kind, value))
    return found


_CATEGORIES = {"DIGIT": "7", "SPACE": " \n", "WORD": "k", "NOT_DIGIT": "x", "NOT_SPACE": "x", "NOT_WORD": "-"}


def _characters(members: Any) -> Iterator[str]:
    """Give characters of a class, one for each range or category in it."""
    if str(members[0][0]) == "NEGATE":
        yield "x"
        members = members[1:]
    for kind, value in members:
        if str(kind) == "LITERAL":
            yield chr(value)
        elif str(kind) == "RANGE":
            yield chr(value[0])
        else:
            yield from _CATEGORIES[str(value).removeprefix("CATEGORY_")]


class Hostile(NamedTuple):
    """An input of any size: how it begins, what is repeated, what is repeated behind that, how it ends."""

    begin: str
    first: str
    then: str
    end: str

    def text(self, size: int, pattern: re.Pattern[Any]) -> Any:
        half = size // 2
        text = self.begin + self.first * (half // len(self.first)) + self.then * (half // len(self.then)) + self.end
        return text.encode("latin-1") if isinstance(pattern.pattern, bytes) else text


def hostile_inputs(pattern: re.Pattern[Any]) -> list[Hostile]:
    """Give inputs made of the pattern's own words: they fit for long, and in the end they do not."""
    tokens = _parser.parse(pattern.pattern, pattern.flags)
    words = [*dict.fromkeys(word for word in examples(tokens) if word)]
    begins = list(dict.fromkeys(_word(tokens[:end]) for end in range(len(tokens))))
    alone = [hostile(begin, word, word, end) for begin, word, end in product(begins, words, ("", _OUTSIDE))]
    if _reach(tokens) <= _NEAR:
        return [*dict.fromkeys(alone)]
    pairs = [hostile(begin, *two, _OUTSIDE) for begin, two in product(begins[:2], product(words, words))]
    in_turn = [hostile(begins[0], one + other, one + other, _OUTSIDE) for one, other in permutations(words, 2)]
    return [*dict.fromkeys(alone + pairs + in_turn)]


def hostile(begin: str, first: str, then: str, end: str) -> Hostile:
    """Give an input, the same for all that differ only in how often their first word stands there."""
    while begin.endswith(first):
        begin = begin.removesuffix(first)
    return Hostile(begin, first, then, end)


def _reach(tokens: Any) -> int:
    """Give how many characters a match and what looks around it can see from one place, at most.

    If these are few, what one place takes is bounded, and the whole linear, whatever the words: one at a time is
    measured. Where a repeat goes far, it is two words that make it slow: one for it and one for the other.
    """
    found = 0
    for token, value in tokens:
        kind = str(token)
        if kind == "BRANCH":
            found += max(_reach(branch) for branch in value[1])
        elif inner := _inner(kind, value):
            found += _reach(inner) * (int(value[1]) if kind.endswith("REPEAT") else 1)
        elif kind.startswith("GROUPREF"):
            found += LARGEST
        else:
            found += 1
    return found


def action(use: Use, hostile: Hostile, size: int) -> Callable[[], object]:
    method, text = getattr(use.pattern, use.method), hostile.text(size, use.pattern)
    if use.method == "sub":
        return partial(method, text[:0], text)
    return (lambda: sum(1 for _ in method(text))) if use.method == "finditer" else partial(method, text)


def fault(use: Use) -> str:
    """Give the input whose time grows faster than its length, empty when there is none."""
    for hostile in hostile_inputs(use.pattern):
        if size := grows_too_fast(partial(action, use, hostile), sizes_up_to(use.limit)):
            return f"{hostile}, {size} characters"
    return ""


@pytest.mark.parametrize("use", USES, ids=lambda use: use.name)
def test_time_grows_no_faster_than_the_input(use: Use) -> None:
    assert fault(use) == ""


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (rb"[A-Za-z0-9+/\r\n]{8,}={0,2}\s*", "fullmatch"),
        (rb'\s*\{"a":"(.*?)"?\}?\s*', "fullmatch"),
        (r"\s*([+-]?\d{1,15}(?:\.\d{1,12})?)\s*\*?\s*([A-Za-z][A-Za-z0-9]*)?\s*", "fullmatch"),
        (r"(?!.*\d-\d:\d+\..*\(.*\d-\d:\d)[1-9]{0,3}-\d\(.*\)", "fullmatch"),
        (r"\s*x", "search"),
        (r"\d+-", "search"),
        (r"(?s)\(.*\)", "findall"),
    ],
)
def test_the_measure_finds_patterns_that_are_not_linear(pattern: str, method: str) -> None:
    assert fault(Use("known", re.compile(pattern, re.DOTALL), method, LIMIT))
