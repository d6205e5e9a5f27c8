"""Posts telegrams, as DSMR-reader's remote datalogger does."""

import http.client
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

PATH = "/api/v1/datalogger/dsmrreading"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Answer(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]


def send(
    port: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    path: str = PATH,
    method: str = "POST",
    seconds: float = 20,
) -> Answer:
    """Send a request and wait at most so long for the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
    finally:
        connection.close()


def post_telegram(port: int, telegram: bytes, token: str = "", path: str = PATH, seconds: float = 20) -> Answer:
    """Post a telegram in a form, without its last line end, as dsmr_datalogger_api_client.py does."""
    headers = {**FORM, **({"Authorization": f"Token {token}"} if token else {})}
    return send(port, urlencode({"telegram": telegram.decode()}).encode(), headers, path, seconds=seconds)
