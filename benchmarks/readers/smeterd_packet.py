"""PyPI's smeterd: checks the CRC, and parses bytes into a P1Packet."""

from smeterd.meter import P1Packet

from benchmarks.readers.timed import run


def readings(packet: P1Packet) -> dict[str, float]:
    """Return the readings that are compared; without a gas meter, smeterd returns 0."""
    kwh, gas = packet["kwh"], packet["gas"]
    found = {
        "energy_import_t1_kwh": kwh["low"]["consumed"],
        "energy_import_t2_kwh": kwh["high"]["consumed"],
        "energy_export_t1_kwh": kwh["low"]["produced"],
        "energy_export_t2_kwh": kwh["high"]["produced"],
        "power_import_kw": kwh["current_consumed"],
        "power_export_kw": kwh["current_produced"],
    }
    return found | ({"gas_m3": gas["total"]} if gas["total"] else {})


run(P1Packet, readings)
