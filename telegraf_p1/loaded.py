"""Imports a module on first use, which may need a package that is not installed."""

import importlib
import sys
from types import ModuleType
from typing import Final

from telegraf_p1.url import UsageError

_DEBIAN: Final = "/opt/telegraf_p1/lib/"


def loaded(module: str, needs: str, what: str) -> ModuleType:
    """Return a module; raise UsageError that says how to install the package that it `needs`, if any, for `what`."""
    try:
        return importlib.import_module(module)
    except ImportError:
        if not needs:
            raise
        cure = f"run {sys.executable} -m pip install '{needs}'"
        if __file__.startswith(_DEBIAN):  # there Python is the system's, where pip installs nothing
            cure = "the Debian package does not include it, and sudo make install does"
        raise UsageError(f"{what} needs a package that is not installed: {cure}") from None
