"""What the tests share: places, components that have to be there, programs, and waiting."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from telegraf_p1.decode import Record, decode
from telegraf_p1.framer import Framer
from telegraf_p1.telegram import parse
from telegraf_p1.timestamp import Zone

T = TypeVar("T")

HERE = Path(__file__).parent
GOLDEN = sorted((HERE / "golden").glob("*.telegram"))
SHARED = HERE.parent.parent / "shared" / "telegrams"
PLUGIN = [sys.executable, "-m", "telegraf_p1"]

# When a telegram says no time, the golden lines have this one: 2023-11-14T22:13:20Z.
RECEIVED_NS = 1_700_000_000 * 10**9

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/telegrams is not there")


def records(data: bytes, zone: str = "Europe/Amsterdam") -> list[Record]:
    """Give the records of all telegrams in data, which have to be right."""
    framer = Framer()
    frames = framer.feed(data) + framer.flush()
    return [decode(parse(frame.data), RECEIVED_NS, Zone(zone)) for frame in frames]


# What a grid company would hand out.
KEY = bytes(range(16))
LUXEMBOURG = bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def seal(telegram: bytes, key: bytes = KEY, authentication: bytes = LUXEMBOURG, counter: int = 1) -> bytes:
    """Encrypt a telegram as a Smarty meter does (p1.md, section 11)."""
    head = b"\xdb\x08TST\0\0\0\0\1"
    number = counter.to_bytes(4, "big")
    encryptor = Cipher(algorithms.AES(key), modes.GCM(head[2:] + number, min_tag_length=12)).encryptor()
    encryptor.authenticate_additional_data(b"\x30" + authentication)
    body = b"\x30" + number + encryptor.update(telegram) + encryptor.finalize() + encryptor.tag[:12]
    if len(body) < 0x80:
        return head + bytes([len(body)]) + body
    if len(body) < 0x100:
        return head + b"\x81" + bytes([len(body)]) + body
    return head + b"\x82" + len(body).to_bytes(2, "big") + body


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that only itself vouches for; give its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


def component(name: str) -> str:
    """Give the path of a real part; skip without it, or fail where P1_REQUIRE names it."""
    path = os.environ.get(f"P1_{name.upper()}") or shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if path and Path(path).exists():
        return path
    if name in required():
        pytest.fail(f"P1_REQUIRE asks for {name}, which is not installed")
    pytest.skip(f"{name} is not installed")


def required() -> list[str]:
    return [name for name in os.environ.get("P1_REQUIRE", "").split(",") if name]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    """Wait until the condition holds and give its value; fail with `what` after a bound."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s for: {what}")
        time.sleep(0.02)
    return value


def answers(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def program(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program and end it, by its process id, whatever happens."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@contextmanager
def plugin(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `telegraf-p1` as Telegraf does, with a pipe as stdin and stdout, its log in a file."""
    with (
        log.open("wb") as stderr,
        program(
            [*PLUGIN, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0
        ) as process,
    ):
        yield process


def something_to_read(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process writes to its stdout, or closes it, within this time."""
    assert process.stdout
    return bool(select.select([process.stdout], [], [], seconds)[0])


def read_line(process: subprocess.Popen[bytes]) -> str:
    """Wait for the next record, with a bound."""
    assert process.stdout
    line = b""
    while not line.endswith(b"\n"):
        assert something_to_read(process, 20), "no record came for 20 s"
        byte = process.stdout.read(1)
        assert byte, "the plugin closed its stdout"
        line += byte
    return line.decode()[:-1]


def assert_ends_at_once(running: Callable[[], AbstractContextManager[subprocess.Popen[bytes]]], how: str) -> None:
    """Stop the plugin, by `eof` or by the name of a signal: within 0.2 s it is gone, with exit code 0.

    It may have three tries: CI has other things to do, too.
    """
    took: list[float] = []
    while not took or (min(took) > 0.2 and len(took) < 3):
        with running() as process:
            begun = time.monotonic()
            if how == "eof":
                assert process.stdin
                process.stdin.close()
            else:
                process.send_signal(signal.Signals[how])
            assert process.wait(10) == 0
            took.append(time.monotonic() - begun)
    assert min(took) <= 0.2
