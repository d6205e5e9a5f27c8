"""The settings of a serial line, for sources that set one up."""

from typing import Final

from telegraf_p1.url import Url, UsageError, number

# Speed and format of P1 ports, the most usual first: DSMR 4 and later; DSMR 2.2 and 3.0; those of few meters.
USUAL: Final = (("115200", "8N1"), ("9600", "7E1"), ("115200", "7E1"), ("9600", "8N1"))

SPEEDS: Final = tuple(dict.fromkeys(speed for speed, _ in USUAL))

# Removes the parity bit from each character: `data.translate(SEVEN_BITS)`.
SEVEN_BITS: Final = bytes(byte & 0x7F for byte in range(256))


class Line:
    """A speed and a format such as `8N1`: data bits, parity, stop bits."""

    def __init__(self, url: Url, baudrate: str, line_format: str) -> None:
        """Raise UsageError for a speed or a format that is not valid."""
        data_bits, parity, stop_bits = line_format[:1], line_format[1:2].upper(), line_format[2:]
        if not (data_bits in ("7", "8") and parity in ("N", "E", "O") and stop_bits in ("1", "2")):
            raise UsageError(f"source {url.text!r}: format={line_format!r} must be 8N1, 7E1 or the like")
        self._has_seven_bits = data_bits == "7"
        self.speed = int(number(url, "baudrate", baudrate, 50))
        self.byte_s = (1 + int(data_bits) + (parity != "N") + int(stop_bits)) / self.speed
        # pyserial's arguments
        self.settings: dict[str, object] = {
            "baudrate": self.speed,
            "bytesize": int(data_bits),
            "parity": parity,
            "stopbits": int(stop_bits),
        }

    def characters(self, data: bytes) -> bytes:
        """Return the characters of received bytes: not every driver removes the parity bit."""
        return data.translate(SEVEN_BITS) if self._has_seven_bits else data


def request_line(url: Url, value: str) -> str:
    """Return the line that asks the meter for telegrams, `rts` or `dtr`; empty if both are raised all the time."""
    if value not in ("always", "rts", "dtr"):
        raise UsageError(f"source {url.text!r}: request={value!r} must be always, rts or dtr")
    return "" if value == "always" else value
