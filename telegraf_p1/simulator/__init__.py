"""Meters for demonstrations and tests: telegrams that a real one could have sent.

`house` is what a meter measures, `countries` how it says that, `meter` one that speaks, and
`targets` the devices behind which many of them can stand.
"""
