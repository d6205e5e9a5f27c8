"""`telegraf-p1 process`: turns metrics with telegrams into records; Telegraf's processors.execd starts it."""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from telegraf_p1.commands import DOCS, OK, TIMES, options

if TYPE_CHECKING:
    from telegraf_p1.outputs import Output

_NAME: Final = "Telegraf's metrics"
_FIELD: Final = "value"
_MOMENT_S: Final = 0.05


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "process",
        help="convert telegrams in metrics of other Telegraf inputs, for its processors.execd",
        usage="%(prog)s [options]",
        description="Convert the telegrams in metrics of other Telegraf inputs, such as NATS or AMQP, to records. "
        "Telegraf's processors.execd starts this command. All other metrics pass unchanged. It exits when stdin "
        "closes, which is how Telegraf stops it.",
        epilog="Example, for telegraf.conf:\n\n"
        "  [[processors.execd]]\n"
        '    command = ["/opt/telegraf_p1/bin/telegraf-p1", "process"]\n\n'
        f"{TIMES} The settings for each input: {DOCS}/transports/",
    )
    metrics = parser.add_argument_group("Metrics")
    metrics.add_argument(
        "--field",
        metavar="NAME",
        default=_FIELD,
        help=f"name of the string field that contains the telegram (default: {_FIELD})",
    )
    metrics.add_argument(
        "--member",
        metavar="NAME",
        default="",
        help="if the field contains JSON: the member with the telegram (default: detected)",
    )
    metrics.add_argument(
        "--base64",
        action="store_true",
        help='the field is base64, which is what the setting data_type = "base64" of an input makes',
    )
    options.add(parser)
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """Process what Telegraf writes, until it closes stdin or a signal comes."""
    from telegraf_p1 import execd, pipe

    stdin = execd.Stdin()
    from telegraf_p1.advice import DEVICE
    from telegraf_p1.interpreter import Interpreter
    from telegraf_p1.log import Log
    from telegraf_p1.processor import Processor

    understood, history_s, log = options.Understood(chosen), options.history(chosen), Log()
    if not pipe.is_open():
        return OK
    stdout = pipe.Pipe(log)
    interpreter = Interpreter(understood.settings(is_fast=True), log, _NAME, DEVICE)
    outputs = _outputs(understood, history_s)
    processor = Processor(interpreter, outputs, log, chosen.field, chosen.member, is_base64=chosen.base64)
    try:
        while data := stdin.read():
            stdout.write(processor.feed(data, time.time_ns()))
            # Telegraf keeps what we do not read. At the end, at most as much is left as a pipe holds.
            while not stdout.flush(_MOMENT_S) and not stdin.is_ending():
                pass
            interpreter.learn()
        if rest := processor.rest():
            stdout.write([rest])
    except execd.Stop:
        pass
    stdout.drain()
    return OK


def _outputs(
    understood: options.Understood, history_s: float
) -> "Callable[[Callable[[list[bytes]], object]], Sequence[Output]]":
    """Return a function that makes the outputs for a given `write`."""
    from telegraf_p1.outputs.history import History
    from telegraf_p1.outputs.stdout import lines

    def outputs(write: Callable[[list[bytes]], object]) -> "Sequence[Output]":
        history = [History(history_s, write, understood.mapping).output] if history_s else []
        return [lines(write, understood.mapping), *history]

    return outputs
