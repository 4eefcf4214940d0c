"""Digests of the project's files, remembered from process to process."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from jupyterlab_pipelines.errors import StoreError
from jupyterlab_pipelines.store.database import Database


class FileDigests:
    """The memory that `jupyterlab_pipelines.files.file_digest` asks before it reads a file, and tells after.

    What it is told is written down by `flush`, if there is a store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new: dict[str, tuple[int, int, int, int, str]] = {}
        self._lock = threading.Lock()

    def find(self, path: str, status: os.stat_result) -> str | None:
        """The digest of the file while its status was this one, None if nobody knows."""
        row = self._database.row(
            "SELECT digest FROM file_digests"
            " WHERE path = ? AND size_bytes = ? AND mtime_ns = ? AND ctime_ns = ? AND inode = ?",
            (path, *_columns(status)),
        )
        return None if row is None else str(row["digest"])

    def keep(self, path: str, status: os.stat_result, digest: str) -> None:
        """Remember the digest that the file has while its status is this one."""
        with self._lock:
            self._new[path] = (*_columns(status), digest)

    def flush(self) -> None:
        """Write down what is new. Nothing depends on it: where it cannot be written, it is forgotten."""
        with self._lock:
            new, self._new = self._new, {}
        if not new or not self._database.path.exists():
            return
        with suppress(StoreError), self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO file_digests VALUES (?, ?, ?, ?, ?, ?)",
                [(path, *columns) for path, columns in new.items()],
            )


def _columns(status: os.stat_result) -> tuple[int, int, int, int]:
    # SQLite's integers have a sign; the numbers of some file systems use all 64 bits.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino % (1 << 63)
