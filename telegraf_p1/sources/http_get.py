"""A device that answers with its last telegram: `http://192.168.1.20/api/v1/telegram`, `https://…`.

HomeWizard P1 (API 1 and 2), P1 Dongle Pro, DSMRloggerAPI. The device is asked as often as `--every` says, over one
connection; an answer that is the same as the one before is skipped. P1_HTTP_TOKEN is sent as a bearer token, or as the
password of `http://user@…`.

Options: `every`, `timeout` (for one whole answer), `member` (of JSON, with the telegram), `ca` (a file) or `pin`
(SHA-256 of the certificate, in hex) for https; all other options are sent to the device.
"""

import base64
import errno
import os
import time
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from telegraf_p1 import __version__, credentials
from telegraf_p1.sources import events
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.envelope import unwrap
from telegraf_p1.sources.events import Data, Dropped, Event, Silence, Unchanged
from telegraf_p1.sources.http_exchange import Answer, Device
from telegraf_p1.tls import trust
from telegraf_p1.url import Url, UsageError, duration

TOKEN: Final = "P1_HTTP_TOKEN"  # noqa: S105  the name of the variable

# A device may wait for the next telegram of its meter before it answers, and meters send at least once in 10 s.
_TIMEOUT: Final = "15s"
# The answer of a HomeWizard while its local API is switched off.
_SWITCHED_OFF: Final = b"API not enabled"


def source(url: Url) -> Source:
    """Return a source that polls an HTTP address; it raises OSError if the device is unavailable or refuses."""
    if not url.host:
        raise UsageError(f"source {url.text!r}: write the address, for example http://192.168.1.20/api/v1/telegram")
    query = dict(url.query)
    every = duration(url, "every", query.pop("every", "1"), 0.1)
    timeout = duration(url, "timeout", query.pop("timeout", _TIMEOUT), 1)
    member = query.pop("member", "")
    ca, pin = query.pop("ca", ""), query.pop("pin", "")
    whom = trust(url, "device", ca=ca, pin=pin)
    headers = {"User-Agent": f"telegraf_p1/{__version__}", "X-Api-Version": "2", **_authorization(url.user)}
    path = quote(url.path or "/") + (f"?{urlencode(query)}" if query else "")
    return lambda: _Polling(Device(url.host, url.port, whom, timeout, headers), path, member, every)


def _authorization(user: str) -> dict[str, str]:
    """Return the header with the token in the environment, if there is one."""
    token = credentials.read(os.environ, TOKEN)
    if not token:
        return {}
    if user:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"}
    if not token.isascii():
        raise UsageError(f"{TOKEN} contains characters other than ASCII: copy it again")
    return {"Authorization": f"Bearer {token}"}


class _Polling(Connection):
    def __init__(self, device: Device, path: str, member: str, every: float) -> None:
        self._device, self._path, self._member, self._every = device, path, member, every
        self._before = b""
        # When there was an answer, and a new one (monotonic, s); infinite once it was reported that there is none.
        self._answered_at = self._new_at = self._next_at = time.monotonic()

    def read(self) -> list[Event]:
        while True:
            time.sleep(max(0.0, self._next_at - time.monotonic()))
            body = _telegram(self._device.get(self._path))
            now = time.monotonic()
            self._next_at = max(self._next_at + self._every, now)
            if found := self._events(body, now):
                return found

    def _events(self, body: bytes, now: float) -> list[Event]:
        """Return the events of an answer; an empty or repeated one has none until that has lasted for SILENCE_S."""
        if body:
            self._answered_at = now
        if body and body != self._before:
            self._before, self._new_at = body, now
            data, _, trouble = unwrap(body, self._member)
            return [Dropped(trouble) if trouble else Data(data, ends_message=True)]
        long_ago = now - events.SILENCE_S
        if self._answered_at < long_ago:
            self._answered_at = self._new_at = float("inf")
            return [Silence(events.SILENCE_S, events.DEVICE)]
        if self._before and self._new_at < long_ago:
            self._new_at = float("inf")
            return [Unchanged(events.SILENCE_S)]
        return []

    def close(self) -> None:
        self._device.close()


def _telegram(answer: Answer) -> bytes:
    """Return the body, empty if there is none yet; raise OSError that says what to do for any other status."""
    status = answer.status
    if status == HTTPStatus.OK:
        return answer.body
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return b""
    if status == HTTPStatus.FORBIDDEN and _SWITCHED_OFF in answer.body:
        text = (
            f"the device's local API is switched off ({status}): switch it on in its app (HomeWizard: Settings, Meters)"
        )
        raise OSError(errno.EPROTO, text)  # not EACCES: so it is tried often, and works as soon as it is on
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise OSError(errno.EACCES, f"the device refuses access ({status}): check {TOKEN}")
    if status == HTTPStatus.BAD_REQUEST and b"HTTPS" in answer.body:
        raise OSError(errno.EPROTO, "the device uses TLS on this port (400): use https://")
    where = f", with a redirect to {answer.location[:200]!r}" if answer.location else ""
    raise OSError(errno.EPROTO, f"the device answers {status} {_phrase(status)}{where}")


def _phrase(status: int) -> str:
    """Return the usual words for a status: the device's own could contain anything."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(unknown)"
