"""Slovenia: Iskra."""

from telegraf_p1.simulator.countries.country import Country, Meters

COUNTRY = Country(
    "Slovenia",
    "si",
    (
        Meters(
            "Iskra AM550", "real", note="`?baudrate=9600&format=7N1`; `--crc off` for those that always send `!0000`"
        ),
    ),
)
