"""A letter: a telegram on its way, with what its readers cannot know from its bytes."""

from typing import Final, NamedTuple

UNKNOWN: Final = "unknown"  # in place of a meter that does not say which it is
_NS: Final = 1_000_000_000


class Letter(NamedTuple):
    """A telegram, byte for byte as it came; when it came, in ns since 1970 (UTC)."""

    meter: str
    telegram: bytes
    received_ns: int

    def time(self) -> str:
        """Give when it came, as a message's property `time` says it: seconds since 1970, with decimals."""
        return f"{self.received_ns // _NS}.{self.received_ns % _NS:09}"
