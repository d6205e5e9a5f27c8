"""The source of the Grafana dashboards: `make dashboards` writes their JSON.

`rows.py` and the modules that it uses define the panels, once for all stores. `influxql.py` and `promql.py` write the
queries of each store.
"""
