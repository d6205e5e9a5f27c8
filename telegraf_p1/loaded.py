"""A module that is loaded when it is used, and may need a package that is not installed."""

import importlib
import sys
from types import ModuleType
from typing import Final

from telegraf_p1.url import UsageError

_DEBIAN: Final = "/opt/telegraf_p1/lib/"


def loaded(module: str, needs: str, what: str) -> ModuleType:
    """Give a module; raise UsageError that says how to install what it `needs`, if anything, for `what`."""
    try:
        return importlib.import_module(module)
    except ImportError:
        if not needs:
            raise
        cure = f"run {sys.executable} -m pip install '{needs}'"
        if __file__.startswith(_DEBIAN):  # whose Python is the system's, and takes nothing from pip
            cure = "the Debian package does not include it, and sudo make install does"
        raise UsageError(f"{what} needs a package that is not installed: {cure}") from None
