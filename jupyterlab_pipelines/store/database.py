"""The store's SQLite database: opened, migrated, one connection per thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from jupyterlab_pipelines.errors import StoreError

BUSY_SECONDS = 60.0


class Database:
    """Connections to `path`. Until somebody writes, a database that is not there is an empty one.

    So looking at a notebook leaves nothing on the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._watch: sqlite3.Connection | None = None
        self._watched: tuple[int, int] | None = None
        self._watch_lock = threading.Lock()

    def reader(self) -> sqlite3.Connection:
        """A connection for reading; to an empty database where there is none yet."""
        connection = self._connection()
        if connection is not None:
            return connection
        empty: sqlite3.Connection | None = getattr(self._local, "empty", None)
        if empty is None:
            empty = self._local.empty = _connect(":memory:")
            _migrate(empty, self.path)
        return empty

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it is durable afterwards, or nothing happened."""
        connection = self._connection() or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def create(self) -> None:
        """Make sure that the database is there and can be written.

        Raises
        ------
        StoreError
            ``store_unwritable``, ``store_damaged`` or ``store_too_new``.
        """
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            with self.transaction():
                pass
        except (OSError, sqlite3.OperationalError) as error:
            raise StoreError(
                "store_unwritable",
                f"The store {folder} cannot be written: {getattr(error, 'strerror', None) or error}. "
                "Name another folder by --store or JUPYTER_PIPELINES_STORE.",
                store=str(folder),
            ) from None

    def version_of_data(self) -> int:
        """A number that changes whenever another connection, of any process, has written."""
        with self._watch_lock:
            identity = self._identity()
            if self._watch is not None and identity != self._watched:
                self._watch.close()
                self._watch = None
            if identity is None:
                return 0
            if self._watch is None:
                self._watch = _connect(str(self.path), check_same_thread=False)
                self._watched = identity
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

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

    def _identity(self) -> tuple[int, int] | None:
        """Which file the database is now: somebody may delete the store while we have it open."""
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino

    def _connection(self) -> sqlite3.Connection | None:
        """This thread's connection to the file that is there now, if there is one."""
        identity = self._identity()
        connection: sqlite3.Connection | None = getattr(self._local, "file", None)
        if connection is not None and identity != self._local.identity:
            connection.close()
            connection = self._local.file = None
        if connection is None and identity is not None:
            return self._open()
        return connection

    def _open(self) -> sqlite3.Connection:
        try:
            connection = _connect(str(self.path))
            _migrate(connection, self.path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise StoreError(
                "store_damaged",
                f"The store's database {self.path} cannot be read: {error}. "
                "Move the folder aside to begin a new store.",
                store=str(self.path.parent),
            ) from None
        self._local.file = connection
        self._local.identity = self._identity()
        return connection


def _connect(path: str, *, check_same_thread: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=check_same_thread
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    if path != ":memory:":
        connection.execute("PRAGMA journal_mode = WAL")
        # A finished step must survive a power cut, not only the end of our process.
        connection.execute("PRAGMA synchronous = FULL")
    return connection


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
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would end our transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
