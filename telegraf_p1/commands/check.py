"""`telegraf-p1 check [SOURCE]`: finds the meter, or why there is none, and writes the configuration for it."""

import argparse
import json
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from telegraf_p1.commands import DOCS, OK, SECRETS, options
from telegraf_p1.url import UsageError

if TYPE_CHECKING:
    from telegraf_p1.check.block import Tried
    from telegraf_p1.check.listen import Listener
    from telegraf_p1.check.report import Looked

_NOT_FOUND: Final = 1


class _Around(NamedTuple):
    """What is on the network or at a broker: as text, as JSON, and the sources that can be read at once."""

    text: str
    as_json: dict[str, Any]
    sources: list[str]


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "check",
        help="find the meter and write Telegraf's configuration for it",
        usage="%(prog)s [options] [SOURCE]",
        description="Find the meter, show what it sends, and write Telegraf's configuration for it. If there is no "
        "meter, show why and what to do. The exit status is 1 then. Without a SOURCE, check listens on all serial "
        "ports. Only one program can read a port: stop Telegraf first if it reads the port already.",
        epilog="Examples:\n\n"
        "  telegraf-p1 check\n"
        "  telegraf-p1 check sim: --write p1.conf\n\n"
        f"{SECRETS} More about check: {DOCS}/check/",
    )
    where = parser.add_argument_group("Where to look")
    where.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        help=f"{options.SOURCE}\n'/dev/ttyUSB*' stands for several ports, mqtt://host for all topics of an MQTT broker "
        "(default: all serial ports)",
    )
    where.add_argument(
        "--network",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="find devices on your network by mDNS, and read those that are ready; with an ADDRESS of this computer, "
        "only on the network of that address (default: on all); needs the optional package `discover`",
    )
    output = parser.add_argument_group("Output")
    shown = output.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    shown.add_argument(
        "--watch",
        action="store_true",
        help="at the end, show the meter's values live; Ctrl-C stops it; not with --json",
    )
    output.add_argument(
        "--show-ids", action="store_true", help="show whole identifiers (default: only their last characters)"
    )
    file = parser.add_argument_group("Configuration file")
    file.add_argument(
        "--write",
        metavar="FILE",
        help="write the configuration to FILE, usually /etc/telegraf/telegraf.d/p1.conf, and test it with Telegraf if "
        "that is installed",
    )
    file.add_argument(
        "--force", action="store_true", help="with --write, replace a FILE that telegraf-p1 did not write"
    )
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Look, show what was found, and write what was asked for."""
    from telegraf_p1.check import block, report, screen

    if chosen.write:
        block.check_file(chosen.write, is_forced=chosen.force)
    if chosen.network is not None and chosen.source:
        raise UsageError("give either a SOURCE or --network, not both")
    around = _devices(chosen.network) if chosen.network is not None else _topics(chosen.source or "")
    if around and not chosen.json:
        print(around.text)
    listeners = _listeners(around.sources if around else _sources(chosen.source))
    screen.listen(listeners)
    if chosen.source and len(listeners) == 1 and (error := listeners[0].usage_error):
        raise error
    everything = [report.looked(listener, are_masked=not chosen.show_ids) for listener in listeners]
    out = screen.console()
    if not chosen.json and (everything or not around):
        screen.show(everything, chosen.source, out, with_block=not chosen.write)
    found = [one for one in everything if one.meters]
    tried = None
    if chosen.write and found:
        block.write(chosen.write, "\n".join(one.block for one in found))
        tried = _trial(chosen, found, out)
    if chosen.json:
        shown = report.as_json(everything, chosen.write if found else None, tried)
        shown |= around.as_json | {"text": around.text} if around else {}
        print(json.dumps(shown, ensure_ascii=False))
    if chosen.watch and found:
        from telegraf_p1.check import watch

        listener = listeners[everything.index(found[0])]
        watch.follow(listener, found[0].meters[0].zone, are_masked=not chosen.show_ids)
    return OK if found else _NOT_FOUND


def _trial(chosen: argparse.Namespace, found: "list[Looked]", out: Any) -> "Tried | None":
    """Let Telegraf test the file that was written; None without Telegraf."""
    from telegraf_p1.check import block, screen

    telegraf, seconds = block.telegraf(), block.trial_s(max(one.meters[0].interval_s or 0 for one in found))
    if not chosen.json:
        screen.show_file(chosen.write, seconds if telegraf else None, out)
    if not telegraf:
        return None
    if all(one.trial == one.block for one in found):
        tried = block.try_it(telegraf, chosen.write, seconds)
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("\n".join(one.trial for one in found))
            file.flush()
            tried = block.try_it(telegraf, file.name, seconds)
    if not chosen.json:
        page = "" if block.has_output(chosen.write) else f"{DOCS}/get-started/#4-where-the-records-go"
        screen.show_trial(tried, out, page)
    return tried


def _devices(interface: str) -> _Around:
    """Look for devices by mDNS, on the network of an address of this computer, or on all if that is empty."""
    from telegraf_p1.check import network, screen

    try:
        with screen.working(f"looking for devices for {network.SECONDS:g} s"):
            found = network.devices(interfaces=[interface] if interface else ())
    except OSError as error:
        return _Around(f"cannot look for devices: {error.strerror or error}", {"devices": []}, [])
    as_json = [device._asdict() | {"kind": device.kind.name} for device in found]
    text = "\n".join(device.text() for device in found) or network.NOTHING
    return _Around(text, {"devices": as_json}, [device.source for device in found if device.is_ready()])


def _topics(source: str) -> _Around | None:
    """Listen to all topics if the source is a broker without a topic; None if it is something else."""
    if not source.startswith("mqtt"):
        return None
    from telegraf_p1.check import causes, screen, topics

    if not topics.is_broker(source):
        return None
    try:
        with screen.working(f"listening to all topics for {topics.SECONDS:g} s"):
            result = topics.topics(source)
    except OSError as error:
        return _Around(f"{source}: {causes.not_opened(error).text}", {"topics": []}, [])
    return _Around(result.text(), {"topics": [topic.as_json() for topic in result.topics]}, result.sources)


def _sources(source: str | None) -> list[str]:
    """Return the sources to listen to: the user's, the ports that match it, or all ports."""
    from telegraf_p1.check import ports
    from telegraf_p1.sources import auto

    if source is None:
        return auto.cables()
    return ports.matching(source) if ports.is_pattern(source) else [source]


def _listeners(sources: list[str]) -> "list[Listener]":
    from telegraf_p1.check.listen import Listener

    is_found = threading.Event()
    return [Listener(one, is_found) for one in sources]
