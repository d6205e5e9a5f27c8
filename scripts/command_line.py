"""Writes the command line as a page, as a man page and as completions for shells, from its parser."""

import argparse
import re
import textwrap
from collections.abc import Iterator
from typing import Final, NamedTuple

import shtab

from telegraf_p1.__main__ import parser
from telegraf_p1.commands import DOCS
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.sources import EXAMPLES

ENVIRONMENT: Final = {
    "P1_DECRYPTION_KEY": "key of encrypted telegrams, 32 hex digits",
    "P1_AUTHENTICATION_KEY": "authentication key of encrypted telegrams, 32 hex digits (default: that of Luxembourg)",
    "P1_SYSTEM_TITLE": "system title of a meter that does not send it, 16 hex digits",
    "P1_HASH_KEY": "key for --meter-tag hash, 16 characters or more",
    "P1_MQTT_PASSWORD": "password for an MQTT broker: of a source, a target, and --publish",
    "P1_KAFKA_PASSWORD": "password for Kafka: of a source and a target",
    "P1_HTTP_TOKEN": "token that an http:// source sends, and that http-listen:// requires",
    "P1_TELEGRAF": "program with which check --write tests the configuration (default: telegraf in $PATH)",
    "STATE_DIRECTORY": "directory for the queue of forward; systemd sets it",
    "XDG_STATE_HOME": "directory for the queue of forward without $STATE_DIRECTORY (default: ~/.local/state)",
    "NO_COLOR": "if it is set, check prints plain text",
}
EXIT_STATUS: Final = {
    "0": "success; also when stdin of run or process closes, and after SIGTERM or Ctrl-C in run, process and forward",
    "1": "check found no meter; decode found no telegram or rejected one; stdout cannot be written; an internal error",
    "2": "an option, a source, a target or an environment variable is wrong",
    "130": "Ctrl-C in the other commands",
}
_SHELLS: Final = ("bash", "zsh", "fish")


class _Command(NamedTuple):
    """What people read about a command; `groups` are options by the titles of their groups, each with its help."""

    name: str
    help: str
    usage: str
    description: str
    groups: dict[str, dict[str, str]]
    examples: str
    notes: list[str]


def _commands() -> list[_Command]:
    commands = _subparsers(parser())
    helps = {one.dest: one.help or "" for one in commands._choices_actions}
    return [_command(one, helps[name]) for name, one in commands.choices.items()]


def _subparsers(root: argparse.ArgumentParser) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    # argparse has no public way to its arguments.
    (commands,) = (one for one in root._actions if isinstance(one, argparse._SubParsersAction))
    return commands


def _command(one: argparse.ArgumentParser, text: str) -> _Command:
    groups = {
        group.title or "": {_name(action): action.help or "" for action in group._group_actions}
        for group in one._action_groups
        if group._group_actions and group is not one._optionals
    }
    usage = (one.usage or "").replace("%(prog)s", one.prog)
    _title, examples, *notes = (one.epilog or "").split("\n\n")
    return _Command(one.prog, text, usage, one.description or "", groups, textwrap.dedent(examples), notes)


def _name(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else action.metavar or action.dest.upper()
    value = f"[{value}]" if action.nargs == "?" and action.option_strings else value
    return " ".join(filter(None, (*action.option_strings, str(value))))


# As a page.

_PAGE: Final = """\
<!-- Written by `make docs`, from the parser. -->
# Command line

`telegraf-p1 COMMAND --help` shows the options of a command, `man telegraf-p1` shows all of this page.

| command | what it does |
|---|---|
"""


def markdown() -> str:
    """Return docs/commands.md."""
    commands = _commands()
    contents = "".join(f"| [`{one.name}`](#{one.name.replace(' ', '-')}) | {one.help} |\n" for one in commands)
    return (
        _PAGE
        + contents
        + "".join("".join(_section(one)) for one in commands)
        + _table("Environment variables", "variable", ENVIRONMENT)
        + _table("Exit status", "status", EXIT_STATUS)
    )


def _section(one: _Command) -> Iterator[str]:
    yield f"\n## `{one.name}`\n\n{_marked(one.description)}\n\n"
    yield f"```text\n{one.usage}\n```\n\n"
    yield f"Example:\n\n```{'toml' if one.examples.startswith('[') else 'sh'}\n{one.examples}\n```\n"
    yield "\n| option | what it does |\n|---|---|\n"
    for title, options in one.groups.items():
        yield f"| **{title}** | |\n"
        yield from (f"| `{name}` | {_marked(text)} |\n" for name, text in options.items())
    for note in one.notes:
        yield f"\n{_marked(note)}\n"


def _table(title: str, what: str, rows: dict[str, str]) -> str:
    lines = "".join(f"| `{name}` | {_marked(text)} |\n" for name, text in rows.items())
    return f"\n## {title}\n\n| {what} | |\n|---|---|\n{lines}"


def _marked(text: str) -> str:
    """Return a text as Markdown, with each value of an option on its own line."""
    return "<br>".join(
        f"`{value}`: {_words(rest)}" if value else _words(rest) for value, rest in map(_value, text.splitlines())
    )


def _value(line: str) -> tuple[str, str]:
    """Return the value that a line of the help describes, if it does, and the text."""
    found = re.fullmatch(r"(\S+): (.+)", line)
    return (found[1], found[2]) if found else ("", line)


def _words(text: str) -> str:
    return " ".join(map(_word, text.split(" ")))


def _word(word: str) -> str:
    """Return a word as Markdown: code as code, a URL below DOCS as a link to its page."""
    bare = word.strip("(),;.")
    bare = bare if bare in (*EXAMPLES, "p0:") or bare.endswith("//") else bare.rstrip(":")
    if bare.startswith(DOCS):
        page = bare.removeprefix(DOCS).strip("/")
        return word.replace(bare, f"[{page}]({page}.md)")
    is_code = bare in (*EXAMPLES, "p0:") or "://" in bare or bare.startswith(("--", "/", "~/", "$", "P1_", "'/"))
    return word.replace(bare, f"`{bare}`") if is_code else word


# As a man page.


def man(date: str) -> str:
    """Return the man page as roff; `date` is that of its last change."""
    return "".join(f"{line}\n" for line in _man(date))


def _man(date: str) -> Iterator[str]:
    whole, commands = parser(), _commands()
    name, description = _roff(whole.prog), whole.description or ""
    yield from ('.\\" Written by `make docs`.', f'.TH {name.upper()} 1 {date} telegraf_p1 "User Commands"')
    yield from (".nh", ".ad l", ".SH NAME", rf"{name} \- {_roff(description[0].lower() + description[1:].rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".nf", *(_roff(one.usage) for one in commands), ".fi")
    yield from (".SH DESCRIPTION", _roff(description), *_list({one.name: one.help for one in commands}))
    yield ".SH COMMANDS"
    for one in commands:
        yield from (f'.SS "{_roff(one.name)}"', _roff(one.description))
        for title, options in one.groups.items():
            yield from (".PP", f"{_roff(title)}:", *_list(options))
        for note in one.notes:
            yield from (".PP", _roff(note))
    yield from (".SH ENVIRONMENT", *_list(ENVIRONMENT), ".SH EXIT STATUS", *_list(EXIT_STATUS))
    yield from (".SH EXAMPLES", "Simulated meters need no hardware.")
    for one in commands:
        yield from (".PP", f"{_roff(one.help[0].upper() + one.help[1:])}:", ".PP", ".RS 4", ".EX")
        yield from (*map(_roff, one.examples.splitlines()), ".EE", ".RE")
    yield from (".SH SEE ALSO", ".BR mosquitto (8),", ".BR ser2net (8)", ".PP", _roff(f"The documentation: {DOCS}/"))


def _list(rows: dict[str, str]) -> Iterator[str]:
    yield ".RS 4"
    for name, text in rows.items():
        first, *values = text.splitlines()
        yield from (".TP", rf"\fB{_roff(name)}\fR", _roff(first))
        for value, rest in map(_value, values):
            yield from (".br", rf"\fB{_roff(value)}\fR: {_roff(rest)}" if value else _roff(rest))
    yield ".RE"


_ROFF: Final = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha"})


def _roff(text: str) -> str:
    text = text.translate(_ROFF)
    return rf"\&{text}" if text.startswith(".") else text


# As completions.


def completions() -> Iterator[tuple[str, str]]:
    """Yield the shells, and the completions for each of them."""
    whole = parser()
    commands = _subparsers(whole)
    for choice in commands._choices_actions:
        commands.choices[choice.dest].description = choice.help
    for one in (whole, *commands.choices.values()):
        for action in one._actions:
            # One line for a menu: --help has the default and the values.
            action.help = re.split(r"\n| \(default|[:;] ", action.help or "")[0]
            if action.metavar in ("FILE", "SOURCE"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's interface
            if action.dest == "form":
                action.choices = tuple(FORMS)  # simulate refuses others itself, in plain words
    for shell in _SHELLS:
        yield shell, shtab.complete(whole, shell, root_prefix="telegraf_p1") + "\n"
