"""`telegraf-p1 forward SOURCE TARGET`: sends a meter's telegrams to a broker, unchanged, with a queue on disk."""

import argparse
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from telegraf_p1.commands import DOCS, NO_TELEGRAM, OK, SECRETS, options
from telegraf_p1.forward import EXAMPLES as TARGETS
from telegraf_p1.log import Log
from telegraf_p1.url import UsageError, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telegraf_p1.forward.forwarder import Forwarder
    from telegraf_p1.forward.letter import Letter
    from telegraf_p1.framer import Frame
    from telegraf_p1.interpreter import Settings
    from telegraf_p1.record import Record

_SIZE: Final = re.compile(r"(\d{1,12})(k|M|G|)B?", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_QUEUE_SIZE: Final = "64MB"
_HERE: Final = ("127.0.0.1", "::1")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.-]+")
_NAME: Final = 60  # characters of a target in the name of its queue


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "forward",
        help="read a meter and publish its telegrams, unchanged, to MQTT or Kafka",
        usage="%(prog)s [options] SOURCE TARGET",
        description="Read a meter and publish its telegrams, unchanged, to MQTT or Kafka. While the broker is "
        "unavailable, telegrams wait in a queue on disk. It stops on Ctrl-C, on SIGTERM, and at the end of a "
        "recording once all telegrams have arrived.",
        epilog="Example, with an MQTT broker on this computer:\n\n"
        "  telegraf-p1 forward sim: 'mqtt://127.0.0.1/p1/{meter}/raw'\n\n"
        f"{SECRETS} More about forward: {DOCS}/forward/",
    )
    ends = parser.add_argument_group("Source and target")
    ends.add_argument("source", metavar="SOURCE", help=options.SOURCE)
    ends.add_argument(
        "target",
        metavar="TARGET",
        help=f"where the telegrams go: {', '.join(TARGETS)}; {{meter}} stands for the meter's equipment identifier",
    )
    queue = parser.add_argument_group("Queue")
    queue.add_argument(
        "--queue",
        metavar="FILE",
        help="file in which telegrams wait (default: one per target in $STATE_DIRECTORY, which systemd sets, or "
        "~/.local/state/telegraf_p1)",
    )
    queue.add_argument(
        "--queue-size",
        metavar="SIZE",
        default=_QUEUE_SIZE,
        help="largest size of the queue on disk, such as 500MB or 1GB; when it is full, the oldest telegrams are "
        f"dropped (default: {_QUEUE_SIZE}, a day of one telegram per second)",
    )
    options.add_trust(parser)
    parser.set_defaults(main=main, **options.UNNAMED)


def main(chosen: argparse.Namespace) -> int:
    """Forward until a signal comes, or until all telegrams of a recording have arrived."""
    from telegraf_p1 import execd, loop
    from telegraf_p1.forward import open_target
    from telegraf_p1.forward.forwarder import Forwarder
    from telegraf_p1.forward.spool import Spool
    from telegraf_p1.interpreter import Interpreter
    from telegraf_p1.reconnect import Reconnecting
    from telegraf_p1.sources import advice, open_source

    log = Log()
    path, size = _queue(chosen), _size(chosen.queue_size)
    settings = options.Understood(chosen).settings(is_fast=False)
    source, target = open_source(chosen.source), open_target(chosen.target, log, str(path.absolute()))
    _check_circle(chosen)
    spool = Spool(path, size, log)
    try:
        spool.open()
    except OSError:  # the forwarder tries again, and reports it
        spool.close()
    forwarder = Forwarder(target, spool, log)
    post = _Post(forwarder)
    watcher = execd.StopWatcher(forwarder.close, has_parent=False)
    interpreter = Interpreter(post.listening(settings), log, chosen.source, advice(chosen.source))
    connection = Reconnecting(source, log, chosen.source, lambda: interpreter.accepted)
    try:
        watcher.watch()
        forwarder.start()
        loop.run(connection, interpreter, [post.output], forwarder.flush)
        if not interpreter.accepted and not interpreter.rejected:
            log.error(f"{chosen.source}: {NO_TELEGRAM}")
        forwarder.deliver()
    except execd.Stop:
        pass
    finally:
        watcher.note_stopping()
        forwarder.close()
        connection.leave()
    return OK


class _Post:
    """Makes letters of the telegrams that the interpreter accepts, and hands over those of each round together."""

    def __init__(self, forwarder: "Forwarder") -> None:
        self._forwarder = forwarder
        self._letters: list[Letter] = []

    def listening(self, settings: "Settings") -> "Settings":
        """Return settings with which the interpreter passes on each telegram to us."""
        return settings._replace(pass_on=self._write)

    def _write(self, frame: "Frame", record: "Record") -> None:
        from telegraf_p1.forward.letter import UNKNOWN, Letter

        # A telegram that was stored on its way has no known time of arrival: the meter's clock comes closest.
        received_ns = frame.at or record.time_ns or 0
        self._letters.append(Letter(record.tags.get("meter", UNKNOWN), frame.data, received_ns))

    def output(self, _records: "Sequence[Record]") -> None:
        """Hand over the letters of this round."""
        letters, self._letters = self._letters, []
        if letters:
            self._forwarder.accept(letters)


def _check_circle(chosen: argparse.Namespace) -> None:
    """Raise UsageError if the source would read what the target publishes: each telegram would loop forever."""
    from telegraf_p1.mqtt_options import PORTS, WEBSOCKET_PORTS

    source, target = parse(chosen.source), parse(chosen.target)
    kinds = dict.fromkeys(PORTS | WEBSOCKET_PORTS, _overlap) | dict.fromkeys(("kafka", "kafkas"), _is_read)
    ports = PORTS | WEBSOCKET_PORTS | {"kafka": 9092, "kafkas": 9092}
    here, there = (
        ("localhost" if url.host in _HERE else url.host, url.port or ports.get(url.scheme)) for url in (source, target)
    )
    reads = kinds.get(source.scheme)
    if reads and reads is kinds.get(target.scheme) and here == there and reads(source.path[1:], target.path[1:]):
        raise UsageError(
            f"target {chosen.target!r}: the source reads this topic too, so each telegram would loop forever"
        )


def _overlap(read: str, written: str) -> bool:
    """Whether an MQTT filter matches a topic, whatever meter `{meter}` stands for."""
    here = read.split("/")
    there = ["+" if "{meter}" in level else level for level in written.split("/")]
    if here[-1] == "#":
        here, there = here[:-1], there[: len(here) - 1]
    return len(here) == len(there) and all(
        one == other or "+" in (one, other) for one, other in zip(here, there, strict=True)
    )


def _is_read(read: str, written: str) -> bool:
    """Whether a Kafka topic is the one that is read, or matches its pattern."""
    try:
        return bool(re.match(read, written)) if read.startswith("^") else read == written
    except re.error:
        return False  # librdkafka reports what is wrong with it


def _size(text: str) -> int:
    from telegraf_p1.forward.spool import LEAST

    found = _SIZE.fullmatch(text)
    size = int(found[1]) * _UNITS[found[2].lower()] if found else 0
    if size < LEAST:
        raise UsageError(f"--queue-size {text!r} must be a size such as 64MB or 1GB, at least 1MB")
    return size


def _queue(chosen: argparse.Namespace) -> Path:
    """Return the file of the queue: one for each target, whatever the options of its URL."""
    if chosen.queue:
        return Path(chosen.queue)
    url = parse(chosen.target)
    what = f"{url.user}@{url.host}:{url.port or ''}{url.path}"
    name = _UNSAFE.sub("_", what).strip("_")[:_NAME]
    return _state() / f"{name}-{hashlib.sha256(what.encode()).hexdigest()[:8]}.queue"


def _state() -> Path:
    """Return the folder for persistent data: systemd's, or the user's."""
    if given := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "telegraf_p1"
    except RuntimeError:
        raise UsageError("no home directory for the queue: name a file with --queue") from None
