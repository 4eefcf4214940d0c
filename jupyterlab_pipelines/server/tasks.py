"""Tasks: work beside runs that is carried out by processes of their own, each owned by this server."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.environment import environment_with_us
from jupyterlab_pipelines.errors import NotFoundError, PipelinesError
from jupyterlab_pipelines.store.tasks import TaskNotes

KINDS = ("export", "verify", "import", "doctor", "check", "gc")
MOST_LOGGED = 200_000
"""Characters of a task's log that are kept: the last ones."""
MOST_TASKS = 50
"""Ended tasks that are remembered."""
SECONDS_TO_SETTLE = 8.0
"""What a task gets to end by itself when it was cancelled."""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Task:
    """One task, followed by two threads that read what its process writes.

    Attributes
    ----------
    path
        The notebook that it is about, as the contents API calls it; "" for the whole project.
    folder
        The folder that it writes or reads, as the contents API calls it.
    status
        ``running``, ``succeeded``, ``failed`` or ``cancelled``; of a server that has ended, ``interrupted``.
    """

    kind: str
    path: str
    folder: str | None
    id: str = field(default_factory=lambda: f"task-{secrets.token_hex(6)}")
    created_at: str = field(default_factory=_now)
    finished_at: str | None = None
    status: str = "running"
    log: str = ""
    events: list[Any] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    process: subprocess.Popen[bytes] | None = None
    is_cancelled: bool = False
    on_end: Callable[[], None] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def to_json(self) -> dict[str, Any]:
        with self._lock:
            return {
                "task_id": self.id,
                "kind": self.kind,
                "path": self.path,
                "folder": self.folder,
                "status": self.status,
                "created_at": self.created_at,
                "finished_at": self.finished_at,
                "log": self.log,
                "events": list(self.events),
                "result": self.result,
                "error": self.error,
            }

    def begin(self, request: Mapping[str, Any], directory: Path) -> None:
        """Start the process and hand it what is wanted."""
        self.process = process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab_pipelines.task_process"],
            cwd=directory,
            env=environment_with_us(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A group of its own: what it starts is ended with it.
            start_new_session=True,
        )
        readers = [
            threading.Thread(target=target, daemon=True) for target in (self._read_documents, self._read_log)
        ]
        for reader in readers:
            reader.start()
        threading.Thread(target=self._settle, args=(readers,), daemon=True).start()
        assert process.stdin is not None
        # A process that has died at once is told by `_settle`. The pipe stays open: its end tells the process that
        # this server is gone, however it went.
        with contextlib.suppress(OSError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()

    def cancel(self) -> None:
        """Interrupt the process and all that it has started; what does not give in is killed."""
        self.is_cancelled = True
        self._signal(signal.SIGINT)
        timer = threading.Timer(SECONDS_TO_SETTLE, self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _signal(self, number: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, number)
            else:  # pragma: no cover - Windows
                self.process.terminate()

    def _read_documents(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        for line in self.process.stdout:
            document = json.loads(line)
            with self._lock:
                if "event" in document:
                    self.events.append(document["event"])
                else:
                    self.result, self.error = document.get("result"), document.get("error")

    def _read_log(self) -> None:
        assert self.process is not None and self.process.stderr is not None
        while data := self.process.stderr.read1(65536):  # type: ignore[attr-defined]
            with self._lock:
                self.log = (self.log + data.decode("utf-8", "replace"))[-MOST_LOGGED:]

    def _settle(self, readers: list[threading.Thread]) -> None:
        assert self.process is not None
        for reader in readers:
            reader.join()
        self.process.wait()
        with self._lock:
            if self.result is not None:
                self.status = "succeeded"
            elif self.is_cancelled:
                self.status, self.error = "cancelled", None
            else:
                self.status = "failed"
                broken = PipelinesError("task_broke_off", "It broke off; its log has the details.")
                self.error = self.error or broken.to_document()["error"]
            self.finished_at = _now()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.on_end()


class Tasks:
    """The tasks of this server, which end with it; and what is noted of those of servers before it."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._notes: dict[Path, TaskNotes] = {}
        self._is_closed = False

    def start(
        self, task: Task, request: Mapping[str, Any], directory: Path, changed: Callable[[], None]
    ) -> str:
        """Begin a task; its id. `changed` is called, in any thread, when it has begun and when it has ended."""
        ended = [known.id for known in self._tasks.values() if known.status != "running"]
        for task_id in ended[: max(0, len(ended) - MOST_TASKS)]:
            del self._tasks[task_id]
        self._tasks[task.id] = task
        notes = self.notes(Path(request["store"]))
        notes.begin(task.to_json())

        def end() -> None:
            if not self._is_closed:
                notes.end(task.to_json())
                changed()

        task.on_end = end
        task.begin(request, directory)
        changed()
        return task.id

    def notes(self, store_path: Path) -> TaskNotes:
        return self._notes.setdefault(store_path, TaskNotes(store_path))

    def find(self, task_id: str) -> dict[str, Any]:
        """
        Raises
        ------
        NotFoundError
            Neither this server nor a store that it has met knows such a task.
        """
        if task_id in self._tasks:
            return self._tasks[task_id].to_json()
        for notes in self._notes.values():
            if (note := notes.find(task_id)) is not None:
                return note
        raise NotFoundError("unknown_task", f"The server knows no task `{task_id}`.", task=task_id)

    def all(self) -> list[dict[str, Any]]:
        """Oldest first."""
        noted = {note["task_id"]: note for notes in self._notes.values() for note in notes.all()}
        known = noted | {task.id: task.to_json() for task in self._tasks.values()}
        return sorted(known.values(), key=lambda task: task["created_at"])

    def cancel(self, task_id: str) -> None:
        """
        Raises
        ------
        NotFoundError
            This server carries out no such task.
        """
        if task_id not in self._tasks:
            raise NotFoundError("unknown_task", f"This server carries out no task `{task_id}`.", task=task_id)
        self._tasks[task_id].cancel()

    def close(self) -> None:
        """End all tasks now. Their notes say so to the next server."""
        self._is_closed = True
        for task in self._tasks.values():
            task.is_cancelled = True
            task.kill()
        for notes in self._notes.values():
            notes.leave()
