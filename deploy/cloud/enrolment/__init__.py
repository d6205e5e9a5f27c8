"""Households of the cloud service: each has a broker user, two buckets, a token that reads them, and a data source.

This package needs only the standard library, since the server has everything else in containers.
"""
