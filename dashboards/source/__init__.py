"""The source of the two Grafana dashboards: `make dashboards` writes their JSON.

`panels.py` says what is shown, once; `influxql.py` and `promql.py` say how each store is asked for it.
"""
