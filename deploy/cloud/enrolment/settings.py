"""What `enrol` has to know about the service: the file `settings` in its folder, which P1_CLOUD may set."""

import os
import secrets
import shlex
import shutil
from pathlib import Path
from typing import Final, NamedTuple

from .files import Refused, read, words, write

HERE: Final = Path(__file__).resolve().parent.parent
_COMPOSE: Final = f"docker compose --project-directory {shlex.quote(str(HERE))}"

# By how the service runs: the commands that tell its parts about a change, and where Telegraf finds the broker.
KINDS: Final = {
    "compose": {
        "P1_CLOUD_RELOAD": f"{_COMPOSE} exec -T mosquitto kill -HUP 1",  # compose's own `kill` would end its restarting
        "P1_CLOUD_GRAFANA": f"{_COMPOSE} restart grafana",
        "P1_CLOUD_BROKER": "mosquitto:8883",
    },
    "systemd": {
        "P1_CLOUD_RELOAD": "systemctl reload mosquitto",
        "P1_CLOUD_GRAFANA": "systemctl restart grafana-server",
        "P1_CLOUD_BROKER": "127.0.0.1:8883",
    },
}
_FOLDERS: Final = {"compose": HERE / "state", "systemd": Path("/etc/p1-cloud")}
# The users as which the broker and Grafana read their folders: in the containers' images, and in Debian's packages.
_OWNERS: Final[dict[str, tuple[int | str, int | str]]] = {"compose": (1883, 472), "systemd": ("mosquitto", "grafana")}


class Settings(NamedTuple):
    """The folder, and the variables of its file `settings`."""

    folder: Path
    address: str  # of the broker, as devices reach it: HOST:PORT
    broker: str  # of the broker, as Telegraf reaches it: HOST:PORT
    reload: str  # the command that lets the broker read its passwords and certificate again
    grafana: str  # the command that lets Grafana read its data sources again
    influxdb: str  # URL of InfluxDB, as `enrol` reaches it
    organization: str
    token: str  # with all permissions in InfluxDB

    @property
    def mosquitto(self) -> Path:
        """The folder that the broker reads: passwords, certificate, key."""
        return self.folder / "mosquitto"

    @property
    def passwords(self) -> Path:
        """The broker's users, and hashes of their passwords."""
        return self.mosquitto / "passwords"

    @property
    def data_sources(self) -> Path:
        """The folder that Grafana reads."""
        return self.folder / "datasources"

    @property
    def telegraf(self) -> Path:
        """Telegraf's environment."""
        return self.folder / "telegraf.env"


def load() -> Settings:
    """Read the settings in the folder that P1_CLOUD names, or in the one that exists."""
    named = os.environ.get("P1_CLOUD")
    folders = [Path(named)] if named else [*_FOLDERS.values()]
    where = _there(folders)
    if not where:
        raise Refused(f"no settings found in {' or '.join(map(str, folders))}: run `enrol setup HOST` first")
    return _load(where)


def _there(folders: list[Path]) -> Path | None:
    """Return the one folder that has settings, or None."""
    found = [one for one in folders if (one / "settings").exists()]
    if len(found) > 1:
        there = " and ".join(map(str, found))
        raise Refused(f"settings found in {there}: move the folder of the unused service away")
    return found[0] if found else None


def _load(where: Path) -> Settings:
    found = words(read(where / "settings"))
    try:
        return Settings(
            where,
            found["P1_CLOUD_ADDRESS"],
            found["P1_CLOUD_BROKER"],
            found["P1_CLOUD_RELOAD"],
            found["P1_CLOUD_GRAFANA"],
            found["P1_CLOUD_INFLUXDB"],
            found["P1_CLOUD_ORGANIZATION"],
            found["P1_CLOUD_TOKEN"],
        )
    except KeyError as error:
        raise Refused(f"{where / 'settings'} lacks {error.args[0]}: `enrol setup` adds what is missing") from None


def _give(inner: Path, owner: int | str) -> None:
    if os.geteuid() != 0:
        return
    try:
        shutil.chown(inner, owner, owner)
    except LookupError:
        inner.rmdir()
        raise Refused(f"user {owner} does not exist on this computer: install its package first") from None


def _place(asked: str | None) -> tuple[str, Path]:
    """Return the kind of service and its folder: those of existing settings, else as asked for."""
    named = os.environ.get("P1_CLOUD")
    where = Path(named) if named else _there([*_FOLDERS.values()])
    found = next((kind for kind, one in _FOLDERS.items() if one == where), None)
    if asked and found and asked != found:
        raise Refused(
            f"{where} belongs to a service with {found}: omit `--with {asked}`, or move that folder "
            "away if the service is not in use"
        )
    kind = asked or found or "compose"
    return kind, where or _FOLDERS[kind]


def make(address: str, asked: str | None = None) -> Settings:
    """Write the settings that are missing; keep those that exist."""
    kind, where = _place(asked)
    where.mkdir(mode=0o711, parents=True, exist_ok=True)  # so that the broker can reach its folder
    found = {
        **KINDS[kind],
        "P1_CLOUD_INFLUXDB": "http://127.0.0.1:8086",
        "P1_CLOUD_ORGANIZATION": "p1",
        "P1_CLOUD_TOKEN": secrets.token_urlsafe(48),
        "P1_CLOUD_PASSWORD": secrets.token_urlsafe(18),  # of the user `operator` on InfluxDB's web page
        **words(read(where / "settings")),
        "P1_CLOUD_ADDRESS": address,
    }
    write(where / "settings", "".join(f"{name}={value}\n" for name, value in found.items()))
    made = _load(where)
    for inner, owner in zip((made.mosquitto, made.data_sources), _OWNERS[kind], strict=True):
        if not inner.exists():
            inner.mkdir(mode=0o700)
            _give(inner, owner)
    return made
