"""The cost of many meters over a real mosquitto: how fast waiting telegrams are read, and a thousand meters live.

.venv/bin/python benchmarks/many_meters.py [TELEGRAMS]

Telegrams of a thousand meters wait at the broker (QoS 1), and one, two or four plugins read them; several plugins share
them (`?share=`). None may be lost. Publisher, broker, plugins and the reader of their lines share this computer.
"""

import select
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.parts import QUIET, Reader, mebibytes, seconds_on_cpu
from telegraf_p1.simulator.meter import Meter
from tests.helpers.fake_broker import publish
from tests.helpers.mosquitto import Mosquitto
from tests.helpers.programs import PLUGIN, plugin, program, wait_until
from tests.helpers.telegrams import START

METERS = 1000
LIVE_S = 20
UNANSWERED = 1000  # packets of the publisher that may be unacknowledged
HELLO = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01p"  # CONNECT in 3.1.1, client id `p`


def packets(count: int) -> list[bytes]:
    """Make PUBLISH packets: a telegram of each meter, then the next of each."""
    meters = [Meter(seed=seed) for seed in range(METERS)]
    return [
        publish(b"p1/%d/raw" % (n % METERS), meters[n % METERS].telegram(START + n // METERS), n % 65_535 + 1)
        for n in range(count)
    ]


def publish_all(port: int, data: list[bytes]) -> None:
    """Send them as fast as the broker takes them, with our own client: paho's is slower than the broker."""
    with socket.create_connection(("127.0.0.1", port)) as broker:
        broker.sendall(HELLO)
        assert broker.recv(4) == b"\x20\x02\x00\x00"
        sent = answered = 0
        while answered < len(data) * 4:
            if sent < len(data) and sent - answered // 4 < UNANSWERED:
                broker.sendall(b"".join(data[sent : sent + 100]))
                sent += 100
            if sent >= len(data) or select.select([broker], [], [], 0)[0] or sent - answered // 4 >= UNANSWERED:
                answered += len(broker.recv(65536))


def drain(data: list[bytes], count: int) -> None:
    """Let telegrams wait for `count` plugins that share them; print a row of the table."""
    share = "?share=g&" if count > 1 else "?"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(folder, *QUIET).start()
        stack.callback(broker.stop)

        def start() -> list[subprocess.Popen[bytes]]:
            sources = [broker.url(f"p1/+/raw{share}client=reader-{n}") for n in range(count)]
            return [stack.enter_context(plugin("run", url, log=folder / f"log{n}")) for n, url in enumerate(sources)]

        for process in start():
            time.sleep(1.5)  # subscribed: from now on the broker stores what comes
            process.terminate()
            process.wait(10)
        publish_all(broker.port, data)
        processes = start()
        readers = [Reader(process) for process in processes]
        wait_until(lambda: any(reader.count for reader in readers), "the first telegram")
        before = sum(reader.count for reader in readers)
        cpu, of_broker, of_readers = seconds_on_cpu(*processes), seconds_on_cpu(broker.process), process_time()
        begun = time.monotonic()
        wait_until(lambda: sum(reader.count for reader in readers) >= len(data), "all telegrams", 60)
        took = time.monotonic() - begun
        read = sum(reader.count for reader in readers) - before
        used, of_readers = seconds_on_cpu(*processes) - cpu, process_time() - of_readers
        of_broker = seconds_on_cpu(broker.process) - of_broker
        memory = mebibytes(*processes)
        time.sleep(0.5)
        lines = [line for reader in readers for line in reader.data().splitlines()]
    assert len(set(lines)) == len(data), f"{len(data) - len(set(lines))} telegrams are missing"
    shares = " | ".join(f"{share / took * 100:.0f} %" for share in (used, of_broker, of_readers))
    print(
        f"| {count} | {read / took:,.0f} | {used / read * 1e6:.0f} µs | {shares} | {memory:.0f} MiB | "
        f"{len(lines) - len(data)} |",
        flush=True,
    )


def live() -> None:
    """Let the meters send once a second."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(folder, *QUIET).start()
        stack.callback(broker.stop)
        process = stack.enter_context(plugin("run", broker.url("p1/+/raw"), log=folder / "log"))
        reader = Reader(process)
        stack.enter_context(program([*PLUGIN, "simulate", broker.url("p1/{n}/raw"), "--meters", str(METERS)]))
        time.sleep(5)
        lines, cpu, begun = reader.count, seconds_on_cpu(process), time.monotonic()
        time.sleep(LIVE_S)
        took = time.monotonic() - begun
        rate, share = (reader.count - lines) / took, (seconds_on_cpu(process) - cpu) / took
        print(
            f"\nOne plugin, {METERS:,} meters that send once a second: {rate:.0f} records a second, "
            f"{share * 100:.1f} % of a core, {mebibytes(process):.0f} MiB of memory."
        )


def main(telegrams: int) -> None:
    data = packets(telegrams)
    print(f"{telegrams:,} telegrams of {METERS:,} meters wait in mosquitto. Plugins that share the topics read them:\n")
    print(
        "| plugins | telegrams/s | CPU per telegram | of a core: plugins | broker | reader of the lines "
        "| memory of a plugin, at most | duplicates |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for count in (1, 2, 4):
        drain(data, count)
    live()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
