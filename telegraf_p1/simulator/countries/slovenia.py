"""Slovenia: Iskra."""

from telegraf_p1.simulator.countries.country import Country, Meters

COUNTRY = Country(
    "Slovenia",
    "si",
    (
        Meters(
            "Iskra AM550",
            "real",
            every="10 s",
            line="9600 7N1",
            crc="none, or always `!0000`",
            source="?baudrate=9600&format=7N1",
            note="`--crc off` for those that always send `!0000`",
        ),
    ),
)
