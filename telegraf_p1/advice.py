"""Advice on where to look for a fault, depending on what is between the meter and this program.

The key names the fault. A cable, a network bridge and a device with its own memory need different advice. For example,
the speed of an HTTP device cannot be set here, and only a serial port can have a second reader.
"""

from collections.abc import Mapping
from typing import Final

Advice = Mapping[str, str]

_SETTINGS: Final = "115200 8N1 is for DSMR 4 and later, {}9600{}7E1 for DSMR 2.2 and 3.0"
_IN_THE_DEVICE: Final = ": change the serial port settings in the device"
_DEVICE_LOSES: Final = "between the meter and the device, or on the way from the device"

LINE: Final[Advice] = {
    "": "",
    "cut": ": bytes were lost on the way (bad cable, two programs on one port, a device that "
    "truncates data); for an old meter that never sends a ! use --crc off",
    "changed": ": bytes were changed or lost on the way (bad or long cable, noise)",
    "missing": ": another program reads the same port, or a buffer overflowed",
    "head": ": bytes were changed or lost between the meter and its optical head (check that it sits "
    "straight and no light falls in)",
    "seven bits": ": add ?format=7E1 to the source",
    "eight bits": ": remove format=7E1 from the source",
    "speed": f" ({_SETTINGS.format('?baudrate=', '&format=')})",
}
BRIDGE: Final[Advice] = {
    **LINE,
    "seven bits": ": set the bridge to 7E1",
    "eight bits": ": set the bridge to 8N1",
    "speed": f" (in the bridge: {_SETTINGS.format('', ' ')})",
}
DEVICE: Final[Advice] = {
    "": "",
    "cut": f": it was truncated {_DEVICE_LOSES} (check for a message size limit)",
    "changed": f": bytes were changed or lost {_DEVICE_LOSES}",
    "missing": f": they were lost {_DEVICE_LOSES}",
    "head": f": bytes were changed or lost {_DEVICE_LOSES}",
    "seven bits": _IN_THE_DEVICE,
    "eight bits": _IN_THE_DEVICE,
    "speed": _IN_THE_DEVICE,
}
