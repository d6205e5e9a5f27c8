"""The forms in which somebody makes Grafana's data source, filled in: the pictures of docs/dashboards.md."""

from pathlib import Path
from typing import Any, Final

import yaml

from tests.helpers.telegrams import ROOT
from tests.pictures.pictures import Browser, Finding

_PROVISIONED: Final = ROOT / "dashboards" / "provisioning" / "datasources" / "telegraf_p1.yaml"
_WIDTH, _HEIGHT = 660, 220  # px, the height at least


def _influxdb() -> dict[str, Any]:
    """Give what is provisioned, and the header that InfluxDB 2 needs, which stands there as a comment."""
    (settings,) = yaml.safe_load(_PROVISIONED.read_text())["datasources"]
    settings["url"] = "http://127.0.0.1:8086"
    settings["jsonData"]["httpHeaderName1"] = "Authorization"
    return {**settings, "secureJsonFields": {}}


def _prometheus() -> dict[str, Any]:
    return {"name": "P1", "type": "prometheus", "url": "http://127.0.0.1:8428", "jsonData": {}}


DATA_SOURCES: Final = {"data-source-influxdb": _influxdb(), "data-source-prometheus": _prometheus()}


def draw_data_source(browser: Browser, settings: dict[str, Any], file: Path) -> list[Finding]:
    """Draw the form with these settings into a PNG; give what is wrong with the picture."""
    job = {"settings": settings, "theme": "dark", "width": _WIDTH, "height": _HEIGHT, "now": 0, "zone": "UTC"}
    return browser.draw(job, file)
