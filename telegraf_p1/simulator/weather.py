"""The weather for simulated houses: the same for all of them, calculated from the date alone.

- Temperature: the season (3 °C in January, 19 °C in July), warm and cold weeks, and differences from day to day.
- Clouds: clear, broken and grey days; within a day they change every ten minutes.
- Sun: its height at 52° N, and the light on panels that face south, tilted by 35°.
"""

import math
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

_DAY_S: Final = 86400
_CELL_S: Final = 600  # time in which a cloud comes or goes
_LATITUDE: Final = math.radians(52.1)
_TILTED: Final = math.radians(52.1 - 35)  # tilted panels see the sun as flat ones do at this latitude
_NOON_S: Final = 12 * 3600 - 20 * 60  # UTC at 5° E


class Weather(NamedTuple):
    """A day (UTC): mean temperature in °C, the sun's declination, and per cell the share of light that gets through."""

    celsius: float
    declination: float
    light: tuple[float, ...]

    def sun(self, now: int) -> float:
        """Return what panels produce at a time of this day (UTC, s since 1970), as a share of their peak power."""
        second = now % _DAY_S
        cosine = math.cos((second - _NOON_S) / _DAY_S * 2 * math.pi)
        sine, level = math.sin(self.declination), math.cos(self.declination) * cosine
        height = math.sin(_LATITUDE) * sine + math.cos(_LATITUDE) * level
        onto = math.sin(_TILTED) * sine + math.cos(_TILTED) * level
        if height <= 0 or onto <= 0:
            return 0.0
        clear = 0.82 * onto * (1 - math.exp(-3.2 * height))
        cell, part = divmod(second, _CELL_S)
        return clear * (self.light[cell] + (self.light[cell + 1] - self.light[cell]) * part / _CELL_S)

    def daylight_h(self) -> float:
        """Return the hours from sunrise to noon."""
        return math.degrees(math.acos(-math.tan(_LATITUDE) * math.tan(self.declination))) / 15


@lru_cache(8)
def weather(day: int) -> Weather:
    """Return the weather of a day; days are counted from 1970 on."""
    season = (day - 20) % 365.25 / 365.25 * 2 * math.pi  # 0 when it is coldest
    celsius = 10.8 - 7.8 * math.cos(season) + 2.6 * _drift("warm", day, 6) + 1.2 * _drift("mild", day, 1)
    declination = -math.radians(23.44) * math.cos((day + 10) % 365.25 / 365.25 * 2 * math.pi)
    grey = 0.62 + 0.17 * math.cos(season) + 0.26 * _drift("grey", day, 2) + 0.13 * _drift("dull", day, 1)
    random = Random(f"clouds {day}")  # noqa: S311  not used for secrets
    thick = (1.6 * grey - 0.45 + 0.9 * (random.random() - 0.5) for _ in range(_DAY_S // _CELL_S + 1))
    return Weather(celsius, declination, tuple(1 - 0.85 * min(1.0, max(0.0, one)) for one in thick))


def _drift(name: str, day: int, days: int) -> float:
    """Return a number around 0, with a standard deviation of about 1, that drifts to another within `days`."""
    at, part = divmod(day, days)
    return _gauss(name, at) + (_gauss(name, at + 1) - _gauss(name, at)) * part / days


@lru_cache(64)
def _gauss(name: str, number: int) -> float:
    return Random(f"{name} {number}").gauss(0, 1)  # noqa: S311
