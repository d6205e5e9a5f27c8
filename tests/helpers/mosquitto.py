"""The test's own real broker, and a device that publishes there."""

import resource
import signal
from contextlib import ExitStack
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from telegraf_p1 import lineproto
from telegraf_p1.simulator.meter import Meter
from tests.helpers import pages
from tests.helpers.programs import answers, component, free_port, program, wait_until
from tests.helpers.telegrams import START, records

TOPIC = "p1/home/raw"


class Mosquitto:
    """The test's own broker, configured as docs/mqtt.md says; `lines` are added to its configuration."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._database = folder / "mosquitto.db"
        self._running = ExitStack()
        config = folder / "mosquitto.conf"
        config.write_text(
            "\n".join(
                (
                    "user root",
                    *(() if "allow_anonymous false" in lines else ("allow_anonymous true",)),
                    pages.block("mqtt.md", "conf"),
                    f"persistence_location {folder}/",
                    "log_type all",
                    f"listener {self.port} 127.0.0.1",
                    *lines,
                    "",
                )
            )
        )
        self._command = [component("mosquitto"), "-c", str(config)]

    def start(self) -> "Mosquitto":
        with self.log.open("ab") as log:
            # It inherits from Python that SIGXFSZ is ignored: so a file that may not grow acts like a full disk.
            started = program(self._command, stdout=log, stderr=log, restore_signals=False)
            self.process = self._running.enter_context(started)
        wait_until(lambda: answers(self.port), "mosquitto")
        return self

    def stop(self) -> None:
        self._running.close()

    def save(self) -> None:
        """Make it save now, as it does every `autosave_interval`."""
        self._database.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait_until(self._database.exists, "the broker to save")

    def fill_disk(self) -> None:
        """Prevent all files of the broker from growing, including its log."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0, 0))

    def url(self, topic: str) -> str:
        return f"mqtt://127.0.0.1:{self.port}/{topic}"


class Device:
    """Publishes telegrams as a Wi-Fi reader does."""

    def __init__(self, broker: Mosquitto, topic: str = TOPIC) -> None:
        self.topic = topic
        self._meter = Meter()
        self._now = START
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.max_inflight_messages_set(1000)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        wait_until(self.client.is_connected, "the device's connection")

    def publish(self, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(self.topic, payload, qos=1, retain=retain)

    def send(self, telegram: bytes) -> None:
        self.publish(telegram)

    def telegram(self) -> str:
        """Publish a telegram; return the line that it has to become."""
        self._now += 1
        telegram = self._meter.telegram(self._now)
        self.publish(telegram)
        return line(telegram, self.topic)

    def settle(self) -> None:
        """Wait until the broker has everything."""
        wait_until(lambda: not self.client._out_messages, "the broker to take all")  # noqa: SLF001

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def line(telegram: bytes, topic: str = TOPIC) -> str:
    (record,) = records(telegram)
    return lineproto.line(record._replace(tags={**record.tags, "topic": topic}))


def subscribed(broker: Mosquitto, count: int = 1) -> None:
    """Wait until this many subscriptions were granted."""
    wait_until(lambda: broker.log.read_text().count("Sending SUBACK") >= count, "the subscription")
