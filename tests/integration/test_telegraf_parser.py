"""Whatever a meter sends, Telegraf's own parser reads one record with one tag and these fields."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from telegraf_p1 import lineproto
from telegraf_p1.record import Record
from tests.helpers.programs import component

# Writes a file to stdout, waits for the end of stdin and until all is read, as the plugin does.
_SAY = (
    "import sys; from telegraf_p1.log import Log; from telegraf_p1.pipe import Pipe; "
    "sys.stdout.write(open(sys.argv[1], newline='').read()); sys.stdout.flush(); sys.stdin.read(); Pipe(Log()).drain()"
)
_CONFIG = """
[agent]
  flush_interval = "1s"
  omit_hostname = true
[[inputs.execd]]
  command = ['{python}', '-c', '''{say}''', '{lines}']
  signal = "none"
  data_format = "influx"
[[outputs.file]]
  files = ["{out}"]
  data_format = "influx"
"""
_FIELD = re.compile(r'(?P<name>[a-z]+)=(?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<number>[^, ]+))(?P<end>[, ])', re.DOTALL)

# Any text, and often what means something in line protocol.
TEXT = st.text(st.one_of(st.sampled_from(' ,="\\\n\r\t\0#/!i'), st.characters()), max_size=40)
# And what may not stand at a tag's end.
TAG = st.builds(str.__add__, TEXT, st.text(st.sampled_from("\\ ,\u3000"), max_size=5))
# 64-bit floats, as InfluxDB has them, hold any 15 digits.
READING = st.decimals(-(10**11), 10**11, allow_nan=False, places=3)


def through_telegraf(lines: list[str]) -> tuple[list[str], str]:
    """Give the records Telegraf read, as it writes them, and its log."""
    with TemporaryDirectory() as folder:
        said, out, config = (Path(folder) / name for name in ("said", "out", "telegraf.conf"))
        said.write_bytes("".join(f"{line}\n" for line in lines).encode())
        config.write_text(_CONFIG.format(python=sys.executable, say=_SAY, lines=said, out=out))
        command = [component("telegraf"), "--config", str(config), "--once"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return out.read_text().splitlines(), done.stderr


def head(line: str) -> str:
    """Give measurement and tags: a backslash escapes only what stands in the brackets."""
    match = re.match(r"(?:\\[,= ]|[^ ])+", line)
    assert match
    return match[0]


def fields(line: str) -> dict[str, str | Decimal | int]:
    """Take apart the fields of a line that Telegraf wrote."""
    result: dict[str, str | Decimal | int] = {}
    position = len(head(line)) + 1
    while match := _FIELD.match(line, position):
        position = match.end()
        text, number = match["text"], match["number"]
        if text is not None:
            result[match["name"]] = re.sub(r"\\(.)", r"\1", text)
        else:
            result[match["name"]] = int(number[:-1]) if number[-1] == "i" else Decimal(number)
    return result


@given(st.lists(st.tuples(TAG, TEXT, READING), min_size=100, max_size=300))
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    verbosity=Verbosity.quiet,  # a sample is 300 texts; the assertion names the line
)
def test_no_text_can_start_a_record_a_field_or_a_tag(samples: list[tuple[str, str, Decimal]]) -> None:
    lines = [
        lineproto.line(Record({"meter": tag}, {"message": text, "n": 5, "reading": reading}, 10**18 + n, []))
        for n, (tag, text, reading) in enumerate(samples)
    ]
    read, log = through_telegraf(lines)
    assert "parse error" not in log
    by_time = {int(line.rpartition(" ")[2]) - 10**18: line for line in read}
    assert sorted(by_time) == list(range(len(samples)))
    assert len(read) == len(samples)
    for n, (_, text, reading) in enumerate(samples):
        line = by_time[n]
        # One tag at the most: an unescaped comma before the first unescaped space.
        assert len(re.findall(r"(?<!\\),", head(line))) <= 1, line
        seen = fields(line)
        assert seen.keys() == {"message", "n", "reading"}, line
        assert seen["n"] == 5
        assert seen["reading"] == reading
        printable = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text)
        assert seen["message"] == printable
