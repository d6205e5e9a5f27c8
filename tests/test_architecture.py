"""The rules of CONTRIBUTING.md that a program can check."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "telegraf_p1"
CORE = [
    "crc",
    "framer",
    "decrypt",
    "diagnosis",
    "telegram",
    "definitions",
    "values",
    "timestamp",
    "mbus",
    "decode",
    "lineproto",
]
OUTSIDE = {"socket", "time", "logging", "os", "sys", "io", "select", "threading", "subprocess", "pathlib", "serial"}
# What a module may know of ours: those to its left in the flow of the data.
ALLOWED = {
    "crc": set(),
    "framer": set(),
    "diagnosis": set(),
    "payload": set(),
    "decrypt": {"telegram"},
    "definitions": set(),
    "values": set(),
    "timestamp": {"values"},
    "log": set(),
    "process": set(),
    "telegram": {"crc"},
    "mbus": {"values"},
    "table": {"definitions"},
    "decode": {"definitions", "mbus", "table", "timestamp", "values", "telegram"},
    "lineproto": {"decode", "mbus"},
    "layout": {"decode", "mbus", "table"},
    "simulator": {"crc", "forms"},
    "forms": {"timestamp", "simulator"},  # that one for its type only
    "fields": {"definitions"},
}


def imports(module: str) -> set[str]:
    """Give the names a module imports: `os`, and ours without the package's name."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "telegraf_p1":
            names |= {f"telegraf_p1.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("module", CORE)
def test_the_core_does_no_input_or_output_and_reads_no_clock(module: str) -> None:
    assert {name.partition(".")[0] for name in imports(module)} & OUTSIDE == set()
    calls = {
        node.func.id
        for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & {"open", "print", "input"} == set()


@pytest.mark.parametrize("module", sorted(ALLOWED))
def test_a_module_knows_only_those_before_it(module: str) -> None:
    ours = {name.removeprefix("telegraf_p1.") for name in imports(module) if name.startswith("telegraf_p1")}
    assert ours <= ALLOWED[module]


def test_files_and_functions_stay_short() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert path.stem in ("definitions", "forms") or text.count("\n") <= 260, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"
