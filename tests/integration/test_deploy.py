"""The container's telegraf.conf, run outside of one by the real Telegraf."""

from pathlib import Path

import pytest

from tests.helpers.databases import Influx
from tests.helpers.programs import PLUGIN, wait_until
from tests.helpers.telegraf import telegraf
from tests.helpers.telegrams import ROOT


def test_the_containers_telegraf_writes_records_and_statistics(
    tmp_path: Path, influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "deploy" / "telegraf.conf").read_text()
    for old, new in (
        ('"/opt/telegraf_p1/bin/telegraf-p1"', ", ".join(f'"{word}"' for word in PLUGIN)),
        ('"60s"', '"1s"'),
        ("http://influxdb:8086", influx.url),
        ("/var/lib/telegraf", str(tmp_path)),
        ('flush_interval = "10s"', 'flush_interval = "1s"'),
    ):
        assert old in text
        text = text.replace(old, new)
    config = tmp_path / "telegraf.conf"
    config.write_text(text)
    monkeypatch.setenv("P1_SOURCE", "sim:?form=be")
    with telegraf(config):
        wait_until(influx.count, "a record", 30)
        wait_until(lambda: influx.query("SELECT last(accepted) FROM p1_stats"), "statistics", 30)
    assert {row["tagKey"] for row in influx.query("SHOW TAG KEYS FROM p1")} == {"meter"}
