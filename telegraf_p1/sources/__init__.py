"""Where telegrams come from: one file a kind, chosen by the scheme of a URL.

To add one: a file with a function `source(url)` that checks the URL and gives a source as
`connection.py` describes it, and a line in `_SCHEMES`; `tests/test_sources.py` asks of all of them what the
contract promises.
"""

import importlib
from typing import Final, cast

from telegraf_p1.sources.connection import Source
from telegraf_p1.url import UsageError, parse

# Scheme → module; loaded when it is used, so that nobody pays for another's library.
_SCHEMES: Final = {
    "serial": "serial_port",
    "tcp": "tcp",
    "rfc2217": "rfc2217",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
    "http": "http_get",
    "https": "http_get",
    "file": "file",
    "sim": "sim",
}


def open_source(text: str, **more: str) -> Source:
    """Give the source that `text` names, checked but not connected; raise UsageError.

    `more` are options as if they stood in its query.
    """
    url = parse(text)
    url.query.update(more)
    if url.scheme not in _SCHEMES:
        known = ", ".join(sorted(_SCHEMES))
        raise UsageError(
            f"source {text!r}: write a device such as /dev/ttyUSB0, file:NAME, or a URL with one of: {known}"
        )
    module = importlib.import_module(f"{__name__}.{_SCHEMES[url.scheme]}")
    return cast("Source", module.source(url))
