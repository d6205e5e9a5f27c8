"""The command line: `telegraf-p1 check|run|process|forward|decode|fields|simulate`, also as `python -m telegraf_p1`."""

import argparse
import gc
import importlib
import io
import os
import sys
import threading
from typing import Any, Final, NoReturn

from telegraf_p1 import __version__
from telegraf_p1.commands import DOCS, OK, REJECTED
from telegraf_p1.log import Log, where
from telegraf_p1.url import UsageError, without_password

_NAME: Final = "telegraf-p1"
_COMMANDS: Final = ("check", "run", "process", "forward", "decode", "fields", "simulate")
_WIDEST: Final = 100  # columns: longer lines are hard to read
_LOADED: Final = 10_000  # objects before a collection: scanning the loaded modules takes 5 % of the start-up time
_BUG, _USAGE, _INTERRUPTED = 1, 2, 130


class _Help(argparse.HelpFormatter):
    """Keep the layout of help texts: blank lines separate paragraphs; indented lines and URLs are not broken.

    argparse makes a formatter for each option. By default it gets the terminal's width from shutil, which imports
    compression modules; so the width is determined here.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(_columns(), _WIDEST) - 2)

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return text
        # Indent the commands like options, and drop the line above them that repeats their metavar.
        return text.replace("\n    ", "\n  ").partition("\n")[2]

    def _split_lines(self, text: str, width: int) -> list[str]:
        first, *values = text.splitlines()
        return [*_wrapped(first, width), *(line for value in values for line in _wrapped(value, width, "  "))]

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part if part.startswith(" ") else "\n".join(_wrapped(part, width, indent)) for part in text.split("\n\n")
        )


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _columns() -> int:
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 80


OTHERS: Final = "Other options"


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_Help)
        self._optionals.title = OTHERS

    def format_help(self) -> str:
        """Return the text of --help, with the options that all commands share at the end."""
        self._action_groups.sort(key=lambda group: group is self._optionals)
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Print the message as one line that Telegraf logs as an error, and exit with code 2."""
        Log().error(f"{without_password(message)}; see `{self.prog} --help`")
        sys.exit(_USAGE)


def parser(only: str = "") -> argparse.ArgumentParser:
    """Return the command-line parser; the namespace that it returns has the command's function: `chosen.main(chosen)`.

    If `only` is a command, the parser knows no others, and is made in half the time.
    """
    root = _Parser(
        prog=_NAME,
        usage="%(prog)s COMMAND [options]",
        description="Read the P1 port of smart meters, and write InfluxDB line protocol for Telegraf.",
        epilog="Examples:\n\n"
        "  telegraf-p1 check\n"
        "  telegraf-p1 run sim:\n\n"
        f"telegraf-p1 COMMAND --help shows the options of a command. Documentation: {DOCS}/",
    )
    root.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}", help="show the version and exit"
    )
    commands = root.add_subparsers(title="Commands", dest="command", metavar="COMMAND", required=True, prog=_NAME)
    for name in (only,) if only in _COMMANDS else _COMMANDS:
        importlib.import_module(f"telegraf_p1.commands.{name}").add(commands)
    return root


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code: 0, 1 (decode: a telegram was rejected, or none found), 2 (wrong option)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parser(*arguments[:1]).parse_args(arguments)
    try:
        return int(chosen.main(chosen))
    except UsageError as error:
        Log().error(str(error))
        return _USAGE


def _say_bug(error: BaseException) -> None:
    """Log that there is a bug, and where. The error's text is left out: it may contain secrets or foreign data."""
    Log().error(f"this is a bug, please report it: {where(error)}")


def console(arguments: list[str] | None = None) -> int:
    """Run `main` as a program; a closed stdout (`| head`) and Ctrl-C are not reported as errors."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # line protocol is UTF-8 in any locale
    gc.set_threshold(_LOADED)
    threading.excepthook = lambda bug: _say_bug(bug.exc_value or bug.exc_type())
    try:
        code = main(arguments)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the flush at exit does not fail
        return OK
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:  # sources are retried, outputs handle their own errors: so stdout failed
        Log().error(f"cannot write to stdout: {error.strerror}")
        os._exit(REJECTED)  # a normal exit would flush the buffer, and fail again
    except Exception as error:  # noqa: BLE001  a bug: Telegraf would log each line of a traceback as an error
        _say_bug(error)
        return _BUG
    return code


if __name__ == "__main__":
    sys.exit(console())
