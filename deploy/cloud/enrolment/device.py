"""What a household's device needs: two lines, also as a QR code for a phone."""

import contextlib
import io

from .household import Secrets


def lines(name: str, address: str, pin: str, secrets: Secrets) -> tuple[str, str]:
    """Return the line for the device's environment, and the command that it runs."""
    target = f"mqtts://{name}@{address}/p1/{name}/raw{f'?pin={pin}' if pin else ''}"
    return f"P1_MQTT_PASSWORD={secrets.password}", f"telegraf-p1 forward /dev/ttyUSB0 '{target}'"


def picture(text: str) -> str:
    """Return a QR code in terminal characters; empty if segno is not installed."""
    with contextlib.suppress(ImportError):
        import segno

        out = io.StringIO()
        segno.make(text, micro=False).terminal(out, compact=True)
        return out.getvalue()
    return ""
