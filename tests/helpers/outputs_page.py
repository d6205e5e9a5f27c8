"""The blocks of docs/databases.md, as they stand there, with the test's own places in them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.helpers.pages import blocks
from tests.helpers.programs import PLUGIN, wait_until
from tests.helpers.telegraf import telegraf
from tests.helpers.telegrams import ROOT

METER = "E0047010000000011"  # of the simulated meter
_PAGE = ROOT / "docs" / "databases.md"


def _named(language: str) -> dict[str, str]:
    return {block.name: block.text for block in blocks(_PAGE) if block.language == language and block.name}


BLOCKS, SCRIPTS = _named("toml"), _named("sh")


def _replaced(block: str, replacements: tuple[tuple[str, str], ...]) -> str:
    for old, new in replacements:
        assert old in block
        block = block.replace(old, new)
    return block


def configured(tmp_path: Path, name: str, *replacements: tuple[str, str], options: tuple[str, ...] = ()) -> Path:
    """Give a configuration with a block of the page, and a simulated meter read with these options."""
    path = tmp_path / "telegraf.conf"
    path.write_text(
        '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n'
        f"[[inputs.execd]]\n  command = {json.dumps([*PLUGIN, 'run', 'sim:', *options])}\n"
        f'  signal = "none"\n  data_format = "influx"\n{_replaced(BLOCKS[name], replacements)}'
    )
    return path


def until_stored(path: Path, stored: Callable[[], object]) -> None:
    """Run Telegraf until something is stored."""
    with telegraf(path):
        wait_until(stored, "a record behind Telegraf", 30)


def run(name: str, *replacements: tuple[str, str], logs: bool = False) -> str:
    """Run commands of the page; give what they print. With `logs` they may write to stderr, too."""
    command = ["sh", "-e", "-c", _replaced(SCRIPTS[name], replacements)]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert logs or not done.stderr, done.stderr
    return done.stdout
