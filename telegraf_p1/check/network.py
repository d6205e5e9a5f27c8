"""Finds devices on the local network that can send telegrams, by their mDNS announcements (with `zeroconf`).

Devices are sent nothing but mDNS queries. Anybody can announce anything: so names are shown shortened and without
control characters, addresses and ports are checked, and nothing else of an announcement becomes part of a source.
"""

import asyncio
import contextlib
import ipaddress
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from telegraf_p1.check import shown
from telegraf_p1.url import UsageError

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

NEEDS: Final = "zeroconf>=0.132"
SECONDS: Final = 5.0  # devices answer within one; some whose Wi-Fi sleeps, within three
NOTHING: Final = (
    "No device that reads a meter announced itself on this network. Check that the device is "
    "on this network and that its local API is on. If you know its address, run `telegraf-p1 "
    "check http://ADDRESS/...`"
)
_MOST: Final = 200  # announcements that are examined
_LONGEST: Final = 60  # characters that are shown
# Its messages on stderr do not help a user who looks for a meter.
logging.getLogger("zeroconf").addHandler(logging.NullHandler())


class Kind(NamedTuple):
    """A kind of device: how it announces itself, the source that reads it, and what its owner has to do first.

    `txt` are TXT records that it must have, with the beginning of their values; `begins` are beginnings of its name,
    one of which must match. In `source` and `advice`, {address} stands for its address, {host} for address and port.
    """

    name: str
    service: str
    source: str
    advice: str = ""
    txt: Mapping[str, str] = {}
    begins: tuple[str, ...] = ("",)


_LISTEN: Final = "`telegraf-p1 check mqtt://BROKER` shows the topic"
_ESPHOME: Final = (
    "it publishes values, not telegrams: add a text_sensor `telegram` with `internal: false`, "
    f"and `mqtt:`, to its YAML; then {_LISTEN}"
)
_BROKER: Final = "`telegraf-p1 check {source}` lists its topics with telegrams"
# The first kind that matches an announcement is used. If one device announces several, one that needs no advice is
# preferred, else the first. A P1 Dongle Pro may also announce itself as a HomeWizard, so it comes before that.
KINDS: Final = (
    # github.com/mhendriks/P1-Dongel-ESP32: startMDNS in Network.ino, and Json.ino
    Kind("P1 Dongle Pro", "_p1dongle._tcp", "http://{host}/api/v2/sm/telegram"),
    # github.com/homewizard/api-documentation, docs/discovery.mdx, docs/v1/telegram.mdx; other product types are not P1
    # meters and have no telegram (HWE-SKT is a socket).
    Kind(
        "HomeWizard P1 meter",
        "_hwenergy._tcp",
        "http://{host}/api/v1/telegram",
        txt={"product_type": "HWE-P1", "api_enabled": "1"},
    ),
    Kind(
        "HomeWizard P1 meter",
        "_hwenergy._tcp",
        "http://{host}/api/v1/telegram",
        "switch on its local API in the HomeWizard app: Settings, Meters",
        txt={"product_type": "HWE-P1"},
    ),
    # docs/v2/authorization.mdx and docs/v2/telegram.mdx there
    Kind(
        "HomeWizard P1 meter, version 2 of its API",
        "_homewizard._tcp",
        "https://{host}/api/telegram",
        "press its button, and within 30 s run `curl --insecure --header 'X-Api-Version: 2' --json "
        '\'{{"name": "local/telegraf"}}\' https://{host}/api/user`: set P1_HTTP_TOKEN to the token in its answer; '
        "the first attempt to read the device reports the ?pin= of its certificate",
        txt={"product_type": "HWE-P1"},
    ),
    # github.com/athombv/node-dsmr-parser, examples/homey-energy-dongle-ws.js: no `p` means: local API off
    Kind("Homey Energy Dongle", "_energydongle._tcp", "ws://{host}/ws", txt={"p": ""}),
    Kind(
        "Homey Energy Dongle",
        "_energydongle._tcp",
        "ws://{host}/ws",
        "switch on its local API in the Homey app, in the settings of the dongle",
    ),
    # Sourceful's gateway, server/devices/p1meters/p1_scanner.py and P1Telnet.py: port 23 sends each telegram
    Kind("Currently One", "_currently._tcp", "tcp://{address}:23"),
    # github.com/mrWheel/DSMRloggerAPI, networkStuff.h (_http._tcp under its host name, DSMR-API) and src/restAPI.cpp;
    # github.com/mrWheel/DSMRlogger32, src/networkStuff.cpp and src/restAPI.cpp (only version 2)
    Kind(
        "DSMRloggerAPI",
        "_http._tcp",
        "http://{host}/api/v1/sm/telegram",
        "if it answers 404, it is a DSMRlogger32: use /api/v2/sm/telegram",
        begins=("dsmr-api", "dsmr-logger", "dsmrlogger"),
    ),
    # github.com/esphome/esphome, components/mdns/mdns_component.cpp; github.com/zuidwijk/dsmr, slimmelezer.yaml (its
    # name; it has no sensor for the telegram). Other ESPHome readers can only be recognised by their names.
    Kind("SlimmeLezer (ESPHome)", "_esphomelib._tcp", "", _ESPHOME, txt={"project_name": "zuidwijk.slimmelezer"}),
    Kind("SlimmeLezer (ESPHome)", "_esphomelib._tcp", "", _ESPHOME, begins=("slimmelezer",)),
    Kind(
        "P1 reader with ESPHome",
        "_esphomelib._tcp",
        "",
        _ESPHOME,
        begins=("p1", "dsmr", "smartmeter", "smart-meter", "slimme-meter", "slimmemeter"),
    ),
    # github.com/arendst/Tasmota, xdrv_50_discovery (devicetype). Its sockets announce the same: only the name differs.
    Kind(
        "P1 reader with Tasmota",
        "_http._tcp",
        "",
        f"it publishes the data of its meter over MQTT: {_LISTEN}",
        txt={"devicetype": "tasmota"},
        begins=("p1", "dsmr", "smartmeter", "slimmemeter"),
    ),
    # man ser2net.yaml, mdns-txt
    Kind(
        "ser2net",
        "_iostream._tcp",
        "rfc2217://{host}",
        "it is a serial port of another computer: check that the P1 cable is plugged in there",
        txt={"provider": "ser2net", "gensiostack": "telnet(rfc2217)"},
    ),
    Kind(
        "ser2net",
        "_iostream._tcp",
        "tcp://{host}",
        "it is a serial port of another computer: check that the P1 cable is plugged in there",
        txt={"provider": "ser2net", "gensiostack": "tcp"},
    ),
    # IANA, service names. Many brokers announce nothing.
    Kind("MQTT broker", "_mqtt._tcp", "mqtt://{host}", _BROKER),
    Kind("MQTT broker", "_secure-mqtt._tcp", "mqtts://{host}", _BROKER),
)
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "mqtt": 1883, "mqtts": 8883}


class Announcement(NamedTuple):
    """An announcement: the service, the name of the device, its addresses and port, and its TXT records."""

    service: str
    name: str
    addresses: list[str]
    port: int
    txt: dict[str, str]


class Device(NamedTuple):
    """A device: `source` is the SOURCE for `run` (empty if it has none), `advice` what to do first, if anything.

    `identity` distinguishes several devices at one address.
    """

    kind: Kind
    name: str
    address: str
    source: str
    advice: str
    identity: str

    def is_ready(self) -> bool:
        """Whether it can be read as it is."""
        return bool(self.source) and not self.advice

    def text(self) -> str:
        """Describe it in lines for people."""
        lines = [f"{self.kind.name} {self.name!r} at {self.address}"]
        if self.source:
            lines.append(f"  telegraf-p1 check {self.source}")
        if self.advice:
            lines.append(f"  {'first' if self.source else 'next'}: {self.advice}")
        return "\n".join(lines)


class House:
    """The devices found so far; if one announces several services, the one that reads it best."""

    def __init__(self, found: Callable[[Device], None]) -> None:
        self._found = found
        self._best: dict[tuple[str, str], Device] = {}
        self._names: set[str] = set()

    def is_new(self, name: str) -> bool:
        """Whether to examine an announcement: the first of this name, and not one too many. Remembers the name."""
        is_new = name not in self._names and len(self._names) < _MOST
        if is_new:
            self._names.add(name)
        return is_new

    def take(self, announcement: Announcement) -> None:
        """Add the device of an announcement, if it is one of KINDS."""
        device = recognised(announcement)
        if not device:
            return
        known = self._best.setdefault((device.address, device.identity), device)
        if known is device or _rank(device) < _rank(known):
            self._best[device.address, device.identity] = device
            self._found(device)

    def devices(self) -> list[Device]:
        """Return the devices, in the order of KINDS."""
        return sorted(self._best.values(), key=lambda device: (KINDS.index(device.kind), device.name, device.address))


def _rank(device: Device) -> tuple[bool, int]:
    return bool(device.advice), KINDS.index(device.kind)


def devices(
    seconds: float = SECONDS,
    found: Callable[[Device], None] = lambda _device: None,
    interfaces: Sequence[str] = (),
) -> list[Device]:
    """Look for devices for `seconds`; return them in the order of KINDS.

    `found` is called with each device as soon as it is found. `interfaces` are addresses of this computer: only their
    networks are searched, by default all. Raise UsageError without `zeroconf`, OSError without a network.
    """
    try:
        import zeroconf  # noqa: F401  is it installed?
    except ImportError:
        cure = f"run {sys.executable} -m pip install '{NEEDS}'"
        raise UsageError(f"looking for devices needs a package that is not installed: {cure}") from None
    house = House(found)
    asyncio.run(_search(seconds, house, interfaces))
    return house.devices()


async def _search(seconds: float, house: House, interfaces: Sequence[str]) -> None:
    from zeroconf import InterfaceChoice
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

    async def ask(zeroconf: "Zeroconf", service_type: str, name: str) -> None:
        if announcement := await _asked(zeroconf, service_type, name):
            house.take(announcement)

    services = [f"{service}.local." for service in dict.fromkeys(kind.service for kind in KINDS)]
    network = AsyncZeroconf(interfaces=list(interfaces) or InterfaceChoice.All)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as asking:

                def announced(zeroconf: "Zeroconf", service_type: str, name: str, **_: object) -> None:
                    if house.is_new(name):
                        asking.create_task(ask(zeroconf, service_type, name))

                AsyncServiceBrowser(network.zeroconf, services, handlers=[announced])
                await asyncio.Event().wait()  # until the time is over
    finally:
        await network.async_close()


async def _asked(zeroconf: "Zeroconf", service_type: str, name: str) -> Announcement | None:
    """Ask for the address, port and TXT records of an announced name; None without a valid answer."""
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo

    try:
        info = AsyncServiceInfo(service_type, name)
        return _announcement(info) if await info.async_request(zeroconf, 3000) else None
    except (Error, ValueError):
        return None


def _announcement(info: "ServiceInfo") -> Announcement:
    txt = {
        key.decode(errors="replace").lower(): (value or b"").decode(errors="replace")
        for key, value in info.properties.items()
    }
    return Announcement(
        info.type.removesuffix(".local."),
        info.name.removesuffix(f".{info.type}"),
        info.parsed_scoped_addresses(),
        info.port or 0,
        txt,
    )


def recognised(announcement: Announcement) -> Device | None:
    """Return the announced device; None if it does not read meters, or cannot be reached as announced."""
    address = _address(announcement.addresses)
    kind = next((kind for kind in KINDS if _fits(kind, announcement)), None)
    if not (kind and address and 0 < announcement.port <= 0xFFFF):
        return None
    bracketed = f"[{address}]" if ":" in address else address
    is_usual = announcement.port == _PORTS.get(kind.source.partition(":")[0])
    host = bracketed if is_usual else f"{bracketed}:{announcement.port}"
    source = kind.source.format(host=host, address=bracketed)
    serial = announcement.txt.get("serial") or announcement.txt.get("id") or ""
    return Device(
        kind,
        shown(announcement.name[:_LONGEST]),
        address,
        "" if kind.advice is _BROKER else source,
        kind.advice.format(host=host, source=source),
        serial.lower()[:_LONGEST] or str(announcement.port),
    )


def _fits(kind: Kind, announcement: Announcement) -> bool:
    return (
        kind.service == announcement.service
        and announcement.name.lower().startswith(kind.begins)
        and all(
            name in announcement.txt and announcement.txt[name].startswith(value) for name, value in kind.txt.items()
        )
    )


def _address(addresses: list[str]) -> str:
    """Return the first address that a source can use, IPv4 before IPv6; empty if there is none."""
    usable = []
    for text in addresses:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(text)
            if not (address.is_multicast or address.is_unspecified):
                usable.append((address.version, text))
    return min(usable, default=(0, ""), key=lambda one: one[0])[1]
