"""Poland: Kaifa, Iskra and Elgama, the latter encrypted."""

from telegraf_p1.simulator.countries.country import Country, Meters

COUNTRY = Country(
    "Poland",
    "pl",
    (
        Meters("Kaifa, Iskra", "real", line=""),
        Meters(
            "Elgama (Stoen)",
            "made",
            line="",
            encrypted="`P1_DECRYPTION_KEY`, `P1_SYSTEM_TITLE`",
            note="the telegram does not contain the system title, 16 hex digits that decryption needs",
        ),
    ),
    ask="for the decryption key and the system title, if the telegrams are encrypted",
    notes=("The tag `meter` is the serial number, even if the meter sends its model under 96.1.1.",),
)
