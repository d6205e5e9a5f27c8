"""The code blocks of docs/databases.md, unchanged except for the test's own paths and ports."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.helpers.pages import named, replaced
from tests.helpers.programs import PLUGIN, wait_until
from tests.helpers.telegraf import telegraf

METER = "E0047010000000011"  # of the simulated meter
BLOCKS, SCRIPTS = named("databases.md", "toml"), named("databases.md", "sh")


def configured(tmp_path: Path, name: str, *replacements: tuple[str, str], options: tuple[str, ...] = ()) -> Path:
    """Return a configuration with a block of the page, and a simulated meter that is read with these options."""
    path = tmp_path / "telegraf.conf"
    path.write_text(
        '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n'
        f"[[inputs.execd]]\n  command = {json.dumps([*PLUGIN, 'run', 'sim:', *options])}\n"
        f'  signal = "none"\n  data_format = "influx"\n{replaced(BLOCKS[name], *replacements)}'
    )
    return path


def until_stored(path: Path, stored: Callable[[], object]) -> None:
    """Run Telegraf until something is stored."""
    with telegraf(path):
        wait_until(stored, "a record behind Telegraf", 30)


def run(name: str, *replacements: tuple[str, str], logs: bool = False) -> str:
    """Run commands of the page; return what they print. With `logs` they may write to stderr, too."""
    command = ["sh", "-e", "-c", replaced(SCRIPTS[name], *replacements)]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert logs or not done.stderr, done.stderr
    return done.stdout
