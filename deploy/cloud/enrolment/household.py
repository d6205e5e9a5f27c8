"""A household comes and goes: what is done, in an order in which a failure leaves nothing that works by half."""

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

# It becomes a user of the broker, a level of a topic, a bucket and the name of a file.
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,30})[a-z0-9]")
# The plugin under Telegraf; no household can have this name.
READER: Final = "p1_reader"
COMMANDS: Final = ("setup", "renew", "remove", "list")


class Secrets(NamedTuple):
    """What is shown once, and kept nowhere in words."""

    password: str  # of the broker
    token: str  # reads the household's buckets


def checked(name: str) -> str:
    """Give a name that may be one of a household."""
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r} is not a valid name: use 3 to 32 of a-z, 0-9 and -, without - at the ends")
    if name in COMMANDS:
        raise Refused(f"{name!r} is a command: choose another name")
    return name


def enrolled(settings: Settings) -> list[str]:
    """Give the names of the households."""
    users = [line.partition(":")[0] for line in read(settings.passwords).splitlines()]
    return sorted(user for user in users if _NAME.fullmatch(user))


def add(settings: Settings, name: str, *, comes_back: bool) -> Secrets | None:
    """Enrol a household; give its secrets, None when it was enrolled before."""
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
    """Give a household new secrets, and what else it may lack; the old ones are worth nothing then."""
    influxdb = _influxdb(settings)
    buckets = [influxdb.make_bucket(bucket) for bucket in _buckets(name)]
    made = Secrets(passwords.made(), influxdb.make_token(_purpose(name), "read", buckets))
    grafana.add(settings.data_sources, name, made.token)
    _run(settings.grafana)
    with _as_before(settings.passwords):  # last, since with it the device may begin
        passwords.add(settings.passwords, name, made.password)
        _run(settings.reload)
        for bucket in _buckets(name):  # until here its readings are nobody's
            influxdb.give_bucket(bucket)
    return made


def remove(settings: Settings, name: str, *, keep_data: bool) -> None:
    """Take a household away: first what lets it in, last its data, which wherever this ends is nobody else's."""
    influxdb = _influxdb(settings)
    is_there = passwords.has(settings.passwords, name) or grafana.has(settings.data_sources, name)
    if not is_there and not any(map(influxdb.bucket, _buckets(name))):
        raise Refused(f"there is no household {name!r}")
    for bucket in _buckets(name):  # before a drop, too: it may end in the middle
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
    """Prepare the parts for the first household: a certificate, the plugin's user, Telegraf's token."""
    certificate.make(settings.mosquitto, settings.address.rpartition(":")[0])
    write(settings.mosquitto / "acl", read(HERE / "acl"))  # the broker wants it to be its own, as the other two
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
        # Who knows the certificate by its pin does not look at the name.
        "P1_CLOUD_BROKER": settings.broker if pin else settings.address,
        "P1_CLOUD_PIN": f"&pin={pin}" if pin else "",
    }
    write(settings.telegraf, "".join(f"{name}={value}\n" for name, value in said.items()))


def _influxdb(settings: Settings) -> InfluxDB:
    return InfluxDB(settings.influxdb, settings.organization, settings.token)


def _buckets(name: str) -> tuple[str, str]:
    # InfluxDB 2 answers InfluxQL for them as one database with two retention policies.
    return name, f"{name}/history"


def _purpose(name: str) -> str:
    return f"household {name}"


@contextmanager
def _as_before(path: Path) -> Iterator[None]:
    """Put a file back when telling of it fails, so that it is told of when `enrol` runs again."""
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
