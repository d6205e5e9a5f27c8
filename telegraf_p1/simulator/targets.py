"""`telegraf-p1 simulate TARGET`: simulated meters, each with the device that TARGET stands for.

`-` (stdout), `pty:/tmp/ttyP1`, `tcp-listen://127.0.0.1:2000`, `http-listen://127.0.0.1:8080`,
`mqtt://127.0.0.1/p1/{n}/raw`, `p0:pty:/tmp/ttyP0` (an optical port: sends when it is asked).
With several meters `{n}` in the target is the number of the meter.
"""

import contextlib
import itertools
import os
import pty
import select
import socket
import sys
import threading
import time
import tty
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from telegraf_p1.mqtt_options import PORTS, password
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.encrypted import keys_of_the_meter
from telegraf_p1.simulator.meter import Meter

_SEND_S: Final = 1.0

# Sends a telegram to whoever listens.
Send = Callable[[bytes], None]


class Plan(NamedTuple):
    """How many meters of which form send how often; `telegrams` of each, 0 for no limit.

    `is_encrypted`: they encrypt, with the keys in the environment.
    """

    form: str = "nl-5.0"
    meters: int = 1
    interval_s: float = 1.0
    telegrams: int = 0
    seed: int = 1
    is_encrypted: bool = False


def simulate(target: str, plan: Plan, say: Callable[[str], None]) -> None:
    """Let the meters send, spread evenly over each interval; raise ValueError for a wrong target."""
    if plan.form not in FORMS:
        raise ValueError(f"form {plan.form!r} must be one of: {', '.join(FORMS)}")
    if plan.meters > 1 and "{n}" not in target and target != "-":
        raise ValueError(f"{target!r}: several meters need {{n}} in the target, for example pty:/tmp/meter{{n}}")
    if target.startswith("p0:"):
        _answer(target, plan, say)
        return
    with contextlib.ExitStack() as stack:
        _speak(_open_all(target, plan.meters, say, stack), plan)


def _speak(targets: list[Send], plan: Plan) -> None:
    keys = keys_of_the_meter() if plan.is_encrypted else None
    meters = [Meter(plan.form, plan.seed + n, keys=keys) for n in range(plan.meters)]
    start = time.time()
    for round_ in range(plan.telegrams) if plan.telegrams else itertools.count():
        for n, (meter, send) in enumerate(zip(meters, targets, strict=True)):
            due = start + (round_ + n / plan.meters) * plan.interval_s
            time.sleep(max(0.0, due - time.time()))
            # Without an interval, the meters' clock advances by one second per telegram.
            send(meter.telegram(int(due if plan.interval_s else start + round_)))


def _answer(target: str, plan: Plan, say: Callable[[str], None]) -> None:
    from telegraf_p1.simulator import p0_pty

    url = urlsplit(target.removeprefix("p0:"), allow_fragments=False)
    if url.scheme != "pty" or plan.meters > 1:
        raise ValueError(f"{target!r}: write p0:pty:NAME, for one meter")
    if plan.is_encrypted:
        raise ValueError(f"{target!r}: an optical port does not encrypt")
    with contextlib.ExitStack() as stack:
        p0_pty.serve(_open_pty(url.path, say, stack), url, plan.seed, plan.telegrams)


def _open_all(target: str, meters: int, say: Callable[[str], None], stack: contextlib.ExitStack) -> list[Send]:
    url = urlsplit(target, allow_fragments=False)
    if url.password:
        raise ValueError("a target cannot contain a password, since everyone can read it there: use P1_MQTT_PASSWORD")
    if url.scheme == "mqtt":
        return _mqtt(url, meters, stack)
    open_one = {"": _stdout, "pty": _pty, "tcp-listen": _tcp, "http-listen": _http}.get(url.scheme)
    if open_one is None or (not url.scheme and target != "-"):
        raise ValueError(f"{target!r}: write -, pty:NAME, tcp-listen://, http-listen:// or mqtt://")
    urls = [urlsplit(target.replace("{n}", str(n)), allow_fragments=False) for n in range(1, meters + 1)]
    return [open_one(url, say, stack) for url in urls]


def _stdout(_url: SplitResult, _say: Callable[[str], None], _stack: contextlib.ExitStack) -> Send:
    def send(telegram: bytes) -> None:
        sys.stdout.buffer.write(telegram)
        sys.stdout.buffer.flush()

    return send


def _pty(url: SplitResult, say: Callable[[str], None], stack: contextlib.ExitStack) -> Send:
    """A pty in place of a cable; the link to it takes the place of /dev/ttyUSB0."""
    end = _open_pty(url.path, say, stack)

    def send(telegram: bytes) -> None:
        # A cable that nobody reads loses what is sent; a pty would fill up.
        if select.select([], [end], [], 0)[1]:
            os.set_blocking(end, False)
            with contextlib.suppress(BlockingIOError):
                os.write(end, telegram)

    return send


def _open_pty(path: str, say: Callable[[str], None], stack: contextlib.ExitStack) -> int:
    """Open a pty, with a link to its other end if there is a path; return the meter's end."""
    end, device = pty.openpty()
    tty.setraw(device)
    name = os.ttyname(device)
    if path:
        link = Path(path)
        if link.is_symlink():
            link.unlink()
        link.symlink_to(name)
        stack.callback(link.unlink)
        name = path
    say(f"simulated meter on {name}")
    return end


def _address(url: SplitResult) -> tuple[str, int]:
    try:
        port = url.port
    except ValueError:
        port = None
    if not url.hostname or port is None:
        raise ValueError(f"{url.geturl()!r}: write host and port, for example {url.scheme}://127.0.0.1:2000")
    return url.hostname, port


def _tcp(url: SplitResult, say: Callable[[str], None], stack: contextlib.ExitStack) -> Send:
    """A TCP bridge like ser2net: each client gets each telegram."""
    server = stack.enter_context(socket.create_server(_address(url)))
    say(f"simulated meter on tcp://{url.hostname}:{server.getsockname()[1]}")
    clients: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed at the end
            while True:
                client = server.accept()[0]
                client.settimeout(_SEND_S)
                clients.append(client)

    threading.Thread(target=accept, daemon=True).start()

    def send(telegram: bytes) -> None:
        for client in clients.copy():
            try:
                client.sendall(telegram)
            except OSError:
                clients.remove(client)
                client.close()

    return send


def _http(url: SplitResult, say: Callable[[str], None], stack: contextlib.ExitStack) -> Send:
    """A HomeWizard: the last telegram at /api/v1/telegram, 503 before there is one."""
    last = [b""]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response((200 if last[0] else 503) if self.path == "/api/v1/telegram" else 404)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(last[0])))
            self.end_headers()
            self.wfile.write(last[0])

        def log_message(self, *_: object) -> None:
            pass

    server = stack.enter_context(ThreadingHTTPServer(_address(url), Handler))
    stack.callback(server.shutdown)
    say(f"simulated meter on http://{url.hostname}:{server.server_port}/api/v1/telegram")
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def send(telegram: bytes) -> None:
        last[0] = telegram

    return send


def _mqtt(url: SplitResult, meters: int, stack: contextlib.ExitStack) -> list[Send]:
    """Wi-Fi readers: each publishes whole telegrams with QoS 1; they share one connection."""
    from paho.mqtt import client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    topic = url.path.removeprefix("/")
    if not url.hostname or not topic:
        raise ValueError(f"{url.geturl()!r}: write host and topic, for example mqtt://127.0.0.1/p1/{{n}}/raw")
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    if url.username:
        client.username_pw_set(url.username, password())
    client.max_inflight_messages_set(1000)
    client.max_queued_messages_set(100_000)
    client.connect(url.hostname, url.port or PORTS["mqtt"])
    client.loop_start()

    def close() -> None:
        for message in sent[-1:]:
            message.wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    sent: list[mqtt.MQTTMessageInfo] = []
    stack.callback(close)

    def reader(n: int) -> Send:
        name = topic.replace("{n}", str(n))

        def send(telegram: bytes) -> None:
            sent[:] = [client.publish(name, telegram, qos=1)]

        return send

    return [reader(n) for n in range(1, meters + 1)]
