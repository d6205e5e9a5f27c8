"""All that `check` shows, drawn with rich: its progress, what it found, and the live view of a meter."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from telegraf_p1.check import report
from telegraf_p1.check.block import Tried
from telegraf_p1.check.listen import Listener
from telegraf_p1.check.meter import Meter, mbus_meters
from telegraf_p1.check.report import Looked
from telegraf_p1.record import Record

_EACH_S: Final = 0.25
_UNFOLDED: Final = 10_000  # columns: no line is longer
_MOST_METERS: Final = 3  # shown in full
_SHORT: Final = 20  # characters of a reading that may have another one beside it
_BAR: Final = 32  # characters
_LEAST_KW: Final = Decimal("2.3")  # least power of a full bar: 10 A
_OLD_S: Final = 15  # longer than the interval of any meter
_NS: Final = 1_000_000_000


class _Console(Console):
    """Rich's console, but plain text has no blanks at the ends of its lines."""

    def print(self, *objects: Any, **options: Any) -> None:
        if self.is_terminal:
            super().print(*objects, **options)
            return
        with self.capture() as shown:
            super().print(*objects, **options)
        print("\n".join(map(str.rstrip, shown.get().split("\n"))), end="", file=self.file, flush=True)


def console(*, is_stderr: bool = False) -> Console:
    """Return the console to print to; it writes plain text if it is no terminal, or if NO_COLOR is set.

    In a file or a pipe no line is wrapped, since people copy or search what is there.
    """
    is_plain = None if not os.environ.get("NO_COLOR") else False
    width = None if (sys.stderr if is_stderr else sys.stdout).isatty() else _UNFOLDED
    return _Console(stderr=is_stderr, width=width, highlight=False, markup=False, emoji=False, force_terminal=is_plain)


def working(what: str) -> AbstractContextManager[object]:
    """Return a context that shows on a terminal what is being done."""
    terminal = console(is_stderr=True)
    return terminal.status(what) if terminal.is_terminal else nullcontext()


def listen(listeners: Sequence[Listener]) -> None:
    """Listen to all sources at once and show the progress; once a meter is found, do not wait for silent sources."""
    for listener in listeners:
        threading.Thread(target=listener.run, daemon=True).start()
    terminal = console(is_stderr=True)
    is_shown = terminal.is_terminal and listeners
    with Live(console=terminal, auto_refresh=False, transient=True) if is_shown else nullcontext() as live:
        while not _is_over(listeners):
            if live:
                live.update(_listening(listeners), refresh=True)
            time.sleep(_EACH_S)


def _is_over(listeners: Sequence[Listener]) -> bool:
    is_found = any(one.is_over and one.receiver.accepted for one in listeners)
    return all(one.is_over or (is_found and not one.receiver.bytes) for one in listeners)


def _listening(listeners: Sequence[Listener]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, expand=True)
    table.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
    for width in (11, 12, 18):  # of the longest text in each column
        table.add_column(no_wrap=True, min_width=width)
    for one in listeners:
        has_telegram = bool(one.receiver.accepted)
        mark = Text("+ " if has_telegram else "- " if one.is_over else ". ", style="green" if has_telegram else "dim")
        name = mark + Text(one.source.rpartition("/dev/serial/by-id/")[2], style="bold")
        looks = "" if one.is_over and not one.receiver.bytes else one.looks()
        table.add_row(name, Text(one.settings, "cyan"), f"{one.receiver.bytes} bytes", Text(looks, "yellow"))
    return table


def show(everything: Sequence[Looked], source: str | None, out: Console, *, with_block: bool) -> None:
    """Show what was found; if there is a meter, only a line for each source without one."""
    found = [one for one in everything if one.meters]
    for one in everything:
        if one not in found:
            _show_missing(one, out, is_short=bool(found))
    for one in found:
        _show_found(one, out)
        if with_block:
            _show_block(one, out)
    if not everything:
        missing = f"No port matches {source}" if source else "No serial port found"
        out.print(f"{missing}: plug the cable in, or give a source, for example `telegraf-p1 check tcp://HOST:PORT`.")


def _show_missing(one: Looked, out: Console, *, is_short: bool) -> None:
    if not one.cause:
        return
    if is_short:
        out.print(Text.assemble(("- ", "dim"), f"{one.source}: ", (_first_sentence(one.cause.text), "dim")))
        return
    out.print(Text.assemble(("- ", "bold red"), (one.source, "bold"), ": no meter found"))
    for attempt in one.tries:
        if attempt.settings:
            out.print(Text(f"    {attempt.settings:<12}{attempt.bytes:>7} bytes  {attempt.looks}", "dim"))
    out.print(_indented(Text(one.cause.text)))
    if one.cause.command:
        out.print(Text(f"      {one.cause.command}", "bold cyan"), soft_wrap=True)


def _first_sentence(text: str) -> str:
    return text.partition(": ")[0]


def _indented(text: RenderableType) -> Table:
    """Indent a text by two columns, including its wrapped lines."""
    table = Table.grid(padding=0)
    table.add_row("  ", text)
    return table


def _show_found(one: Looked, out: Console) -> None:
    settings = f"  ({one.settings})" if one.settings else ""
    out.print(Text.assemble(("+ ", "bold green"), "Meter found on ", (one.source, "bold"), (settings, "dim")))
    for meter in one.meters[:_MOST_METERS]:
        out.print()
        _show_meter(meter, one.rejected, out)
    if (more := len(one.meters) - _MOST_METERS) > 0:
        out.print(f"  and {more} more")
    if one.notes:
        out.print()
    for note in one.notes:
        out.print(_marked("! ", "yellow", note))


def _show_block(one: Looked, out: Console) -> None:
    out.print()
    out.print(Text("Add this block to telegraf.conf, or write it to a file with --write FILE.", "dim"))
    out.print()
    out.print(Text(one.block.rstrip("\n")), soft_wrap=True)


def _marked(mark: str, style: str, text: str) -> Table:
    table = Table.grid(padding=0)
    table.add_row(Text(mark, style), text)
    return table


def _show_meter(meter: Meter, rejected: dict[str, int], out: Console) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    for label, text in report.facts(meter, rejected):
        table.add_row(Text(f"  {label}", "dim"), text)
    for one in meter.mbus:
        read = f", read {report.age(one.age_s)} ago" if one.age_s is not None else ""
        name = f" ({one.identifier})" if one.identifier else ""
        table.add_row(Text(f"  {one.name.replace('_', ' ')}", "dim"), f"{one.reading:f} {one.unit}{read}{name}")
    out.print(table)
    found = report.readings(meter.record)
    for part in (*_tables(found), *_others(found)):
        out.print(part)


def _tables(found: report.Readings) -> list[RenderableType]:
    """Return the tables of energy and of phases, each after an empty line."""
    return [part for table in (found.energy, found.phases) if table.rows for part in (Text(), _table(table))]


def _others(found: report.Readings) -> list[RenderableType]:
    """Return the other readings after an empty line: the short ones in pairs, then the long ones."""
    pairs, long = Table.grid(padding=(0, 2, 0, 0)), Table.grid(padding=(0, 2, 0, 0))
    short = [(label, text) for label, text in found.others if len(text) <= _SHORT]
    for place in range(0, len(short), 2):
        cells = [cell for label, text in short[place : place + 2] for cell in (Text(f"  {label}", "dim"), text)]
        pairs.add_row(*cells)
    for label, text in found.others:
        if len(text) > _SHORT:
            long.add_row(Text(f"  {label}", "dim"), text)
    shown = [table for table in (pairs, long) if table.rows]
    return [Text(), *shown] if shown else []


def _table(shown: report.Table) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), header_style="dim", show_edge=False)
    table.add_column("")
    for name in shown.columns:
        table.add_column(name, justify="right")
    table.add_column("")
    for label, cells, unit in shown.rows:
        table.add_row(f" {label}", *cells, Text(unit, "dim"))
    return table


def show_file(name: str, trial_s: float | None, out: Console) -> None:
    """Say that the file is written, and how long Telegraf will test it; None: Telegraf is not installed."""
    out.print()
    out.print(Text.assemble(("+ ", "bold green"), "Written: ", (name, "bold")), soft_wrap=True)
    if trial_s is None:
        out.print("  No Telegraf found on this computer to test it with.")
    else:
        out.print(f"  Telegraf tests it, for {trial_s:.0f} s.")


def show_trial(tried: Tried, out: Console, output_page: str) -> None:
    """Show the result of Telegraf's test of the file; `output_page` explains outputs, empty if there is one."""
    if tried.is_good:
        out.print(Text.assemble(("+ ", "bold green"), "Telegraf reads the meter with it:"))
        out.print(_indented(Text(tried.text[:300] + "..." * (len(tried.text) > 300), "dim")))
        if output_page:
            out.print(f"  Telegraf has no output yet. Tell it where the database is: {output_page}", soft_wrap=True)
        out.print(
            Text.assemble("  Then: " if output_page else "  Now: ", ("sudo systemctl restart telegraf", "bold cyan"))
        )
    else:
        out.print(Text.assemble(("- ", "bold red"), "Telegraf produced no record with it:"))
        out.print(_indented(Text(tried.text)))


class View:
    """What a live view shows: the last record, and the counts."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.record: Record | None = None
        self.at = time.monotonic()  # when it came
        self.accepted = self.rejected = self.crc_failures = 0
        self.said = ""  # the last warning

    def say(self, line: str) -> None:
        """Take a line of the log."""
        self.said = line.strip()


def watch(view: View, out: Console, is_new: Callable[[float], bool], goes_on: Callable[[], bool]) -> None:
    """Show a view while `goes_on`: redraw it on a terminal, else print a line for each record and each warning.

    `is_new(seconds)` waits for at most this time, and returns whether something has come.
    """
    if out.is_terminal:
        out.print()
        with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
            while goes_on():
                live.update(_watched(view, out), refresh=True)
                is_new(_EACH_S)
        return
    shown: tuple[int, str] = (0, "")
    while goes_on():
        is_new(_EACH_S)
        if view.record and view.accepted > shown[0]:
            print(_line(view, view.record), flush=True)
        if view.said not in ("", shown[1]):
            print(view.said, flush=True)
        shown = view.accepted, view.said


def _line(view: View, record: Record) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime((record.time_ns or 0) // _NS))
    powers = [f"{label} {value:+.3f} kW" for label, value in _powers(record)]
    return f"{clock}  {'  '.join(powers)}  telegrams {view.accepted}, rejected {view.rejected}"


def _powers(record: Record) -> list[tuple[str, Decimal]]:
    """Return the powers of a record, in total and per phase: import minus export, in kW."""
    found = []
    for label, place in (("total", ""), ("L1", "_l1"), ("L2", "_l2"), ("L3", "_l3")):
        values = [record.fields.get(f"power_{way}{place}_kw") for way in ("import", "export")]
        if any(value is not None for value in values):
            taken, given = (value if isinstance(value, Decimal) else Decimal(0) for value in values)
            found.append((label, taken - given))
    return found


def _watched(view: View, out: Console) -> RenderableType:
    """Return the live view; readings that seldom change, such as power failures, only if there is room for all."""
    if view.record is None:
        return Group(Text(view.source, "bold"), Text(view.said or "waiting for a telegram; Ctrl-C stops it", "dim"))
    age_s = time.monotonic() - view.at
    counted = Text.assemble(
        ("last telegram ", "dim"),
        (f"{age_s:.0f} s ago", "red" if age_s > _OLD_S else "green"),
        ("   telegrams ", "dim"),
        str(view.accepted),
        ("   CRC failures ", "dim"),
        (str(view.crc_failures), "red" if view.crc_failures else ""),
    )
    if others := view.rejected - view.crc_failures:
        counted.append(f"   other rejected {others}", "red")
    behind = Table.grid(padding=(0, 2, 0, 0))
    for one in mbus_meters(view.record, time.time_ns()):
        read = f"read {report.age(one.age_s)} ago" if one.age_s is not None else ""
        behind.add_row(Text(f"  {one.name.replace('_', ' ')}", "dim"), f"{one.reading:f} {one.unit}", Text(read, "dim"))
    said = [Text(view.said, "yellow")] if view.said else []
    head = Text.assemble((view.source, "bold"), ("   Ctrl-C stops it", "dim"))
    found = report.readings(view.record)
    live = [part for part in (_bars(view.record), behind) if part.rows]
    # What comes last is cut off on a small terminal.
    shown = [head, counted, *said, Text(), *live, *_tables(found)]
    whole = Group(*shown, *_others(found))
    return whole if len(out.render_lines(whole)) <= out.height else Group(*shown)


def _bars(record: Record) -> Table:
    """Draw the powers: import from the grid, or in green export to it."""
    powers = _powers(record)
    full = max([_LEAST_KW, *(abs(value) for _, value in powers)])
    table = Table.grid(padding=(0, 2, 0, 0))
    for label, value in powers:
        length = int(abs(value) / full * _BAR)
        bar = Text.assemble(("█" * length, "green" if value < 0 else "yellow"), ("░" * (_BAR - length), "dim"))
        table.add_row(Text(f"  {label}", "bold" if label == "total" else ""), bar, f"{value:+.3f} kW")
    return table
