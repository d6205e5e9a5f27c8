"""Durations as a user writes them, in an option or a URL: `60s`, `1m`, `500ms`, or a number of seconds."""

from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S: Final = 1e9


def seconds(text: str, least: float = 0.0) -> float:
    """Return a duration in seconds; raise ValueError if the text is not one, or under `least` (s)."""
    number = text.rstrip("mhsd")
    unit = text[len(number) :] or "s"
    try:
        value = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        value = float("nan")
    if not least <= value <= _LONGEST_S:
        raise ValueError(
            f"{text!r} must be a time such as 60s, 1m or 500ms" + (f", at least {least:g}s" if least else "")
        )
    return value
