"""Poland: Kaifa, Iskra and Elgama, the latter encrypted."""

from telegraf_p1.simulator.countries.country import Country, Meters

COUNTRY = Country(
    "Poland",
    "pl",
    (
        Meters("Kaifa, Iskra", "real", note="96.1.1 may hold the model: the tag is the serial number"),
        Meters("Elgama (Stoen)", "made", note="encrypted, without the system title: `P1_SYSTEM_TITLE`"),
    ),
)
