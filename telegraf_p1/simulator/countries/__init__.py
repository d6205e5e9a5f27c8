"""The countries: which meters they have, what these were tested with, and what a simulated one sends.

One file per country. To add one, copy the file of a similar country and add it to the list below; `make docs` then
writes its section of docs/meters.md.
"""

from typing import Final

from telegraf_p1.simulator.countries import (
    austria,
    belgium,
    denmark,
    finland,
    germany,
    hungary,
    iceland,
    israel,
    lithuania,
    luxembourg,
    netherlands,
    poland,
    slovenia,
    sweden,
    switzerland,
)
from telegraf_p1.simulator.countries.country import Country, Form

# In the order of docs/meters.md.
COUNTRIES: Final[tuple[Country, ...]] = (
    netherlands.COUNTRY,
    belgium.COUNTRY,
    luxembourg.COUNTRY,
    sweden.COUNTRY,
    finland.COUNTRY,
    denmark.COUNTRY,
    iceland.COUNTRY,
    lithuania.COUNTRY,
    poland.COUNTRY,
    hungary.COUNTRY,
    austria.COUNTRY,
    germany.COUNTRY,
    switzerland.COUNTRY,
    israel.COUNTRY,
    slovenia.COUNTRY,
)
# By name, as in `sim:?form=be`.
FORMS: Final[dict[str, Form]] = {
    meters.form.name: meters.form for country in COUNTRIES for meters in country.meters if meters.form
}
