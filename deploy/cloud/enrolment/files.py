"""Files with secrets: each is written completely or not at all, and only one user can read it."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Refused(Exception):
    """The user has to change something; the text says what."""


def read(path: Path) -> str:
    """Return the text of a file; empty if it does not exist."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write(path: Path, text: str) -> None:
    """Write a text to a file that only its folder's owner can read; after a failure the old file is still there."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)  # with mode 600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        own(Path(name), path.parent)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def own(path: Path, like: Path) -> None:
    """Change a file's owner to that of another, if we run as root: the broker does not, and must own its files."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def words(text: str) -> dict[str, str]:
    """Return the variables of a file in the format of systemd's EnvironmentFile and compose's env_file: NAME=VALUE."""
    lines = (line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in lines}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that only one `enrol` works in it; wait for another one."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
