"""Denmark: HAN P1 of a few grid companies."""

from telegraf_p1.simulator.countries.country import Country, Meters

COUNTRY = Country(
    "Denmark",
    "dk",
    (Meters("Landis+Gyr E360, Kamstrup, NES", "real", line=""),),
    notes=("Many Danish meters, Kamstrup's among them, send encrypted DLMS instead, which is not supported.",),
)
