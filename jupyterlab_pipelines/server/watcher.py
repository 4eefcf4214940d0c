"""Watching run stores: what any process writes to them becomes an event of this server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.errors import NotFoundError

if TYPE_CHECKING:
    from jupyterlab_pipelines.project import Project

BUSY_SECONDS = 0.05
"""Between two looks while a run is active, or somebody has asked lately."""
IDLE_SECONDS = 1.0
"""Between two looks otherwise."""
LATELY_SECONDS = 10.0
UNCHANGED_SECONDS = 2.0
"""An active run is looked at this often though the store has not changed: a killed runner writes nothing."""
RECENT_RUNS = 50

ACTIVE = frozenset({"queued", "running"})


@dataclass(frozen=True, slots=True)
class RunNews:
    """A run has another status than before, or is new."""

    run_id: str
    notebook: Path
    status: str


@dataclass(frozen=True, slots=True)
class StepNews:
    """A step has another status or progress than before."""

    run_id: str
    notebook: Path
    step: str
    status: str


News = RunNews | StepNews


@dataclass(frozen=True, slots=True)
class _SeenRun:
    notebook: Path
    status: str
    steps: dict[str, tuple[str, tuple[int | None, int] | None]] = field(default_factory=dict)
    """By name: status, and how far it is while it runs."""


class StoreWatch:
    """What was last seen in one run store, and what is new since then. Blocks: for a thread."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._changes: int | None = None
        self._looked_at = 0.0
        self._seen: dict[str, _SeenRun] = {}

    @property
    def active(self) -> bool:
        return any(run.status in ACTIVE for run in self._seen.values())

    def look(self) -> list[News]:
        """News since the last look, oldest run first; none at the first look."""
        changes = self._project.changes()
        unchanged_for = time.monotonic() - self._looked_at
        if changes == self._changes and not (self.active and unchanged_for > UNCHANGED_SECONDS):
            return []
        # Read before the runs: what is written meanwhile counts as a change at the next look.
        is_first = self._changes is None
        before, self._seen = self._seen, self._read_runs()
        self._changes, self._looked_at = changes, time.monotonic()
        return [] if is_first else list(_compare(before, self._seen))

    def _read_runs(self) -> dict[str, _SeenRun]:
        active = {run["run_id"]: run for run in self._project.active_runs()}
        recent = {run["run_id"]: run for run in reversed(self._project.runs(limit=RECENT_RUNS))}
        were_active = [run_id for run_id, run in self._seen.items() if run.status in ACTIVE]
        seen: dict[str, _SeenRun] = {}
        for run_id in dict.fromkeys([*were_active, *recent, *active]):
            if run_id in active:
                seen[run_id] = self._seen_active(active[run_id])
            elif (run := self._seen_ended(run_id, recent.get(run_id))) is not None:
                seen[run_id] = run
        return seen

    def _seen_active(self, run: dict[str, Any]) -> _SeenRun:
        steps = {
            name: (
                step["status"],
                (step["cell"], step.get("logged_bytes", 0)) if step["status"] == "running" else None,
            )
            for name, step in run["steps"].items()
        }
        return _SeenRun(self._project.root / run["notebook"], run["status"], steps)

    def _seen_ended(self, run_id: str, run: dict[str, Any] | None) -> _SeenRun | None:
        """A run that is not active; read whole only when it was, or when it is new."""
        before = self._seen.get(run_id)
        if self._changes is None and run is not None:
            return _SeenRun(self._project.root / run["notebook"], run["status"])
        if before is not None and run is not None and before.status == run["status"]:
            return before
        try:
            document = self._project.run_document(run_id)
        except NotFoundError:
            return None
        ended = _SeenRun(self._project.root / document["notebook"], document["status"])
        ended.steps.update((step["name"], (step["status"], None)) for step in document["steps"])
        return ended


def _compare(before: dict[str, _SeenRun], now: dict[str, _SeenRun]) -> Iterator[News]:
    """Beginnings first, ends last: whoever hears that a run has ended has heard of all its steps."""
    for run_id, run in now.items():
        old = before.get(run_id, _SeenRun(run.notebook, ""))
        status = RunNews(run_id, run.notebook, run.status)
        if run.status != old.status and run.status in ACTIVE:
            yield status
        for name, step in run.steps.items():
            if step != old.steps.get(name):
                yield StepNews(run_id, run.notebook, name, step[0])
        if run.status != old.status and run.status not in ACTIVE:
            yield status


class RunWatcher:
    """Owns the task that looks at the stores somebody has asked about.

    Polling, because a run may be written by any process (a runner of ours, a terminal, another
    server), and because asking SQLite whether anything has changed costs next to nothing.

    Parameters
    ----------
    publish
        Called on the event loop with each piece of news.
    """

    def __init__(self, publish: Callable[[News], None], log: logging.Logger | logging.LoggerAdapter[Any]):
        self._publish = publish
        self._log = log
        self._stores: dict[Path, StoreWatch] = {}
        self._task: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._asked_at = 0.0

    async def watch(self, project: Project) -> None:
        """Somebody has asked about `project`: what changes in its store from now on is published."""
        if project.store_path not in self._stores:
            watch = StoreWatch(project)
            await self._look(watch)
            self._stores.setdefault(project.store_path, watch)
        self._asked_at = time.monotonic()
        self._asked.set()
        if self._task is None:
            self._task = asyncio.create_task(self._poll(), name="pipelines: watch run stores")

    async def stop(self) -> None:
        """End the task. Runs go on: they are processes of their own."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _poll(self) -> None:
        while True:
            for watch in list(self._stores.values()):
                await self._look(watch)
            self._asked.clear()
            try:
                await asyncio.wait_for(self._asked.wait(), self._pause_seconds())
                await asyncio.sleep(BUSY_SECONDS)
            except TimeoutError:
                pass

    def _pause_seconds(self) -> float:
        asked_lately = time.monotonic() - self._asked_at < LATELY_SECONDS
        busy = asked_lately or any(watch.active for watch in self._stores.values())
        return BUSY_SECONDS if busy else IDLE_SECONDS

    async def _look(self, watch: StoreWatch) -> None:
        try:
            news = await asyncio.to_thread(watch.look)
        except Exception:
            # The store may be locked or gone for the moment. Whoever asks for it hears why; the
            # events go on as soon as it is back.
            self._log.debug("Could not look at a run store", exc_info=True)
            return
        for item in news:
            self._publish(item)
