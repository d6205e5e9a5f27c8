"""Iceland: Iskra, with a hot-water meter behind it."""

from telegraf_p1.simulator.countries.country import Country, Meters

COUNTRY = Country(
    "Iceland",
    "is",
    (Meters("Iskra MIE5 (Veitur)", "real", note="no CRC; flow, temperatures and energy of the hot-water meter"),),
    "Atlantic/Reykjavik",
)
