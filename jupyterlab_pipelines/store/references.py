"""Which stored files belong to which executions and runs, which runs are under way, and how old a file is."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from jupyterlab_pipelines.store.artifacts import ASIDE
from jupyterlab_pipelines.store.locks import FileLock

if TYPE_CHECKING:
    from jupyterlab_pipelines.store import Store

CLOCK_NS = 20 * 10**6
"""How far the times of files may lie behind the clock that programs read."""


@dataclass(slots=True)
class Value:
    """A stored value. `name`, `step` and `notebook` are those of the first execution that left it."""

    stored: str
    size_bytes: int
    name: str
    step: str
    notebook: str


@dataclass(slots=True)
class Owner:
    """An execution or a run, with the stored files that it needs.

    Attributes
    ----------
    used_at
        When it was made or last reused, in seconds since 1970.
    is_pinned
        Of a run that has a tag.
    is_needed
        By a run that is under way.
    """

    notebook: str
    run_id: str
    step: str | None
    used_at: float
    files: set[str] = field(default_factory=set)
    is_pinned: bool = False
    is_needed: bool = False


def note_of(stored: str) -> str:
    """The file beside a stored value that names the definitions to which it refers."""
    return f"{stored[:-1]}.definitions"


def values(store: Store) -> dict[str, Value]:
    """Stored values that some execution has left, by the name of the file."""
    found: dict[str, Value] = {}
    for row in store.database.rows(
        "SELECT o.stored, o.size_bytes, o.name, e.step, e.notebook"
        " FROM outputs o JOIN executions e ON e.id = o.execution_id WHERE o.stored != '' ORDER BY e.id"
    ):
        found.setdefault(
            row["stored"],
            Value(
                *(
                    row["stored"],
                    row["size_bytes"],
                    row["name"],
                    row["step"],
                    row["notebook"],
                )
            ),
        )
    return found


def objects(store: Store) -> dict[str, str]:
    """Stored objects that executions and runs refer to, each with a word that says what it is."""
    found: dict[str, str] = {}
    for what, query in (
        ("notebook of a run", "SELECT snapshot FROM runs"),
        ("log", "SELECT log FROM step_runs UNION SELECT log FROM executions"),
        ("executed notebook", "SELECT executed FROM step_runs UNION SELECT executed FROM executions"),
    ):
        found |= {row[0]: what for row in store.database.rows(query) if row[0]}
    return found


def owners(store: Store, live: Iterable[str]) -> list[Owner]:
    """All executions and runs, with what each needs. `live`: runs that are under way."""
    live = set(live)
    runs: dict[str, Owner] = {}
    for row in store.database.rows("SELECT * FROM runs"):
        runs[row["id"]] = Owner(
            row["notebook"],
            row["id"],
            None,
            _seconds(row["finished_at"] or row["created_at"]),
            {row["snapshot"]},
            is_pinned=bool(json.loads(row["tags"])),
            is_needed=row["id"] in live,
        )
    executions: dict[int, Owner] = {}
    for row in store.database.rows(
        "SELECT id, notebook, step, run_id, finished_at, executed, log FROM executions ORDER BY id"
    ):
        executions[row["id"]] = Owner(
            row["notebook"],
            row["run_id"],
            row["step"],
            _seconds(row["finished_at"]),
            {name for name in (row["executed"], row["log"]) if name},
        )
    for row in store.database.rows("SELECT execution_id, stored FROM outputs WHERE stored != ''"):
        # Of one that was recorded since, the files are too new to be judged.
        if row["execution_id"] in executions:
            executions[row["execution_id"]].files |= {row["stored"], note_of(row["stored"])}
    # The notebook that is being run may reuse any of its executions at the next moment.
    busy = {run.notebook for run in runs.values() if run.is_needed}
    for execution in executions.values():
        execution.is_needed = execution.notebook in busy
    for row in store.database.rows("SELECT run_id, execution_id, executed, log, finished_at FROM step_runs"):
        run = runs.get(row["run_id"])
        if run is None:
            continue
        run.files |= {name for name in (row["executed"], row["log"]) if name}
        used = executions.get(row["execution_id"])
        if used is not None:
            used.used_at = max(
                used.used_at, _seconds(row["finished_at"]) if row["finished_at"] else run.used_at
            )
            used.is_pinned |= run.is_pinned
            used.is_needed |= run.is_needed
    return [*runs.values(), *executions.values()]


def live_runs(store: Store) -> dict[str, FileLock]:
    """Runs that a process is carrying out now: their locks are held."""
    return {lock.path.name.removeprefix("run-"): lock for lock in locks(store, "run-") if is_held(lock)}


def locks(store: Store, prefix: str = "") -> list[FileLock]:
    """The lock files that are there, held or not."""
    try:
        names = sorted(os.listdir(store.path / "locks"))
    except OSError:
        return []
    return [FileLock(store.path / "locks" / name) for name in names if name.startswith(prefix)]


def is_held(lock: FileLock) -> bool:
    """Whether a process holds the lock; its file is left as it is."""
    try:
        if not lock.acquire():
            return True
    except OSError:
        return False
    lock.close()
    return False


def settled_before(store: Store, live: Iterable[FileLock], *, may_write: bool = True) -> int:
    """The time of change, in nanoseconds, before which no file is one that a run under way has stored or found."""
    times = [time.time_ns() - CLOCK_NS]
    if may_write:
        # The file system's own clock, which may be another machine's.
        with suppress(OSError), tempfile.NamedTemporaryFile(suffix=ASIDE, dir=store.artifacts.root) as probe:
            times = [os.fstat(probe.fileno()).st_ctime_ns]
    for lock in live:
        with suppress(OSError):
            times.append(os.stat(lock.path).st_ctime_ns)
    return min(times)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
