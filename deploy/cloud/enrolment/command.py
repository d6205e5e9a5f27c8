"""The command line: `enrol setup HOST`, `enrol NAME`, `enrol renew NAME`, `enrol remove NAME`, `enrol list`."""

import argparse
import sys
from collections.abc import Sequence

from . import certificate, device, household, settings
from .files import Refused, alone, read, words
from .household import Secrets
from .settings import Settings

_PORT = 8883
_USAGE = """enrol setup HOST[:PORT] [--with compose|systemd]
       enrol NAME [--comes-back]
       enrol renew NAME
       enrol remove NAME --keep-data|--drop-data
       enrol list"""


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code: 2 if the user has to change something, 1 if trying again may help."""
    try:
        command = arguments[0] if arguments and arguments[0] in household.COMMANDS else "add"
        chosen = _parser(command).parse_args(arguments[command != "add" :])
        if command == "setup":
            _set_up(chosen.host, chosen.kind)
            return 0
        known = settings.load()
        with alone(known.folder):
            _COMMANDS[command](known, chosen)
    except Refused as error:
        print(f"enrol: {error}", file=sys.stderr)
        return 2
    except PermissionError as error:
        print(f"enrol: {error.filename}: {error.strerror}; run it as root, with sudo", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"enrol: {error}; run it again", file=sys.stderr)
        return 1
    return 0


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="enrol", usage=_USAGE, description=__doc__, allow_abbrev=False)
    if command == "setup":
        parser.add_argument("host", help="as devices reach the broker")
        parser.add_argument("--with", dest="kind", choices=settings.KINDS, help="compose, or what is there")
    elif command != "list":
        parser.add_argument("name", help="of the household: 3 to 32 of a-z, 0-9 and -")
    if command == "add":
        parser.add_argument("--comes-back", action="store_true", help="it is the household whose data was kept")
    if command == "remove":
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--keep-data", action="store_true")
        what.add_argument("--drop-data", action="store_true")
    return parser


def _set_up(host: str, kind: str | None) -> None:
    name, colon, port = host.rpartition(":") if host.count(":") == 1 else (host, "", "")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536 and name):
        raise Refused(f"{host!r} is not a host, or a host and a port: write p1.example.org or p1.example.org:8883")
    address = host if colon else f"{host}:{_PORT}"
    made = settings.make(address, kind)
    with alone(made.folder):
        household.set_up(made, words(read(made.folder / "settings"))["P1_CLOUD_PASSWORD"])
    print(
        f"The service is set up in {made.folder}. Start (or restart) the broker, Telegraf and "
        "Grafana, then run: enrol NAME"
    )


def _add(known: Settings, chosen: argparse.Namespace) -> None:
    name = household.checked(chosen.name)
    made = household.add(known, name, comes_back=chosen.comes_back)
    if made is None:
        print(f"{name} is enrolled already. Its password was shown once; `enrol renew {name}` makes a new one.")
    else:
        _show(known, name, made)


def _renew(known: Settings, chosen: argparse.Namespace) -> None:
    name = household.checked(chosen.name)
    if name not in household.enrolled(known):
        raise Refused(f"there is no household {name!r}")
    _show(known, name, household.renew(known, name))


def _remove(known: Settings, chosen: argparse.Namespace) -> None:
    name = household.checked(chosen.name)
    household.remove(known, name, keep_data=chosen.keep_data)
    print(f"{name} is removed; its data is {'kept' if chosen.keep_data else 'dropped'}.")


def _list(known: Settings, _chosen: argparse.Namespace) -> None:
    print("\n".join(household.enrolled(known)))


def _show(known: Settings, name: str, made: Secrets) -> None:
    """Print the secrets, which are shown only once."""
    text = "\n".join(device.lines(name, known.address, certificate.pin(known.mosquitto), made))
    print(f"{name} is enrolled. Its device needs these two lines, an environment variable and a command. They are")
    print(f"not shown again:\n\n{text}\n")
    print("If the device uses deploy/p1-forward.service, put three lines into /etc/default/p1-forward: the variable,")
    print("P1_SOURCE= with the port, and P1_TARGET= with the text that the command has in quotes.\n")
    if sys.stdout.isatty():
        print(device.picture(text) or "To see a QR code here, install segno: apt-get install python3-segno\n")
    print(f"To use a separate Grafana: InfluxQL, the database {name}, and this token, which can read nothing else:\n")
    print(f"{made.token}\n")


_COMMANDS = {"add": _add, "renew": _renew, "remove": _remove, "list": _list}
