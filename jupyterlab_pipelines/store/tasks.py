"""What is noted of tasks: exports, verifications and the like, which a server was asked for.

A task is a process that ends with its server. Its note outlives both: whoever comes back is told what came of it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.store.locks import FileLock

MOST_NOTES = 50
"""Notes that are kept: the newest ones."""
ENDED_WITH_SERVER = {
    "code": "server_ended",
    "message": "It ended together with the server that carried it out. What it had not finished, begin again.",
    "details": {},
}


class TaskNotes:
    """The notes of one store, a file for each task.

    The server that carries out a task holds a lock meanwhile. A note that says ``running`` though its lock is
    free is therefore of a task that ended with its server.
    """

    def __init__(self, store_path: Path) -> None:
        self._store_path = store_path
        self._locks: dict[str, FileLock] = {}

    def begin(self, task: dict[str, Any]) -> None:
        """A task has begun, and this process owns it. Where there is no store, nothing is noted."""
        if not self._store_path.is_dir():
            return
        with suppress(OSError):  # a store that may only be read
            lock = self._lock(task["task_id"])
            lock.acquire()
            self._locks[task["task_id"]] = lock
            self._write(task)
            for path in self._paths()[:-MOST_NOTES]:
                path.unlink(missing_ok=True)

    def end(self, task: dict[str, Any]) -> None:
        """What came of it."""
        lock = self._locks.pop(task["task_id"], None)
        if lock is not None:
            with suppress(OSError):
                self._write(task)
            lock.release()

    def leave(self) -> None:
        """The server ends, and its tasks with it."""
        while self._locks:
            self._locks.popitem()[1].release()

    def find(self, task_id: str) -> dict[str, Any] | None:
        return self._read(self._folder / f"{task_id}.json")

    def all(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return [note for path in self._paths() if (note := self._read(path)) is not None]

    @property
    def _folder(self) -> Path:
        return self._store_path / "tasks"

    def _lock(self, task_id: str) -> FileLock:
        return FileLock(self._store_path / "locks" / f"task-{task_id}")

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"), key=lambda path: (path.stat().st_mtime, path.name))

    def _write(self, task: dict[str, Any]) -> None:
        self._folder.mkdir(exist_ok=True)
        aside = self._folder / f"{task['task_id']}.part"
        aside.write_text(json.dumps(task), encoding="utf-8")
        os.replace(aside, self._folder / f"{task['task_id']}.json")

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if note["status"] == "running" and (lock := self._lock(note["task_id"])).acquire():
                try:
                    note |= {"status": "interrupted", "error": ENDED_WITH_SERVER}
                    self._write(note)
                finally:
                    lock.release()
        except (OSError, ValueError):
            return None
        return note
