"""What happens to a TCP bridge, and on the way to it."""

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from tests.faults.matrix import PACE, Row, either, fault
from tests.helpers.cable import Cable
from tests.helpers.programs import answers, component, free_port, program, wait_until

PART = "TCP"


class Bridge:
    """A bridge that listens to one reader at a time, and parts from it as it is told to."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.settimeout(20)
        self.port: int = self._server.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        self._readers: list[socket.socket] = []

    def accept(self) -> None:
        self._readers.append(self._server.accept()[0])
        self.send(b"a banner\r\n\0")

    def send(self, telegram: bytes) -> None:
        self._readers[-1].sendall(telegram)

    def close(self) -> None:
        """Part with a FIN."""
        self._readers.pop().close()

    def reset(self) -> None:
        """Part with an RST."""
        self._readers[-1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def end(self) -> None:
        self._server.close()
        for reader in self._readers:
            reader.close()


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    bridge = Bridge()
    yield bridge
    bridge.end()


class Ser2net:
    """A real ser2net between a cable and TCP."""

    def __init__(self, folder: Path, cable: Cable) -> None:
        self.port = free_port()
        self.url = f"tcp://127.0.0.1:{self.port}"
        settings = folder / "ser2net.yaml"
        settings.write_text(
            f"connection: &raw\n  accepter: tcp,127.0.0.1,{self.port}\n"
            f"  connector: serialdev,{cable.device},115200n81,local\n  options:\n    kickolduser: true\n"
        )
        self._command = [component("ser2net"), "-n", "-u", "-c", str(settings)]

    @contextmanager
    def running(self) -> Iterator[Popen[bytes]]:
        with program(self._command, stderr=DEVNULL) as process:
            wait_until(lambda: answers(self.port), "ser2net")
            yield process


@fault(PART, "bridge closes the connection (FIN)", "the incomplete telegram")
def test_closed(row: Row, bridge: Bridge) -> None:
    _parts(row, bridge, bridge.close)


@fault(PART, "bridge resets the connection (RST)", "the incomplete telegram")
def test_reset(row: Row, bridge: Bridge) -> None:
    _parts(row, bridge, bridge.reset)


def _parts(row: Row, bridge: Bridge, part: Callable[[], None]) -> None:
    row.wire = bridge.send
    with row.plugin("run", bridge.url):
        bridge.accept()
        for _ in range(either(3, 10)):
            row.steady()
            with row.unheard():
                bridge.send(row.telegram()[:400])
                time.sleep(PACE)
                part()
            begun = time.monotonic()
            bridge.accept()
            row.steady(1)
            row.took(begun)
        row.said("connection restored")


@fault(
    PART,
    "half-open connection: the bridge lost power; reconnect after `?timeout=`",
    "telegrams until the reconnect: the bridge did not send them",
    within=40,
)
def test_half_open(row: Row, bridge: Bridge) -> None:
    row.wire = bridge.send
    with row.plugin("run", f"{bridge.url}{either('?timeout=1s', '')}"):
        bridge.accept()
        row.steady()
        begun = time.monotonic()
        with row.unheard():
            row.wire = lambda _: None
            while "retrying" not in row.log():
                row.send(1, PACE)
        bridge.accept()
        row.wire = bridge.send
        row.steady(1)
        row.took(begun)
        row.steady()


@fault(
    PART,
    "ser2net suspended (SIGSTOP) for longer than `?timeout=`",
    "telegrams meanwhile, except for those in the buffers of ser2net's computer",
    within=40,
)
def test_frozen(row: Row, cable: Cable) -> None:
    ser2net = Ser2net(row.folder, cable)
    row.wire = cable.write_at_once
    with ser2net.running() as process, row.plugin("run", f"{ser2net.url}{either('?timeout=1s', '')}"):
        row.begin()
        row.steady()
        process.send_signal(signal.SIGSTOP)
        with row.unheard():
            end = time.monotonic() + either(2.5, 120.0)
            while time.monotonic() < end:
                row.send(1, PACE)
        process.send_signal(signal.SIGCONT)
        row.recovered()
        row.steady()


@fault(PART, "ser2net stopped and restarted", "telegrams while ser2net was stopped")
def test_restarted(row: Row, cable: Cable) -> None:
    ser2net = Ser2net(row.folder, cable)
    row.wire = cable.write_at_once
    with ExitStack() as stack:
        with ser2net.running():
            stack.enter_context(row.plugin("run", ser2net.url))
            row.begin()
            row.steady()
        with row.unheard():
            row.send(either(10, 60), PACE)
        stack.enter_context(ser2net.running())
        row.recovered()
        row.steady()


@fault(
    PART, "another client of ser2net disconnects the plugin again and again", "what ser2net sent to the other client"
)
def test_kicked_out(row: Row, cable: Cable) -> None:
    ser2net = Ser2net(row.folder, cable)
    row.wire = cable.write_at_once
    with ser2net.running(), row.plugin("run", ser2net.url):
        row.begin()
        for _ in range(either(5, 20)):
            row.steady(3)
            with socket.create_connection(("127.0.0.1", ser2net.port)) as other, row.unheard():
                while not select.select([other], [], [], PACE)[0]:  # until then they are ours
                    row.send()
            row.recovered()


@fault(PART, "the name of the bridge cannot be resolved at first")
def test_a_name_that_appears_later(row: Row, bridge: Bridge) -> None:
    hosts = row.folder / "hosts"
    hosts.write_text("")
    os.utime(hosts, (0, 0))  # it is read again when that is another second
    wrapper = {"LD_PRELOAD": component("libnss_wrapper"), "NSS_WRAPPER_HOSTS": str(hosts)}
    row.wire = bridge.send
    with row.plugin("run", f"tcp://p1-bridge:{bridge.port}", env=wrapper):
        row.said("E! ")
        time.sleep(either(0, 120))
        hosts.write_text("127.0.0.1 p1-bridge\n")
        begun = time.monotonic()
        bridge.accept()
        row.steady(1)
        row.took(begun)
        row.steady()
