"""Households of the cloud service: a user of the broker, two buckets, a token that reads them, a data source.

It stands by itself, with the standard library alone, since the server has the other parts in containers.
"""
