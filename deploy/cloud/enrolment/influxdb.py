"""InfluxDB 2 through its API: buckets, and tokens with one permission each."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

from .files import Refused

_SECONDS: Final = 30
_NOT_FOUND: Final = 404
# Marks the buckets that were kept of a removed household, so that a new one of that name does not get to see them.
KEPT: Final = "kept of a household that was removed"


class InfluxDB:
    """An InfluxDB, accessed with a token that has all permissions."""

    def __init__(self, url: str, organization: str, token: str) -> None:
        self._url, self._name, self._token = url.rstrip("/"), organization, token

    def set_up(self, password: str) -> None:
        """Make the organization, its first user and our token, if the InfluxDB is new."""
        if self._ask("GET", "/api/v2/setup")["allowed"]:
            first = {"username": "operator", "password": password, "org": self._name, "bucket": "p1_operator"}
            self._ask("POST", "/api/v2/setup", {**first, "token": self._token})
        self._organization()

    def bucket(self, name: str) -> dict[str, Any] | None:
        """Return what InfluxDB knows about a bucket; None if it does not exist."""
        query = urllib.parse.urlencode({"org": self._name, "name": name})
        try:
            found: list[dict[str, Any]] = self._ask("GET", f"/api/v2/buckets?{query}")["buckets"]
        except FileNotFoundError:
            return None
        return found[0] if found else None

    def make_bucket(self, name: str) -> str:
        """Make a bucket unless it exists; return its id."""
        found = self.bucket(name)
        if found is None:
            found = self._ask("POST", "/api/v2/buckets", {"orgID": self._organization(), "name": name})
        return str(found["id"])

    def is_kept(self, name: str) -> bool:
        """Whether a bucket is marked as kept of a removed household."""
        found = self.bucket(name)
        return found is not None and found.get("description") == KEPT

    def keep_bucket(self, name: str) -> None:
        """Mark a bucket as kept of a removed household."""
        if found := self.bucket(name):
            self._ask("PATCH", f"/api/v2/buckets/{found['id']}", {"description": KEPT})

    def give_bucket(self, name: str) -> None:
        """Remove this mark from a bucket."""
        found = self.bucket(name)
        if found and found.get("description") == KEPT:
            self._ask("PATCH", f"/api/v2/buckets/{found['id']}", {"description": ""})

    def drop_bucket(self, name: str) -> None:
        """Delete a bucket and its data."""
        if found := self.bucket(name):
            self._ask("DELETE", f"/api/v2/buckets/{found['id']}")

    def tokens(self, purpose: str) -> list[str]:
        """Return the ids of the tokens that were made for a purpose."""
        query = urllib.parse.urlencode({"org": self._name})
        found = self._ask("GET", f"/api/v2/authorizations?{query}")["authorizations"]
        return [str(one["id"]) for one in found if one.get("description") == purpose]

    def make_token(self, purpose: str, action: str, buckets: list[str]) -> str:
        """Make a token that can read or write these buckets (none: all); revoke earlier tokens of this purpose."""
        organization = self._organization()
        before = self.tokens(purpose)
        what = [{"type": "buckets", "orgID": organization, "id": one} for one in buckets]
        permissions = [
            {"action": action, "resource": one} for one in what or [{"type": "buckets", "orgID": organization}]
        ]
        body = {"orgID": organization, "description": purpose, "permissions": permissions}
        made = self._ask("POST", "/api/v2/authorizations", body)
        for one in before:
            self._ask("DELETE", f"/api/v2/authorizations/{one}")
        return str(made["token"])

    def revoke(self, purpose: str) -> None:
        """Revoke the tokens of a purpose."""
        for one in self.tokens(purpose):
            self._ask("DELETE", f"/api/v2/authorizations/{one}")

    def _organization(self) -> str:
        query = urllib.parse.urlencode({"org": self._name})
        return str(self._ask("GET", f"/api/v2/orgs?{query}")["orgs"][0]["id"])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}{path}", data, headers, method=method)  # noqa: S310  its own
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise self._said(error, f"{method} {path.partition('?')[0]}") from None
        except urllib.error.URLError as error:
            raise OSError(f"InfluxDB does not answer at {self._url}: {error.reason}") from None

    def _said(self, error: urllib.error.HTTPError, what: str) -> Exception:
        """Return the exception for a refused request."""
        if error.code == 401:  # unauthorized
            return Refused(
                f"the InfluxDB at {self._url} rejects the token in P1_CLOUD_TOKEN: it was set up by somebody else"
            )
        try:
            text = str(json.loads(error.read())["message"])
        except (ValueError, KeyError, TypeError):
            text = str(error.reason)
        kind = FileNotFoundError if error.code == _NOT_FOUND else OSError
        return kind(f"InfluxDB refuses {what}: {text} ({error.code})")
