"""Many meters in a process of their own, exactly paced: `python -m benchmarks.publisher '{…}'`, see `Publisher`.

With MQTT, each meter has its own connection, as devices have. It publishes as `telegraf-p1 forward` does: MQTT 5, QoS
1, a user property `time`. The client is our own, since paho's is slower than the broker. Only what was acknowledged
counts as published. A file has the time at which each telegram was sent (CLOCK_MONOTONIC, ns; 0: not acknowledged).
"""

import json
import select
import socket
import subprocess
import sys
import time
from array import array
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks.crowd import Crowd
from benchmarks.results import ROOT

HELLO: Final = b"\x10%c\x00\x04MQTT\x05\x02\x00\x00\x00\x00%c%b"  # CONNECT of MQTT 5: a clean start, no keep-alive
_NUMBERS: Final = 65_535  # packet numbers
_LAST_S: Final = 120  # for the last acknowledgements
_LAPSE_S: Final = 0.001
# When it sends as fast as the broker accepts: connections, and how many packets may be unacknowledged.
_CONNECTIONS: Final = 20
_UNANSWERED: Final = {"mqtt": 1000, "kafka": 50_000}
_AT_ONCE: Final = 100  # packets sent before it looks for acknowledgements again
_FAILED: Final = 0x80


@dataclass(frozen=True)
class Plan:
    """What is published: `count` telegrams, `rate` per second (0: as fast as the broker accepts them), to a URL."""

    url: str
    meters: int
    interval: int
    count: int
    rate: float
    sent: str  # name of the file with the times


class Carrier(Protocol):
    """A client of a broker. `acknowledged` is 1 for each telegram that was acknowledged; `answered` counts these."""

    acknowledged: bytearray
    answered: int

    def send(self, number: int, meter: int, telegram: bytes) -> None:
        """Send a telegram of a meter."""

    def serve(self, seconds: float) -> None:
        """Take acknowledgements for so long, or until there are some."""

    def close(self) -> None:
        """Leave."""


class MqttCarrier:
    """Connections to a broker: one for each meter, or a few if only speed matters."""

    def __init__(self, port: int, count: int, connections: int) -> None:
        self.acknowledged, self.answered = bytearray(count), 0
        self._peers: list[socket.socket] = []
        self._last: list[int] = []  # by connection: its last turn
        self._epoll = select.epoll()
        self._by_descriptor: dict[int, int] = {}
        self._rest: dict[int, bytes] = {}
        for number in range(connections):
            peer = socket.create_connection(("127.0.0.1", port))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = b"meter-%d" % number
            peer.sendall(HELLO % (13 + len(name), len(name), name))
            assert peer.recv(256)[3] == 0, "the broker refuses a meter"
            self._peers.append(peer)
            self._last.append(0)
            self._by_descriptor[peer.fileno()] = number
            self._epoll.register(peer, select.EPOLLIN)

    def send(self, number: int, meter: int, telegram: bytes) -> None:
        """Send a telegram; the packet number comes from its turn, so that an acknowledgement tells which it was."""
        turn, peer = divmod(number, len(self._peers))
        topic = b"p1/%d/raw" % meter
        now = b"%.3f" % time.time()
        tail = b"%c&\x00\x04time%c%c%b" % (9 + len(now), *divmod(len(now), 256), now)
        body = b"%c%c%b%c%c%b%b" % (*divmod(len(topic), 256), topic, *divmod(turn % _NUMBERS + 1, 256), tail, telegram)
        self._last[peer] = turn
        self._peers[peer].sendall(b"\x32%b%b" % (_length(len(body)), body))

    def serve(self, seconds: float) -> None:
        """Take the acknowledgements that are there."""
        for descriptor, _ in self._epoll.poll(seconds, 256):
            peer = self._by_descriptor[descriptor]
            data = self._rest.pop(descriptor, b"") + self._peers[peer].recv(65536)
            assert data, "the broker has hung up"
            self._answers(peer, descriptor, data)

    def _answers(self, peer: int, descriptor: int, data: bytes) -> None:
        at = 0
        while at + 1 < len(data) and (end := at + 2 + data[at + 1]) <= len(data):
            if data[at] == 0x40 and (data[at + 1] < 3 or data[at + 4] < _FAILED):
                turn = (
                    self._last[peer] - (self._last[peer] + 1 - int.from_bytes(data[at + 2 : at + 4], "big")) % _NUMBERS
                )
                self.acknowledged[turn * len(self._peers) + peer] = 1
                self.answered += 1
            at = end
        if at < len(data):
            self._rest[descriptor] = data[at:]

    def close(self) -> None:
        """Disconnect."""
        for peer in self._peers:
            peer.close()


class KafkaCarrier:
    """A producer like that of `telegraf-p1 forward`; the key of a message is its meter's topic."""

    def __init__(self, servers: str, topic: str, count: int) -> None:
        from confluent_kafka import Producer

        self.acknowledged, self.answered = bytearray(count), 0
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "log_level": 0,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "delivery.timeout.ms": _LAST_S * 1000,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def send(self, number: int, meter: int, telegram: bytes) -> None:
        """Hand a telegram to the producer."""

        def delivered(error: object, _: object, number: int = number) -> None:
            if error is None:
                self.acknowledged[number] = 1
                self.answered += 1

        headers: Any = [("time", b"%.3f" % time.time())]
        key = b"p1/%d/raw" % meter
        while True:
            try:
                self._producer.produce(self._topic, telegram, key, headers=headers, on_delivery=delivered)
            except BufferError:
                self._producer.poll(_LAPSE_S)
            else:
                return

    def serve(self, seconds: float) -> None:
        """Take acknowledgements."""
        self._producer.poll(seconds)

    def close(self) -> None:
        """Leave."""
        self._producer.flush(1)


class Publisher:
    """The process, and its report at the end."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        command = [sys.executable, "-m", "benchmarks.publisher", json.dumps(asdict(plan))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"

    def begin(self) -> None:
        """Let the meters send."""
        assert self.process.stdin
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> tuple[dict[str, float], "array[int]"]:
        """Wait for its end; return its report, and when each telegram was sent."""
        out, _ = self.process.communicate()
        assert self.process.returncode == 0
        sent = array("q")
        sent.frombytes(Path(self._plan.sent).read_bytes())
        return json.loads(out), sent

    def stop(self) -> None:
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _length(length: int) -> bytes:
    return bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])


def _carrier(plan: Plan) -> Carrier:
    scheme, _, rest = plan.url.partition("://")
    host, _, topic = rest.partition("/")
    if scheme == "kafka":
        return KafkaCarrier(host, topic, plan.count)
    return MqttCarrier(int(host.rpartition(":")[2]), plan.count, plan.meters if plan.rate else _CONNECTIONS)


def _publish(plan: Plan, carrier: Carrier, crowd: Crowd) -> tuple["array[int]", float]:
    """Send everything; return when each telegram was sent, and the longest delay behind the schedule (s)."""
    sent, number, late = array("q", bytes(8 * plan.count)), 0, 0.0
    begun, most = time.monotonic(), _UNANSWERED[plan.url.partition(":")[0]]
    while number < plan.count:
        if plan.rate:
            passed = time.monotonic() - begun
            due = min(plan.count, int(passed * plan.rate))
            late = max(late, passed - (number + 1) / plan.rate)
        else:
            due = min(plan.count, carrier.answered + most)
        while number < due:
            end = min(due, number + _AT_ONCE)
            for one in range(number, end):
                telegram, sent[one] = crowd.telegram(one), time.monotonic_ns()
                carrier.send(one, one % plan.meters, telegram)
            number = end
            carrier.serve(0)
        carrier.serve(_LAPSE_S)
    return sent, late


def main() -> None:
    """Publish what the plan on the command line says."""
    plan = Plan(**json.loads(sys.argv[1]))
    crowd, carrier = Crowd(plan.meters, plan.interval), _carrier(plan)
    print("ready", flush=True)
    sys.stdin.readline()
    used, begun = time.process_time(), time.monotonic()
    sent, late = _publish(plan, carrier, crowd)
    took, used = time.monotonic() - begun, time.process_time() - used
    end = time.monotonic() + _LAST_S
    while carrier.answered < plan.count and time.monotonic() < end:
        carrier.serve(0.1)
    carrier.close()
    for number, is_acknowledged in enumerate(carrier.acknowledged):
        sent[number] *= is_acknowledged
    Path(plan.sent).write_bytes(sent.tobytes())
    print(json.dumps({"count": carrier.answered, "took_s": took, "cpu_s": used, "late_s": late}))


if __name__ == "__main__":
    main()
