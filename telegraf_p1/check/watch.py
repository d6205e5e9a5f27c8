"""The live view: reads a meter that was found, until Ctrl-C."""

import os
import threading
import time
from typing import Final

from telegraf_p1 import identifiers, keys
from telegraf_p1.check.listen import Listener
from telegraf_p1.check.screen import View, console, watch
from telegraf_p1.interpreter import Interpreter, Settings
from telegraf_p1.log import Log
from telegraf_p1.reconnect import Reconnecting
from telegraf_p1.timestamp import Zone

_CRC: Final = ("crc", "crc-lost", "crc-digits")


def follow(listener: Listener, zone: str, *, are_masked: bool) -> None:
    """Show the meter of a source until Ctrl-C; `zone` is the time zone of its clock."""
    view, is_new = View(listener.source), threading.Event()
    way = listener.receiver.way
    change = identifiers.replacing(identifiers.masked) if are_masked else identifiers.change("id", {})
    settings = Settings(
        way.crc, Zone(zone), host_time=False, keys=keys.read(os.environ), plain=way.plain, identifiers=change
    )
    log = Log(view.say)
    interpreter = Interpreter(settings, log, listener.source)
    source = Reconnecting(
        listener.source_to_hear(listener.found_settings()), log, listener.source, lambda: interpreter.accepted
    )

    def read() -> None:
        while events := source.read():
            for event in events:
                for record in interpreter.records(event, time.time_ns()):
                    view.record, view.at = record, time.monotonic()
            source.done()
            view.accepted, view.rejected = interpreter.accepted, interpreter.rejected
            view.crc_failures = sum(interpreter.rejected_by_cause[cause] for cause in _CRC)
            is_new.set()

    def wait(seconds: float) -> bool:
        is_there = is_new.wait(seconds)
        is_new.clear()
        return is_there

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        watch(view, console(), wait, thread.is_alive)
    except KeyboardInterrupt:
        return
