"""Switzerland: Groupe E."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import PHASES, in_hex, kilo, powers, registers
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _ch(house: House) -> Iterator[str]:
    yield from ("/TST5SIM-CH", "", "0-0:96.1.4(50213)", f"0-0:0.0.0({house.serial:011})")
    yield from (f"0-0:96.1.2({in_hex(' ' * 16)})", f"0-0:1.0.0({tst(house.now)})")
    yield from (line.replace("1-0:", "1-1:") for line in (*registers(house), *powers(house)))
    yield f"0-0:96.14.0({house.tariff:04d})"
    yield f"1-1:1.6.0({tst(house.demand.peak_time)})({kilo(house.demand.peak_w, 6)}*kW)"
    yield from ("0-0:98.1.0(12)", "0-0:96.3.10(1)", "0-0:96.7.21(00003)", "0-0:96.13.0()")
    for (_, code), dv in zip(PHASES, house.voltage_dv, strict=True):
        yield f"1-0:{code}2.7.0({dv / 10:05.1f}*V)"


COUNTRY = Country(
    "Switzerland",
    "ch",
    (Meters("Groupe E", "made", Form("ch", _ch, has_identifier=False)),),
    ask="to activate the port",
    notes=("Most Swiss meters of other grid companies send HDLC, which is not supported.",),
)
