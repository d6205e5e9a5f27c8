"""The test's own PostgreSQL, like that of DSMR-reader."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.programs import component, program, wait_until


def _programs() -> Path:
    """Return the folder of its programs: Debian installs them outside the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return places[-1].parent if places else Path(component("postgres")).parent


class Postgres:
    """A server that only listens in its folder; `psql` is the command for it, instead of `sudo -u postgres psql`."""

    def __init__(self, folder: Path, user: str) -> None:
        self.psql = f"psql --host={folder} --username={user}"
        self._user = user

    def run(self, sql: str, database: str = "dsmrreader") -> None:
        subprocess.run(
            [*self.psql.split(), "--quiet", "--set=ON_ERROR_STOP=1", database],
            input=sql.encode(),
            check=True,
            timeout=60,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run one with an empty database `dsmrreader`; it cannot run as root, so then it runs as `postgres`."""
    programs = _programs()
    component("psql")
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="p1-postgres-"))  # other users cannot read pytest's own folders
    try:
        if user:
            shutil.chown(folder, user)
        data, log = folder / "data", folder / "log"
        initdb = [str(programs / "initdb"), "--username=postgres", "--auth=trust", "--no-sync", "-D", str(data)]
        subprocess.run(initdb, check=True, capture_output=True, timeout=120, user=user, cwd=folder)
        command = [str(programs / "postgres"), "-D", str(data), "-c", "listen_addresses=", "-k", str(folder)]
        with log.open("wb") as file, program(command, stdout=file, stderr=file, user=user, cwd=folder):
            server = Postgres(folder, "postgres")
            ready = [str(programs / "pg_isready"), "--quiet", f"--host={folder}"]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL", 60)
            server.run("CREATE DATABASE dsmrreader", "postgres")
            yield server
    finally:
        shutil.rmtree(folder)
