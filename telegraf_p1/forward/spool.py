"""The queue on disk: letters in order, in a SQLite database of limited size that survives a power cut.

What `append` has written is safe: it is synced before it returns. One process owns the database as long as it runs.
A full or read-only disk is an OSError, and may recover. A database that is damaged or not ours is moved aside under
another name: nobody could use it, and it would stop the program at each start.
"""

import contextlib
import errno
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from telegraf_p1.forward.letter import Letter
from telegraf_p1.log import Log
from telegraf_p1.url import UsageError

T = TypeVar("T")

LEAST: Final = 1_000_000  # bytes: the smallest size of a queue
_OURS: Final = 0x70315F71  # `p1_q`, in the head of the file
_VERSION: Final = 1
_PAGE: Final = 4096  # bytes
_LOG_SHARE: Final = 8  # one part in 8 of the size is for SQLite's write-ahead log
_ROW: Final = 40  # bytes of a row besides telegram and meter, at most
_AT_ONCE: Final = 1000  # rows in one transaction
_LOG_AT_ONCE: Final = 4  # one transaction takes at most one part in 4 of the log
_NEARLY_FULL: Final = 0.9
_DROPPED_SHARE: Final = 64  # a full queue drops one letter in 64 at once: one by one would cost more
_ANOTHER_S: Final = 2.0  # for another process that is just ending
_TABLE: Final = """CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY, received_ns INTEGER NOT NULL, meter TEXT NOT NULL, telegram BLOB NOT NULL
)"""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_MAY_COME_RIGHT: Final = {
    sqlite3.SQLITE_FULL: (errno.ENOSPC, "the disk is full"),
    sqlite3.SQLITE_READONLY: (errno.EROFS, "it is not writable"),
    sqlite3.SQLITE_CANTOPEN: (errno.EACCES, "it cannot be opened"),
    sqlite3.SQLITE_PERM: (errno.EACCES, "it cannot be opened"),
    sqlite3.SQLITE_IOERR: (errno.EIO, "the disk reports an error"),
    sqlite3.SQLITE_NOMEM: (errno.ENOMEM, "no memory left"),
    sqlite3.SQLITE_BUSY: (errno.EBUSY, "another process uses it"),
    sqlite3.SQLITE_LOCKED: (errno.EBUSY, "another process uses it"),
}


class Row(NamedTuple):
    """A letter on disk, and its number there; a later letter has a greater one."""

    number: int
    letter: Letter


class _DamagedError(Exception):
    """A database that nobody can use; the text says why."""


class Spool:
    """Letters on disk; one thread at a time may use it."""

    def __init__(self, path: Path, most_bytes: int, log: Log) -> None:
        """Prepare; nothing is opened yet."""
        self.dropped = 0  # letters that were dropped because there was no room
        self.damaged = 0  # letters that could no longer be read
        self.is_nearly_full = False  # whether the next letters may cost the oldest
        self._path, self._log = path, log
        self._most_pages = most_bytes * (_LOG_SHARE - 1) // _LOG_SHARE // _PAGE
        self._log_pages = most_bytes // _LOG_SHARE // _PAGE // 2
        self._bytes_at_once = self._log_pages * _PAGE // _LOG_AT_ONCE
        self._opened: sqlite3.Connection | None = None
        self._last = 0  # last number given: none is given twice, even if the database is moved aside

    def open(self) -> None:
        """Open or create the database; raise UsageError if another process uses it, OSError if it cannot be opened."""
        try:
            self._do(lambda _database: None)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise UsageError(f"--queue {self._path}: another process uses it: name another file here") from None

    def append(self, letters: Iterable[Letter]) -> list[int]:
        """Append letters; return the numbers of the first ones, those that are safe. Raise OSError if none is."""
        numbers: list[int] = []
        rows: list[tuple[int, int, str, bytes]] = []
        room = self._bytes_at_once
        try:
            for letter in letters:
                data = zlib.compress(letter.telegram)
                self._last += 1
                rows.append((self._last, letter.received_ns, letter.meter, data))
                room -= len(data) + len(letter.meter) + _ROW
                if room < 0 or len(rows) >= _AT_ONCE:
                    numbers += self._append(rows)
                    rows, room = [], self._bytes_at_once
            return numbers + (self._append(rows) if rows else [])
        except OSError:
            if not numbers:
                raise
            return numbers

    def _append(self, rows: Sequence[tuple[int, int, str, bytes]]) -> list[int]:
        needed = sum(len(data) + len(meter) + _ROW for _, _, meter, data in rows) // _PAGE + 2

        def insert(database: sqlite3.Connection) -> int:
            dropped = self._make_room(database, needed)
            database.executemany("INSERT INTO letters VALUES (?, ?, ?, ?)", rows)
            self._measure(database)
            return dropped

        self.dropped += self._do(insert, is_written=True)
        return [row[0] for row in rows]

    def _make_room(self, database: sqlite3.Connection, needed: int) -> int:
        """Drop the oldest letters until there is room for `needed` pages; return how many were dropped."""
        dropped = 0
        while _pages(database) + needed > self._most_pages:
            (count,) = database.execute("SELECT count(*) / ? + 1 FROM letters", (_DROPPED_SHARE,)).fetchone()
            gone = database.execute(
                "DELETE FROM letters WHERE number IN (SELECT number FROM letters ORDER BY number LIMIT ?)", (count,)
            ).rowcount
            if not gone:
                break
            dropped += gone
        return dropped

    def after(self, number: int, most: int) -> list[Row]:
        """Return the first letters after a number; raise OSError if they cannot be read now."""
        select = "SELECT number, meter, telegram, received_ns FROM letters WHERE number > ? ORDER BY number LIMIT ?"
        rows = self._do(lambda database: database.execute(select, (number, most)).fetchall())
        found: list[Row] = []
        damaged: list[int] = []
        for own, meter, data, received_ns in rows:
            try:
                found.append(Row(own, Letter(meter, zlib.decompress(data), received_ns)))
            except zlib.error:
                damaged.append(own)
        if damaged:
            self.damaged += len(damaged)
            self.delete(damaged)
            return found or self.after(damaged[-1], most)
        return found

    def delete(self, numbers: Iterable[int]) -> None:
        """Delete letters that have arrived; raise OSError if that fails."""
        rows = [(number,) for number in numbers]

        def delete(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM letters WHERE number = ?", rows)
            self._measure(database)

        self._do(delete, is_written=True)

    def _measure(self, database: sqlite3.Connection) -> None:
        self.is_nearly_full = _pages(database) > _NEARLY_FULL * self._most_pages

    def last(self) -> int:
        """Return the number of the last letter in the queue, 0 if it is empty."""
        select = "SELECT coalesce(max(number), 0) FROM letters"
        return int(self._do(lambda database: database.execute(select).fetchone()[0]))

    def count(self) -> int:
        """Count the letters in the queue; takes some ms, or seconds on a slow card."""
        return int(self._do(lambda database: database.execute("SELECT count(*) FROM letters").fetchone()[0]))

    def shrink(self) -> None:
        """Free the disk space that an empty queue does not need."""

        def vacuum(database: sqlite3.Connection) -> None:
            if database.execute("PRAGMA page_count").fetchone()[0] > self._log_pages:
                database.execute("VACUUM")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        with contextlib.suppress(OSError):
            self._do(vacuum)

    def close(self) -> None:
        """Close the database; its letters are there at the next start."""
        opened, self._opened = self._opened, None
        if opened:
            with contextlib.suppress(sqlite3.Error):
                opened.close()

    def _do(self, action: Callable[[sqlite3.Connection], T], *, is_written: bool = False) -> T:
        """Run an action, in a durable transaction if it writes; a damaged database is replaced by a new one.

        Raise OSError for errors that may pass.
        """
        try:
            return self._tried(action, is_written=is_written)
        except _DamagedError as error:
            self._put_aside(str(error))
        try:
            return self._tried(action, is_written=is_written)
        except _DamagedError as error:
            raise OSError(errno.EIO, f"{self._path}: {error}") from None

    def _tried(self, action: Callable[[sqlite3.Connection], T], *, is_written: bool) -> T:
        try:
            self._opened = self._opened or self._connected()
            if not is_written:
                return action(self._opened)
            self._opened.execute("BEGIN IMMEDIATE")
            result = action(self._opened)
            self._opened.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()  # rolls back what was begun
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                raise _DamagedError(str(error)) from None
            if code and code not in _MAY_COME_RIGHT:
                raise
            number, text = _MAY_COME_RIGHT.get(code, (errno.EIO, str(error)))
            raise OSError(number, f"{self._path}: {text}") from None
        except _DamagedError:
            self.close()
            raise
        return result

    def _connected(self) -> sqlite3.Connection:
        """Open the database exclusively; create it if it does not exist."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.touch(mode=0o600)  # private, since readings tell when somebody is at home
        database = sqlite3.connect(self._path, timeout=_ANOTHER_S, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute(f"PRAGMA page_size = {_PAGE}")
            self._begin(database)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute(f"PRAGMA wal_autocheckpoint = {self._log_pages}")
            database.execute(f"PRAGMA journal_size_limit = {self._log_pages * _PAGE}")
            self._last = max(self._last, *database.execute("SELECT coalesce(max(number), 0) FROM letters").fetchone())
            self._measure(database)
        except BaseException:
            database.close()
            raise
        return database

    def _begin(self, database: sqlite3.Connection) -> None:
        """Lock the database for this process, and check that it is ours."""
        database.execute("BEGIN EXCLUSIVE")
        owner, version = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            database.execute(_TABLE)
            database.execute(f"PRAGMA application_id = {_OURS}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
        elif owner != _OURS:
            raise _DamagedError("it belongs to another program")
        elif version != _VERSION:
            raise _DamagedError("it was made by a newer version of telegraf-p1")
        database.execute("COMMIT")

    def _put_aside(self, reason: str) -> None:
        """Move the database aside for a new one; only the last one is kept, so that they do not fill the disk."""
        aside = self._path.with_name(f"{self._path.name}.aside")
        self._log.error_for(
            "queue aside", f"queue {self._path}: {reason}; it is moved to {aside} and a new one is created"
        )
        for ending in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{ending}").replace(f"{aside}{ending}")


def _pages(database: sqlite3.Connection) -> int:
    """Count the pages in use."""
    pages, free = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    return int(pages - free)
