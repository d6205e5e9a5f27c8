"""Days of meter time in an hour: a cable and a bridge, both with damage, torn again and again. `make soak MINUTES=60`.

Two plugins run side by side, one at a pty, one at a TCP server. Each hears a hundred telegrams a second, ten seconds
of the meter's time apart; one in seven is damaged. Every undamaged one that is sent while the line is up has to come
out, and nothing that the meter did not say. After the first minute the memory may change by 1 MiB, and there may be
no descriptor and no thread more. `python -m tests.soak MINUTES SEED`.
"""

import io
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.fuzz import FAULTS
from tests.helpers.programs import plugin
from tests.helpers.telegrams import records

BEGIN = 1_711_756_800  # 2024-03-30T00:00Z: the clock goes forward a day later, which is after a minute and a half
STEP_S = 10
EVERY_S = 0.01
DAMAGED = 0.15
NOISY = 0.03
LONGEST_OUTAGE_S = 2.0
WARM_UP_S = 60.0
GROWTH_KIB = 1024
CHANCE = 10_000  # a CRC of 16 bits lets one of 65,536 damaged telegrams through
_BOUND_S = 20.0


class Carrier(Protocol):
    """What carries bytes to the plugin and can break."""

    source: str
    delivers: bool  # whether what was sent comes, though the line goes down right behind it

    def up(self) -> None: ...

    def send(self, data: bytes) -> None: ...

    def down(self, last: bytes, *, gently: bool) -> None: ...

    def close(self) -> None: ...


class Cable:
    """A pty whose link stands where /dev/ttyUSB0 would."""

    delivers = False

    def __init__(self, folder: Path) -> None:
        self._link = folder / "ttyUSB0"
        self._end = -1
        self.source = str(self._link)

    def up(self) -> None:
        self._end, device = pty.openpty()
        tty.setraw(device)
        self._link.symlink_to(os.ttyname(device))
        os.close(device)
        os.set_blocking(self._end, False)

    def send(self, data: bytes) -> None:
        """Write all; what nobody reads for long is an error."""
        while data:
            if not select.select([], [self._end], [], _BOUND_S)[1]:
                raise AssertionError(f"nobody has read the port for {_BOUND_S:g} s")
            with suppress(BlockingIOError):
                data = data[os.write(self._end, data) :]

    def down(self, last: bytes, *, gently: bool) -> None:  # noqa: ARG002  nobody pulls gently
        """Pull it out in mid-telegram."""
        self.send(last)
        self.close()

    def close(self) -> None:
        self._link.unlink(missing_ok=True)
        if self._end >= 0:
            os.close(self._end)
        self._end = -1


class Bridge:
    """A TCP server that hangs up."""

    delivers = True

    def __init__(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._server.settimeout(_BOUND_S)
        self._peer: socket.socket | None = None
        self.source = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

    def up(self) -> None:
        self._peer = self._server.accept()[0]
        self._peer.settimeout(_BOUND_S)

    def send(self, data: bytes) -> None:
        assert self._peer
        self._peer.sendall(data)

    def down(self, last: bytes, *, gently: bool) -> None:
        """Close it in mid-telegram, or reset it, as a bridge that lost its power does when it is back."""
        assert self._peer
        self._peer.sendall(last)
        if not gently:
            self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        if self._peer:
            self._peer.close()


class Use(NamedTuple):
    """What a process takes."""

    at_s: float
    kib: int
    descriptors: int
    threads: int


def use(process: subprocess.Popen[bytes], at_s: float) -> Use:
    proc = Path(f"/proc/{process.pid}")
    words = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return Use(at_s, int(words["VmRSS"].split()[0]), len(list((proc / "fd").iterdir())), int(words["Threads"]))


class Side:
    """A meter, what carries its telegrams, the plugin that reads them, and the account of both."""

    def __init__(self, form: str, carrier: Carrier, process: subprocess.Popen[bytes], seed: int) -> None:
        self.form, self.carrier, self.process = form, carrier, process
        self._random = Random(f"{form} {seed}")  # noqa: S311  a run has to come again from its seed
        self._meter = Meter(form, seed)
        self._now = BEGIN
        self._changed = threading.Condition()
        self._waited_for: set[str] = set()  # lines that have to come
        self._possible: set[str] = set()  # lines that may come: of telegrams with damage, or sent to a line not yet up
        self.sent = self.damaged = self.came = self.mended = self.outages = 0
        self.lost: list[str] = []
        self.wrong: list[str] = []
        self.uses: list[Use] = []

    def read_lines(self) -> None:
        """Take what the plugin writes, as Telegraf does, until it ends."""
        assert self.process.stdout
        with io.BufferedReader(self.process.stdout) as lines:  # type: ignore[type-var]
            for data in lines:
                line = data.decode().rstrip("\n")
                with self._changed:
                    if line in self._waited_for:
                        self._waited_for.remove(line)
                        self.came += 1
                    elif line in self._possible:
                        self._possible.remove(line)
                        self.mended += 1
                    elif not line.startswith("p1_stats,"):
                        self.wrong.append(line)
                    self._changed.notify_all()

    def work(self, seconds: float, outage_every_s: float) -> None:
        """Speak for so long, with an outage now and then."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self.carrier.up()
            self._settle()
            self._speak(min(end, now + outage_every_s * self._random.uniform(0.5, 1.5)))
            self._settle()
            gently = self.carrier.delivers and self._random.random() < 0.5
            for _ in range(gently * 3):
                self._send_whole(*self._next())
            half, _ = self._next()
            self.carrier.down(half[: self._random.randrange(len(half))], gently=gently)
            self.outages += 1
            time.sleep(self._random.uniform(0, LONGEST_OUTAGE_S))
        self.carrier.up()
        self._settle()

    def _next(self) -> tuple[bytes, str]:
        self._now += STEP_S
        telegram = self._meter.telegram(self._now)
        (record,) = records(telegram)
        return telegram, lineproto.line(record)

    def _speak(self, end: float) -> None:
        due = time.monotonic()
        while (now := time.monotonic()) < end:
            telegram, line = self._next()
            if self._random.random() < DAMAGED:
                with self._changed:
                    self._possible.add(line)
                self.damaged += 1
                self.carrier.send(self._harmed(telegram))
            else:
                if self._random.random() < NOISY:
                    self.carrier.send(self._random.randbytes(self._random.randrange(1, 300)))
                self._send_whole(telegram, line)
            due = max(due + EVERY_S, now - 1)  # what was held up is made up for, a second of it at most
            time.sleep(max(0.0, due - time.monotonic()))

    def _send_whole(self, telegram: bytes, line: str) -> None:
        with self._changed:
            self._waited_for.add(line)
        self.sent += 1
        self.carrier.send(telegram)

    def _harmed(self, telegram: bytes) -> bytes:
        """Flip, lose, double, insert and exchange bytes."""
        data = bytearray(telegram)
        for _ in range(self._random.choice((1, 1, 2, 3, 6))):
            self._random.choice(FAULTS)(self._random, data, [telegram])
        return bytes(data)

    def _settle(self) -> None:
        """Send until a telegram comes out, then count what had to come before it and did not."""
        end = time.monotonic() + _BOUND_S
        came = False
        while not came:
            if time.monotonic() > end:
                raise AssertionError(f"{self.carrier.source}: no record came for {_BOUND_S:g} s")
            telegram, line = self._next()
            with self._changed:
                self._possible.add(line)
            self.carrier.send(telegram)
            with self._changed:
                came = self._changed.wait_for(partial(self._has_come, line), 0.3)
        with self._changed:
            self.lost += sorted(self._waited_for)
            self._waited_for.clear()
            self._possible.clear()

    def _has_come(self, line: str) -> bool:
        return line not in self._possible

    def faults(self, warm_up_s: float, growth_kib: int) -> list[str]:
        """Say what was not as it has to be."""
        before = [use for use in self.uses if use.at_s <= warm_up_s]
        after = [use for use in self.uses if use.at_s > warm_up_s]
        changed = max((abs(use.kib - before[-1].kib) for use in after), default=0)
        found = []
        if self.lost:
            found.append(f"{len(self.lost)} telegrams are lost, such as {self.lost[0][:120]}")
        if len(self.wrong) > 1 + self.damaged // CHANCE:
            found.append(f"{len(self.wrong)} records are of no telegram, such as {self.wrong[0][:120]}")
        if changed > growth_kib:
            found.append(f"the memory changed by {changed} KiB")
        if max(use.descriptors for use in after) > max(use.descriptors for use in before):
            found.append("there are more descriptors")
        if max(use.threads for use in after) > max(use.threads for use in before):
            found.append("there are more threads")
        return [f"{self.carrier.source}: {text}" for text in found]

    def report(self, warm_up_s: float) -> str:
        first = next(use for use in reversed(self.uses) if use.at_s <= warm_up_s)
        after = [use for use in self.uses if use.at_s > warm_up_s]
        low, high = (choose(use.kib for use in after) / 1024 for choose in (min, max))
        return (
            f"{self.form} at {self.carrier.source}: {(self._now - BEGIN) / 86400:.1f} days of meter time\n"
            f"  telegrams: {self.sent} sent whole, {self.came} came, {len(self.lost)} lost; {self.damaged} damaged, "
            f"{self.mended} came all the same, {len(self.wrong)} records of none; {self.outages} outages\n"
            f"  memory: {first.kib / 1024:.2f} MiB after {warm_up_s:g} s, then {low:.2f} to {high:.2f}; "
            f"at most {max(use.descriptors for use in after)} descriptors, {max(use.threads for use in after)} threads"
        )


@contextmanager
def sides(folder: Path, seed: int) -> Iterator[list[Side]]:
    """Set up both, not yet at work."""
    with ExitStack() as stack:
        found = []
        for form, carrier in (("nl-5.0", Bridge(stack)), ("be", Cable(folder))):
            stack.callback(carrier.close)
            log = folder / f"{form}.log"
            process = stack.enter_context(plugin("run", carrier.source, "--stats", "5s", log=log))
            found.append(Side(form, carrier, process, seed))
        yield found


def soak(folder: Path, seconds: float, seed: int = 0, outage_every_s: float = 30.0) -> list[Side]:
    """Run both for so long; give their accounts."""
    troubles: list[BaseException] = []

    def guarded(side: Side) -> None:
        try:
            side.work(seconds, outage_every_s)
        except BaseException as error:  # noqa: BLE001  it is raised in the main thread
            troubles.append(error)

    with sides(folder, seed) as both:
        threads = [threading.Thread(target=side.read_lines, daemon=True) for side in both]
        workers = [threading.Thread(target=guarded, args=(side,), daemon=True) for side in both]
        for thread in threads + workers:
            thread.start()
        begun = time.monotonic()
        while any(worker.is_alive() for worker in workers):
            for side in both:
                side.uses.append(use(side.process, time.monotonic() - begun))
            time.sleep(0.5)
        for side in both:
            assert side.process.stdin
            side.process.stdin.close()
            assert side.process.wait(10) == 0
        for thread in threads:
            thread.join(10)
    if troubles:
        raise troubles[0]
    return both


def main(minutes: float, seed: int = 0) -> int:
    """Soak, and print the report; give the exit code."""
    warm_up_s = min(WARM_UP_S, minutes * 30)
    with tempfile.TemporaryDirectory() as folder:
        both = soak(Path(folder), minutes * 60, seed)
    for side in both:
        print(side.report(warm_up_s))
    faults = [fault for side in both for fault in side.faults(warm_up_s, GROWTH_KIB)]
    print(*(faults or ["all is as it has to be"]), sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), *map(int, sys.argv[2:])))
