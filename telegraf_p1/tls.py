"""TLS: which certificates are accepted, and what to do about one that is not.

`?ca=FILE` is the certificate of its signer, `?pin=HEX` the SHA-256 of the certificate itself. `?cert=FILE` and
`?key=FILE` are our own certificate and its key.
"""

import errno
import hashlib
import socket
import ssl
from typing import Final, cast

from telegraf_p1.connect import left, reached
from telegraf_p1.url import Url, UsageError

# A plain scheme → the one with TLS.
_WITH_TLS: Final = {"http": "https", "ws": "wss", "mqtt": "mqtts", "mqtt+ws": "mqtt+wss", "kafka": "kafkas"}
# OpenSSL's reasons for bytes that are not TLS.
_NO_TLS: Final = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
# How a TLS port answers anything that is not TLS: with an alert, in any version.
_ALERT: Final = b"\x15\x03"
_OTHER_NAME: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def trust(url: Url, whose: str, **files: str) -> "Trust | None":
    """Return what the options of a URL say about TLS; None if its scheme has none.

    `whose` is what messages call the other side: `device` or `broker`. `files` are the options `ca`, `pin`, `cert` and
    `key`, as far as the source has them. Raise UsageError for options that are wrong or would be ignored: nobody would
    notice that a connection is less secure than intended.
    """
    if cure := _WITH_TLS.get(url.scheme):
        if files.keys() & url.query.keys():
            *most, last = files
            raise UsageError(f"source {url.text!r}: {', '.join(most)} and {last} need TLS: use {cure}://")
        return None
    ca, cert, key = (files.get(name, "") for name in ("ca", "cert", "key"))
    pin = files.get("pin", "").replace(":", "").lower()
    if pin and (len(pin) != 64 or set(pin) - set("0123456789abcdef")):
        raise UsageError(f"source {url.text!r}: pin must be the SHA-256 of the certificate, 64 hex digits")
    if pin and ca:
        raise UsageError(
            f"source {url.text!r}: use either ca or pin: with a pin, it does not matter who signed the certificate"
        )
    if key and not cert:
        raise UsageError(f"source {url.text!r}: key needs its certificate: add cert=FILE")
    try:
        plain = next(plain for plain, scheme in _WITH_TLS.items() if scheme == url.scheme)
        return Trust(whose, plain, ca, pin if "pin" in files else None, cert, key)
    except OSError as error:
        names = " or ".join(filter(None, (ca, cert, key)))
        raise UsageError(f"source {url.text!r}: {names}: {error.strerror or error}") from None


class Trust:
    """Opens TLS connections, which are checked before any data is sent."""

    def __init__(self, whose: str, plain: str, ca: str, pin: str | None, cert: str, key: str) -> None:
        """`plain` is the scheme without TLS; `pin` is None if there is no such option. Raise OSError for a bad file."""
        self._whose, self._plain, self._ca, self._cert, self._key = whose, plain, ca, cert, key
        self._context = self._new_context()
        self._takes_pin = pin is not None
        if pin:  # the certificate itself is compared, whoever signed it
            self._context = self._for_any_name(by_anybody=True)
            self._context.sslsocket_class = _pinned(whose, pin)

    def connected(self, address: tuple[str, int], end: float) -> ssl.SSLSocket:
        """Open a connection before `end` (monotonic clock); raise OSError with the reason if that fails."""
        try:
            return _connected(self._context, address, end)
        except ssl.SSLCertVerificationError as error:
            raise self._distrusted(error, address, end) from None
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError) as error:
            raise self._failed(error) from None

    def _distrusted(self, error: ssl.SSLCertVerificationError, address: tuple[str, int], end: float) -> OSError:
        """Look at a certificate that is not trusted, over a separate connection, and return the error with advice."""
        is_other_name = error.verify_code in _OTHER_NAME
        with _connected(self._for_any_name(by_anybody=not is_other_name), address, end) as opened:
            pin, seen = _fingerprint(opened), opened.getpeercert() or {}
        reason = f"the {self._whose}'s certificate is not trusted ({error.verify_message})"
        if is_other_name:
            names = cast("tuple[tuple[str, str], ...]", seen.get("subjectAltName", ()))
            written = ", ".join(name for _, name in names)[:200]
            reason = f"the {self._whose}'s certificate is for {written!r} and not for {address[0]!r}"
        cure = f"if this is your {self._whose}, add ?pin={pin}"
        if not self._takes_pin:
            cure = "use the name in the certificate" if is_other_name else "add the certificate of its signer: ?ca=FILE"
        return OSError(errno.EACCES, f"{reason}; {cure}")

    def _failed(self, error: OSError) -> OSError:
        """Return the error that says why the TLS handshake failed."""
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            text = f"the {self._whose} does not use TLS on this port: use {self._plain}://, or its port for TLS"
        elif isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
            text = (
                f"the {self._whose} closes the connection during the TLS handshake: if this port does not "
                f"use TLS, use {self._plain}://"
            )
        elif isinstance(error, ssl.SSLError) and error.reason:
            text = f"TLS connection to the {self._whose} failed: {error.reason.replace('_', ' ').lower()}"
        else:
            text = f"TLS connection to the {self._whose} failed: {error.strerror or error}"
        return OSError(errno.EPROTO, text)

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca or None)
        if self._cert:
            context.load_cert_chain(self._cert, self._key or None)
        return context

    def _for_any_name(self, *, by_anybody: bool) -> ssl.SSLContext:
        """Return a context that accepts a certificate for another name; with `by_anybody`, whoever signed it."""
        context = self._new_context()
        context.check_hostname = False
        if by_anybody:
            context.verify_mode = ssl.CERT_NONE
        return context


def connected(address: tuple[str, int], whom: Trust | None, end: float) -> socket.socket:
    """Open a connection (plain if `whom` is None) before `end` (monotonic clock); raise OSError with the reason."""
    return whom.connected(address, end) if whom else reached(address, end)


def wants_tls(whose: str, plain: str, answer: bytes) -> str:
    """Return the advice to use TLS, judging by a port's answer to a plain request; empty if there is no sign of it."""
    if answer.startswith(_ALERT):
        return f"the {whose} uses TLS on this port: use {_WITH_TLS[plain]}://"
    if not answer:
        return f"the {whose} closed the connection without an answer; if this port needs TLS, use {_WITH_TLS[plain]}://"
    return ""


def _connected(context: ssl.SSLContext, address: tuple[str, int], end: float) -> ssl.SSLSocket:
    with reached(address, end) as plain:  # wrap_socket takes it over; otherwise it is closed
        plain.settimeout(left(end))  # for the whole handshake, however slow it is
        return context.wrap_socket(plain, server_hostname=address[0])


def _pinned(whose: str, pin: str) -> type[ssl.SSLSocket]:
    """Return a class of sockets that compare the certificate before anything is sent."""

    class Pinned(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as ssl has it
            super().do_handshake(block)
            if (shown := _fingerprint(self)) != pin:
                self.close()
                raise OSError(errno.EACCES, f"the {whose}'s certificate does not match the pin: its SHA-256 is {shown}")

    return Pinned


def _fingerprint(opened: ssl.SSLSocket) -> str:
    return hashlib.sha256(opened.getpeercert(binary_form=True) or b"").hexdigest()
