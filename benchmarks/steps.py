"""Where the fast way spends its time: µs of each step, for a telegram of each of three forms.

python -m benchmarks.steps
"""

import time
import timeit
from collections.abc import Callable

from benchmarks.telegrams import FORMS
from telegraf_p1.crc import checksum
from telegraf_p1.decode import Memory, decode
from telegraf_p1.shape_learner import learn
from telegraf_p1.shapes import Shapes
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone

PASSES, ROUNDS = 5000, 5


def microseconds(step: Callable[[], object]) -> float:
    """Return the least CPU time of some rounds."""
    return min(timeit.repeat(step, timer=time.process_time, number=PASSES, repeat=ROUNDS)) / PASSES * 1e6


def main() -> None:
    print(f"{'':12}" + "".join(f"{name:>10}" for name in ("pattern", "groups", "CRC", "texts", "template", "all")))
    for form in FORMS:
        frame = Meter(form).telegram(1_700_000_000).rstrip()
        telegram = parse(frame)
        shapes = Shapes(Zone(), "p1")
        learn(shapes, frame, telegram, decode(telegram, 0, Memory(Zone())))
        (shape,) = shapes._shapes  # noqa: SLF001  its steps are measured
        match = shape.pattern.match(frame)
        assert match
        _, _, _, *found = match.group(*shape.groups)
        remembered = [(shapes._part, text, found[at]) for at, text in shape.texts]  # noqa: SLF001
        for at in shape.times:
            found[at] = 0
        values = (b"", b"", *found, 0)
        steps: list[Callable[[], object]] = [
            lambda frame=frame, shape=shape: shape.pattern.match(frame),  # type: ignore[misc]
            lambda match=match, shape=shape: match.group(*shape.groups),  # type: ignore[misc]
            lambda frame=frame: b"%04X" % checksum(frame[:-4]),  # type: ignore[misc]
            lambda remembered=remembered: [part(text, piece) for part, text, piece in remembered],  # type: ignore[misc]
            lambda shape=shape, values=values: shape.template % values,  # type: ignore[misc]
            lambda frame=frame, shapes=shapes: shapes.record(frame, 0, b""),  # type: ignore[misc]
        ]
        print(f"{form:12}" + "".join(f"{microseconds(step):10.2f}" for step in steps))


if __name__ == "__main__":
    main()
