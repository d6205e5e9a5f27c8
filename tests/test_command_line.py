"""What `--help` shows, and what is made of it."""

import argparse
import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest

import telegraf_p1
from telegraf_p1 import __main__
from telegraf_p1.simulator.countries import FORMS
from tests.helpers.telegrams import ROOT

# argparse shows its arguments in no other way.
(CHOICES,) = (
    one.choices
    for one in __main__.parser()._actions  # noqa: SLF001
    if isinstance(one, argparse._SubParsersAction)  # noqa: SLF001
)
COMMANDS = sorted(CHOICES)
PAGE = (ROOT / "docs" / "commands.md").read_text()
MANUAL = (ROOT / "deploy" / "man" / "telegraf-p1.1").read_text().replace("\\-", "-")


def shown(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        __main__.main([*arguments, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def examples(command: str) -> list[str]:
    """Give what stands indented below an example's line."""
    return re.findall(r"^  (.+)", CHOICES[command].epilog or "", re.MULTILINE)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_a_help_fits_a_terminal_of_80_columns(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(*filter(None, [command]), capsys=capsys)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.isascii()  # whatever the terminal's locale is
    assert "Example" in text


def test_a_help_is_no_wider_than_people_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert 80 < max(map(len, shown("run", capsys=capsys).splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_has_a_help_in_a_group_with_a_name(command: str) -> None:
    parser = CHOICES[command]
    groups = [group for group in parser._action_groups if group._group_actions]  # noqa: SLF001
    assert [action.dest for action in parser._optionals._group_actions] == ["help"]  # noqa: SLF001
    assert parser._positionals not in groups  # noqa: SLF001
    for group in groups:
        for action in group._group_actions:  # noqa: SLF001
            assert action.help, action
            assert action.help[0].islower() or action.help[0] in "'TJ", action.help


@pytest.mark.parametrize("command", COMMANDS)
def test_options_that_exclude_each_other_say_so(command: str) -> None:
    for group in CHOICES[command]._mutually_exclusive_groups:  # noqa: SLF001
        first, *others = group._group_actions  # noqa: SLF001
        for other in others:
            assert f"with {first.option_strings[0]}" in (other.help or "")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_values_of_an_option_are_explained_one_a_line(command: str) -> None:
    for action in CHOICES[command]._actions:  # noqa: SLF001
        if action.choices:
            _first, *lines = (action.help or "").splitlines()
            assert [line.partition(": ")[0] for line in lines] == list(action.choices)
            assert f"(default: {action.default})" in (action.help or "")


def test_the_help_and_the_error_of_a_form_name_all_forms(capfd: pytest.CaptureFixture[str]) -> None:
    forms = ", ".join(FORMS)
    (form,) = (action for action in CHOICES["simulate"]._actions if action.dest == "form")  # noqa: SLF001
    assert f": {forms} (" in (form.help or "")
    with pytest.raises(SystemExit) as end:
        __main__.main(["simulate", "--form", "xx", "-"])
    assert end.value.code == 2
    assert f"form 'xx' must be one of: {forms}; see `telegraf-p1 simulate --help`" in capfd.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_are_commands_that_there_are(command: str) -> None:
    if examples(command)[0].startswith("[["):
        (block,) = tomllib.loads("\n".join(examples(command)))["processors"]["execd"]
        lines = [block["command"]]
    else:
        lines = [shlex.split(part) for line in examples(command) for part in line.split(" | ")]
    ours = [line[1:] for line in lines if Path(line[0]).name == "telegraf-p1"]
    assert command in [arguments[0] for arguments in ours]
    for arguments in ours:
        __main__.parser().parse_args(arguments)


def named_in_the_program() -> set[str]:
    """Give the variables of the environment whose names are texts of the program."""
    package = Path(telegraf_p1.__file__).parent
    texts = {
        node.value
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    other = {"STATE_DIRECTORY", "XDG_STATE_HOME", "NO_COLOR"}
    # Those of a telegram, in the standard's words, are none.
    return {text for text in texts if re.fullmatch("P1_[A-Z_]+", text) or text in other} - {
        "P1_MESSAGE_HEADER",
        "P1_MESSAGE_TIMESTAMP",
    }


def test_the_page_and_the_man_page_have_each_variable_of_the_environment() -> None:
    on_page = set(
        re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Environment")[2].partition("## Exit")[0], re.MULTILINE)
    )
    in_manual = set(re.findall(r"\\fB(\w+)", MANUAL.partition(".SH ENVIRONMENT")[2].partition(".SH EXIT")[0]))
    assert on_page == in_manual == named_in_the_program()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_and_the_man_page_have_each_option(command: str) -> None:
    section = PAGE.partition(f"\n## `telegraf-p1 {command}`\n")[2].partition("\n## ")[0]
    part = MANUAL.partition(f'\n.SS "telegraf-p1 {command}"\n')[2].partition("\n.S")[0]
    names = [name for one in CHOICES[command]._actions for name in one.option_strings]  # noqa: SLF001
    for name in names[2:]:  # not -h, --help
        assert re.search(rf"^\| `{name}[` ]", section, re.MULTILINE)
        assert re.search(rf"^\\fB{name}[\\ ]", part, re.MULTILINE)
