"""A dashboard's variables as Grafana sees them: their options, what is chosen of them, and texts with them put in."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
# What is chosen: one value, or those of a variable that can have several.
Value = str | list[str]

ALL: Final = "$__all"
# $name, ${name}, ${name:format}, ${__from:date:seconds}
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::([\w:]+))?\}|\$(\w+)")
_FORMATS: Final[dict[str, Callable[[list[str]], str]]] = {
    # What both stores' data sources make of several values, in a query.
    "query": lambda values: f"({'|'.join(values)})" if values else "",
    "glob": lambda values: f"{{{','.join(values)}}}" if len(values) > 1 else "".join(values),
    "raw": ",".join,
    "csv": ",".join,
    "pipe": "|".join,
    "regex": lambda values: f"({'|'.join(map(re.escape, values))})",
    "text": " + ".join,
}


@dataclass(frozen=True)
class Option:
    """One that a variable can be: what people read, and what stands in queries."""

    text: str
    value: str


@dataclass
class Choice:
    """A variable with its options; what is chosen when the dashboard is opened for the first time."""

    options: list[Option]
    value: Value
    everything: Value | None = None  # what stands for all, where that can be chosen


def choices(variables: list[Json], ask: Callable[[Json], list[str]], given: Mapping[str, Value]) -> dict[str, Choice]:
    """Look the variables up, each with those before it, or what is given in their place, put into its query.

    `ask` gives what a store answers to a query variable. Variables of data sources are left out: there is one.
    """
    found: dict[str, Choice] = {}
    for variable in variables:
        known = {name: choice.value for name, choice in found.items()} | dict(given)
        kind = variable["type"]
        if kind == "query":
            answers = ask(_with(variable, known))
            options = list(_options(answers, put_in(variable.get("regex", ""), known, strict=False)))
            options = _sorted(options, variable.get("sort", 0))
        elif kind == "custom":
            options = [_custom(part) for part in re.split(r"(?<!\\),", variable["query"])]
        elif kind in ("textbox", "constant"):
            options = [Option(variable["query"], variable["query"])]
        else:
            continue
        values = [option.value for option in options]
        everything = (variable.get("allValue") or values) if variable.get("includeAll") else None
        found[variable["name"]] = Choice(options, _first_choice(variable, values, everything), everything)
    return found


def _with(variable: Json, known: Mapping[str, Value]) -> Json:
    query = variable["query"]
    if isinstance(query, str):
        return variable | {"query": put_in(query, known)}
    return variable | {"query": query | {"query": put_in(query["query"], known)}}


def _options(answers: list[str], regex: str) -> Iterator[Option]:
    """Give what the regular expression leaves: its group, or those called `text` and `value`, or all of an answer."""
    pattern, _, flags = regex.removeprefix("/").rpartition("/") if regex.startswith("/") else (regex, "", "")
    compiled = re.compile(pattern.replace("(?<", "(?P<"), re.IGNORECASE if "i" in flags else 0)
    seen = set()
    for answer in answers:
        match = compiled.search(answer)
        if not match:
            continue
        named, whole = match.groupdict(), match[1] if compiled.groups else answer
        value = named.get("value") or named.get("text") or whole
        if value not in seen:
            seen.add(value)
            yield Option(named.get("text") or value, value)


def _sorted(options: list[Option], sort: int) -> list[Option]:
    """Sort as the number of a variable says: 0 not at all, then up and down by letters, by numbers, without case."""

    def number(option: Option) -> float:
        digits = re.search(r"\d+", option.text)
        return float(digits[0]) if digits else -1

    keys: list[Callable[[Option], Any]] = [lambda o: o.text, number, lambda o: o.text.lower()]
    return sorted(options, key=keys[(sort - 1) // 2], reverse=sort % 2 == 0) if sort else options


def _custom(part: str) -> Option:
    """Read an option of a custom variable: `text : value`, or what is both."""
    plain = part.replace("\\,", ",").strip()
    text, colon, value = plain.partition(" : ")
    return Option(text.strip(), value.strip()) if colon else Option(plain, plain)


def _first_choice(variable: Json, values: list[str], everything: Value | None) -> Value:
    multi = variable.get("multi", False)
    if variable["type"] in ("textbox", "constant"):
        return values[0]
    current = variable.get("current", {}).get("value") or []
    current = [current] if isinstance(current, str) else current
    if everything is not None and (not current or ALL in current):
        return everything
    kept = [value for value in current if value in values] or values[:1]
    return kept if multi else next(iter(kept), "")


def put_in(
    text: str,
    values: Mapping[str, Value],
    texts: Mapping[str, str] | None = None,
    form: str = "query",
    *,
    strict: bool = True,
) -> str:
    """Put variables into a text, several values in a form, `${name:text}` by `texts`.

    A variable that is not there is an error, or it stays as it stands, as in Grafana, when `strict` is false.
    """

    def value(match: re.Match[str]) -> str:
        name, way = match[1] or match[3], match[2] or form
        whole = f"{name}:{match[2]}"
        if match[2] and whole in values:  # one that is built in, as __from:date:seconds
            name, way = whole, form
        if name not in values and not strict:
            return match[0]
        if way == "text" and texts and name in texts:
            return texts[name]
        chosen = values[name]
        return chosen if isinstance(chosen, str) else _FORMATS[way](chosen)

    return _VARIABLE.sub(value, text)


def written(choice: Choice, value: Value) -> str:
    """Give what people read of a variable with a value."""
    texts = {option.value: option.text for option in choice.options}
    if value == choice.everything:
        return "All"
    return texts.get(value, value) if isinstance(value, str) else " + ".join(texts.get(one, one) for one in value)
