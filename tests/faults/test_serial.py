"""What happens to a cable and to what is at its end."""

import fcntl
import os
import time

from tests.faults.matrix import PACE, Row, either, fault
from tests.helpers.cable import Cable

PART = "Serial port"


@fault(
    PART,
    "cable unplugged during a telegram, plugged in again with another device name",
    "telegrams while the cable was unplugged, and the incomplete one",
)
def test_pulled_out_and_renumbered(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    with row.plugin("run", str(cable.link)):
        row.begin()
        row.steady()
        with row.unheard():
            cable.write(row.telegram()[:400])
            cable.pull_out()
            row.wire = lambda _: None
            row.send(either(20, 120), PACE)
        cable.plug_in()
        row.wire = cable.write
        row.recovered()
        row.steady()
        row.said("connection restored")
    assert row.log().count("\n") <= 3  # gone, perhaps missing, back


@fault(PART, "port in use by another program", "what the other program read: a serial port delivers each byte once")
def test_held_by_another_program(row: Row, cable: Cable) -> None:
    with cable.link.open("rb", buffering=0) as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)  # as pyserial does
        with row.plugin("run", str(cable.link)):
            with row.unheard():

                def take(telegram: bytes) -> None:
                    cable.write(telegram)
                    holder.read(65536)

                row.wire = take
                row.said("port in use by another program")
                row.said("ser2net")
                row.send(either(10, 60), PACE)
            fcntl.flock(holder, fcntl.LOCK_UN)
            row.wire = cable.write
            row.recovered()
            row.steady()


@fault(PART, "no data for longer than `?timeout=`: the port is reopened")
def test_silent(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    with row.plugin("run", f"{cable.link}{either('?timeout=1s', '')}"):
        row.begin()
        row.steady()
        row.said("retrying", seconds=90)
        time.sleep(0.1)
        row.steady()


@fault(PART, "slow line (9600 baud): a telegram takes a second")
def test_slow(row: Row, cable: Cable) -> None:
    def dribble(telegram: bytes) -> None:
        for start in range(0, len(telegram), 96):
            cable.write(telegram[start : start + 96])
            time.sleep(either(0.02, 0.1))

    row.wire = cable.write
    with row.plugin("run", str(cable.link)):
        row.begin()
        row.wire = dribble
        row.steady(either(5, 60))


@fault(
    PART,
    "adapter hangs until the port is reopened after `?timeout=`",
    "telegrams that the adapter did not pass on",
)
def test_stuck(row: Row, cable: Cable) -> None:
    row.wire = cable.write
    with row.plugin("run", f"{cable.link}{either('?timeout=1s', '')}"):
        row.begin()
        row.steady()
        silent = cable.end  # stays open, and gives nothing
        cable.link.unlink()
        cable.plug_in()
        with row.unheard():
            while "retrying" not in row.log():
                row.send(1, PACE)
        row.recovered()
        row.steady()
        os.close(silent)
