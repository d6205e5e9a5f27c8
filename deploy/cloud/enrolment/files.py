"""Files with secrets: each is written whole or not at all, and read by one user alone."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Refused(Exception):
    """What the user has to change."""


def read(path: Path) -> str:
    """Give the text of a file, empty where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write(path: Path, text: str) -> None:
    """Put a text into a file that its folder's owner alone may read; a failure leaves what was there."""
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
    """Give a file to the owner of another, where we may: the broker does not run as root, and its files are its own."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def words(text: str) -> dict[str, str]:
    """Give the variables of a file like systemd's EnvironmentFile and compose's env_file: NAME=VALUE, as it stands."""
    lines = (line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in lines}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other `enrol` is at work in the folder."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
