"""Announces devices by mDNS, on this computer only: 127.0.0.1."""

from collections.abc import Iterator
from contextlib import contextmanager

from zeroconf import ServiceInfo, Zeroconf

LOOPBACK = ["127.0.0.1"]


@contextmanager
def announced(*infos: ServiceInfo) -> Iterator[None]:
    """Announce these services until the end of the context."""
    house = Zeroconf(interfaces=LOOPBACK)
    try:
        for info in infos:
            house.registry.async_add(info)  # answers queries at once
        yield
    finally:
        house.close()


def info(service: str, name: str, port: int, address: str = "127.0.0.1", **txt: str) -> ServiceInfo:
    service = f"{service}.local."
    packed = bytes(map(int, address.split(".")))
    return ServiceInfo(
        service, f"{name}.{service}", addresses=[packed], port=port, properties=txt, server=f"{name}.local."
    )
