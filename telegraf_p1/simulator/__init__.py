"""Simulated meters for demonstrations and tests: their telegrams could come from real ones.

`house` is what a meter measures, `countries` how it writes that into telegrams, `meter` a meter that sends them, and
`targets` the devices to which one or many of them can be connected.
"""
