"""Iceland: Iskra, with a hot-water meter behind it."""

from telegraf_p1.simulator.countries.country import Country, Meters

COUNTRY = Country(
    "Iceland",
    "is",
    (Meters("Iskra MIE5 (Veitur)", "real", line="", crc="no"),),
    "Atlantic/Reykjavik",
    notes=("Records include flow, temperatures and energy of the hot-water meter.",),
)
