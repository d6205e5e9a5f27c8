"""telegraf_p1: reads P1 telegrams of smart meters, and writes InfluxDB line protocol for Telegraf."""

__version__ = "1.0.0"
