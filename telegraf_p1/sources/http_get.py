"""A device that answers with its last telegram: `http://192.168.1.20/api/v1/telegram`, `https://…`.

HomeWizard P1 (API 1 and 2), P1 Dongle Pro, DSMRloggerAPI. Asked as often as `--every` says, over one connection;
the same telegram seen again is not given again. P1_HTTP_TOKEN is sent as bearer token, or as password
of `http://user@…`.

Options: `every`, `member` of JSON that holds the telegram, `ca` (a file) or `pin` (SHA-256 of the
certificate, in hex) for https; all other options are the device's.
"""

import base64
import errno
import hashlib
import http.client
import os
import ssl
import time
from typing import Final
from urllib.parse import quote, urlencode

from telegraf_p1 import __version__
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.envelope import unwrap
from telegraf_p1.sources.events import SILENCE_S, Data, Dropped, Event, Silence
from telegraf_p1.url import Url, UsageError, duration

TOKEN: Final = "P1_HTTP_TOKEN"  # noqa: S105  its name

_TIMEOUT_S: Final = 10.0
_LARGEST: Final = 256 * 1024
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOTHING_YET = 200, 401, 403, 503


def source(url: Url) -> Source:
    """Poll an HTTP address; a device that is away or refuses raises OSError."""
    if not url.host:
        raise UsageError(f"source {url.text!r}: write the address, for example http://192.168.1.20/api/v1/telegram")
    query = dict(url.query)
    every = duration(url, "every", query.pop("every", "1"), 0.1)
    member, ca, pin = (query.pop(name, "") for name in ("member", "ca", "pin"))
    pin = pin.replace(":", "").lower()
    if pin and (len(pin) != 64 or set(pin) - set("0123456789abcdef")):
        raise UsageError(f"source {url.text!r}: pin has to be the SHA-256 of the certificate, 64 hex digits")
    tls = _tls(url, ca, pin)
    path = quote(url.path or "/") + (f"?{urlencode(query)}" if query else "")
    return lambda: _Polling(_Device(url, tls, pin), path, member, every)


class _Polling(Connection):
    def __init__(self, device: "_Device", path: str, member: str, every: float) -> None:
        self._device, self._path, self._member, self._every = device, path, member, every
        self._before = b""
        self._new_at = self._next_at = time.monotonic()

    def read(self) -> list[Event]:
        while True:
            time.sleep(max(0.0, self._next_at - time.monotonic()))
            answer = self._device.get(self._path)
            now = time.monotonic()
            self._next_at = max(self._next_at + self._every, now)
            if answer and answer != self._before:
                self._before, self._new_at = answer, now
                data, _, trouble = unwrap(answer, self._member)
                return [Dropped(trouble) if trouble else Data(data, ends_message=True)]
            if now > self._new_at + SILENCE_S:
                self._new_at = float("inf")  # said once
                return [Silence(SILENCE_S)]

    def close(self) -> None:
        self._device.close()


def _tls(url: Url, ca: str, pin: str) -> ssl.SSLContext | None:
    if url.scheme != "https":
        return None
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"source {url.text!r}: {ca}: {error.strerror or error}") from None
    if pin:  # the certificate itself is compared, whoever has signed it
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Device:
    """One connection, opened when it is needed."""

    def __init__(self, url: Url, tls: ssl.SSLContext | None, pin: str) -> None:
        self._host, self._port, self._tls, self._pin = url.host, url.port, tls, pin
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {"User-Agent": f"telegraf_p1/{__version__}", "X-Api-Version": "2"}  # HomeWizard asks for 2
        if token := os.environ.get(TOKEN):
            basic = base64.b64encode(f"{url.user}:{token}".encode()).decode()
            self._headers["Authorization"] = f"Basic {basic}" if url.user else f"Bearer {token}"

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def get(self, path: str) -> bytes:
        """Give the body of the answer, empty when there is none yet; raise OSError."""
        try:
            try:
                answer, body = self._ask(path)
            except ConnectionError:
                if self._connection is None:
                    raise
                self.close()  # kept open from the last question, and closed by the device meanwhile
                answer, body = self._ask(path)
        except http.client.HTTPException as error:
            self.close()
            raise OSError(errno.EPROTO, f"the device does not answer as a web server does: {error!r}") from None
        except TimeoutError:
            self.close()
            raise OSError(errno.ETIMEDOUT, "the device does not answer") from None
        if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
            raise OSError(errno.EACCES, f"the device refuses ({answer.status}): is {TOKEN} right?")
        if answer.status not in (_OK, _NOTHING_YET):
            where = f", go to {answer.getheader('Location')!r}" if answer.getheader("Location") else ""
            raise OSError(errno.EPROTO, f"the device answers {answer.status} {answer.reason}{where}")
        return body if answer.status == _OK else b""

    def _ask(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection or self._open()
        connection.request("GET", path, headers=self._headers)
        answer = connection.getresponse()
        body = answer.read(_LARGEST)
        # Too long, or to be closed; http.client would open a new one without looking at the pin.
        self._connection = connection if answer.isclosed() and connection.sock else None
        return answer, body

    def _open(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_S, context=self._tls)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            seen = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((self._host, connection.port)))
            reason = f"the device's certificate is not trusted ({error.verify_message}); if it is your device, add "
            raise OSError(errno.EACCES, f"{reason}?pin={hashlib.sha256(seen).hexdigest()}") from None
        shown = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if self._pin and shown != self._pin:
            connection.close()
            raise OSError(errno.EACCES, f"the device's certificate is not the pinned one, its SHA-256 is {shown}")
        return connection
