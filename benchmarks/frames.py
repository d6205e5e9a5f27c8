"""CPU time per telegram, from its bytes to its readings or its line: of this program and of its peers.

All read the same telegrams, each in its own process. They take turns, so that a busy machine slows down all of them.
Their readings are compared first. The result is the median of the rounds.

    python -m benchmarks.frames [--smoke FOLDER]

P1_PEER="NAME=COMMAND" measures one more: a command such as those in `readers`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks import telegrams
from benchmarks.results import BUILD, ROOT, Section
from benchmarks.telegrams import FORMS

_READERS: Final = "benchmarks.readers."
_OURS: Final = (sys.executable, "-m", f"{_READERS}ours")
_NO_EXTENSIONS: Final = "import runpy, sys; sys.modules['crcmod._crcfunext'] = sys.modules['fastcrc'] = None; "
_WITHOUT_C: Final = (sys.executable, "-c", f"{_NO_EXTENSIONS}runpy.run_module('{_READERS}ours', run_name='__main__')")
_ROUNDS: Final = 5
_COMPARED: Final = re.compile(r"(energy_(?:im|ex)port_t[12]_kwh|power_(?:im|ex)port_kw|gas_m3)=([0-9.]+)")


class Reader(NamedTuple):
    """A program that reads telegrams; `passes` over a file take 0.1 s or more. It cannot read forms in `refuses`."""

    name: str
    makes: str
    command: tuple[str, ...]
    passes: int
    how: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    refuses: tuple[str, ...] = ()

    def ask(self, what: str, path: Path, *more: str) -> str:
        """Run it and return its output; raise OSError or CalledProcessError if it fails."""
        command = (*self.command, what, str(path), *more)
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300
        ).stdout

    def microseconds(self, path: Path, passes: int) -> float:
        """Return the CPU time per telegram in µs."""
        return float(self.ask("time", path, str(passes), *self.how))


_LINE, _READINGS = "line", "readings"
OURS: Final = Reader("**telegraf_p1**, 64 KiB at a time", _LINE, _OURS, 5, ("chunks",))
PEERS: Final = [
    Reader("a loop in C (ours, for these telegrams only)", _LINE, (str(BUILD / "loop"),), 50),
    Reader("Rust crate dsmr5 0.4.0", _READINGS, (str(BUILD / "rust/target/release/dsmr5"),), 50),
    Reader(
        "Rust crate dsmr-parse 0.4.2",
        _READINGS,
        (str(BUILD / "rust/target/release/dsmr-parse"),),
        20,
        refuses=("be",),
    ),
    Reader(
        "npm dsmr-parser 2.1.1",
        _READINGS,
        ("node", str(ROOT / "benchmarks/readers/npm.js")),
        5,
        environment={"NODE_PATH": str(BUILD / "npm/node_modules")},
    ),
    Reader("PyPI smeterd 2.9.2", _READINGS, (sys.executable, "-m", f"{_READERS}smeterd_packet"), 1),
    Reader("PyPI dsmr-parser 1.11.2", _LINE, (sys.executable, "-m", f"{_READERS}dsmr_parser_line"), 1),
]
DSMR_PARSER: Final = PEERS[-1]
# A known difference: it reads the water of a Belgian telegram as gas.
OTHERWISE: Final = {("npm dsmr-parser 2.1.1", "be"): "gas_m3"}

_MESSAGES: Final = OURS._replace(name="a telegram at a time", how=("messages",))
_PLAIN: Final = OURS._replace(name="the general path only, a telegram at a time", how=("plain",), passes=1)
_FASTCRC: Final = OURS._replace(
    name="with fastcrc (the extra `fast`)", environment={"PYTHONPATH": str(BUILD / "fastcrc")}
)
_NO_C: Final = OURS._replace(name="without C extensions (CRC in pure Python)", command=_WITHOUT_C)
Make = Callable[[str], Iterator[bytes]]
Ways = list[tuple[Reader, Make]]
WAYS: Final[Ways] = [
    (OURS._replace(name="64 KiB at a time"), telegrams.usual),
    (_MESSAGES, telegrams.usual),
    (_FASTCRC, telegrams.usual),
    (_NO_C, telegrams.usual),
    (OURS._replace(name="every value of every telegram different"), telegrams.different),
    (_PLAIN, telegrams.usual),
    (_MESSAGES._replace(name="each telegram of a new shape, a telegram at a time", passes=1), telegrams.unseen),
    (_PLAIN._replace(name="the same, the general path only"), telegrams.unseen),
]
_NOTES: Final = """\
dsmr5 rejects a telegram with an object that it does not support. So it is asked for each object by itself.
npm dsmr-parser reads the water of a Belgian telegram as gas. All other readings that were compared are the same.
The C++ library esphome-libs/dsmr_parser could not be installed here. `P1_PEER='NAME=COMMAND' make bench` \
measures another program: a command with the interface of those in `benchmarks/readers`.
"""
_BESIDE_OTHERS: Final = """\
CPU time per telegram in µs: the median of {rounds} rounds over the same {telegrams:,} generated telegrams, one for
each second. All programs check the CRC, and a check beforehand showed that they read the same energies, powers and gas.
Those that make no line return objects. Ours is the loop of `run` without its I/O."""
_BY_WAY: Final = """\
Measured as above. *The general path* reads telegrams whose [shape](#how-it-works) is not known yet. *Every value*:
each reading, identifier and time of a gas, water or heat meter changes, except for those that change once a month."""


class Plan(NamedTuple):
    """The size of the measurements."""

    telegrams: int
    rounds: int
    folder: Path

    def passes(self, reader: Reader) -> int:
        """Return the number of passes, which is one for a trial."""
        return reader.passes if self.rounds > 1 else 1


def readings(reader: Reader, path: Path) -> list[dict[str, float]]:
    """Return what it reads, from its JSON or from its lines."""
    said = reader.ask("read", path).splitlines()
    if said[0].startswith("{"):
        return [json.loads(line) for line in said]
    return [{name: float(value) for name, value in _COMPARED.findall(line)} for line in said]


def differences(reader: Reader, form: str, path: Path) -> set[str]:
    """Return the names of readings that differ from ours, or are missing; gas may be missing."""
    found: set[str] = set()
    for ours, theirs in zip(readings(_MESSAGES, path), readings(reader, path), strict=True):
        found |= {name for name in ours if theirs.get(name) != ours[name]}
        if theirs.get("gas_m3") is None:
            found.discard("gas_m3")
    return found - {OTHERWISE.get((reader.name, form))}


def checked(plan: Plan) -> Iterator[Reader]:
    """Yield the readers that are installed; exit if one reads something else than ours."""
    extra = os.environ.get("P1_PEER", "")
    name, _, command = extra.partition("=")
    for reader in [OURS, *PEERS, *([Reader(name, _READINGS, tuple(shlex.split(command)), 20)] if extra else [])]:
        for form in FORMS:
            if form in reader.refuses:
                continue
            try:
                differing = differences(reader, form, telegrams.file_of(telegrams.usual, form, plan.telegrams))
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"not measured: {reader.name}: {str(getattr(error, 'stderr', '') or error).splitlines()[-1]}")
                break
            if differing:
                sys.exit(f"{reader.name}, {form}: reads {', '.join(sorted(differing))} otherwise")
        else:
            yield reader


def in_turn(ways: Ways, plan: Plan) -> dict[str, dict[str, float]]:
    """Return the median of the rounds, by the name of the way and by form."""
    taken: dict[str, dict[str, list[float]]] = {}
    for _ in range(plan.rounds):
        for reader, make in ways:
            for form in FORMS:
                if form not in reader.refuses:
                    us = reader.microseconds(telegrams.file_of(make, form, plan.telegrams), plan.passes(reader))
                    taken.setdefault(reader.name, {}).setdefault(form, []).append(us)
    return {name: {form: median(us) for form, us in of_forms.items()} for name, of_forms in taken.items()}


def us(value: float | None) -> str:
    """Format a time in µs."""
    return "refused" if value is None else f"{value:.{0 if value >= 100 else 1}f}"


def beside_others(plan: Plan) -> None:
    """Measure all readers that are installed."""
    readers = [*checked(plan)]
    medians = in_turn([(reader, telegrams.usual) for reader in readers], plan)
    slowest, rows = medians.get(DSMR_PARSER.name, {}), []
    times = {name: [slowest[form] / found[form] for form in found if slowest] for name, found in medians.items()}
    for reader in readers:
        cells = (us(medians[reader.name].get(form)) for form in FORMS)
        rows.append([reader.name, reader.makes, *cells, ", ".join(f"{ratio:.3g}" for ratio in times[reader.name])])
    missing = [reader.name for reader in PEERS if reader not in readers]
    notes = [*_NOTES.splitlines(), *([f"Not installed here: {', '.join(missing)}."] if missing else [])]
    figures = {"us": us(medians[OURS.name]["nl-5.0"])}
    if slowest:
        figures["times"] = f"{min(times[OURS.name]):.0f}"
    text = _BESIDE_OTHERS.format(rounds=plan.rounds, telegrams=plan.telegrams)
    head = ["", "makes", *FORMS.values(), "times as fast as dsmr-parser"]
    Section("From bytes to a line, compared with other programs", text, head, rows, notes, figures).save(
        "frames", plan.folder
    )


def by_way(plan: Plan) -> None:
    """Measure this program, also with telegrams that suit it less."""
    ways = [(reader, make) for reader, make in WAYS if reader is not _FASTCRC or (BUILD / "fastcrc").exists()]
    rows = [[name, *map(us, found.values())] for name, found in in_turn(ways, plan).items()]
    Section("This program, with different telegrams", _BY_WAY, ["", *FORMS.values()], rows).save("ways", plan.folder)


def main() -> None:
    """Measure both tables; --smoke only tests whether all of this works."""
    plan = Plan(2000, _ROUNDS, BUILD)
    if sys.argv[1:2] == ["--smoke"]:
        plan = Plan(60, 1, Path(sys.argv[2]))
    beside_others(plan)
    by_way(plan)


if __name__ == "__main__":
    main()
