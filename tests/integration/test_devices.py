"""The recipes in docs/devices: each block as it stands there, with other addresses, and what answers as the devices.

Devices are emulated as their documentation and source describe them; ser2net, curl, openssl and mosquitto are real.
"""

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers.cable import Cable
from tests.helpers.certificates import self_signed
from tests.helpers.datalogger import post_telegram
from tests.helpers.devices import tcp
from tests.helpers.mosquitto import Device as Publisher
from tests.helpers.mosquitto import Mosquitto, line
from tests.helpers.programs import answers, component, free_port, plugin, program, read_line, wait_until
from tests.helpers.recipes import arguments, block, run
from tests.helpers.telegrams import START, records
from tests.helpers.web_device import Device, running
from tests.helpers.websocket_device import WebSocketDevice, listening

DEVICE = "192.168.1.20"
BROKER = "192.168.1.2"
TELEGRAM = Meter().telegram(START)
LINE = lineproto.line(records(TELEGRAM)[0])
TOKEN = 2 * "0123456789ABCDEF"
# A German meter that a Tibber Pulse IR reads: no CRC, no time (made after the one in esp-egycounter, issue 2).
GERMAN = (
    b"/EBZ5DD3BZ06ETA_107\r\n1-0:0.0.0*255(1EBZ0100000123)\r\n1-0:96.1.0*255(1EBZ0100000123)\r\n"
    b"1-0:1.8.0*255(009094.27916715*kWh)\r\n1-0:16.7.0*255(000169.25*W)\r\n1-0:32.7.0*255(233.4*V)\r\n!"
)
SML = bytes.fromhex("1b1b1b1b01010101760512345678620062007263010176010102310b0a01445a470002") + bytes(200)


def host(device: Device) -> str:
    return f"127.0.0.1:{device.server.server_port}"


def reads_over_http(page: str, name: str, path: str, folder: Path) -> Device:
    """Run a block against a device that gives a telegram at this path."""
    device = Device()
    with running(device):
        device.show(TELEGRAM)
        with plugin(*arguments(page, name, (DEVICE, host(device))), log=folder / "log") as process:
            assert read_line(process) == LINE
        assert {seen for seen, _ in device.seen} == {path}
    return device


def test_homewizard_version_1(tmp_path: Path) -> None:
    reads_over_http("devices/homewizard", "homewizard-1", "/api/v1/telegram", tmp_path)


def test_check_writes_the_block_of_the_page(tmp_path: Path) -> None:
    device, path = Device(), tmp_path / "p1.conf"
    with running(device):
        source = f"http://{host(device)}/api/v1/telegram"
        with plugin("check", "--write", str(path), source, log=tmp_path / "log") as process:

            def is_over() -> bool:
                device.telegram()
                time.sleep(0.3)
                return process.poll() is not None

            wait_until(is_over, "the end of the check", 90)
            assert process.returncode == 0
    written = path.read_text()
    assert f'"run", "{source}"' in written
    assert [line for line in block("devices/homewizard", "homewizard-1").splitlines()[2:] if line not in written] == []


class HomeWizard:
    """Version 2 of its API: a token for who asks after its button was pressed, a telegram for who has one."""

    def __init__(self, folder: Path) -> None:
        self.is_pressed = False
        home_wizard = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["name"]
                assert (self.path, self.headers["X-Api-Version"]) == ("/api/user", "2")
                if home_wizard.is_pressed and name.startswith("local/"):
                    self.answer(200, json.dumps({"token": TOKEN, "name": name}).encode())
                else:
                    self.answer(403, b'{"error": "user:creation-not-enabled"}')

            def do_GET(self) -> None:
                may = self.headers["Authorization"] == f"Bearer {TOKEN}" and self.headers["X-Api-Version"] == "2"
                if may and self.path == "/api/telegram":
                    self.answer(200, TELEGRAM)
                else:
                    self.answer(401, b'{"error": "user:unauthorized"}')

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed(folder, "appliance"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"127.0.0.1:{self.server.server_port}"


@contextmanager
def home_wizard(folder: Path) -> Iterator[HomeWizard]:
    device = HomeWizard(folder)
    threading.Thread(target=device.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield device
    finally:
        device.server.shutdown()
        device.server.server_close()


def test_homewizard_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with home_wizard(tmp_path) as device:
        asked = block("devices/homewizard", "homewizard-token", (DEVICE, device.host)).replace("curl", "curl --silent")
        first, second = (
            json.loads(subprocess.run(["sh", "-c", asked], capture_output=True, check=True, timeout=20).stdout)
            for device.is_pressed in (False, True)
        )
        assert first == {"error": "user:creation-not-enabled"}
        monkeypatch.setenv("P1_HTTP_TOKEN", second["token"])
        pin = run("devices/homewizard", "homewizard-pin", (f"{DEVICE}:443", device.host), folder=tmp_path).split()[0]
        words = arguments("devices/homewizard", "homewizard-2", (DEVICE, device.host), ("PIN", pin))
        with plugin(*words, log=tmp_path / "log") as process:
            assert read_line(process) == LINE
        with plugin(*words[:-1], words[-1].partition("?")[0], log=tmp_path / "log"):
            wait_until(lambda: pin in (tmp_path / "log").read_text(), "the pin, in the log", 20)


def test_homey(tmp_path: Path) -> None:
    with listening(WebSocketDevice()) as device:
        words = arguments("devices/homey", "homey", (DEVICE, f"127.0.0.1:{device.port}"))
        with plugin(*words, log=tmp_path / "log") as process:
            for place in range(0, len(TELEGRAM), 100):
                device.send(TELEGRAM[place : place + 100])
            assert read_line(process) == LINE
    assert device.paths[0] == "/ws"


def test_p1_dongle_pro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads_over_http("devices/p1-dongle-pro", "dongle-http", "/api/v2/sm/telegram", tmp_path)
    reads_over_http("devices/p1-dongle-pro", "dsmrloggerapi", "/api/v1/sm/telegram", tmp_path)
    monkeypatch.setenv("P1_HTTP_TOKEN", "a-password")
    device = Device(token="Basic YWRtaW46YS1wYXNzd29yZA==")  # noqa: S106  that of admin, in base64
    with running(device):
        device.show(TELEGRAM)
        words = arguments("devices/p1-dongle-pro", "dongle-http", (DEVICE, f"admin@{host(device)}"))
        with plugin(*words, log=tmp_path / "log") as process:
            assert read_line(process) == LINE


@pytest.mark.parametrize(
    ("page", "name", "port"),
    [
        ("devices/p1-dongle-pro", "dongle-tcp", 82),
        ("devices/slimmelezer", "esphome-tcp", 6638),
        ("devices/tasmota", "tasmota-tcp", 8888),
    ],
)
def test_a_tcp_bridge(tmp_path: Path, page: str, name: str, port: int) -> None:
    with tcp(tmp_path) as bridge:
        words = arguments(page, name, (f"tcp://{DEVICE}:{port}", bridge.url))
        with plugin(*words, log=tmp_path / "log") as process:
            bridge.send(TELEGRAM)
            assert read_line(process) == LINE


def reads_messages(broker: Mosquitto, page: str, name: str, topic: str, *messages: bytes, retain: bool = False) -> str:
    """Publish messages for a block; give the line that comes of them."""
    device = Publisher(broker, topic)
    try:
        words = [word.replace("p1@", "") for word in arguments(page, name)]
        assert words[1] == f"mqtt://{BROKER}/{topic}"
        words[1] = broker.url(topic)
        if retain:
            device.publish(messages[0], retain=True)
            device.settle()
        before = broker.log.read_text().count("Sending SUBACK")
        with plugin(*words, log=broker.log.with_name("log")) as process:
            wait_until(lambda: broker.log.read_text().count("Sending SUBACK") > before, "the subscription")
            for message in messages if not retain else ():
                device.publish(message)
            return read_line(process)
    finally:
        device.stop()


def test_esphome_over_mqtt(broker: Mosquitto) -> None:
    topic = "p1/home/raw"
    yaml = block("devices/slimmelezer", "esphome")
    assert f"topic: {topic}\n" in yaml
    assert "payload: !lambda return x;\n" in yaml
    read = reads_messages(broker, "devices/slimmelezer", "esphome-mqtt", topic, TELEGRAM)
    assert read == line(TELEGRAM, topic)
    without_crc = TELEGRAM[:-6]
    assert without_crc.endswith(b"!")
    read = reads_messages(broker, "devices/slimmelezer", "esphome-no-crc", topic, without_crc)
    assert read == line(TELEGRAM, topic)


def test_the_stream_server_has_the_port_of_the_block_for_telegraf() -> None:
    assert "port: 6638\n" in block("devices/slimmelezer", "esphome-stream")


def test_tasmota_over_mqtt(broker: Mosquitto) -> None:
    """A message a line, with the line feed left out, as Tasmota's page on P1 shows them."""
    lines = [json.dumps({"SerialReceived": f"{text}\r"}).encode() for text in TELEGRAM.decode().split("\r\n")[:-1]]
    assert lines[1] == b'{"SerialReceived": "\\r"}'
    read = reads_messages(broker, "devices/tasmota", "tasmota-mqtt", "tele/p1/RESULT", *lines)
    assert read == line(TELEGRAM, "tele/p1/RESULT")


@pytest.mark.parametrize("message", [TELEGRAM, TELEGRAM.hex().upper().encode()], ids=["bytes", "hex"])
def test_other_devices_over_mqtt(broker: Mosquitto, message: bytes) -> None:
    topic = "esp32_C45130/raw/raw"
    assert reads_messages(broker, "devices/index", "other-mqtt", topic, message) == line(TELEGRAM, topic)


def test_dsmr_reader_over_mqtt(broker: Mosquitto) -> None:
    """Its messages are retained, and have no line end behind the CRC."""
    for retain in (False, True):
        read = reads_messages(
            broker, "devices/dsmr-reader", "dsmr-reader-mqtt", "dsmr/raw", TELEGRAM.rstrip(), retain=retain
        )
        assert read == line(TELEGRAM, "dsmr/raw")


def test_the_remote_datalogger_of_dsmr_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", "A-SECRET-OF-YOUR-OWN")
    port = free_port()
    words = arguments("devices/dsmr-reader", "dsmr-reader-listen", ("0.0.0.0:8080", f"127.0.0.1:{port}"))
    with plugin(*words, log=tmp_path / "log") as process:
        wait_until(lambda: answers(port), "the plugin to listen")
        assert post_telegram(port, TELEGRAM.rstrip(), "another").status == 403
        assert post_telegram(port, TELEGRAM.rstrip(), "A-SECRET-OF-YOUR-OWN").status == 201
        assert read_line(process) == LINE
        (tmp_path / "FILE").write_bytes(Meter().telegram(START + 1))
        here = (f"{BROKER}:8080", f"127.0.0.1:{port}")
        assert run("devices/dsmr-reader", "dsmr-reader-post", here, folder=tmp_path) == "201\n"
        assert read_line(process) != LINE


@contextmanager
def ser2net(port: int, *options: str) -> Iterator[None]:
    with program([component("ser2net"), "-n", "-u", *options], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        wait_until(lambda: answers(port), "ser2net")
        yield


@contextmanager
def meter_on(cable: Cable) -> Iterator[None]:
    """A telegram each 0.3 s: what is sent before somebody reads is lost."""
    stop = threading.Event()

    def speak() -> None:
        now = START
        while not stop.wait(0.3):
            now += 1
            cable.write(Meter().telegram(now))

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def two_read(words: list[str], cable: Cable, folder: Path) -> None:
    """Two readers of one port get the same telegrams."""
    logs = [folder / "log-1", folder / "log-2"]
    with (
        plugin(*words, log=logs[0]) as one,
        plugin(*words, log=logs[1]) as another,
        meter_on(cable),
    ):
        first, second = ([read_line(process) for _ in range(6)] for process in (one, another))
    assert set(first) & set(second)


def test_ser2net_4_with_two_readers(tmp_path: Path, cable: Cable) -> None:
    port, settings = free_port(), tmp_path / "ser2net.yaml"
    settings.write_text(
        block(
            "devices/ser2net", "ser2net-raw", ("tcp,2000", f"tcp,127.0.0.1,{port}"), ("/dev/ttyUSB0", str(cable.link))
        )
    )
    with ser2net(port, "-c", str(settings)):
        two_read(arguments("devices/ser2net", "ser2net-tcp", (f"{DEVICE}:2000", f"127.0.0.1:{port}")), cable, tmp_path)


def test_the_line_for_ser2net_3_with_two_readers(tmp_path: Path, cable: Cable) -> None:
    port = free_port()
    settings = block(
        "devices/ser2net", "ser2net-3", ("2000:raw", f"127.0.0.1,{port}:raw"), ("/dev/ttyUSB0", str(cable.link))
    )
    with ser2net(port, "-C", settings.strip()):
        two_read(arguments("devices/ser2net", "ser2net-tcp", (f"{DEVICE}:2000", f"127.0.0.1:{port}")), cable, tmp_path)


def test_ser2net_4_with_rfc_2217(tmp_path: Path, cable: Cable) -> None:
    port, settings = free_port(), tmp_path / "ser2net.yaml"
    settings.write_text(
        block(
            "devices/ser2net",
            "ser2net-telnet",
            ("tcp,2217", f"tcp,127.0.0.1,{port}"),
            ("/dev/ttyUSB0", str(cable.link)),
        )
    )
    here = (f"{DEVICE}:2217", f"127.0.0.1:{port}?ign_set_control")  # a pty has no modem lines
    with ser2net(port, "-c", str(settings)):
        words = arguments("devices/ser2net", "ser2net-rfc2217", here)
        with plugin(*words, log=tmp_path / "log") as process, meter_on(cable):
            assert read_line(process).startswith("p1,meter=E0047010000000011 ")


def test_tibber_pulse_ir_with_a_text_meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P1_HTTP_TOKEN", "AD56-54BA")
    device = Device(token="Basic YWRtaW46QUQ1Ni01NEJB")  # noqa: S106  that of the page, in base64
    with running(device):
        device.show(GERMAN)
        seen = run("devices/tibber", "tibber-look", (DEVICE, host(device)), folder=tmp_path)
        assert seen.startswith("/EBZ5DD3BZ06ETA_107")
        words = arguments("devices/tibber", "tibber", (DEVICE, host(device)))
        with plugin(*words, log=tmp_path / "log") as process:
            assert read_line(process).startswith('p1,meter=1EBZ0100000123 identification="EBZ5DD3BZ06ETA_107"')
        assert device.seen[-1][0] == "/data.json?node_id=1"
        device.show(SML)
        with plugin(*words, log=tmp_path / "log"):
            wait_until(lambda: "SML" in (tmp_path / "log").read_text(), "what it is", 30)


def test_tibber_pulse_with_text_over_mqtt(broker: Mosquitto) -> None:
    read = reads_messages(broker, "devices/tibber", "tibber-p1", "tibber", TELEGRAM)
    assert read == line(TELEGRAM, "tibber")
