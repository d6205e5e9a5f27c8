"""A simulated meter: writes what a house measures into telegrams of a national form."""

from random import Random

from telegraf_p1.crc import checksum
from telegraf_p1.keys import Keys
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.encrypted import encrypted
from telegraf_p1.simulator.house import House
from telegraf_p1.simulator.living import Equipment


class Meter(House):
    """One meter. `form` is one of FORMS; everything else follows from `seed`, `equipment` and the times.

    With `keys` it encrypts its telegrams.
    """

    def __init__(
        self, form: str = "nl-5.0", seed: int = 1, equipment: Equipment | None = None, keys: Keys | None = None
    ) -> None:
        random = Random(f"{form} {seed}")  # noqa: S311  not used for secrets
        super().__init__(random, 1_000_000_000 + seed, equipment or Equipment())
        self._form = FORMS[form]
        self._keys = keys
        self._counter = 0  # of frames; also grows across a restart

    def telegram(self, now: int) -> bytes:
        """Simulate until `now` (UTC, s since 1970; not before the time of the last call); return a telegram."""
        self.live(now)
        body = "\r\n".join(self._form.lines(self)).encode("ascii") + b"\r\n!"
        plain = b"%b%04X\r\n" % (body, checksum(body)) if self._form.has_crc else body + b"\r\n"
        if not self._keys:
            return plain
        self._counter = max(self._counter + 1, now)
        return encrypted(plain, self._keys, self._counter)
