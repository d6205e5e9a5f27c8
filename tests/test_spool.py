"""The queue on disk: what is safe, what is let go, and what becomes of a file that nobody can read."""

import itertools
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from telegraf_p1.forward.letter import Letter
from telegraf_p1.forward.spool import LEAST, Spool
from telegraf_p1.log import Log
from telegraf_p1.simulator.countries import FORMS
from telegraf_p1.simulator.meter import Meter
from telegraf_p1.url import UsageError
from tests.helpers.telegrams import START

pytestmark = pytest.mark.usefixtures("closed_queues")

SIZE = 64_000_000
A_DAY = 86_400


def letter(n: int, telegram: bytes = b"/ISK5\r\n\r\n!1234") -> Letter:
    return Letter(f"E{n:016}", telegram, START * 10**9 + n)


def letters(count: int) -> list[Letter]:
    return [letter(n) for n in range(count)]


def noise(n: int) -> Letter:
    """A letter that does not get smaller."""
    return letter(n, os.urandom(1000))


def on_disk(path: Path) -> int:
    return sum(found.stat().st_size for found in path.parent.glob(f"{path.name}*"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "queue"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def spool(path: Path, said: list[str]) -> Spool:
    return Spool(path, SIZE, Log(said.append))


def test_letters_come_back_in_order_and_as_they_were(spool: Spool, path: Path) -> None:
    given = letters(1500)
    numbers = spool.append(given)
    assert [row.letter for row in spool.after(0, 2000)] == given
    assert [row.number for row in spool.after(numbers[9], 2)] == numbers[10:12]
    spool.delete(numbers[:1000])
    spool.close()
    again = Spool(path, SIZE, Log())
    assert [row.letter for row in again.after(0, 2000)] == given[1000:]
    assert (again.count(), again.last()) == (500, numbers[-1])


def test_what_is_safe_is_synced_to_the_disk(spool: Spool) -> None:
    """SQLite syncs its log at each commit with FULL (2), and the database before it empties the log."""
    spool.append(letters(1))
    assert spool._opened  # noqa: SLF001
    asked = [spool._opened.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]  # noqa: SLF001
    assert asked == [2, "wal"]


def test_nobody_else_may_read_it(spool: Spool, path: Path) -> None:
    umask = os.umask(0o022)
    try:
        spool.append(letters(1))
    finally:
        os.umask(umask)
    assert {found.stat().st_mode & 0o777 for found in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_number_is_not_given_twice_while_it_runs(spool: Spool) -> None:
    numbers = spool.append(letters(3))
    spool.delete(numbers)
    assert spool.append(letters(1))[0] > numbers[-1]


def test_what_was_written_outlives_a_kill(path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from tests.test_spool import Spool, Log, letters
Spool(Path({str(path)!r}), 10**7, Log()).append(letters(100))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [row.letter for row in Spool(path, SIZE, Log()).after(0, 1000)] == letters(100)


def test_another_process_is_refused(path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraf_p1.forward.spool._ANOTHER_S", 0.1)
    spool.open()
    with pytest.raises(UsageError, match="another process uses it"):
        Spool(path, SIZE, Log()).open()
    spool.append(letters(1))
    assert spool.count() == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_day_of_a_telegram_a_second_has_room(form: str, spool: Spool, path: Path) -> None:
    meter = Meter(form)
    telegrams = 1000
    spool.append(Letter("E0047010000000011", meter.telegram(START + n), START * 10**9 + n) for n in range(telegrams))
    spool.close()
    assert path.stat().st_size / telegrams * A_DAY < SIZE * 7 / 8  # the rest is for the log


def test_the_oldest_go_and_are_counted_when_there_is_no_more_room(path: Path) -> None:
    spool = Spool(path, LEAST, Log())
    count = 4000
    largest = 0
    for n in range(0, count, 50):
        spool.append([noise(n + i) for i in range(50)])
        largest = max(largest, on_disk(path))
    left = spool.after(0, count)
    assert left[-1].letter.meter == letter(count - 1).meter
    assert [row.number for row in left] == list(range(left[0].number, left[-1].number + 1))
    assert spool.dropped == count - len(left)
    assert len(left) > 600
    assert largest < 1.1 * LEAST


def test_an_empty_queue_gives_its_room_back(spool: Spool, path: Path) -> None:
    numbers = spool.append([noise(n) for n in range(10_000)])
    assert on_disk(path) > 10_000_000
    spool.delete(numbers)
    spool.shrink()
    assert on_disk(path) < 100_000
    assert spool.append(letters(1))[0] > numbers[-1]


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE something (x)")
    database.close()


def newer(path: Path) -> None:
    spool = Spool(path, SIZE, Log())
    spool.open()
    spool.close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"no database" * 1000), "not a database"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + os.urandom(8176)), "is moved to"),
        (foreign, "another program"),
        (newer, "newer version"),
    ],
)
def test_what_is_no_queue_of_ours_is_put_aside(
    make: Callable[[Path], object], reason: str, spool: Spool, path: Path, said: list[str]
) -> None:
    path.parent.mkdir()
    make(path)
    before = path.read_bytes()
    spool.append(letters(3))
    assert spool.count() == 3
    assert (path.parent / "queue.aside").read_bytes() == before
    (line,) = said
    assert reason in line
    assert "queue.aside" in line


def test_a_queue_that_is_damaged_while_it_is_used_is_put_aside(spool: Spool, path: Path, said: list[str]) -> None:
    numbers = spool.append([noise(n) for n in range(2000)])
    spool.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    assert spool.after(0, 2000) == []
    assert spool.append(letters(1))[0] > numbers[-1]
    assert spool.count() == 1
    assert "is moved to" in said[0]


def test_a_damaged_telegram_costs_no_other(spool: Spool, path: Path) -> None:
    numbers = spool.append(letters(5))
    spool.close()
    database = sqlite3.connect(path)
    database.execute("UPDATE letters SET telegram = x'00' WHERE number IN (?, ?)", numbers[1:3])
    database.commit()
    database.close()
    assert [row.letter for row in spool.after(0, 10)] == [letter(0), letter(3), letter(4)]
    assert (spool.damaged, spool.dropped) == (2, 0)
    assert spool.count() == 3


def test_a_disk_that_takes_nothing_is_an_error_that_may_come_right(spool: Spool, path: Path) -> None:
    spool.append(letters(1))
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (on_disk(path) + 20_000, largest[1]))
        with pytest.raises(OSError, match="queue: the disk"):
            list(map(spool.append, itertools.repeat([noise(1)])))
        before = spool.count()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
        signal.signal(signal.SIGXFSZ, handler)
    spool.append(letters(1))
    assert spool.count() == before + 1


def test_a_folder_that_cannot_be_made_is_an_error_that_may_come_right(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Spool(tmp_path / "file" / "queue", SIZE, Log()).open()
