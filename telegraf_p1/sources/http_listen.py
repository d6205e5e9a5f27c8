"""Telegrams that are posted to us: `http-listen://127.0.0.1:8080`, or `http-listen://0.0.0.0:8080/path`.

What DSMR-reader's remote datalogger sends, and the many scripts and devices that do as it does: POST with the
telegram in the form field `telegram`, in JSON, or as it is; a token in the header `Authorization: Token …` or
`X-AUTHKEY`; and 201 as the answer, once the record is written.

Each path is a stream of its own, as a topic of MQTT is, and becomes the record's tag; with a path in the source
only that one is listened to, and there is no tag. P1_HTTP_TOKEN is the token; without one only this computer may post.
Options: `member` of JSON that holds the telegram.
"""

import contextlib
import hmac
import ipaddress
import os
import queue
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from telegraf_p1 import credentials
from telegraf_p1.sources.connection import Connection, Source
from telegraf_p1.sources.envelope import unwrap
from telegraf_p1.sources.events import Data, Dropped, Event, Silence, Trouble
from telegraf_p1.sources.http_server import Refused, Request, Server
from telegraf_p1.url import Url, UsageError, host_and_port, options

TOKEN: Final = "P1_HTTP_TOKEN"  # noqa: S105  its name

_MOST_WAITING: Final = 64
_LONGEST_PATH: Final = 200
_MOST_FIELDS: Final = 100
_SILENCE_S: Final = 60.0  # once in half a minute is slow, and no trouble
_NO_TELEGRAM: Final = "there is no telegram in the form field `telegram`, in a member of JSON, nor is it the whole body"
_TELEGRAM_BEGINS: Final = (b"/", b"\xdb\x08")
_JSON_BEGINS: Final = (b"{", b"[", b'"')


def source(url: Url) -> Source:
    """Listen for telegrams; an address that cannot be listened on raises OSError."""
    (member,) = options(url, member="")
    address = host_and_port(url)
    rules = _Rules(_token(), url.path.strip("/"), member)
    if not rules.token and not _is_this_computer(url.host):
        raise UsageError(
            f"source {url.text!r}: others than this computer may post only with a token: put one into {TOKEN} in "
            "Telegraf's environment, such as /etc/default/telegraf, or listen on 127.0.0.1"
        )
    return lambda: _Receiver(address, rules)


def _token() -> bytes:
    text = credentials.read(os.environ, TOKEN)
    if " " in text:
        raise UsageError(f"{TOKEN} holds a blank, which no header can carry")
    return text.encode()


def _is_this_computer(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Rules(NamedTuple):
    """What a request has to show and to hold; an empty `path` stands for all, an empty `token` for none."""

    token: bytes
    path: str
    member: str

    def data(self, request: Request) -> Data:
        """Give the telegram of a request; raise Refused."""
        self._check_sender(request.headers)
        path = request.path.strip("/")
        if self.path and path != self.path:
            raise Refused(HTTPStatus.NOT_FOUND, f"only /{self.path} is listened to")
        if len(path) > _LONGEST_PATH or not path.isascii():
            raise Refused(HTTPStatus.NOT_FOUND, "the path is too long, or no ASCII")
        telegram = self._telegram(request.body)
        # It may have to wait, when the one before is not written yet.
        return Data(telegram, "" if self.path else path, ends_message=True, sent_ns=time.time_ns())

    def _check_sender(self, headers: Mapping[str, str]) -> None:
        if headers.get("Origin"):  # which browsers send, and nobody else: any page could post through one
            raise Refused(HTTPStatus.FORBIDDEN, "no web page may post here")
        shown = headers.get("X-AUTHKEY") or headers.get("Authorization", "").rpartition(" ")[2]
        if self.token and not hmac.compare_digest(shown.strip().encode("latin-1", "replace"), self.token):
            raise Refused(HTTPStatus.FORBIDDEN, f"the request shows no token, or another one than {TOKEN}")

    def _telegram(self, body: bytes) -> bytes:
        """Give what a body holds, whatever it says to be, since many say nothing or something else."""
        if not body.lstrip().startswith(_TELEGRAM_BEGINS + _JSON_BEGINS):
            body = _form_field(body) or body
        payload = unwrap(body, self.member)
        data = payload.data.lstrip()
        if not data.startswith(_TELEGRAM_BEGINS):
            raise Refused(HTTPStatus.BAD_REQUEST, payload.trouble or _NO_TELEGRAM)
        return data


def _form_field(body: bytes) -> bytes:
    """Give the field `telegram` of a form, byte for byte; empty when there is none."""
    try:
        form = parse_qs(body.decode("latin-1"), encoding="latin-1", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return b""
    return form.get("telegram", [""])[0].encode("latin-1")


class _Post:
    """A telegram that came, and whether its record is written."""

    def __init__(self, event: Data) -> None:
        self.event = event
        self._is_over = threading.Event()
        self._is_written = False

    def end(self, *, is_written: bool) -> None:
        self._is_written = is_written
        self._is_over.set()

    def is_written(self) -> bool:
        """Wait until it is, or never will be."""
        self._is_over.wait()
        return self._is_written


class _Receiver(Connection):
    keeps = True  # a client keeps its telegram until it is answered

    def __init__(self, address: tuple[str, int], rules: _Rules) -> None:
        self._address, self._rules = address, rules
        self._waiting: queue.Queue[_Post | Trouble | Dropped] = queue.Queue(_MOST_WAITING)
        self._lock = threading.Lock()  # nobody comes to wait once it is closed
        self._is_open = True
        self._taken: list[_Post] = []  # and not answered yet
        self._patience: float | None = _SILENCE_S
        self._broken: OSError | None = None
        self._server = Server(address, self._take, self._fail)

    def read(self) -> list[Event]:
        if self._broken:
            raise self._broken
        try:
            found = [self._waiting.get(timeout=self._patience), *self._what_waits()]
        except queue.Empty:
            self._patience = None  # said once
            return [Silence(_SILENCE_S, f"does the device post to {self._own_url()}?")]
        if posts := [one for one in found if isinstance(one, _Post)]:
            self._patience = _SILENCE_S
            self._taken += posts
        return [one.event if isinstance(one, _Post) else one for one in found]

    def _own_url(self) -> str:
        host, port = self._address
        is_any = host in ("0.0.0.0", "::")
        return f"http://{'ADDRESS-OF-THIS-COMPUTER' if is_any else host}:{port}/{self._rules.path}"

    def _what_waits(self) -> list[_Post | Trouble | Dropped]:
        found: list[_Post | Trouble | Dropped] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._waiting.get_nowait())
        return found

    def done(self) -> None:
        self._end(self._taken, is_written=True)

    def close(self) -> None:
        self._server.close()
        with self._lock:
            self._is_open = False
        self._taken += [one for one in self._what_waits() if isinstance(one, _Post)]
        self._end(self._taken, is_written=False)

    @staticmethod
    def _end(posts: list[_Post], *, is_written: bool) -> None:
        for post in posts:
            post.end(is_written=is_written)
        posts.clear()

    def _take(self, request: Request) -> None:
        """Take a request, in its own thread, and come back when its record is written; or raise Refused."""
        try:
            post = _Post(self._rules.data(request))
        except Refused as refused:
            event = Dropped if refused.status == HTTPStatus.BAD_REQUEST else Trouble
            self._put(event(f"a client was refused ({refused.status}): {refused.text}"))
            raise
        if not self._put(post) or not post.is_written():
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "telegrams are not written now, or not fast enough")

    def _put(self, one: _Post | Trouble | Dropped) -> bool:
        """Whether there is room for it, and somebody to come for it."""
        with self._lock, contextlib.suppress(queue.Full):
            if self._is_open:
                self._waiting.put_nowait(one)
                return True
        return False

    def _fail(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._broken = error
            self._put(Trouble(str(error)))  # wakes up who waits
        else:
            name = type(error).__name__
            self._put(Trouble(f"a request could not be answered; this is a bug, please report it: {name}"))
