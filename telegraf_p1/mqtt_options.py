"""What the MQTT source, `--publish` and the simulator have in common: how a broker is reached."""

import os
from typing import Final

from telegraf_p1 import credentials

PASSWORD: Final = "P1_MQTT_PASSWORD"  # noqa: S105  the name of the variable

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
# MQTT in a WebSocket, for networks where only web servers can be reached.
WEBSOCKET_PORTS: Final = {"mqtt+ws": 80, "mqtt+wss": 443}


def password() -> str | None:
    """Return the password in the environment, None without one; raise UsageError if it is not valid."""
    return credentials.read(os.environ, PASSWORD) or None


def level(text: str) -> str:
    """Return a text as one level of a topic; brokers close the connection on non-characters such as U+FFFE."""
    return "".join(character if character.isprintable() and character not in "/+#" else "_" for character in text)
