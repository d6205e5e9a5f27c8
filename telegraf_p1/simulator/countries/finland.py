"""Finland: HAN P1."""

from collections.abc import Iterator

from telegraf_p1.simulator.countries.common_lines import nordic
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House
from telegraf_p1.timestamp import tst


def _fi(house: House) -> Iterator[str]:
    yield from nordic(house, "/TST9 SIM-FI", tst(house.now, standard=2))


COUNTRY = Country(
    "Finland",
    "fi",
    (Meters("HAN P1", "real", Form("fi", _fi, has_identifier=False), "10 s or less"),),
    "Europe/Helsinki",
    ask="to activate the HAN port",
    notes=("The meter sends totals and no tariffs.",),
)
