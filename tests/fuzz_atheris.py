"""Inputs found by what they make the program do: `make atheris MINUTES=5`, or -m tests.fuzz_atheris TARGET MINUTES.

Atheris (libFuzzer) watches which branches an input takes and changes those that found a new one. It has wheels for
Linux on x86-64 only, of 35 MB, so it belongs to no other target and not to CI. Targets:

  path      bytes of a meter → frame → telegram → record → line, in every mode, cut anywhere, with the CRC put right
  envelope  what a device puts around a telegram → the bytes of the meter
  url       what a user writes as SOURCE; nothing is connected, and UsageError is the only exception

A failure prints its input and leaves it in a file that is named; `-m tests.fuzz_atheris TARGET FILE` runs it again.
"""

import contextlib
import importlib
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["telegraf_p1"]):
    from telegraf_p1 import lineproto
    from telegraf_p1.crc import checksum
    from telegraf_p1.decode import Memory, decode
    from telegraf_p1.decrypt import decrypt_frame
    from telegraf_p1.framer import LIMIT, Frame, Framer
    from telegraf_p1.interpreter import Interpreter, Settings
    from telegraf_p1.keys import Keys
    from telegraf_p1.log import Log
    from telegraf_p1.sources import _KINDS, EXAMPLES, envelope, events, open_source
    from telegraf_p1.telegram import CrcMode, TelegramError, parse
    from telegraf_p1.timestamp import Zone
    from telegraf_p1.url import UsageError

    for kind in _KINDS.values():  # now, so that they are watched
        importlib.import_module(f"telegraf_p1.sources.{kind.module}")

from tests.fuzz import telegrams
from tests.helpers.telegrams import KEY, LUXEMBOURG, ROOT

LONGEST_S = 10  # for one input of the longest kind, under the fuzzer's watch
MOST_MIB = 1024
MODES: tuple[CrcMode, ...] = ("auto", "require", "x25", "off")
ZONE = Zone()


def path(data: bytes) -> None:
    """The first byte says how the rest is treated, the second how it is cut."""
    how, size, stream = (data[0], data[1], data[2:]) if len(data) > 2 else (0, 0, data)
    mode = MODES[how & 3]
    keys = Keys(KEY, LUXEMBOURG) if how & 4 else None
    if how & 8 and b"\n!" in stream:
        body = stream[: stream.rindex(b"\n!") + 2]
        stream = body + b"%04X\r\n" % checksum(body[max(0, body.find(b"/")) :])
    size = size + 1 if size < 255 else len(stream) or 1
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    frames = _frames(pieces)
    assert frames == _frames([stream]), "the frames depend on how the stream is cut"
    for frame in frames:
        assert len(frame.data) <= LIMIT + 16
        with contextlib.suppress(TelegramError):
            telegram = parse(decrypt_frame(frame, keys).data, mode, whole=frame.whole)
            _check_line(lineproto.line(decode(telegram, 1, Memory(ZONE), host_time=bool(how & 16))))
    interpreter = Interpreter(
        Settings(mode, ZONE, host_time=bool(how & 16), keys=keys, plain=bool(how & 32)), Log(_check_log), "meter"
    )
    found = [record for piece in pieces for record in interpreter.records(events.Data(piece), 1)]
    found += interpreter.records(events.Silence(events.SILENCE_S), 2) + interpreter.finish()
    for record in found:
        _check_line(lineproto.line(record))
    assert not interpreter.rejected_by_cause["bug"]


def _frames(pieces: list[bytes]) -> list[Frame]:
    framer = Framer()
    return [frame for piece in pieces for frame in framer.feed(piece)] + framer.flush()


def _check_line(line: str) -> None:
    assert not line or line.splitlines() == [line]
    line.encode()


def _check_log(line: str) -> None:
    assert line.isascii()
    assert "\n" not in line.rstrip("\n")
    assert len(line) < 4096


def unwrap(data: bytes) -> None:
    """Nothing is raised, and little is made of little but by gzip."""
    member = "telegram" if data[:1] == b"m" else ""
    found = envelope.unwrap(data, member)
    assert isinstance(found.data, bytes)
    assert len(found.data) <= max(2 * len(data) + 2, envelope.LARGEST + 2)


def url(data: bytes) -> None:
    """What stands there is checked, and nothing else happens."""
    with contextlib.suppress(UsageError):
        open_source(data.decode("utf-8", "surrogateescape"))


TARGETS: dict[str, Callable[[bytes], None]] = {"path": path, "envelope": unwrap, "url": url}


def seeds(target: str) -> list[bytes]:
    """What the fuzzer begins with."""
    whole = telegrams()
    if target == "path":
        return [bytes((how, size)) + data for data in whole for how, size in ((0, 255), (7, 60), (11, 255), (60, 1))]
    if target == "url":
        return [text.encode() for text in (*EXAMPLES, *_sources())]
    texts = [data.decode("latin-1") for data in whole[:4]]
    made: list[object] = [{"telegram": texts[0]}, {"a": [{"b": texts[1].split("\r\n")}]}, {"SerialReceived": texts[2]}]
    made += [{"type": "Buffer", "data": list(whole[3])}, [*whole[0]]]
    return [*whole[:6], whole[0].hex().encode(), *(json.dumps(value).encode() for value in made)]


def _sources() -> list[str]:
    """The sources in the pages."""
    return [
        source
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for source in re.findall(r"(?:[a-z0-9]+://|file:|sim:|/dev/)[^\s`|\"]+", page.read_text())
    ]


WORDS = {
    "path": r"/ ! \r\n \r\n\r\n ( ) )( * kWh 1-0:1.8.0( 0-1:24.2.1( 0-1:24.1.0( 0-0:1.0.0( \xdb\x08 \x82 \0",
    "envelope": r"{\" \": \" [ ] \\r\\n /TST5 ! SerialReceived Buffer data type \x1f\x8b\x08 \\ud800",
    "url": "mqtt:// mqtts:// http:// https:// tcp:// rfc2217:// serial:// sim: file: ? & = @ % [ ] + # .. xn-- nan 1e9 "
    "7E1 /dev/ttyUSB0 timeout= member= pin= ca= cert= key= share= client= baudrate= format= form= seed=",
}


def fuzz(target: str, minutes: int, folder: Path) -> None:
    """Run a target; libFuzzer ends the process."""
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, data in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(data)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS[target].split(" ")))
    options = [
        f"-max_total_time={minutes * 60}",
        f"-dict={words}",
        f"-timeout={LONGEST_S}",
        f"-rss_limit_mb={MOST_MIB}",
    ]
    longest = {"path": 2 * LIMIT, "envelope": 2 * LIMIT, "url": 300}[target]
    options += [f"-max_len={longest}", f"-artifact_prefix={tempfile.gettempdir()}/{target}-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], _shown(TARGETS[target]))
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """Write a word, in which bytes are written as in Python, as libFuzzer reads it."""
    return "".join(f"\\x{octet:02x}" for octet in word.encode("latin-1").decode("unicode-escape").encode("latin-1"))


def _shown(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def shown(data: bytes) -> None:
        try:
            run(data)
        except BaseException:
            print(f"input: {data!r}", file=sys.stderr)
            raise

    return shown


def main(target: str, what: str) -> None:
    """Fuzz for so many minutes, or run the input in a file."""
    if what.isdigit():
        with tempfile.TemporaryDirectory() as folder:
            fuzz(target, int(what), Path(folder))
    else:
        TARGETS[target](Path(what).read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
