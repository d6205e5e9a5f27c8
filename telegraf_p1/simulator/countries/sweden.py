"""Sweden: HAN P1."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from telegraf_p1.simulator.countries.common_lines import nordic
from telegraf_p1.simulator.countries.country import Country, Form, Meters
from telegraf_p1.simulator.house import House


def _se(house: House) -> Iterator[str]:
    time = datetime.fromtimestamp(house.now, UTC) + timedelta(hours=1)  # normal time all year
    yield from nordic(house, "/TST5SIM-SE", f"{time:%y%m%d%H%M%S}W")


COUNTRY = Country(
    "Sweden",
    "se",
    (Meters("HAN P1", "real, document", Form("se", _se, has_identifier=False), "10 s or less"),),
    ask="to activate the HAN port",
    notes=(
        "The meter sends totals and no tariffs.",
        "The meter's clock shows standard time all year, without summer time. Records have the correct time.",
        "Meters with an RJ45 port and the Aidon profile EFS send HDLC, which is not supported.",
        "Meters with current transformers send primary or secondary values, as the grid company has configured.",
    ),
)
