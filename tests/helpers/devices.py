"""What a source of each kind reads, set up for a test: a cable, a bridge, a broker, a device, a file."""

import os
import pty
import socket
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from paho.mqtt import publish
from websockets.sync.client import connect

from tests.helpers.datalogger import post_telegram
from tests.helpers.mosquitto import Mosquitto
from tests.helpers.programs import answers, component, free_port, program, wait_until
from tests.helpers.web_device import Device, running
from tests.helpers.websocket_device import WebSocketDevice, listening


@dataclass
class Stand:
    """The URL of a source, and the device on its other side.

    The device can send a telegram, go away for good, or disconnect its reader and wait until that reconnects.
    """

    url: str
    send: Callable[[bytes], None]
    go_away: Callable[[], None]
    leave: Callable[[], None] = lambda: None


@contextmanager
def serial(_folder: Path) -> Iterator[Stand]:
    """A pty in place of a cable."""
    end, device = pty.openpty()
    tty.setraw(device)
    name = os.ttyname(device)
    with ExitStack() as stack:
        stack.callback(os.close, end)
        stack.callback(os.close, device)

        def pull_out() -> None:
            stack.close()

        yield Stand(name, lambda telegram: _write(end, telegram), pull_out)


@contextmanager
def auto(folder: Path) -> Iterator[Stand]:
    """The only port in the folder; its name disappears with the cable."""
    link = folder / "ttyAuto"
    with serial(folder) as cable:
        link.symlink_to(cable.url)

        def pull_out() -> None:
            link.unlink()
            cable.go_away()

        yield Stand(f"auto:{link}", cable.send, pull_out)


def _write(descriptor: int, data: bytes) -> None:
    os.write(descriptor, data)


@contextmanager
def tcp(_folder: Path) -> Iterator[Stand]:
    """A bridge that takes one reader at a time."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server.settimeout(20)
        peers = stack.enter_context(ExitStack())
        reader: list[socket.socket] = []

        def send(telegram: bytes) -> None:
            if not reader:
                reader.append(peers.enter_context(server.accept()[0]))
            reader[0].sendall(telegram)

        def leave() -> None:
            peers.close()
            reader.clear()

        yield Stand(f"tcp://127.0.0.1:{server.getsockname()[1]}", send, stack.close, leave)


@contextmanager
def rfc2217(folder: Path) -> Iterator[Stand]:
    """A ser2net in telnet mode, with a pty as its port."""
    port, settings = free_port(), folder / "ser2net.yaml"
    with serial(folder) as cable, ExitStack() as stack:
        settings.write_text(
            f"connection: &telnet\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n"
            f"  connector: serialdev,{cable.url},115200n81,local\n"
        )
        ser2net = [component("ser2net"), "-n", "-u", "-c", str(settings)]
        stack.enter_context(program(ser2net, stderr=subprocess.DEVNULL))
        wait_until(lambda: answers(port), "ser2net")
        yield Stand(f"rfc2217://127.0.0.1:{port}?ign_set_control", cable.send, stack.close)


@contextmanager
def mqtt(folder: Path) -> Iterator[Stand]:
    """A mosquitto, and a device that publishes one telegram per message."""
    broker = Mosquitto(folder).start()

    def send(telegram: bytes) -> None:
        publish.single("p1/home/raw", telegram, qos=1, hostname="127.0.0.1", port=broker.port)

    try:
        yield Stand(broker.url("p1/+/raw"), send, broker.stop)
    finally:
        broker.stop()


@contextmanager
def http(_folder: Path) -> Iterator[Stand]:
    """A web server that answers with the last telegram."""
    device = Device()
    with ExitStack() as stack:
        stack.enter_context(running(device))
        yield Stand(f"{device.url}?every=100ms", device.show, stack.close)


@contextmanager
def websocket(_folder: Path) -> Iterator[Stand]:
    """A dongle that sends each telegram to its client."""
    device = WebSocketDevice()
    with ExitStack() as stack:
        stack.enter_context(listening(device))
        with connect(device.url):
            pass  # after its first client, it has opened all descriptors that it needs

        def leave() -> None:
            wait_until(lambda: not device.clients, "the server to notice")

        leave()
        yield Stand(device.url, device.send, stack.close, leave)


@contextmanager
def http_listen(_folder: Path) -> Iterator[Stand]:
    """A datalogger that posts its telegrams to us; what can go away is the port that we listen on."""
    port = free_port()
    with ExitStack() as stack:

        def send(telegram: bytes) -> None:
            thread = threading.Thread(target=post_telegram, args=(port, telegram))  # it waits for the answer
            thread.start()
            stack.callback(thread.join)

        def go_away() -> None:
            stack.enter_context(socket.create_server(("127.0.0.1", port)))

        yield Stand(f"http-listen://127.0.0.1:{port}", send, go_away)


STANDS = {
    "serial_port": serial,
    "auto": auto,
    "tcp": tcp,
    "rfc2217": rfc2217,
    "mqtt": mqtt,
    "http_get": http,
    "websocket": websocket,
    "http_listen": http_listen,
}
