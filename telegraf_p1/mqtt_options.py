"""What the MQTT source, `--publish` and the simulator have in common: how a broker is reached."""

import os
import ssl
from typing import Final

from telegraf_p1.url import Url, UsageError

PASSWORD: Final = "P1_MQTT_PASSWORD"  # noqa: S105  its name

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
# In a WebSocket, which passes where only web servers are reached.
WEBSOCKET_PORTS: Final = {"mqtt+ws": 80, "mqtt+wss": 443}


def password() -> str | None:
    """Give the password that the environment names, None without one."""
    return os.environ.get(PASSWORD)


def tls_context(url: Url, ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Give what checks a broker's certificate, and shows ours; raise UsageError for a file that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if cert:
            context.load_cert_chain(cert, key or None)
    except (OSError, ValueError) as error:  # ValueError: a name of no file, with NUL in it
        names = " or ".join(filter(None, (ca, cert, key)))
        raise UsageError(f"source {url.text!r}: {names}: {getattr(error, 'strerror', None) or error}") from None
    return context
