"""The broker's certificate: a self-signed one that devices know by its SHA-256, or one of a known authority."""

import hashlib
import ipaddress
import ssl
import subprocess
from pathlib import Path
from typing import Final

from .files import own

_DAYS: Final = "7300"  # a new certificate would need a new pin on each device


def make(folder: Path, host: str) -> None:
    """Make a self-signed certificate, if there is none yet."""
    certificate, key = folder / "server.crt", folder / "server.key"
    if certificate.exists():
        return
    new, new_key = folder / ".new-server.crt", folder / ".new-server.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    command += ["-days", _DAYS, "-subj", "/CN=telegraf_p1", "-addext", f"subjectAltName={_name(host)}"]
    _openssl([*command, "-keyout", str(new_key), "-out", str(new)])
    for made, target in ((new_key, key), (new, certificate)):
        made.chmod(0o600)
        own(made, folder)
        made.replace(target)


def pin(folder: Path) -> str:
    """Return the SHA-256 of a self-signed certificate; empty for one that an authority has signed."""
    certificate = folder / "server.crt"
    names = _openssl(["openssl", "x509", "-in", str(certificate), "-noout", "-subject_hash", "-issuer_hash"]).split()
    if len(set(names)) > 1:
        return ""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


def _name(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def _openssl(command: list[str]) -> str:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, umask=0o077)  # noqa: S603  ours
    except FileNotFoundError:
        raise OSError("openssl is missing: apt-get install openssl") from None
    if done.returncode:
        raise OSError(f"openssl failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout
