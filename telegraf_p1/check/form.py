"""The national form of a telegram, the maker of its meter, and the time zone of the meter's clock."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from telegraf_p1.simulator.countries import COUNTRIES
from telegraf_p1.telegram import Telegram
from telegraf_p1.timestamp import DEFAULT_ZONE

_ZONES: Final = {country.name: country.zone for country in COUNTRIES}
_OFF_S: Final = 600  # how much a meter's clock may differ, if the time zone is right

# Makers of P1 meters by their FLAG letters, in capitals; a few letters belong to a grid company.
_MAKERS: Final = {
    "ADN": "Aidon",
    "AUX": "Sanxing (AUX)",
    "EBZ": "eBZ",
    "ESO": "ESO (Lithuania)",
    "ESY": "EasyMeter",
    "FLU": "Fluvius (Belgium)",
    "ISK": "Iskraemeco",
    "KAM": "Kamstrup",
    "KFM": "Kaifa",
    "KMP": "Kamstrup",
    "LGF": "Landis+Gyr",
    "LGZ": "Landis+Gyr",
    "LOG": "Logarex",
    "LUX": "Luxmetering (Luxembourg)",
    "NWA": "Warmtelink",
    "SAG": "Sagemcom",
    "XMX": "Xemex",
}


class Form(NamedTuple):
    """The countries with such telegrams (none if unknown), and the standard that the telegram follows, if known."""

    countries: tuple[str, ...] = ()
    standard: str = ""


def maker(identification: str) -> str:
    """Return the maker, by the first three letters of the identification; empty if unknown."""
    return _MAKERS.get(identification[:3].upper(), "")


def model(identification: str) -> str:
    r"""Return what follows the letters and the digit for the speed: `2M550T-1012` for `ISK5\2M550T-1012`."""
    return identification[4:].lstrip("\\ ") if identification[3:4].isdigit() else identification[3:].strip("- ")


def form(telegram: Telegram) -> Form:
    """Recognise the form by the references in a telegram; those that only one country sends are checked first."""
    sent = dict(telegram.objects)
    letters = telegram.identification[:3].upper()

    def has(*references: str) -> bool:
        return all(reference in sent for reference in references)

    version = sent.get("1-3:0.2.8", [""])[0]
    for is_it, country, standard in (
        (has("0-0:96.1.4") and any(one.startswith("1-1:") for one in sent), "Switzerland", ""),
        (has("0-0:96.1.4"), "Belgium", _emucs(sent.get("0-0:96.1.4", [""])[0])),
        (letters == "FLU", "Belgium", "e-MUCS"),
        (letters == "ESO" or has("1-0:1.8.0", "1-0:13.7.0", "1-0:14.7.0", "0-0:96.1.1"), "Lithuania", ""),
        (has("0-0:96.14.1") or has("1-0:1.8.11"), "Israel", ""),
        (has("0-0:96.50.68") or has("1-0:5.8.0", "1-0:13.7.0"), "Hungary", ""),
        (letters == "LUX" or has("1-3:0.2.8", "0-0:42.0.0", "1-0:3.8.0"), "Luxembourg", "Smarty"),
        (letters in ("ESY", "EBZ", "LOG") or has("0-0:96.1.255") or has("1-0:96.1.0"), "Germany", ""),
        (version and has("1-0:4.7.0"), "Austria", ""),
        (version, "Netherlands", f"DSMR {version[0]}.{version[1:] or '0'}" if version.isdecimal() else ""),
        (has("1-0:1.8.1", "0-0:96.14.0") and not has("0-0:1.0.0"), "Netherlands", "DSMR 2.2 or 3.0"),
    ):
        if is_it:
            return Form((country,), standard)
    if has("0-0:1.0.0", "1-0:1.8.0", "1-0:3.8.0", "1-0:23.7.0") or has("0-0:1.0.0", "1-0:3.7.0", "1-0:4.8.0"):
        return Form(("Sweden", "Finland"), "HAN")
    return Form()


def _emucs(version: str) -> str:
    """Write a version such as 50217 (DSMR 5.0.2, e-MUCS 1.7) in the usual way: `e-MUCS 1.7`."""
    return f"e-MUCS {version[3]}.{version[4]}" if version.isdecimal() and len(version) == 5 else "e-MUCS"


def zones(countries: Iterable[str], of_this_computer: str) -> list[str]:
    """Return the time zones that a meter's clock may have, the most likely first."""
    known = [_ZONES[country] for country in countries]
    return list(dict.fromkeys(known or [DEFAULT_ZONE, of_this_computer, *_ZONES.values()]))


def fitting(differences_s: dict[str, float]) -> str:
    """Return the first time zone in which a meter's clock is right, or the first one if there is none.

    `differences_s`: by zone, the meter's clock minus this computer's, in s.
    """
    right = (zone for zone, difference in differences_s.items() if abs(difference) < _OFF_S)
    return next(right, next(iter(differences_s)))
