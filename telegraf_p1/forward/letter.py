"""A letter: a telegram to be forwarded, with what is not in its bytes."""

from typing import Final, NamedTuple

UNKNOWN: Final = "unknown"  # for a meter that sends no identifier
_NS: Final = 1_000_000_000


class Letter(NamedTuple):
    """A telegram, byte for byte as received; the identifier of its meter; when it was received (UTC, ns since 1970)."""

    meter: str
    telegram: bytes
    received_ns: int

    def time(self) -> str:
        """Return when it was received, as in a message's property `time`: seconds since 1970, with decimals."""
        return f"{self.received_ns // _NS}.{self.received_ns % _NS:09}"
