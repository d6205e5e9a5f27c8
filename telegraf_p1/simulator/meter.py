"""A meter that speaks: the house in the words of a national form."""

from random import Random

from telegraf_p1.crc import checksum
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.house import House


class Meter(House):
    """One meter. `form` is one of FORMS; everything else follows from `seed` and the times."""

    def __init__(self, form: str = "nl-5.0", seed: int = 1) -> None:
        super().__init__(Random(f"{form} {seed}"), 1_000_000_000 + seed)  # noqa: S311  no secret is made of it
        self._form = FORMS[form]

    def telegram(self, now: int) -> bytes:
        """Live until `now` (UTC, s since 1970; not before the time of the last call), then speak."""
        self.live(now)
        body = "\r\n".join(self._form.lines(self)).encode("ascii") + b"\r\n!"
        return b"%b%04X\r\n" % (body, checksum(body)) if self._form.has_crc else body + b"\r\n"
