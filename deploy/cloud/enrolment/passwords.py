"""Mosquitto's password file, as `mosquitto_passwd` writes it, but without a password on a command line."""

import hashlib
import secrets
from base64 import b64encode
from pathlib import Path
from typing import Final

from .files import read, write

# Few, as in mosquitto: the passwords made here cannot be guessed, however cheap a guess is.
_ITERATIONS: Final = 101


def made() -> str:
    """Return a new password: 192 bits, in characters that need no quotes anywhere."""
    return secrets.token_hex(24)


def has(path: Path, user: str) -> bool:
    """Whether the broker knows a user."""
    return any(line.startswith(f"{user}:") for line in read(path).splitlines())


def add(path: Path, user: str, password: str) -> None:
    """Set the only password of a user."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    entry = f"$7${_ITERATIONS}${b64encode(salt).decode()}${b64encode(digest).decode()}"
    write(path, f"{_without(path, user)}{user}:{entry}\n")


def remove(path: Path, user: str) -> None:
    """Remove a user."""
    write(path, _without(path, user))


def _without(path: Path, user: str) -> str:
    lines = read(path).splitlines()
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(f"{user}:"))
