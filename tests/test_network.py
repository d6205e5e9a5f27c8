"""Devices in the house, by what they announce: real announcements on this computer's own network, 127.0.0.1."""

import asyncio
import gc
import re
import sys
import time

import pytest
from zeroconf import ServiceInfo

from telegraf_p1.check import network
from telegraf_p1.check.network import KINDS, Announcement, Device, House, devices, recognised
from telegraf_p1.sources import open_source
from telegraf_p1.url import UsageError
from tests.helpers.announcements import LOOPBACK, announced, info
from tests.helpers.telegrams import ROOT

PAGE = (ROOT / "docs" / "devices" / "index.md").read_text()
P1 = {"product_type": "HWE-P1", "serial": "5c2fafaabbcc", "path": "/api/v1", "product_name": "P1 meter"}


def announcement(service: str, name: str = "x", port: int = 80, txt: dict[str, str] | None = None) -> Announcement:
    return Announcement(service, name, ["192.168.1.20"], port, txt or {})


def found(service: str, name: str = "x", port: int = 80, txt: dict[str, str] | None = None) -> Device:
    device = recognised(announcement(service, name, port, txt))
    assert device
    return device


def taken(*announcements: Announcement) -> tuple[list[Device], House]:
    """Give what was said when these were taken, and where they are."""
    seen: list[Device] = []
    house = House(seen.append)
    for one in announcements:
        house.take(one)
    return seen, house


def until(count: int) -> list[Device]:
    """Look until so many are there, and no longer."""

    class Enough(Exception):
        pass

    seen: list[Device] = []

    def one_more(device: Device) -> None:
        seen.append(device)
        if len(seen) == count:
            raise Enough

    with pytest.raises(ExceptionGroup) as ended:
        devices(20, one_more, LOOPBACK)
    assert ended.group_contains(Enough)
    return seen


def test_a_dongle_that_announces_itself_is_found_with_the_source_that_reads_it() -> None:
    with announced(info("_p1dongle._tcp", "P1-Dongle-Pro-AABBCC", 8080, id="aabbccddeeff", hw="P1P")):
        (device,) = until(1)
    assert device.kind.name == "P1 Dongle Pro"
    assert device.text() == (
        "P1 Dongle Pro 'P1-Dongle-Pro-AABBCC' at 127.0.0.1\n  telegraf-p1 check http://127.0.0.1:8080/api/v2/sm/telegram"
    )


def test_where_nothing_is_announced_nothing_is_found_and_the_search_ends_in_time() -> None:
    begun = time.monotonic()
    assert devices(0.2, interfaces=LOOPBACK) == []
    assert 0.2 <= time.monotonic() - begun < 10


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # zeroconf leaves a socket open then
def test_without_a_network_that_is_said() -> None:
    with pytest.raises(OSError, match=r".+"):
        devices(1, interfaces=["192.0.2.77"])  # none of this computer's addresses
    gc.collect()


def test_of_one_device_that_announces_itself_twice_what_reads_it_best_is_given() -> None:
    on, off = {**P1, "api_enabled": "1"}, {**P1, "api_enabled": "0"}
    version_1, version_2 = announcement("_hwenergy._tcp", txt=on), announcement("_homewizard._tcp", port=443, txt=on)
    for both in ((version_1, version_2), (version_2, version_1)):
        seen, house = taken(*both)
        assert [device.source for device in house.devices()] == ["http://192.168.1.20/api/v1/telegram"]
        assert seen[-1:] == house.devices()
    dongle = announcement("_p1dongle._tcp", txt={"id": P1["serial"].upper()})
    for both in ((version_1, dongle), (dongle, version_1)):
        assert [device.kind.name for device in taken(*both)[1].devices()] == ["P1 Dongle Pro"]
    switched_off = announcement("_hwenergy._tcp", txt=off)
    (device,) = taken(switched_off, version_2)[1].devices()
    assert "local API" in device.advice


def test_two_devices_at_one_address_are_two() -> None:
    txt = {"provider": "ser2net", "gensiostack": "tcp"}
    ports = [announcement("_iostream._tcp", "a", port, txt) for port in (2001, 2000)]
    assert len(taken(*ports, *ports)[1].devices()) == 2


def test_of_a_flood_of_announcements_only_some_are_looked_at() -> None:
    house = taken()[1]
    names = [f"P1-{number}._p1dongle._tcp.local." for number in range(1000)]
    assert [name for name in names + names if house.is_new(name)] == names[:200]


def test_without_zeroconf_the_way_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(UsageError, match=r"pip install 'zeroconf>="):
        devices(1, interfaces=LOOPBACK)


def test_a_homewizard_tells_whether_its_local_api_is_on() -> None:
    on = found("_hwenergy._tcp", "p1meter-AABBCC", txt={**P1, "api_enabled": "1"})
    off = found("_hwenergy._tcp", "p1meter-AABBCC", txt={**P1, "api_enabled": "0"})
    assert on.source == off.source == "http://192.168.1.20/api/v1/telegram"
    assert on.advice == ""
    assert "Settings, Meters" in off.advice
    assert recognised(announcement("_hwenergy._tcp", txt={**P1, "product_type": "HWE-WTR"})) is None


def test_version_2_of_a_homewizard_is_told_how_to_give_a_token() -> None:
    device = found("_homewizard._tcp", port=443, txt={"product_type": "HWE-P1", "api_version": "2.0.0"})
    assert device.source == "https://192.168.1.20/api/telegram"
    assert """--json '{"name": "local/telegraf"}' https://192.168.1.20/api/user`""" in device.advice


def test_a_homey_energy_dongle_announces_a_path_while_its_local_api_is_on() -> None:
    assert found("_energydongle._tcp", txt={"v": "1", "p": "/ws"}).text().endswith("check ws://192.168.1.20/ws")
    assert "Homey app" in found("_energydongle._tcp", txt={"v": "1"}).advice


def test_a_reader_with_esphome_is_known_by_its_project_or_its_name() -> None:
    for name, txt in (
        ("meter", {"project_name": "zuidwijk.slimmelezer-mini"}),
        ("SlimmeLezer-1a", {}),
        ("p1-hall", {}),
    ):
        device = found("_esphomelib._tcp", name, 6053, txt)
        assert (device.source, "internal: false" in device.advice) == ("", True)
        assert "\n  next: " in device.text()
    assert recognised(announcement("_esphomelib._tcp", "kitchen-lamp", 6053)) is None


def test_ser2net_tells_whether_it_speaks_rfc_2217() -> None:
    stacks = {"telnet(rfc2217),tcp": "rfc2217://192.168.1.20:2217", "tcp": "tcp://192.168.1.20:2217"}
    for stack, source in stacks.items():
        device = found("_iostream._tcp", "p1", 2217, {"provider": "ser2net", "gensiostack": stack})
        assert device.source == source
    assert recognised(announcement("_iostream._tcp", "p1", 2217, {"provider": "another"})) is None


def test_a_broker_is_no_source_before_its_topics_are_known() -> None:
    device = found("_mqtt._tcp", "home", 1883)
    assert (device.source, device.advice[:44]) == ("", "`telegraf-p1 check mqtt://192.168.1.20` list")
    assert "mqtts://192.168.1.20:8884" in found("_secure-mqtt._tcp", "home", 8884).advice


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.service}-{kind.source}")
@pytest.mark.parametrize("address", ["192.168.1.20", "fd00::20", "fe80::20%2"])
def test_each_source_is_one_that_run_takes(kind: network.Kind, address: str) -> None:
    device = recognised(Announcement(kind.service, kind.begins[0], [address], 8080, {**kind.txt, "p": "/ws"}))
    assert device
    if device.source:
        open_source(device.source)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.service}-{kind.source}")
def test_the_page_of_devices_has_each_kind_with_its_service(kind: network.Kind) -> None:
    assert re.search(rf"^\| {re.escape(kind.name)}.*`{re.escape(kind.service)}`", PAGE, re.MULTILINE)


def test_addresses_and_ports_that_nobody_has_are_not_taken() -> None:
    for addresses in ([], ["224.0.0.251"], ["0.0.0.0"], ["::"], ["ff02::fb"], ["127.0.0.1@evil.example"]):
        assert recognised(Announcement("_p1dongle._tcp", "x", addresses, 80, {})) is None
    for port in (0, -1, 65_536):
        assert recognised(announcement("_p1dongle._tcp", port=port)) is None
    both = recognised(Announcement("_p1dongle._tcp", "x", ["fe80::1%2", "192.168.1.20"], 80, {}))
    assert both
    assert both.address == "192.168.1.20"


def test_foreign_text_is_shown_without_control_characters_and_cut_off() -> None:
    name = "\x1b[2J\n\u202eevil\0" + 500 * "x"
    device = found("_p1dongle._tcp", name, txt={"id": name, "hw": name, "p": name})
    shown = device.text()
    assert "?[2J??evil?xxx" in shown
    assert len(device.name) == 60
    assert all(character.isprintable() for line in shown.splitlines() for character in line)
    assert device.source == "http://192.168.1.20/api/v2/sm/telegram"


def test_what_breaks_the_rules_of_mdns_is_no_device() -> None:
    async def asked() -> Announcement | None:
        return await network._asked(None, "_p1dongle._tcp.local.", "x._another._tcp.local.")  # type: ignore[arg-type]  # noqa: SLF001

    assert asyncio.run(asked()) is None


def test_a_txt_record_may_hold_any_bytes() -> None:
    odd = ServiceInfo(
        "_hwenergy._tcp.local.",
        "p._hwenergy._tcp.local.",
        addresses=[bytes([127, 0, 0, 1])],
        port=80,
        properties={b"product_type": b"HWE-P1", b"\xff": b"\xfe\0", b"flag": None},
    )
    seen = network._announcement(odd)  # noqa: SLF001
    assert seen.txt == {"product_type": "HWE-P1", "\ufffd": "\ufffd\0", "flag": ""}
    assert recognised(seen)
