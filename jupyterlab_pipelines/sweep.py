"""Sweeps: one notebook run with many sets of parameters, as one thing that can be cancelled.

The runs are ordinary runs, each a process of its own, which share through the cache whatever their
parameters leave equal. What is to be run, and that it was cancelled, stands in a folder of the store
while the sweep is under way; `jupyterlab_pipelines.sweep_process` carries it out.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.store import Store

MOST_RUNS = 1000

_TOLD = "sweep.json"
_CANCELLED = "cancelled"


def create_sweep(store: Store, told: Mapping[str, Any]) -> str:
    """Note a sweep that is wanted; its id."""
    sweep_id = f"sweep-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = sweep_folder(store, sweep_id)
    folder.mkdir(parents=True)
    (folder / _TOLD).write_text(json.dumps(told), encoding="utf-8")
    return sweep_id


def sweep_folder(store: Store, sweep_id: str) -> Path:
    return store.path / "sweeps" / sweep_id


def read_sweep(store: Store, sweep_id: str) -> dict[str, Any]:
    """What was noted of the sweep."""
    told: dict[str, Any] = json.loads((sweep_folder(store, sweep_id) / _TOLD).read_text(encoding="utf-8"))
    return told


def request_cancel(store: Store, sweep_id: str) -> None:
    """Let no more runs of the sweep begin.

    Raises
    ------
    NotFoundError
        The store has no such sweep.
    """
    folder = sweep_folder(store, sweep_id)
    if sweep_id and folder.is_dir() and folder.parent == store.path / "sweeps":
        (folder / _CANCELLED).touch()
    elif not any(json.loads(row["options"]).get("sweep") == sweep_id for row in store.runs.briefly(None)):
        raise NotFoundError("unknown_sweep", f"The store has no sweep `{sweep_id}`.", sweep=sweep_id)


def is_cancelled(store: Store, sweep_id: str) -> bool:
    return (sweep_folder(store, sweep_id) / _CANCELLED).exists()


def unfinished_runs(store: Store, sweep_id: str) -> list[str]:
    """Runs of the sweep that are queued or under way."""
    store.settle_interrupted()
    runs = store.runs
    return [
        run_id
        for run_id in runs.unfinished()
        if json.loads(runs.row(run_id)["options"]).get("sweep") == sweep_id
    ]


def runs_of(store: Store, sweep_id: str) -> int:
    """How many runs of the sweep have begun."""
    return sum(json.loads(row["options"]).get("sweep") == sweep_id for row in store.runs.briefly(None))


def unfinished_sweeps(store: Store) -> list[dict[str, Any]]:
    """Sweeps that have not come to their end, with how far they are.

    ``status`` is ``running``, or ``interrupted``: then the process that started their runs is gone.
    """
    found: list[dict[str, Any]] = []
    for folder in sorted((store.path / "sweeps").glob("*")):
        sweep_id = folder.name
        lock = store.sweep_lock(sweep_id)
        is_gone = lock.acquire()
        lock.release()
        try:
            told = read_sweep(store, sweep_id)
        except (OSError, ValueError):
            continue  # it ends just now, or was killed before it was written
        if is_gone and is_cancelled(store, sweep_id):
            remove_sweep(store, sweep_id)
            continue
        found.append(
            {
                "sweep_id": sweep_id,
                "status": "interrupted" if is_gone else "running",
                "runs_total": len(told["parameter_sets"]),
                "runs_begun": runs_of(store, sweep_id),
            }
        )
    return found


def remove_sweep(store: Store, sweep_id: str) -> None:
    """Forget what was noted of a sweep that has ended; its runs are in the history."""
    folder = sweep_folder(store, sweep_id)
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()
