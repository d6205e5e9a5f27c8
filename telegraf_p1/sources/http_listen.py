"""Receives telegrams by HTTP: `http-listen://127.0.0.1:8080`, or `http-listen://0.0.0.0:8080/path`.

DSMR-reader's remote datalogger sends them, and so do many scripts and devices. The telegram is in the form field
`telegram`, in JSON, or the whole body; the token in the header `Authorization: Token …` or `X-AUTHKEY`. The answer is
201, once the record is written.

Most clients send a telegram once, and the next one only after the answer. So nobody waits while Telegraf is stalled:
the record is kept in memory, as with a cable, and the answer is 202 at once. 503 means that a telegram was not
accepted, since too many came at the same time: it has to be sent again.

Each path is a stream of its own, as an MQTT topic is, and becomes a tag of the record. With a path in the source only
that one is accepted, and there is no tag. P1_HTTP_TOKEN is the token; without one only this computer may post. Options:
`member` (of JSON, with the telegram).
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
from telegraf_p1.sources.events import Data, Dropped, Event, Pause, Silence, Trouble
from telegraf_p1.sources.http_server import Answer, Refused, Request, Server
from telegraf_p1.url import Url, UsageError, host_and_port, options

TOKEN: Final = "P1_HTTP_TOKEN"  # noqa: S105  the name of the variable

_MOST_WAITING: Final = 64
_LONGEST_PATH: Final = 200
_MOST_FIELDS: Final = 100
_SILENCE_S: Final = 60.0  # one telegram in half a minute is normal for some devices
_GRACE_S: Final = 0.1  # for records that are written in a moment: a long one, or one for a pipe that was full just now
_WRITTEN: Final = Answer(HTTPStatus.CREATED, "")
_KEPT: Final = Answer(HTTPStatus.ACCEPTED, "kept in memory, and written when Telegraf reads again")
_NOT_TAKEN: Final = Answer(
    HTTPStatus.SERVICE_UNAVAILABLE, "not accepted, because too many requests came at the same time"
)
_NO_TELEGRAM: Final = "no telegram found in the form field `telegram`, in a JSON member, or as the whole body"
_TELEGRAM_BEGINS: Final = (b"/", b"\xdb\x08")
_JSON_BEGINS: Final = (b"{", b"[", b'"')


def source(url: Url) -> Source:
    """Return a source that receives telegrams by POST; it raises OSError if it cannot listen on the address."""
    (member,) = options(url, member="")
    address = host_and_port(url)
    rules = _Rules(_token(), url.path.strip("/"), member)
    if not rules.token and not _is_this_computer(url.host):
        raise UsageError(
            f"source {url.text!r}: other computers may post only with a token: set {TOKEN} in "
            "Telegraf's environment, for example in /etc/default/telegraf, or listen on 127.0.0.1"
        )
    return lambda: _Receiver(address, rules)


def _token() -> bytes:
    text = credentials.read(os.environ, TOKEN)
    if " " in text:
        raise UsageError(f"{TOKEN} contains a space, which a header cannot carry")
    return text.encode()


def _is_this_computer(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Rules(NamedTuple):
    """What a request must contain; an empty `path` allows all paths, an empty `token` requires none."""

    token: bytes
    path: str
    member: str

    def data(self, request: Request) -> Data:
        """Return the telegram of a request; raise Refused."""
        self._check_sender(request.headers)
        path = request.path.strip("/")
        if self.path and path != self.path:
            raise Refused(HTTPStatus.NOT_FOUND, f"the path must be /{self.path}")
        if len(path) > _LONGEST_PATH or not path.isascii():
            raise Refused(HTTPStatus.NOT_FOUND, "the path is too long, or not ASCII")
        telegram = self._telegram(request.body)
        # The time is set now: the telegram may have to wait until the one before is written.
        return Data(telegram, "" if self.path else path, ends_message=True, sent_ns=time.time_ns())

    def _check_sender(self, headers: Mapping[str, str]) -> None:
        if headers.get("Origin"):  # only browsers send it: any web page could post through one
            raise Refused(HTTPStatus.FORBIDDEN, "web pages are not allowed to post here")
        shown = headers.get("X-AUTHKEY") or headers.get("Authorization", "").rpartition(" ")[2]
        if self.token and not hmac.compare_digest(shown.strip().encode("latin-1", "replace"), self.token):
            raise Refused(HTTPStatus.FORBIDDEN, f"the request has no token, or another one than {TOKEN}")

    def _telegram(self, body: bytes) -> bytes:
        """Return the telegram in a body, whatever its content type: many clients send none or a wrong one."""
        if not body.lstrip().startswith(_TELEGRAM_BEGINS + _JSON_BEGINS):
            body = _form_field(body) or body
        payload = unwrap(body, self.member)
        data = payload.data.lstrip()
        if not data.startswith(_TELEGRAM_BEGINS):
            raise Refused(HTTPStatus.BAD_REQUEST, payload.trouble or _NO_TELEGRAM)
        return data


def _form_field(body: bytes) -> bytes:
    """Return the field `telegram` of a form, byte for byte; empty if there is none."""
    try:
        form = parse_qs(body.decode("latin-1"), encoding="latin-1", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return b""
    return form.get("telegram", [""])[0].encode("latin-1")


class _Post:
    """A telegram that was posted, and the answer to its client."""

    def __init__(self, event: Data) -> None:
        self.event = event
        self._is_over = threading.Event()
        self._answer = _NOT_TAKEN

    def end(self, answer: Answer) -> None:
        self._answer = answer
        self._is_over.set()

    def answer(self) -> Answer:
        """Wait for the answer and return it."""
        self._is_over.wait()
        return self._answer


class _Receiver(Connection):
    acknowledges = True  # most clients keep nothing, so reading goes on while Telegraf is stalled

    def __init__(self, address: tuple[str, int], rules: _Rules) -> None:
        self._address, self._rules = address, rules
        self._waiting: queue.Queue[_Post | Trouble | Dropped] = queue.Queue(_MOST_WAITING)
        self._lock = threading.Lock()  # so that nothing is put into the queue once it is closed
        self._is_open = True
        self._taken: list[_Post] = []  # returned by `read`, and not answered yet
        self._stands_still = False  # the last ones returned were not written in time
        self._silence_timeout_s: float | None = _SILENCE_S
        self._broken: OSError | None = None
        self._server = Server(address, self._take, self._fail)

    def read(self) -> list[Event]:
        if self._broken:
            raise self._broken
        if self._taken and not self._stands_still:
            self._stands_still = True
            time.sleep(_GRACE_S)
            return [Pause(_GRACE_S)]  # perhaps they are written now
        self._end(self._taken, _KEPT)
        try:
            found = [self._waiting.get(timeout=self._silence_timeout_s), *self._what_waits()]
        except queue.Empty:
            self._silence_timeout_s = None  # reported once
            return [Silence(_SILENCE_S, f"check that the device posts to {self._own_url()}")]
        if posts := [one for one in found if isinstance(one, _Post)]:
            self._silence_timeout_s = _SILENCE_S
            self._taken += posts
        return [one.event if isinstance(one, _Post) else one for one in found]

    def _own_url(self) -> str:
        host, port = self._address
        is_any = host in ("0.0.0.0", "::")
        return f"http://{'ADDRESS-OF-THIS-COMPUTER' if is_any else host}:{port}/{self._rules.path}"

    def _what_waits(self) -> list[_Post | Trouble | Dropped]:
        found: list[_Post | Trouble | Dropped] = []
        with contextlib.suppress(queue.Empty):
            while len(found) < _MOST_WAITING:
                found.append(self._waiting.get_nowait())
        return found

    def done(self) -> None:
        self._stands_still = False
        self._end(self._taken, _WRITTEN)

    def close(self) -> None:
        self._server.close()
        with self._lock:
            self._is_open = False
        self._end(self._taken, _KEPT)
        self._end([one for one in self._what_waits() if isinstance(one, _Post)], _NOT_TAKEN)

    @staticmethod
    def _end(posts: list[_Post], answer: Answer) -> None:
        for post in posts:
            post.end(answer)
        posts.clear()

    def _take(self, request: Request) -> Answer:
        """Put a request into the queue and wait for its answer, in its client's thread; raise Refused."""
        try:
            post = _Post(self._rules.data(request))
        except Refused as refused:
            status, text = refused.answer
            event = Dropped if status == HTTPStatus.BAD_REQUEST else Trouble
            self._put(event(f"request rejected ({status}): {text}"))
            raise
        return post.answer() if self._put(post) else _NOT_TAKEN

    def _put(self, one: _Post | Trouble | Dropped) -> bool:
        """Put something into the queue; return whether there was room and the source is open."""
        with self._lock, contextlib.suppress(queue.Full):
            if self._is_open:
                self._waiting.put_nowait(one)
                return True
        return False

    def _fail(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._broken = error
            self._put(Trouble(str(error)))  # wakes up `read`
        else:
            name = type(error).__name__
            self._put(Trouble(f"a request could not be answered; this is a bug, please report it: {name}"))
