"""Adds and removes households, in an order in which a failure leaves nothing half working."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from . import certificate, grafana, passwords
from .files import Refused, read, words, write
from .influxdb import InfluxDB
from .settings import HERE, Settings

# The name is used for a broker user, a level of a topic, a bucket and a file.
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,30})[a-z0-9]")
# The plugin under Telegraf; no household can have this name.
READER: Final = "p1_reader"
COMMANDS: Final = ("setup", "renew", "remove", "list")


class Secrets(NamedTuple):
    """Secrets that are shown once, and stored nowhere in plain text."""

    password: str  # for the broker
    token: str  # can read the household's buckets


def checked(name: str) -> str:
    """Return a name that is valid for a household; raise Refused for another one."""
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r} is not a valid name: use 3 to 32 of a-z, 0-9 and -, without - at the ends")
    if name in COMMANDS:
        raise Refused(f"{name!r} is a command: choose another name")
    return name


def enrolled(settings: Settings) -> list[str]:
    """Return the names of the households."""
    users = [line.partition(":")[0] for line in read(settings.passwords).splitlines()]
    return sorted(user for user in users if _NAME.fullmatch(user))


def add(settings: Settings, name: str, *, comes_back: bool) -> Secrets | None:
    """Enrol a household; return its secrets, or None if it is enrolled already."""
    influxdb = _influxdb(settings)
    if passwords.has(settings.passwords, name) and grafana.has(settings.data_sources, name):
        for bucket in _buckets(name):
            influxdb.make_bucket(bucket)
            influxdb.give_bucket(bucket)
        return None
    if not comes_back and any(map(influxdb.is_kept, _buckets(name))):
        raise Refused(
            f"readings of a removed household {name!r} exist, which the new one would see: choose "
            "another name, or add --comes-back if it is the same household"
        )
    return renew(settings, name)


def renew(settings: Settings, name: str) -> Secrets:
    """Make new secrets for a household, and whatever else is missing; the old secrets become invalid."""
    influxdb = _influxdb(settings)
    buckets = [influxdb.make_bucket(bucket) for bucket in _buckets(name)]
    made = Secrets(passwords.made(), influxdb.make_token(_purpose(name), "read", buckets))
    grafana.add(settings.data_sources, name, made.token)
    _run(settings.grafana)
    with _as_before(settings.passwords):  # last, since the device can start with it
        passwords.add(settings.passwords, name, made.password)
        _run(settings.reload)
        for bucket in _buckets(name):  # until here, nobody can claim its readings
            influxdb.give_bucket(bucket)
    return made


def remove(settings: Settings, name: str, *, keep_data: bool) -> None:
    """Remove a household: first its access, then its data, so that nobody else ever gets its data if this fails."""
    influxdb = _influxdb(settings)
    is_there = passwords.has(settings.passwords, name) or grafana.has(settings.data_sources, name)
    if not is_there and not any(map(influxdb.bucket, _buckets(name))):
        raise Refused(f"there is no household {name!r}")
    for bucket in _buckets(name):  # even before a drop, which may fail halfway
        influxdb.keep_bucket(bucket)
    if passwords.has(settings.passwords, name):
        with _as_before(settings.passwords):
            passwords.remove(settings.passwords, name)
            _run(settings.reload)
    influxdb.revoke(_purpose(name))
    if not keep_data:
        for bucket in _buckets(name):
            influxdb.drop_bucket(bucket)
    if grafana.has(settings.data_sources, name):
        with _as_before(grafana.path(settings.data_sources, name)):
            grafana.remove(settings.data_sources, name)
            _run(settings.grafana)


def set_up(settings: Settings, password: str) -> None:
    """Prepare the service for its first household: a certificate, the plugin's user, Telegraf's token."""
    certificate.make(settings.mosquitto, settings.address.rpartition(":")[0])
    write(settings.mosquitto / "acl", read(HERE / "acl"))  # the broker must own it, like the other two files
    influxdb = _influxdb(settings)
    influxdb.set_up(password)
    before = words(read(settings.telegraf))
    reader, token = before.get("P1_MQTT_PASSWORD"), before.get("INFLUX_TOKEN")
    if not reader or not passwords.has(settings.passwords, READER):
        reader = passwords.made()
        passwords.add(settings.passwords, READER, reader)
    if not token or not influxdb.tokens(READER):
        token = influxdb.make_token(READER, "write", [])
    pin = certificate.pin(settings.mosquitto)
    said = {
        "P1_MQTT_PASSWORD": reader,
        "INFLUX_TOKEN": token,
        # A client that knows the certificate by its pin does not check the host name.
        "P1_CLOUD_BROKER": settings.broker if pin else settings.address,
        "P1_CLOUD_PIN": f"&pin={pin}" if pin else "",
    }
    write(settings.telegraf, "".join(f"{name}={value}\n" for name, value in said.items()))


def _influxdb(settings: Settings) -> InfluxDB:
    return InfluxDB(settings.influxdb, settings.organization, settings.token)


def _buckets(name: str) -> tuple[str, str]:
    # For InfluxQL, InfluxDB 2 maps these to one database with two retention policies.
    return name, f"{name}/history"


def _purpose(name: str) -> str:
    return f"household {name}"


@contextmanager
def _as_before(path: Path) -> Iterator[None]:
    """Restore a file if the program that reads it cannot be told; then the next `enrol` tries both again."""
    before = read(path)
    try:
        yield
    except BaseException:
        write(path, before)
        raise


def _run(command: str) -> None:
    """Run a command of the settings."""
    if not command:
        return
    try:
        done = subprocess.run(shlex.split(command), check=False, capture_output=True, text=True, timeout=120)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise OSError(f"`{command}` did not finish within two minutes") from None
    if done.returncode:
        raise OSError(f"`{command}` failed: {(done.stderr or done.stdout).strip()[-300:]}")
