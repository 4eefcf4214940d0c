"""The store's SQLite database: opened, migrated, one connection per thread."""

from __future__ import annotations

import functools
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import StoreError

BUSY_SECONDS = 60.0
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

FileId = tuple[int, int]


class Database:
    """Connections to `path`. Until somebody writes, a database that is not there is an empty one.

    So looking at a notebook leaves nothing on the disk. Whatever SQLite finds wrong with the file is a
    `StoreError`: ``store_damaged``, ``store_unwritable``, ``store_busy`` or ``store_too_new``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._watch: sqlite3.Connection | None = None
        self._watched: FileId | None = None
        self._watches = 0
        self._watch_lock = threading.Lock()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """What a query finds; nothing where there is no database yet."""
        with self._explained():
            return self._reader().execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of what a query finds."""
        return next(iter(self.rows(sql, values)), None)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it is durable afterwards, or nothing happened."""
        with self._explained():
            connection = self._opened() or self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def create(self) -> None:
        """Make sure that the database is there and can be written."""
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise unwritable(folder, error.strerror or str(error)) from None
        with self.transaction():
            pass

    def copy_to(self, path: Path) -> None:
        """Make a database at `path` that holds what this one holds at this moment."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            copy = sqlite3.connect(path)
            try:
                self._reader().backup(copy)
            finally:
                copy.close()

    def version_of_data(self) -> int:
        """A number that changes whenever another connection, of any process, has written."""
        with self._watch_lock, self._explained():
            there = self._file_id()
            if self._watch is not None and self._watched != there:
                self._watch.close()
                self._watch = None
            if there is None:
                return self._watches << 32
            if self._watch is None:
                self._watch, self._watched = _connect(str(self.path), check_same_thread=False), there
                self._watches += 1
            # A new connection counts from the beginning again.
            return (self._watches << 32) + int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def close_thread(self) -> None:
        """Close this thread's connections."""
        for name in ("file", "empty"):
            connection = getattr(self._local, name, None)
            if connection is not None:
                connection.close()
                setattr(self._local, name, None)

    def close(self) -> None:
        """Close this thread's connections and the watching one."""
        self.close_thread()
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    # -- connections ----------------------------------------------------------------------------

    def _reader(self) -> sqlite3.Connection:
        """A connection for reading; to an empty database where there is none yet."""
        connection = self._opened()
        if connection is not None:
            return connection
        if self._file_id() is not None:
            return self._open()
        empty: sqlite3.Connection | None = getattr(self._local, "empty", None)
        if empty is None:
            _require_possible(self.path.parent)
            empty = self._local.empty = _connect(":memory:")
            _migrate(empty, self.path)
        return empty

    def _opened(self) -> sqlite3.Connection | None:
        """This thread's connection, unless somebody has removed the store since it was opened."""
        connection: sqlite3.Connection | None = getattr(self._local, "file", None)
        if connection is not None and self._local.file_id != self._file_id():
            connection.close()
            connection = self._local.file = None
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = _connect(str(self.path))
        try:
            _migrate(connection, self.path)
        except BaseException:
            connection.close()
            raise
        self._local.file, self._local.file_id = connection, self._file_id()
        return connection

    def _file_id(self) -> FileId | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What SQLite finds wrong with the file, in words for the person who meets it."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            folder = self.path.parent
            if code in DAMAGED:
                raise _damaged(folder, str(error)) from error
            if code in BUSY:
                raise StoreError(
                    "store_busy",
                    f"Another process has kept the store {folder} locked for {BUSY_SECONDS:g} s. Try again "
                    "when it has ended.",
                    store=str(folder),
                ) from error
            if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
                raise unwritable(folder, str(error)) from error
            raise


def unwritable(folder: Path, why: str) -> StoreError:
    return StoreError(
        "store_unwritable",
        f"The store {folder} cannot be used: {why}. Name another folder by --store or JUPYTER_PIPELINES_STORE.",
        store=str(folder),
    )


def _damaged(folder: Path, why: str) -> StoreError:
    return StoreError(
        "store_damaged",
        f"The store's database {folder / 'metadata.db'} cannot be read: {why}. Move the folder aside to begin "
        "a new store.",
        store=str(folder),
        why=why,
    )


def _require_possible(folder: Path) -> None:
    """Raise `StoreError` if there is something else in the store's place, or above it."""
    for candidate in (folder, *folder.parents):
        if os.path.lexists(candidate):
            if not candidate.is_dir():
                raise unwritable(folder, f"{candidate} is no folder")
            return


def _connect(path: str, *, check_same_thread: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=check_same_thread
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        if path != ":memory:":
            _write_ahead(connection)
            # A finished step must survive a power cut, not only the end of our process.
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Set WAL mode. While another process does the same, SQLite refuses at once, without its timeout."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@functools.cache
def _migrations() -> list[str]:
    folder = resources.files("jupyterlab_pipelines.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text(encoding="utf-8") for name in names]


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date; a migration and the note that it ran are one transaction."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    migrations = _migrations()
    if version == len(migrations):
        return
    if version > len(migrations):
        raise StoreError(
            "store_too_new",
            f"The store {path.parent} was written by a newer version of pipelines-as-experiments "
            f"(schema {version}; this version knows {len(migrations)}). Update the package, or name "
            "another store by --store.",
            store=str(path.parent),
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        for number, script in enumerate(migrations[version:], start=version + 1):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise _damaged(path.parent, f"it holds something else ({error})") from error
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would end our transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
