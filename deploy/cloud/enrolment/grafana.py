"""Grafana's data source of a household: a file that Grafana reads when it starts."""

from pathlib import Path
from typing import Final

from .files import read, write

# Quoted, since `101`, `true`, `null` and `1e3` are valid names of households too.
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
# Without this, Grafana would keep the data source and its token.
_REMOVED: Final = """apiVersion: 1
deleteDatasources:
  - name: "{name}"
    orgId: 1
"""


def has(folder: Path, name: str) -> bool:
    """Whether a household has a data source."""
    return "\ndatasources:" in read(path(folder, name))


def add(folder: Path, name: str, token: str) -> None:
    """Write the data source of a household; Grafana queries it only with this token."""
    write(path(folder, name), _DATA_SOURCE.format(name=name, token=token))


def remove(folder: Path, name: str) -> None:
    """Make Grafana delete the data source of a household; the file stays, without the token."""
    write(path(folder, name), _REMOVED.format(name=name))


def path(folder: Path, name: str) -> Path:
    """Return the file of a household."""
    return folder / f"{name}.yaml"
