"""Grafana's data source of a household: a file that Grafana reads when it starts."""

from pathlib import Path
from typing import Final

from .files import read, write

# Quoted, since `101`, `true`, `null` and `1e3` are names of households, too.
_DATA_SOURCE: Final = """apiVersion: 1
datasources:
  - name: "{name}"
    uid: "p1-{name}"
    type: influxdb
    access: proxy
    url: $P1_INFLUXDB_URL
    jsonData:
      dbName: "{name}"
      httpMode: GET
      timeInterval: 10s
      timeout: 300
      httpHeaderName1: Authorization
    secureJsonData:
      httpHeaderValue1: "Token {token}"
"""
# Without these words Grafana would keep it, token and all.
_REMOVED: Final = """apiVersion: 1
deleteDatasources:
  - name: "{name}"
    orgId: 1
"""


def has(folder: Path, name: str) -> bool:
    """Whether Grafana is told of a household."""
    return "\ndatasources:" in read(path(folder, name))


def add(folder: Path, name: str, token: str) -> None:
    """Tell Grafana of a household, which it asks for with this token alone."""
    write(path(folder, name), _DATA_SOURCE.format(name=name, token=token))


def remove(folder: Path, name: str) -> None:
    """Tell Grafana to forget a household; the file stays and holds no secret."""
    write(path(folder, name), _REMOVED.format(name=name))


def path(folder: Path, name: str) -> Path:
    """Give the file of a household."""
    return folder / f"{name}.yaml"
