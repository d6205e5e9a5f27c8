"""What the MQTT source, `--publish` and the simulator have in common: how a broker is reached."""

import os
from typing import Final

from telegraf_p1 import credentials

PASSWORD: Final = "P1_MQTT_PASSWORD"  # noqa: S105  its name

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
# In a WebSocket, which passes where only web servers are reached.
WEBSOCKET_PORTS: Final = {"mqtt+ws": 80, "mqtt+wss": 443}


def password() -> str | None:
    """Give the password that the environment names, None without one; raise UsageError for what cannot be one."""
    return credentials.read(os.environ, PASSWORD) or None


def level(text: str) -> str:
    """Give a text that is one level of a topic; brokers hang up for what is no character, such as U+FFFE."""
    return "".join(character if character.isprintable() and character not in "/+#" else "_" for character in text)
