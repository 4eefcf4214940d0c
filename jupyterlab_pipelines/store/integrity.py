"""Whether stored files are whole: asked before one is handed on, and made sure of when a step has ended."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import suppress

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.errors import StoreError
from jupyterlab_pipelines.files import file_digest, read_digest
from jupyterlab_pipelines.store.artifacts import ArtifactStore, stamp_of
from jupyterlab_pipelines.store.database import Database
from jupyterlab_pipelines.store.files import FileDigests

GONE = "is gone"
DAMAGED = "is damaged"
RECLAIMED = "was reclaimed by `gc`"
_TOLD = {"missing": GONE, "damaged": DAMAGED, "reclaimed": RECLAIMED}


class Integrity:
    """Knows what size and which bytes each stored file had when it was stored.

    A file that has its stamp is whole: nobody has touched it. Another one, of a store that was copied for
    instance, is whole if its bytes have the right checksum; then it gets its stamp again.
    """

    def __init__(self, artifacts: ArtifactStore, database: Database, digests: FileDigests) -> None:
        self._artifacts = artifacts
        self._database = database
        self._digests = digests
        self._lost: dict[str, str] = {}

    # -- asking ---------------------------------------------------------------------------------

    def problem(self, artifact: Artifact) -> str | None:
        """What is wrong with the stored value of an artifact; None if it can be handed on."""
        name = artifact.stored
        if not name:
            return None
        status = self._artifacts.status(name)
        if status is not None and _is_right(status, name, artifact.size_bytes):
            return None
        if status is None:
            return self._missing(name)
        row = self._database.row("SELECT * FROM artifacts WHERE name = ?", (name,))
        # Another execution may have left an equal value in other bytes.
        if row is not None and _is_right(status, name, row["size_bytes"]):
            return None
        if not self._is_as_stored(artifact, status, row):
            self._lost[name] = "damaged"
            return DAMAGED
        self._artifacts.stamp(name)
        return None

    def _is_as_stored(self, artifact: Artifact, status: os.stat_result, row: sqlite3.Row | None) -> bool:
        """Whether a file without its stamp has the bytes that were stored."""
        if row is None:
            # Stored by a version that had no checksums. Its size is all that is known.
            return status.st_size == artifact.size_bytes
        if row["checksum"] is None or status.st_size != row["size_bytes"]:
            return False
        path = os.path.abspath(self._artifacts.path(artifact.stored))
        return file_digest(path, self._digests) == str(row["checksum"])

    def object_problem(self, name: str) -> str | None:
        """The same of a stored object, which is named by its bytes: an executed notebook, a log."""
        if self._artifacts.is_stamped(name):
            return None
        if self._artifacts.status(name) is None:
            return self._missing(name)
        if self._artifacts.read_object(name) is None:
            return DAMAGED
        self._artifacts.stamp(name)
        return None

    def _missing(self, name: str) -> str:
        row = self._database.row("SELECT gone FROM artifacts WHERE name = ?", (name,))
        why = row["gone"] if row else None
        if why is None:
            self._lost[name] = "missing"
        return _TOLD[why or "missing"]

    # -- making sure ----------------------------------------------------------------------------

    def compute_checksums(self, names: Iterable[str]) -> None:
        """Compute the checksums that are not known yet, of files that nobody has touched since they were stored."""
        found: list[tuple[str, int, str]] = []
        for name in names:
            row = self._database.row("SELECT checksum FROM artifacts WHERE name = ?", (name,))
            if (row is not None and row["checksum"] is not None) or not self._artifacts.is_stamped(name):
                continue
            checksum = self.checksum(name)
            status = self._artifacts.status(name)
            if checksum is not None and status is not None and status.st_mtime_ns == stamp_of(name):
                found.append((name, status.st_size, checksum))
        if found:
            with self._database.transaction() as connection:
                connection.executemany(
                    "INSERT OR REPLACE INTO artifacts (name, size_bytes, checksum) VALUES (?, ?, ?)", found
                )

    def discard_damaged(self, artifacts: Collection[Artifact]) -> list[Artifact]:
        """Read stored values that could not be loaded; those of them whose bytes are other ones are removed.

        Returns those that are not there, or not any more.
        """
        lost = []
        for artifact in artifacts:
            if not artifact.stored:
                continue
            row = self._database.row("SELECT * FROM artifacts WHERE name = ?", (artifact.stored,))
            is_there = self._artifacts.status(artifact.stored) is not None
            if is_there and (
                row is None or row["checksum"] is None or self.checksum(artifact.stored) == row["checksum"]
            ):
                continue
            self.forget([artifact.stored], "damaged")
            lost.append(artifact)
        return lost

    def forget(self, names: Iterable[str], why: str) -> None:
        """Remove stored files, and note why they are not there any more: ``missing``, ``damaged`` or ``reclaimed``."""
        names = list(names)
        with suppress(StoreError), self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO artifacts (name, size_bytes, gone) VALUES (?, 0, ?)"
                " ON CONFLICT (name) DO UPDATE SET gone = excluded.gone, checksum = NULL",
                [(name, why) for name in names],
            )
        for name in names:
            self._artifacts.remove(name)

    def discard_lost(self) -> None:
        """Remove the files that were found damaged: they are about to be made again, perhaps in other bytes."""
        while self._lost:
            name, why = self._lost.popitem()
            if not self._artifacts.is_stamped(name):  # else another run has made it again
                self.forget([name], why)

    def checksum(self, name: str) -> str | None:
        """The checksum of the bytes that a stored file has now, None if it is not there."""
        try:
            return read_digest(self._artifacts.path(name))
        except OSError:
            return None


def _is_right(status: os.stat_result, name: str, size_bytes: int) -> bool:
    return status.st_mtime_ns == stamp_of(name) and status.st_size == size_bytes
