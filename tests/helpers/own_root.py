"""A root folder for a test: an overlay over the computer's, so that all changes disappear with it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.programs import program

# Without /run: there is no systemd and no udev.
_OVERLAY = """
set -e
mount -t tmpfs tmpfs "$0"
cd "$0"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
for name in /dev /proc /tmp /etc/resolv.conf /etc/hosts; do
    mount --rbind "$name" "root$name"
done
echo ready
exec sleep infinity
"""


@contextmanager
def own_root(folder: Path) -> Iterator[list[str]]:
    """Make a root in an empty folder below /tmp; yield the command that runs its arguments there."""
    keeper = ["unshare", "--mount", "sh", "-c", _OVERLAY, str(folder)]
    with program(keeper, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        if process.stdout.readline() != b"ready\n":
            pytest.skip("nobody but root mounts an overlay of the root, and not in each container")
        yield ["nsenter", f"--target={process.pid}", "--mount", "chroot", f"{folder}/root"]
