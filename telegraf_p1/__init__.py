"""telegraf_p1: P1 telegrams of smart meters in, InfluxDB line protocol out, under Telegraf."""

__version__ = "1.0.0"
