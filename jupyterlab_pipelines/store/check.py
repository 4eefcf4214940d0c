"""``jupyter pipelines check``: is the store whole, and if not, what can be mended."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.errors import StoreError
from jupyterlab_pipelines.store import references
from jupyterlab_pipelines.store.artifacts import ASIDE, stamp_of

if TYPE_CHECKING:
    from jupyterlab_pipelines.store import Store


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was not as it should be.

    Attributes
    ----------
    kind
        ``database damaged_value missing_value damaged_object missing_object unknown_file partial_file
        run_folder lock interrupted_run``.
    what
        The file, or the run.
    message
        What it is and what was done, for a person.
    is_repaired
        Whether it is as it should be now.
    """

    kind: str
    what: str
    message: str
    is_repaired: bool = True


@dataclass
class Report:
    """What was looked at and what was found. `size_bytes`: of all stored files that are whole."""

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0

    @property
    def status(self) -> str:
        if not self.findings:
            return "clean"
        return "repaired" if all(finding.is_repaired for finding in self.findings) else "damaged"

    def to_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "files": self.files,
            "size_bytes": self.size_bytes,
            "findings": [asdict(finding) for finding in self.findings],
        }


def check(store: Store) -> Report:
    """Look at everything in the store, and mend what can be mended.

    Runs may go on meanwhile: what one of them has written is left alone.

    Raises
    ------
    StoreError
        The database cannot be read at all.
    """
    report = Report()
    if not store.database.path.exists():
        return report
    report.findings += _check_database(store)
    if report.findings and not report.findings[-1].is_repaired:
        return report
    for run_id in store.settle_interrupted():
        report.findings.append(
            Finding("interrupted_run", run_id, f"run {run_id} had ended without a word: told as interrupted")
        )
    live = references.live_runs(store)
    settled_before = references.settled_before(store, live.values())
    # What nobody knows was there before we asked who knows what; what is missing was not there after that.
    there_before = [name for name, _ in store.artifacts.files()]
    values, objects = references.values(store), references.objects(store)
    files = dict(store.artifacts.files())
    report.findings += _check_values(store, files, values)
    report.findings += _check_objects(store, files, objects)
    report.findings += _remove_unknown(store, there_before, {*values, *objects}, settled_before)
    report.findings += _remove_what_runs_left(store, live.keys())
    for name, status in store.artifacts.files():
        if not name.endswith(ASIDE):
            report.files += 1
            report.size_bytes += status.st_size
    store.files.flush()
    return report


def _check_database(store: Store) -> Iterator[Finding]:
    """Ask SQLite; an index that disagrees with its table can be made anew."""

    def problems() -> list[str]:
        told = [str(row[0]) for row in store.database.rows("PRAGMA integrity_check")]
        return [] if told == ["ok"] else told

    path = str(store.database.path)
    found: list[str] = []
    try:
        found = problems()
        if not found:
            return
        with store.database.transaction() as connection:
            connection.execute("REINDEX")
        left = problems()
    except StoreError as error:
        if error.code != "store_damaged":
            raise
        left = [str(error.details.get("why", "it cannot be read"))]
    if left:
        yield Finding(
            "database",
            path,
            f"the database is damaged: {left[0]}. Move the store's folder aside to begin a new one",
            is_repaired=False,
        )
    else:
        yield Finding("database", path, f"the database's indexes were damaged ({found[0]}): made anew")


def _check_values(
    store: Store, files: dict[str, os.stat_result], values: dict[str, references.Value]
) -> Iterator[Finding]:
    """Read every stored value; those whose bytes are other ones are removed."""
    known = {row["name"]: row for row in store.database.rows("SELECT * FROM artifacts")}
    unproved: list[str] = []
    lost: dict[str, list[str]] = {"damaged": [], "missing": []}
    for name, value in values.items():
        row = known.get(name)
        told = f"the stored value of `{value.name}` (step `{value.step}` of {value.notebook})"
        again = "the step runs again when somebody needs it"
        if name not in files:
            if row is None or row["gone"] is None:
                lost["missing"].append(name)
                yield Finding("missing_value", name, f"{told} is gone: {again}")
            continue
        if _is_whole(store, value, files[name], row):
            if row is None or row["checksum"] is None:
                unproved.append(name)
            if files[name].st_mtime_ns != stamp_of(name):
                store.artifacts.stamp(name)
        elif store.artifacts.status(name) is not None:
            lost["damaged"].append(name)
            yield Finding("damaged_value", name, f"{told} is damaged: removed, {again}")
    for why, names in lost.items():
        store.integrity.forget(names, why)
    store.integrity.compute_checksums(unproved)


def _is_whole(store: Store, value: references.Value, status: os.stat_result, row: sqlite3.Row | None) -> bool:
    if row is None or row["gone"]:  # no checksum, see `Integrity`; or its removal was begun, and not ended
        return status.st_size == value.size_bytes
    if row["checksum"] is not None:
        return store.integrity.checksum(value.stored) == str(row["checksum"])
    return status.st_size == int(row["size_bytes"]) and status.st_mtime_ns == stamp_of(value.stored)


def _check_objects(
    store: Store, files: dict[str, os.stat_result], objects: dict[str, str]
) -> Iterator[Finding]:
    """Executed notebooks and logs are named by their bytes."""
    noted = {row["name"] for row in store.database.rows("SELECT name FROM artifacts WHERE gone IS NOT NULL")}
    lost: dict[str, list[str]] = {"damaged": [], "missing": []}
    for name, what in objects.items():
        if name not in files:
            if name not in noted:
                lost["missing"].append(name)
                yield Finding("missing_object", name, f"the {what} {name} is gone")
        elif store.artifacts.read_object(name) is not None:
            if files[name].st_mtime_ns != stamp_of(name):
                store.artifacts.stamp(name)
        elif store.artifacts.status(name) is not None:
            lost["damaged"].append(name)
            yield Finding("damaged_object", name, f"the {what} {name} is damaged: removed")
    for why, names in lost.items():
        store.integrity.forget(names, why)


def _remove_unknown(
    store: Store, names: Iterable[str], known: set[str], settled_before: int
) -> Iterator[Finding]:
    """What a killed process has left: files that no execution and no run knows."""
    known = known | {references.note_of(name) for name in known}
    for name in names:
        if name in known:
            continue
        status = store.artifacts.status(name)
        if status is None or status.st_ctime_ns >= settled_before:
            continue
        store.artifacts.remove(name)
        if name.endswith(ASIDE):
            yield Finding("partial_file", name, f"{name} was never written to its end: removed")
        else:
            yield Finding("unknown_file", name, f"{name} belongs to no finished step: removed")


def _remove_what_runs_left(store: Store, live: Any) -> Iterator[Finding]:
    for folder in sorted((store.path / "runs").glob("*")):
        lock = store.run_lock(folder.name)
        if folder.name in live or not lock.acquire():
            continue
        # A run that has ended just now has removed its own.
        if folder.is_dir() and _remove_folder(folder):
            yield Finding(
                "run_folder", folder.name, f"what run {folder.name} was writing when it ended: removed"
            )
        lock.release()
    for lock in references.locks(store):
        if lock.path.exists() and lock.acquire():
            lock.release()
            yield Finding("lock", lock.path.name, f"the lock {lock.path.name} was held by nobody: removed")


def _remove_folder(folder: Path) -> bool:
    """Remove what a run was writing, but not what its process has said when it broke off."""
    is_told = any(path.name == "runner.log" and path.stat().st_size for path in folder.glob("*"))
    if not is_told:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    left = [path for path in folder.glob("*") if path.name != "runner.log"]
    for path in left:
        path.unlink(missing_ok=True)
    return bool(left)
