"""What the MQTT source, `--publish` and the simulator have in common: how a broker is reached."""

import os
import ssl
from typing import Final

from telegraf_p1 import credentials
from telegraf_p1.url import Url, UsageError

PASSWORD: Final = "P1_MQTT_PASSWORD"  # noqa: S105  its name

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
# In a WebSocket, which passes where only web servers are reached.
WEBSOCKET_PORTS: Final = {"mqtt+ws": 80, "mqtt+wss": 443}
# A plain scheme → the one with TLS.
_WITH_TLS: Final = {"mqtt": "mqtts", "mqtt+ws": "mqtt+wss"}


def password() -> str | None:
    """Give the password that the environment names, None without one; raise UsageError for what cannot be one."""
    return credentials.read(os.environ, PASSWORD) or None


def tls_context(url: Url, ca: str, cert: str, key: str) -> ssl.SSLContext | None:
    """Give what checks a broker's certificate, and shows ours; None where the connection is plain.

    Raise UsageError for a file that cannot be used, or would not be.
    """
    if cure := _WITH_TLS.get(url.scheme):
        if ca or cert or key:
            raise UsageError(f"source {url.text!r}: ca, cert and key are for TLS: write {cure}://")
        return None
    if key and not cert:
        raise UsageError(f"source {url.text!r}: key is of no use without its certificate: add cert=FILE")
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if cert:
            context.load_cert_chain(cert, key or None)
    except OSError as error:
        names = " or ".join(filter(None, (ca, cert, key)))
        raise UsageError(f"source {url.text!r}: {names}: {error.strerror or error}") from None
    return context
